"""Options of `run` and `pretrain`: which weights the encoder begins from."""

from __future__ import annotations

from typing import Annotated

import typer

FromOption = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Begin from these weights: starter (the package's own), an encoder's folder, a "
        "bundle, a .safetensors, or hf:owner/name of the Hugging Face Hub.",
    ),
]
FreezeOption = Annotated[
    int | None,
    typer.Option("--freeze", help="With --from: keep the weights of the first N blocks.", min=1),
]
LowRankOption = Annotated[
    int | None,
    typer.Option(
        "--low-rank",
        help="With --from: kernels of the encoder learn by a change of this rank alone (LoRA).",
        min=1,
    ),
]
PassesOption = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        help="Passes over the scans. Default: by number and size. 0, with --from: as it is.",
        min=0,
    ),
]
