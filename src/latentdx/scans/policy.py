"""`Policy`: what becomes of files that hold more, or other, than one plain 2-D image."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

Scale = Literal["file", "body"]
FoundRegion = Literal["field", "body", "lung", "brain"]
RegionName = Literal["field", "body", "lung", "brain", "mask"]
FramesPolicy = Literal["refuse", "each", "volume"]
BurnedIn = Literal["quarantine", "mask", "keep"]

WINDOWS = {
    "soft-tissue": (40.0, 400.0),
    "lung": (-600.0, 1500.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "subdural": (75.0, 215.0),
    "liver": (60.0, 160.0),
}
"""CT windows by name: (center, width) in HU, as radiologists commonly set them."""


@dataclass(frozen=True)
class Policy:
    """How files are read.

    Attributes
    ----------
    dims: 2 for images, 3 for volumes.
    frames: of a file with several frames or pages (cine, enhanced CT, GIF, TIFF): ``refuse``,
        ``each`` (every frame a scan of its own, of the same patient) or ``volume``; None for
        ``volume`` where volumes are wanted and ``refuse`` elsewhere.
    every: with `dims` 2, volumes are cut into slices and every N-th becomes a scan; None refuses
        volumes.
    volume_index: which volume of a 4-D file, from 0; None refuses such files.
    window: (center, width) in the scan's units (HU, say), used for every scan in place of the
        window that its file gives or of its percentiles; None for the file's own.
    windows: three of them, each a channel of its own; empty for one channel.
    nan: what NaN and infinite values become: ``refuse``, or ``impute`` (the lowest finite value).
    spacing_mm: volumes are resampled to voxels of this side; None keeps the file's.
    crop: volumes are cropped to the body.
    region: images and volumes are cropped to this part (see `region_box`), or to the mask that is
        given with each; None leaves them whole.
    bias_field: the slow change of brightness across an MR image is divided out (N4).
    scale: ``body`` lays 0..1 over three deviations to both sides of the mean within the body;
        ``file`` leaves grey levels as windows or percentiles make them.
    measures: numbers of the picture (see `measures_of`) are told with each scan, as covariates.
    burned_in: of images with text in their pixels: ``quarantine``, ``mask`` or ``keep``.
    identity_map: identifiers are sealed under the key, for the map that leads back from pseudonyms.
    gate: scans that hold nothing to learn from (constant, tiny) are refused, odd ones marked.

    Examples
    --------
    >>> Policy(dims=3).several
    'volume'
    """

    dims: Literal[2, 3] = 2
    frames: FramesPolicy | None = None
    every: int | None = None
    volume_index: int | None = None
    window: tuple[float, float] | None = None
    windows: tuple[tuple[float, float], ...] = ()
    nan: Literal["refuse", "impute"] = "refuse"
    spacing_mm: float | None = None
    crop: bool = False
    region: RegionName | None = None
    bias_field: bool = False
    scale: Scale = "file"
    measures: bool = False
    burned_in: BurnedIn = "keep"
    identity_map: bool = False
    gate: bool = False

    @property
    def takes_volumes(self) -> bool:
        """Whether volumes are read at all, whole or as slices."""
        return self.dims == 3 or self.every is not None

    @property
    def several(self) -> FramesPolicy:
        """What becomes of a file with several frames."""
        return self.frames or ("volume" if self.takes_volumes else "refuse")

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Policy:
        """`dataclasses.asdict` undone; names that are not known are left out."""
        known = {item.name for item in fields(cls)}
        values = {name: value for name, value in told.items() if name in known}
        window = values.get("window")
        values["window"] = None if window is None else tuple(window)
        values["windows"] = tuple(tuple(each) for each in values.get("windows", ()))
        return cls(**values)
