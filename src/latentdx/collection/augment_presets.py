"""How two views of a scan are drawn for each kind of scan, and which kind a collection is of.

Each preset names what differs between two scans of the same finding on that machine, so that an
invariance objective learns to overlook it: exposure and quanta on radiographs, the display window
on CT, coils and scale of grey values on MR, gain and speckle on ultrasound. Values are about those
of nnU-Net (Isensee et al., Nature Methods 2021) and TorchIO (Pérez-García et al., 2021), milder
where they distort.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from latentdx.collection.augment_settings import VIEWS, AugmentSettings

PresetName = Literal["any", "xray", "mammography", "ct", "mr", "ultrasound"]
ModalityChoice = Literal["auto", "any", "xray", "mammography", "ct", "mr", "ultrasound"]
Borrowed = Literal["fourier", "style"]

_XRAY = replace(VIEWS, noise=(0.0, 0.05), noise_kind="poisson", blur=1.0, sometimes=0.2)

PRESETS: dict[PresetName, AugmentSettings] = {
    "any": VIEWS,
    "xray": _XRAY,
    # the side is written on the film, and is the finding's place
    "mammography": replace(_XRAY, flip=0.0, flip_rows=0.0),
    # grey values are absolute: a window may move, a gamma or a negative has no meaning
    "ct": replace(
        VIEWS,
        contrast=0.0,
        brightness=0.0,
        gamma=0.0,
        window_centre=0.1,
        window_width=0.3,
        noise=(0.0, 0.05),
        blur=1.0,
        tilt=5.0,
    ),
    "mr": replace(
        VIEWS,
        bias=0.4,
        noise=(0.0, 0.05),
        noise_kind="rician",
        blur=1.0,
        coarse=2.0,
        tilt=5.0,
        elastic=0.02,
    ),
    "ultrasound": replace(
        VIEWS,
        bias=0.3,
        noise=(0.02, 0.15),
        noise_kind="speckle",
        blur=1.0,
        elastic=0.02,
        tilt=5.0,
    ),
}
"""Settings of the views by kind of scan; ``any`` is `VIEWS`."""

BORROWED: Mapping[Borrowed, float] = {"fourier": 0.5, "style": 1.0}
"""What a view may take of another scan of the batch, and the largest share; not tuned."""

STILL = AugmentSettings(rotation=0.0, shift=0.0, zoom=(1.0, 1.0), flip=0.0)
"""Nothing at all."""

_CODES: dict[str, PresetName] = {
    "CR": "xray",
    "DX": "xray",
    "MG": "mammography",
    "CT": "ct",
    "MR": "mr",
    "US": "ultrasound",
}


def preset(modality: PresetName, *, laterality: bool = False) -> AugmentSettings:
    """The views of a kind of scan, without left-right flips where laterality is the diagnosis.

    Examples
    --------
    >>> preset("mr").noise_kind, preset("mr", laterality=True).flip
    ('rician', 0.0)
    """
    found = PRESETS[modality]
    return replace(found, flip=0.0) if laterality else found


def preset_name(codes: Iterable[str]) -> PresetName:
    """The kind of more than half of the scans, by their DICOM modality codes; else ``any``.

    Examples
    --------
    >>> preset_name(["CR", "DX", "CT"]), preset_name(["MR", "", ""]), preset_name([])
    ('xray', 'any', 'any')
    """
    counts = Counter(_CODES.get(code, "any") for code in codes)
    name, count = counts.most_common(1)[0] if counts else ("any", 1)
    return name if 2 * count > counts.total() else "any"


def views_for(
    modality: ModalityChoice, codes: Iterable[str], *, laterality: bool
) -> AugmentSettings:
    """The views of the kind of scan that is named, or by ``auto`` of the one that most scans are.

    Examples
    --------
    >>> views_for("auto", ["MR"], laterality=False) == PRESETS["mr"]
    True
    """
    name = preset_name(codes) if modality == "auto" else modality
    return preset(name, laterality=laterality)


def borrowing(settings: AugmentSettings, names: Sequence[Borrowed]) -> AugmentSettings:
    """Settings by which scans borrow from each other, too, what is named.

    Examples
    --------
    >>> borrowing(STILL, ["style"]).style, borrowing(VIEWS, []) == VIEWS
    (1.0, True)
    """
    shares = {name: BORROWED[name] for name in names}
    return replace(settings, fourier=shares.get("fourier", 0.0), style=shares.get("style", 0.0))
