"""Clean DICOM files: nothing beside the pixels, and the pixels as they were."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import KEY, dataset_bytes, pydicom_file
from planted_dicom import PATIENT, PIXELS, base
from pydicom.data import get_testdata_files

from latentdx.core.errors import InputError
from latentdx.scans.profile_file import deidentify_file
from latentdx.scans.profile_options import INGEST


def _read(data: bytes) -> Any:
    return pydicom.dcmread(io.BytesIO(data))


def test_bits_that_no_pixel_uses_are_emptied() -> None:
    ds = base()
    ds.PixelData = (PIXELS | 0xF000).astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    out = deidentify_file(dataset_bytes(ds), INGEST, KEY)
    assert _read(out).PixelData == PIXELS.tobytes()


def test_comments_in_a_jpeg_go() -> None:
    raw = pydicom_file("SC_rgb_jpeg_dcmtk.dcm").read_bytes()
    ds = pydicom.dcmread(io.BytesIO(raw))
    frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    segment = b"\xff\xfe" + struct.pack(">H", 2 + len(PATIENT)) + PATIENT.encode()
    exif = b"\xff\xe1" + struct.pack(">H", 2 + len(PATIENT)) + PATIENT.encode()
    ds.PixelData = pydicom.encaps.encapsulate([frame[:2] + segment + exif + frame[2:]])
    data = dataset_bytes(ds)
    out = deidentify_file(data, INGEST, KEY)
    assert PATIENT.encode() in data
    assert PATIENT.encode() not in out
    assert np.array_equal(_read(out).pixel_array, pydicom.dcmread(io.BytesIO(raw)).pixel_array)


def test_comments_in_a_jpeg_2000_go() -> None:
    raw = pydicom_file("JPEG2000.dcm").read_bytes()
    ds = pydicom.dcmread(io.BytesIO(raw))
    frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    (size,) = struct.unpack_from(">H", frame, 4)
    note = b"\xff\x64" + struct.pack(">HH", 4 + len(PATIENT), 1) + PATIENT.encode()
    at = 4 + size
    ds.PixelData = pydicom.encaps.encapsulate([frame[:at] + note + frame[at:]])
    data = dataset_bytes(ds)
    out = deidentify_file(data, INGEST, KEY)
    assert PATIENT.encode() in data
    assert PATIENT.encode() not in out
    assert np.array_equal(_read(out).pixel_array, pydicom.dcmread(io.BytesIO(raw)).pixel_array)


def test_a_deflated_bomb_is_met() -> None:
    ds = base()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    out = _read(deidentify_file(dataset_bytes(ds), INGEST, KEY))
    assert np.array_equal(out.pixel_array, PIXELS)
    head = dataset_bytes(ds)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(bytes(64 << 20)) + packer.flush()
    end = head.index(b"1.2.840.10008.1.2.1.99") + 22
    with pytest.raises(InputError, match="E_BOMB"):
        deidentify_file(head[:end] + packed, INGEST, KEY)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"SOPInstanceUID": None}, "E_UID"), ({"Rows": 99}, "E_SIZE"),
     ({"BitsAllocated": None}, "E_DECODE")],
)  # fmt: skip
def test_refusals(change: dict[str, Any], code: str) -> None:
    with pydicom.config.disable_value_validation():
        ds = base()
        for keyword, value in change.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
        data = dataset_bytes(ds)
    with pytest.raises(InputError, match=code):
        deidentify_file(data, INGEST, KEY)


@pytest.mark.slow
def test_pixels_of_real_files_stay_as_they_are() -> None:
    """Every file that pydicom ships with and can decode, whatever its encoding."""
    same = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in get_testdata_files("*.dcm"):
            data = Path(name).read_bytes()
            if len(data) > 200_000:
                continue
            try:
                before = pydicom.dcmread(io.BytesIO(data), force=True).pixel_array
                out = deidentify_file(data, INGEST, KEY)
            except Exception:
                continue
            assert np.array_equal(_read(out).pixel_array, before), Path(name).name
            same += 1
    assert same >= 40
