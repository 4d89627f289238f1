"""Options of the training loop that `pretrain` and `federate` share."""

from __future__ import annotations

from typing import Annotated

import typer

FlipOption = Annotated[
    bool | None, typer.Option("--flip/--no-flip", help="Use mirror images (default: yes).")
]
AugmentFlag = Annotated[
    bool, typer.Option("--augment", help="Move, turn and mirror every scan before the loss.")
]
BatchSizeOption = Annotated[
    int | None, typer.Option("--batch-size", help="Scans a step (default: 64).", min=8)
]
AccumulateOption = Annotated[
    int | None,
    typer.Option("--accumulate", help="Parts of a batch, to save memory (default: 1).", min=1),
]
LearningRateOption = Annotated[
    float | None, typer.Option("--learning-rate", help="Default: the autoencoder's own.")
]
DeterministicFlag = Annotated[
    bool, typer.Option("--deterministic", help="Repeat to the bit on a GPU, too; slower.")
]
