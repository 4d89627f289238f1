"""Options of `doctor`, `ingest` and `run`: presets, several windows, regions, grey levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from latentdx.cli import options

DimsOption = Annotated[
    int | None,
    typer.Option(
        "--dims",
        help="2 for images, 3 for volumes. Default: 3 for a collection or .npz of volumes, and "
        "where all files are NIfTI, NRRD or MetaImage; else 2.",
        min=2,
        max=3,
    ),
]
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset",
        help="How scans of a kind are usually read: ct-chest, ct-lung, ct-abdomen, ct-brain, "
        "ct-bone, mr or cxr (see docs/knowledge.md). Options given beside it win.",
    ),
]
RegionOption = Annotated[
    str | None,
    typer.Option(
        "--region",
        help="Crop images and volumes to the body, lung or brain, to the exposed field of an X-ray "
        "image, or to your own mask (column mask of --labels); none (default) leaves them whole.",
    ),
]
BiasFieldOption = Annotated[
    bool | None,
    typer.Option(
        "--bias-field/--no-bias-field",
        help="MR: divide out the slow change of brightness (N4; needs SimpleITK).",
        show_default=False,
    ),
]
ScaleOption = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="Grey levels: file (default: by windows or percentiles), or body (by mean and "
        "deviation within the body, for MR).",
    ),
]

MasksFlag = Annotated[
    bool,
    typer.Option(
        "--masks",
        help="Keep your own masks (column mask of --labels) with the scans, for --focus mask; "
        "nothing is cropped to them.",
    ),
]

MeasuresFlag = Annotated[
    bool,
    typer.Option(
        "--measures",
        help="Measure grey levels, shape, texture and left-right symmetry of each scan, as "
        "covariates (picture_...); run lets the classifier read them, fit with --covariates "
        "measures.",
    ),
]


def values(
    preset: str | None,
    window: str | None,
    region: str | None,
    bias_field: bool | None,
    scale: str | None,
) -> dict[str, Any]:
    """What is said of reading, as `Policy` and settings have it; what is not said is left out.

    Raises `StopError` ``E_OPTION``.
    """
    from latentdx.scans.presets import preset_values
    from latentdx.scans.regions import REGIONS

    found = preset_values(preset)
    if window is not None:
        found = {name: value for name, value in found.items() if not name.startswith("window")}
        found |= windows(window)
    if options.choice("--region", region, (*REGIONS, "mask", "none")) is not None:
        found["region"] = None if region == "none" else region
    if bias_field is not None:
        found["bias_field"] = bias_field
    if options.choice("--scale", scale, ("file", "body")) is not None:
        found["scale"] = scale
    return found


def windows(text: str) -> dict[str, Any]:
    """One window, or three by their names, a channel each. Raises `StopError` ``E_OPTION``."""
    from latentdx.core.errors import StopError
    from latentdx.scans.policy import WINDOWS

    names = [part.strip() for part in text.split(",")]
    if not all(name in WINDOWS for name in names):
        return {"window": options.window(text)}
    if len(names) == 1:
        return {"window": WINDOWS[names[0]]}
    if len(names) != 3 or len(set(names)) < 3:
        found = f"--window {text!r}: {len(names)} windows"
        raise StopError("E_OPTION", found, fix="give one, or three different ones for 3 channels")
    return {"windows": tuple(WINDOWS[name] for name in names)}


def dims_of(dims: int | None, sources: Sequence[Path], slices: object) -> Literal[2, 3]:
    """2 or 3, as asked for; else by what the sources hold, which is told where it is volumes."""
    if dims is not None:
        return 3 if dims == 3 else 2
    if slices is not None:
        return 2
    from latentdx.collection.natural_dims import natural_dims

    if not sources or {natural_dims(source) for source in sources} != {3}:
        return 2
    typer.echo("volumes: read as --dims 3 says; --slices every:N makes images of them", err=True)
    return 3
