"""Phantom DICOM files of 512 x 512 pixels and 16 bits, in several transfer syntaxes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from latentdx.collection.phantom_dicom import phantom_dicom
from latentdx.collection.phantom_draw import expose
from latentdx.collection.phantom_scanner import SITES
from latentdx.collection.phantoms import PhantomSettings

SIDE = 512
SYNTAXES = {
    "uncompressed": ExplicitVRLittleEndian,
    "RLE": RLELossless,
    "JPEG-LS": JPEGLSLossless,
    "JPEG 2000": JPEG2000Lossless,
}

_N_DRAWN = 20  # drawn anew; the others are these with other noise, so no two files are equal
_NOISE = 0.004


def write_files(folder: Path, count: int, syntax: str) -> list[Path]:
    """`count` files below `folder`, each of its own patient's scan, all different."""
    folder.mkdir(parents=True)
    settings = PhantomSettings(patients=100, size=SIDE)
    described = (settings.describe(number) for number in range(1000))
    patients = [patient for patient in described if SITES[patient.site].name == "B"][:_N_DRAWN]
    drawn = [expose(patient, 0, seed=0, size=SIDE).pixels for patient in patients]
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        source = number % len(drawn)
        noise = generator.normal(0, _NOISE, drawn[source].shape).astype(np.float32)
        pixels = np.clip(drawn[source] + noise, 0, 1)
        data = phantom_dicom(pixels, patients[source], scan=number // len(drawn), seed=0)
        paths.append(folder / f"{number:06}.dcm")
        paths[-1].write_bytes(_compressed(data, syntax))
    return paths


def _compressed(data: bytes, syntax: str) -> bytes:
    if syntax == "uncompressed":
        return data
    dataset = dcmread(io.BytesIO(data))
    dataset.compress(SYNTAXES[syntax])
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
