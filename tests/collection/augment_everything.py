"""Every augmentation at once, for tests of laws that hold of all."""

from __future__ import annotations

from latentdx.collection.augment import AugmentSettings

EVERYTHING = AugmentSettings(
    rotation=20.0,
    shift=0.1,
    zoom=(0.8, 1.5),
    flip=0.5,
    contrast=0.3,
    brightness=0.1,
    gamma=0.3,
    noise=(0.01, 0.1),
    noise_kind="rician",
    flip_rows=0.3,
    flip_slices=0.3,
    tilt=10.0,
    shear=0.1,
    elastic=0.05,
    window_centre=0.1,
    window_width=0.2,
    bias=0.3,
    invert=0.3,
    blur=1.5,
    sharpen=1.0,
    coarse=3.0,
    cutout=0.4,
    sometimes=0.5,
    mixup=0.4,
    fourier=1.0,
    style=1.0,
)
