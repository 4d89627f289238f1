"""`Scan`: one image or volume as the model sees it, with the record of every conversion made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scan:
    """One image or volume, decoded, in 0..1, with pseudonyms in place of identifiers.

    Attributes
    ----------
    pixels: float32 (C, H, W), or (C, X, Y, Z) in RAS+ for a volume; values 0..1, brighter = more
        signal (MONOCHROME1 is inverted). C is 1 for grey and 3 for real colour.
    native_shape: (H, W) or (X, Y, Z) in the file, before any padding or resizing.
    spacing_mm: spacing of `pixels` along each spatial axis in mm ((row, column) of an image), or
        None where the file does not say.
    orientation: ``"RAS"`` for volumes (index rises to the patient's right, front and head), ``""``
        for images.
    frame: which part of its file this is (``frame/3``, ``page/0``, ``slice/12``), ``""`` where the
        file holds one scan.
    patient, study, series: keyed pseudonyms, or None where the file does not say.
    modality: DICOM's code (``CR``, ``DX``, ``CT``, ``MR``, ``US`` ...) or ``""``.
    site: the scanner or institution, as a keyed pseudonym, or None.
    acquired: ISO date, shifted by a secret number of days that is the same for all scans of a
        patient; None where the file does not say.
    covariates: what the file says of the exposure and the person in coarse form, as strings:
        ``age_years``, ``sex``, ``view``, ``manufacturer`` (nothing that identifies).
    conversions: what was done to the pixels, in order, in words.
    warnings: codes of what a reader should look at (``W_SATURATED``, say), each once.
    content_hash: SHA-256 (hex) of the native decoded pixels, before padding or resizing; equal
        for equal images, whatever the file's name or metadata.
    file_hash: SHA-256 (32 hex digits) of the file's bytes (of all files of a series), or ``""``.
    text_risk: what a header says of text in the pixels: ``stated``, ``raised`` or ``""``.
    has_face: the header says that a person can be recognised in the picture.
    present: tags of all elements of a DICOM file, group << 16 | element: for the proof of what was
        removed.
    mask: (*spatial), True where the user says that it matters; None where no mask was given.
    sealed_identity: identifiers that only the key opens, for the identity map where one is asked
        for, else ``""``; never stored with the scan.
    """

    pixels: NDArray[np.float32]
    native_shape: tuple[int, ...]
    spacing_mm: tuple[float, ...] | None = None
    orientation: str = ""
    frame: str = ""
    patient: str | None = None
    study: str | None = None
    series: str | None = None
    modality: str = ""
    site: str | None = None
    acquired: str | None = None
    covariates: dict[str, str] = field(default_factory=dict)
    conversions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    content_hash: str = ""
    file_hash: str = ""
    text_risk: Literal["stated", "raised", ""] = ""
    has_face: bool = False
    present: tuple[int, ...] = ()
    sealed_identity: str = ""
    mask: NDArray[np.bool_] | None = None

    @property
    def dims(self) -> int:
        """2 for an image, 3 for a volume."""
        return self.pixels.ndim - 1
