"""DICOM files that are damaged, or whose header lies: refused before memory is spent."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_files import KEY, dataset_bytes, dicom_bytes, pydicom_dataset, pydicom_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]

DEEP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def test_a_file_cut_anywhere_before_its_pixels_is_truncated(refuse: Refuse) -> None:
    """Also inside a header or a sequence, where no value runs past the end."""
    whole = pydicom_file("CT_small.dcm").read_bytes()
    codes = [refuse(whole[:length]).code for length in range(800, 6000, 41)]
    # Exactly between two elements a cut cannot be told from an object without pixels.
    assert set(codes) <= {"E_TRUNCATED", "N_NOT_IMAGE"}
    assert codes.count("E_TRUNCATED") > 0.95 * len(codes)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm",
                                  "MR_small_bigendian.dcm", "image_dfl.dcm"])  # fmt: skip
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_truncated_files(name: str, kept: float, refuse: Refuse) -> None:
    data = pydicom_file(name).read_bytes()
    error = refuse(data[: int(len(data) * kept)])
    assert error.code == "E_TRUNCATED"
    assert "expected" in error.found
    assert "found" in error.found or "end after" in error.found


def test_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    data, path = dicom_bytes(np.arange(64, dtype=np.uint8).reshape(8, 8)), tmp_path / "cut.dcm"
    for length in range(0, len(data) - 1, 3):
        path.write_bytes(data[:length])
        with pytest.raises(InputError):
            open_scan(path, key=KEY)


@pytest.mark.parametrize(
    ("name", "code"),
    [("MR_small_jp2klossless.dcm", "E_TRUNCATED"), ("SC_rgb_jpeg_dcmtk.dcm", "E_TRUNCATED"),
     ("MR_small_RLE.dcm", "E_DECODE"),
     # The decoder takes seconds to find out.
     pytest.param("MR_small_jpeg_ls_lossless.dcm", "E_TRUNCATED", marks=pytest.mark.slow)],
)  # fmt: skip
def test_compressed_data_cut_inside_a_whole_file(name: str, code: str, refuse: Refuse) -> None:
    ds = pydicom_dataset(name)
    frame = get_frame(ds.PixelData, 0, number_of_frames=1)
    ds.PixelData = encapsulate([frame[: len(frame) * 2 // 3]])
    assert refuse(dataset_bytes(ds)).code == code


def test_header_that_lies_about_its_size(refuse: Refuse) -> None:
    assert refuse(dicom_bytes(DEEP, Rows=65)).code == "E_SIZE"
    assert refuse(dicom_bytes(DEEP, Rows=60000, Columns=60000)).code == "E_SIZE"
    assert refuse(dicom_bytes(DEEP, Rows=0)).code == "E_SIZE"
    assert refuse(dicom_bytes(DEEP), limits=Limits(frame_pixels=100)).code == "E_SIZE"


def test_compressed_data_of_another_size_than_the_header(refuse: Refuse) -> None:
    ds = pydicom_dataset("MR_small_jp2klossless.dcm")
    ds.Rows = 32
    assert refuse(dataset_bytes(ds)).code == "E_SIZE"


def test_header_that_promises_a_bomb(refuse: Refuse) -> None:
    ds = pydicom_dataset("MR_small_RLE.dcm")
    ds.Rows = ds.Columns = 8000
    assert refuse(dataset_bytes(ds)).code == "E_BOMB"


def test_deflated_bomb_is_met_at_its_cap(refuse: Refuse) -> None:
    data = dicom_bytes(np.zeros((8, 8), np.uint8), syntax=DeflatedExplicitVRLittleEndian)
    (length,) = struct.unpack_from("<I", data, 140)
    start = 144 + length
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    private = b"".join(
        [zlib.decompress(data[start:], -15), b"\xe1\x7f\x10\x10OB\0\0", struct.pack("<I", 64 << 20)]
    )
    bomb = packer.compress(private) + packer.compress(bytes(64 << 20)) + packer.flush()
    error = refuse(data[:start] + bomb)
    assert error.code == "E_BOMB"


def nested(depth: int, undefined: bool) -> Sequence:
    item = Dataset()
    item.CodeMeaning = "end"
    for _ in range(depth):
        outer = Dataset()
        outer.ContentSequence = Sequence([item])
        outer["ContentSequence"].is_undefined_length = undefined
        item = outer
    return item.ContentSequence


@pytest.mark.parametrize("undefined", [True, False])
def test_nesting(undefined: bool, read: Read, refuse: Refuse) -> None:
    assert read(dicom_bytes(DEEP, ContentSequence=nested(32, undefined))).pixels.any()
    error = refuse(dicom_bytes(DEEP, ContentSequence=nested(33, undefined)))
    assert error.code == "E_DEPTH"


def test_deep_nesting_written_by_hand(refuse: Refuse) -> None:
    data = dicom_bytes(DEEP)
    at = data.index(b"\x28\0\x02\0US")
    opening = b"\x18\0\x12\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 5000
    assert refuse(data[:at] + opening + data[at:]).code == "E_DEPTH"
