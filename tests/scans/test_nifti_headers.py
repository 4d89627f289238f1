"""NIfTI headers that lie, files cut short, bombs: refused before any voxel is touched."""

from __future__ import annotations

import bz2
import gzip
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from dicom_files import KEY
from volume_files import LIMITS, VOLUMES, nifti_bytes, ramp

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.nifti import read_nifti
from latentdx.scans.open import open_scan
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.volume import Volume


def volume_of(data: bytes, **policy: Any) -> Volume:
    return read_nifti(data, LIMITS, Policy(**{"dims": 3, **policy}))


def refused(data: bytes, limits: Limits = LIMITS, **policy: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_nifti(data, limits, Policy(**{"dims": 3, **policy}))
    return caught.value


@pytest.mark.parametrize(
    "row",
    [[0, 0, 0, 0], [np.nan, 0, 0, 0], [np.inf, 0, 0, 0], [0, 1, 0, 0]],
    ids=["zero", "nan", "infinite", "parallel"],
)
def test_unusable_affines(row: list[float]) -> None:
    error = refused(nifti_bytes(ramp((3, 4, 5)), np.eye(4), srow_x=row))
    assert error.code == "E_AFFINE"


def test_truncated_tells_both_sizes() -> None:
    data = nifti_bytes(ramp((30, 40, 50)), np.eye(4))
    error = refused(data[:-100])
    assert error.code == "E_TRUNCATED"
    assert f"{len(data)} bytes" in error.found
    assert f"{len(data) - 100} found" in error.found
    assert refused(gzip.compress(data)[:-200]).code == "E_TRUNCATED"
    assert refused(gzip.compress(data[:-100])).code == "E_TRUNCATED"
    assert refused(data[:348]).code == "E_TRUNCATED"
    assert refused(data[:300]).code == "E_TRUNCATED"


def test_damaged_gzip_is_refused() -> None:
    packed = bytearray(gzip.compress(nifti_bytes(ramp((30, 40, 50)), np.eye(4))))
    packed[-6] ^= 0xFF  # the checksum, which only a reader of the whole file sees
    assert refused(bytes(packed)).code == "E_DECODE"


DIM = [3, 3, 4, 5, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "E_SIZE"),
        ({"dim": [3, -1, 4, 5, 1, 1, 1, 1]}, "E_SIZE"),
        ({"dim": [3, 0, 4, 5, 1, 1, 1, 1]}, "E_SIZE"),
        ({"dim": [3, 3, 4, 50, 1, 1, 1, 1]}, "E_TRUNCATED"),
        ({"dim": [0, 3, 4, 5, 1, 1, 1, 1]}, "E_FORMAT"),
        ({"dim": [9, 3, 4, 5, 1, 1, 1, 1]}, "E_FORMAT"),
        ({"dim": [1, 60, 1, 1, 1, 1, 1, 1]}, "E_NDIM"),
        ({"bitpix": 8}, "E_FORMAT"),
        ({"datatype": 0, "bitpix": 0}, "E_FORMAT"),
        ({"datatype": 1, "bitpix": 1}, "E_FORMAT"),
        ({"datatype": 32, "bitpix": 64}, "E_FORMAT"),
        ({"datatype": 1792, "bitpix": 128}, "E_FORMAT"),
        ({"datatype": 1536, "bitpix": 128}, "E_FORMAT"),
        ({"datatype": 128, "bitpix": 24}, "E_NDIM"),
        ({"datatype": 2304, "bitpix": 32}, "E_NDIM"),
        ({"vox_offset": 0}, "E_FORMAT"),
        ({"vox_offset": np.nan}, "E_FORMAT"),
        ({"vox_offset": 1e30}, "E_FORMAT"),
        ({"vox_offset": 4000}, "E_TRUNCATED"),
        ({"magic": b"ni1"}, "E_FORMAT"),
        ({"magic": b""}, "E_FORMAT"),
        ({"scl_slope": 2, "scl_inter": np.nan}, "E_FORMAT"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 5}, "E_AFFINE"),
        ({"sform_code": 0, "qform_code": 1, "pixdim": [7, 1, 1, 1, 1, 1, 1, 1]}, "E_AFFINE"),
    ],
)  # fmt: skip
def test_headers_that_lie(fields: dict[str, Any], code: str) -> None:
    data = nifti_bytes(ramp((3, 4, 5)), np.eye(4), **fields)
    assert refused(data).code == code
    assert refused(gzip.compress(data)).code == code


def test_more_bytes_than_the_header_says() -> None:
    data = nifti_bytes(ramp((30, 40, 50)), np.eye(4), dim=[3, 30, 40, 20, 1, 1, 1, 1])
    assert refused(data).code == "E_SIZE"
    assert refused(gzip.compress(data)).code == "E_SIZE"
    padded = nifti_bytes(ramp((3, 4, 5)), np.eye(4)) + bytes(500)
    np.testing.assert_array_equal(volume_of(padded).values, ramp((3, 4, 5)))


def test_a_pair_says_what_to_do(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(ramp((3, 4, 5)), np.eye(4)), tmp_path / "pair.hdr")
    with pytest.raises(InputError) as caught:
        open_scan(tmp_path / "pair.hdr", key=KEY, policy=VOLUMES)
    assert caught.value.code == "E_FORMAT"
    assert ".nii" in caught.value.fix


def test_files_that_are_larger_than_allowed() -> None:
    data = nifti_bytes(np.zeros((100, 100, 100), "u1"), np.eye(4))
    assert refused(data, Limits(file_bytes=3_000_000)).code == "E_SIZE"
    assert refused(data, Limits(frame_pixels=9_999)).code == "E_SIZE"
    assert refused(gzip.compress(data), Limits(ratio_from_bytes=1000)).code == "E_BOMB"


BOMB = """
import resource, sys
from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.nifti import read_nifti
from latentdx.scans.policy import Policy
import nibabel
data = open(sys.argv[1], "rb").read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_nifti(data, Limits(), Policy(dims=3))
except InputError as error:
    print(error.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "code"),
    [((500, 500, 500), "E_BOMB"), ((2000, 2000, 2000), "E_SIZE"), ((50, 50, 50), "E_SIZE")],
)
def test_bombs_cost_no_memory(shape: tuple[int, ...], code: str, tmp_path: Path) -> None:
    """400 MB of zeros in 0.4 MB; the header tells the truth, too much, or too little."""
    head = nifti_bytes(ramp((1, 1, 1), "u1"), np.eye(4), dim=[3, *shape, 1, 1, 1, 1])[:352]
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(head) + 50 * gzip.compress(bytes(8 << 20)))
    assert path.stat().st_size < 1 << 20
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True
    )
    found, grown_kb = done.stdout.split()
    assert found == code
    assert int(grown_kb) < 64 << 10


@pytest.mark.parametrize(
    "data", [b"", b"\x1f\x8b", bz2.compress(b"x" * 900), struct.pack("<i", 348)]
)
def test_what_is_no_nifti(data: bytes) -> None:
    assert refused(data).code in ("E_FORMAT", "E_TRUNCATED", "E_DECODE")


def test_random_damage_is_refused_or_read_but_never_a_crash() -> None:
    draw = np.random.default_rng(3)
    whole = nifti_bytes(ramp((3, 4, 5)), np.eye(4))
    for _ in range(400):
        data = bytearray(whole)
        for place in draw.integers(0, 352, size=3):
            data[place] = draw.integers(256)
        try:
            to_ras(volume_of(bytes(data)))
        except InputError:
            continue
