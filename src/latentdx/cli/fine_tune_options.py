"""Options of `run` and `fit`: whether and how the encoder goes on learning, from labels."""

from __future__ import annotations

from typing import Annotated

import typer

FineTuneOption = Annotated[
    str | None,
    typer.Option(
        "--fine-tune",
        help="Train a copy of the encoder on the labels, whose score joins the classifier's: none, "
        "head (a linear layer alone), last (with the last block), all, or auto (default): all for "
        "up to 1,000 labelled images.",
    ),
]
LossOption = Annotated[
    str | None,
    typer.Option(
        "--loss",
        help="What fine-tuning minimises: cross-entropy (default), focal, logit-adjusted or "
        "balanced-softmax; focal=GAMMA, logit-adjusted=TAU.",
    ),
]
ClassWeightsOption = Annotated[
    str | None,
    typer.Option(
        "--class-weights",
        help="Of cross-entropy and focal: balanced (every class weighs the same, default) or none.",
    ),
]
SamplingOption = Annotated[
    str | None,
    typer.Option(
        "--sampling",
        help="How often fine-tuning shows each class: natural (default), square-root, balanced.",
    ),
]
