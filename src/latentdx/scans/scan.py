"""`Scan`: one image as the model sees it, with the record of every conversion made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scan:
    """One image, decoded, in 0..1, with pseudonyms in place of identifiers.

    Attributes
    ----------
    pixels: float32 (C, H, W), values 0..1, brighter = more signal (MONOCHROME1 is inverted).
        C is 1 for grey images and 3 for images with real colour.
    native_shape: (H, W) in the file, before any padding or resizing.
    spacing_mm: (row, column) spacing of `pixels` in mm, or None where the file does not say.
    patient, study, series: keyed pseudonyms, or None where the file does not say.
    modality: DICOM's code (``CR``, ``DX``, ``CT``, ``MR``, ``US`` ...) or ``""``.
    site: the scanner or institution, as a keyed pseudonym, or None.
    covariates: what the file says of the exposure and the person in coarse form, as strings:
        ``age_years``, ``sex``, ``view``, ``manufacturer`` (nothing that identifies).
    conversions: what was done to the pixels, in order, in words.
    content_hash: SHA-256 (hex) of the native decoded pixels, before padding or resizing; equal
        for equal images, whatever the file's name or metadata.
    """

    pixels: NDArray[np.float32]
    native_shape: tuple[int, int]
    spacing_mm: tuple[float, float] | None = None
    patient: str | None = None
    study: str | None = None
    series: str | None = None
    modality: str = ""
    site: str | None = None
    covariates: dict[str, str] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    content_hash: str = ""
