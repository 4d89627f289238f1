"""Options that several commands share, with their help, and how their values are read."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from latentdx.scans.policy import Policy

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
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="What the labels are: auto (default: multi-label where a scan has several, classes "
        "else), classes, ordinal, multi-label or regression.",
    ),
]
OrderOption = Annotated[
    str | None,
    typer.Option(
        "--order",
        help="With --task ordinal: the grades, the lowest first: none,mild,severe. Default: by "
        "value where they are numbers.",
    ),
]
UnitOption = Annotated[
    str | None, typer.Option("--unit", help="With --task regression: the unit, such as years.")
]
TASKS = ("auto", "classes", "ordinal", "multi-label", "regression")
SizeOption = Annotated[
    int | None,
    typer.Option("--size", help="Side in pixels; scans are padded, never squashed. Default: the "
                 "data's own, at most 64.", min=8, max=1024),
]  # fmt: skip
SlicesOption = Annotated[
    str | None,
    typer.Option("--slices", help="With --dims 2: cut volumes and take every N-th slice: every:N."),
]
FramesOption = Annotated[
    str | None,
    typer.Option(
        "--frames",
        help="Files with several frames or pages: refuse (default), each (a scan a frame), volume.",
    ),
]
VolumeIndexOption = Annotated[
    int | None, typer.Option("--volume-index", help="Which volume of 4-D files, from 0.", min=0)
]
WindowOption = Annotated[
    str | None,
    typer.Option(
        "--window",
        help="CENTER,WIDTH in the scan's units, or soft-tissue, lung, bone, brain, subdural, "
        "liver; three names: three channels. Default: the file's window, or percentiles.",
    ),
]
NanOption = Annotated[
    str, typer.Option("--nan", help="Files with NaN or infinite values: refuse, or impute.")
]
SpacingOption = Annotated[
    float | None,
    typer.Option("--spacing", help="Resample volumes to voxels of so many mm.", min=0.05),
]
CropFlag = Annotated[bool, typer.Option("--crop", help="Crop volumes to the body.")]
BurnedInOption = Annotated[
    str,
    typer.Option(
        "--burned-in", help="Text burned into pixels: quarantine (default), mask, or keep."
    ),
]
IdentityMapFlag = Annotated[
    bool,
    typer.Option(
        "--identity-map",
        help="Keep a map from identifiers to pseudonyms, sealed, beside your pseudonym key.",
    ),
]
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
    str | None,
    typer.Option(
        "--autoencoder",
        help="invariant (default), convolutional (the classic), residual, denoising, sparse, "
        "contractive, variational, vector-quantised, adversarial, vae-gan, masked, masked-vit, "
        "or one of MONAI's.",
    ),
]
CLASSIFIERS = (
    "svm (default; Gaussian kernel, by landmarks above 20,000 rows), logistic, linear-svm (one "
    "weight a feature), prototypes (nearest class mean: for a handful of labels), knn (nearest "
    "scans), gaussian-process (at most 1,000 scans), forest (random trees), boosting (trees that "
    "correct each other), mlp (a hidden layer), stacking (svm, logistic and prototypes together). "
    "Of numbers: svm, ridge (a line), knn, forest, gaussian-process."
)
ClassifierOption = Annotated[str, typer.Option("--classifier", help=CLASSIFIERS)]
FlipOption = Annotated[
    bool,
    typer.Option(
        "--flip/--no-flip",
        help="Mirrored copies in training, scores averaged over mirror images. Off where left and "
        "right are the diagnosis.",
    ),
]
SemiSupervisedOption = Annotated[
    str | None,
    typer.Option(
        "--semi-supervised",
        help="What the classifier makes of unlabelled scans of the training side: none (default), "
        "spread (labels flow to neighbours), pseudo (a first classifier names them), or, with "
        "--fine-tune, consistency (what a network is sure of holds for changed scans, too).",
    ),
]
FEATURE_KINDS = ("fine-grid", "grid", "pooled", "latent", "multi-scale", "second-order")
FEATURES = (
    "fine-grid (grid, and contrasts of the first layers in 5 x 5 cells), "
    "grid (means of every layer in 3 x 3 cells), pooled (mean and deviation of every layer), "
    "latent (the bottleneck), multi-scale (pooled at two sizes) or second-order (and covariances)"
)
FeaturesOption = Annotated[str, typer.Option("--features", help=f"{FEATURES}.")]
FeaturesChoiceOption = Annotated[
    str | None,
    typer.Option("--features", help=f"{FEATURES}; or auto: chosen on tune. Default: fine-grid."),
]
ModalityOption = Annotated[
    str | None,
    typer.Option(
        "--modality",
        help="How the views of a scan are drawn that features must not tell apart: auto (default: "
        "by what most scans are), any, xray, mammography, ct, mr or ultrasound.",
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option("--epochs", help="Passes over the scans. Default: by number and size.", min=1),
]
LatentOption = Annotated[
    int | None,
    typer.Option("--latent-dim", help="Length of the latent, or channels of a latent map.", min=1),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option("--precision", help="auto (default: by a short trial), fp32 or bf16."),
]
ProbedOption = Annotated[
    int,
    typer.Option("--labelled", help="Labelled scans of train by which features are judged.", min=4),
]


def names(text: str | None) -> tuple[str, ...] | None:
    """``a,b`` as names, ``none`` as no name; None where nothing is said."""
    if text is None:
        return None
    return tuple(part for part in text.split(",") if part and part != "none")


def grades(text: str | None) -> tuple[str, ...] | None:
    """``a,b,c`` as names in order; None where nothing is said."""
    return None if text is None else tuple(part.strip() for part in text.split(","))


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


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that hold something. Raises `StopError` ``E_IO``."""
    from latentdx.core.errors import StopError

    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise StopError("E_IO", f"cannot be read: {error.strerror}", path=path) from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def slices(text: str | None) -> int | None:
    """``every:N`` as N. Raises `StopError` ``E_OPTION``."""
    if text is None:
        return None
    match = re.fullmatch(r"(?:every:)?([1-9]\d{0,5})", text)
    if match is None:
        raise _refused("--slices", text, "every:N, N from 1")
    return int(match[1])


def window(text: str | None) -> tuple[float, float] | None:
    """``CENTER,WIDTH`` or the name of a CT window. Raises `StopError` ``E_OPTION``."""
    from latentdx.scans.policy import WINDOWS

    if text is None or text in WINDOWS:
        return None if text is None else WINDOWS[text]
    try:
        center, width = (float(part) for part in text.split(","))
    except ValueError:
        center = width = math.nan
    if not (math.isfinite(center) and math.isfinite(width) and width >= 1):
        raise _refused("--window", text, f"CENTER,WIDTH (width 1 or more) or {', '.join(WINDOWS)}")
    return center, width


def choice(name: str, value: str | None, known: tuple[str, ...]) -> Any:
    """The value, one of `known` or None. Raises `StopError` ``E_OPTION``."""
    if value is not None and value not in known:
        raise _refused(name, value, ", ".join(known))
    return value


def policy(  # one argument an option
    *,
    dims: int,
    slices_text: str | None,
    frames: str | None,
    volume_index: int | None,
    window_text: str | None,
    nan: str,
    spacing: float | None,
    crop: bool,
    burned_in: str,
    identity_map: bool = False,
) -> Policy:
    """How files are read, from the options' texts. Raises `StopError` ``E_OPTION``."""
    from latentdx.scans.policy import Policy

    if dims == 3 and slices_text is not None:
        raise _refused("--slices", slices_text, "it only with --dims 2")
    return Policy(
        dims=3 if dims == 3 else 2,
        frames=choice("--frames", frames, ("refuse", "each", "volume")),
        every=slices(slices_text),
        volume_index=volume_index,
        window=window(window_text),
        nan=choice("--nan", nan, ("refuse", "impute")),
        spacing_mm=spacing,
        crop=crop,
        burned_in=choice("--burned-in", burned_in, ("quarantine", "mask", "keep")),
        identity_map=identity_map,
        gate=True,
    )


def _refused(name: str, value: str, wanted: str) -> Exception:
    from latentdx.core.errors import StopError

    return StopError("E_OPTION", f"{name} {value!r} is not understood", fix=f"give {wanted}")
