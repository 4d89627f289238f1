"""Options of `run` and `pretrain`: differentially private training of the autoencoder."""

from __future__ import annotations

from typing import Annotated

import typer

EpsilonOption = Annotated[
    float | None,
    typer.Option(
        "--epsilon",
        help="Train the autoencoder with differential privacy (DP-SGD): weights tell at most so "
        "much of any patient. With --autoencoder convolutional; needs latentdx[privacy].",
    ),
]
DeltaOption = Annotated[
    float | None,
    typer.Option(
        "--delta",
        help="With --epsilon: the probability with which it may fail. Default: a tenth of one "
        "patient's share, 1e-5 at most.",
    ),
]
