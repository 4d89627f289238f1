"""Options that several commands share, with their help, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="CSV with columns path (or file), label, and optionally patient_id, study_id, site, "
        "part, any covariate. Without it class folders are the labels.",
    ),
]
PatternOption = Annotated[
    str | None,
    typer.Option(
        "--patient-pattern",
        help=r"Regular expression that finds the patient in a path, e.g. 'person\d+'.",
    ),
]
OneScanFlag = Annotated[
    bool,
    typer.Option(
        "--one-scan-per-patient", help="Declare that scans without a known patient have one each."
    ),
]
LabelMapOption = Annotated[
    list[str] | None,
    typer.Option("--label-map", help="Read a label as another: 'malignent=malignant'. Repeatable."),
]
SizeOption = Annotated[
    int | None,
    typer.Option("--size", help="Side in pixels; scans are padded, never squashed. Default: the "
                 "data's own, at most 64.", min=8, max=1024),
]  # fmt: skip
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.", min=0)]
StrictFlag = Annotated[bool, typer.Option("--strict", help="Stop at the first unusable file.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", help="Decoding processes. Default: all cores.", min=1)
]
OverlapOption = Annotated[
    str,
    typer.Option(
        "--overlap",
        help="Where the given test part shares patients or pictures with other parts: stop; drop "
        "their scans outside test; or allow (every score is marked INVALID).",
    ),
]
AutoencoderOption = Annotated[
    str, typer.Option("--autoencoder", help="invariant (default) or convolutional (the classic).")
]
ClassifierOption = Annotated[
    str, typer.Option("--classifier", help="svm (default), logistic or knn.")
]
FlipOption = Annotated[
    bool,
    typer.Option(
        "--flip/--no-flip",
        help="Mirrored copies in training, scores averaged over mirror images. Off where left and "
        "right are the diagnosis.",
    ),
]
FeaturesOption = Annotated[
    str, typer.Option("--features", help="pooled (several layers, default) or latent.")
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", help="Passes over the scans. Default: by number and size.", min=1),
]


def label_map(pairs: list[str] | None) -> dict[str, str]:
    """``a=b`` pairs as a dictionary. Raises `StopError` ``E_LABEL_MAP``."""
    from latentdx.core.errors import StopError

    found = {}
    for pair in pairs or []:
        name, mark, other = pair.partition("=")
        if not mark:
            raise StopError("E_LABEL_MAP", f"{pair!r} is no pair", fix="write --label-map old=new")
        found[name] = other
    return found
