"""`AugmentSettings`: how far an augmentation may go; `GEOMETRIC` and `VIEWS`, the two defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NoiseKind = Literal["gaussian", "rician", "speckle", "poisson"]


@dataclass(frozen=True)
class AugmentSettings:
    """How far a draw may go: each image or volume has its own numbers within these limits.

    What is at its default of 0 is not done and costs nothing.

    Attributes
    ----------
    rotation: degrees either way, in the plane of an image and in the axial plane of a volume.
    shift: fraction of the side, either way.
    zoom: range of magnification: (0.9, 1.1) keeps the body part in view, (1.0, 1.8) crops.
    flip: chance of a left-right flip: set 0 where laterality is the diagnosis.
    contrast, gamma: largest logarithm of the factor and of the exponent, either way.
    brightness: largest offset, either way.
    noise: deviation, or the range that each image's is drawn from; of `noise_kind`.
    flip_rows, flip_slices: chance of an up-down flip of an image (front-back of a volume), and of
        a head-foot flip of a volume.
    tilt: degrees by which a volume's axial plane may lean; nothing for images.
    shear: largest shift of a row over its distance from the middle, either way.
    elastic: largest displacement of the deformation's control points, as a fraction of the side.
        Up to 0.1 nothing folds.
    window_centre, window_width: jitter of the display window: largest move of its centre as a
        fraction of its width, and largest logarithm of the factor of its width.
    bias: largest logarithm of a smooth field of gain (that of MR coils).
    invert: chance of a negative.
    blur: largest deviation of the Gaussian, in pixels; sharpen: largest amount of an unsharp mask;
        coarse: largest factor by which resolution is lost; cutout: largest side of a black box, as
        a fraction of the image's. Each befalls an image with the chance `sometimes`.
    mixup: a of the Beta(a, a) that a scan's share in a mixture of two is drawn from, 0 for none.
    fourier, style: largest share of another scan's amplitudes, and of its grey levels, in the
        place of a scan's own (see `augment_borrow`).
    """

    rotation: float = 8.0
    shift: float = 0.06
    zoom: tuple[float, float] = (0.9, 1.1)
    flip: float = 0.5
    contrast: float = 0.0
    brightness: float = 0.0
    gamma: float = 0.0
    noise: float | tuple[float, float] = 0.0
    noise_kind: NoiseKind = "gaussian"
    flip_rows: float = 0.0
    flip_slices: float = 0.0
    tilt: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    window_centre: float = 0.0
    window_width: float = 0.0
    bias: float = 0.0
    invert: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    coarse: float = 1.0
    cutout: float = 0.0
    sometimes: float = 0.3
    mixup: float = 0.0
    fourier: float = 0.0
    style: float = 0.0


GEOMETRIC = AugmentSettings()
"""Copies for the classifier: small rotation, shift, scale, flip."""

VIEWS = AugmentSettings(
    rotation=15.0,
    shift=0.08,
    zoom=(0.9, 1.6),
    contrast=0.3,
    brightness=0.15,
    gamma=0.4,
    noise=0.03,
)
"""Two views of a scan for an invariance objective: stronger, with exposure changes and noise."""
