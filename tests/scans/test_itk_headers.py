"""NRRD and MetaImage headers that lie, bombs, and pixels in other files: all refused."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from dicom_files import KEY
from itk_files import BY_HAND, SUFFIXES, mha, nrrd
from volume_files import LIMITS, VOLUMES, itk_bytes, itk_image, ramp

from latentdx.core.errors import InputError
from latentdx.scans.itk import read_itk
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.orientation import to_ras
from latentdx.scans.policy import Policy
from latentdx.scans.volume import Volume


def volume_of(data: bytes, kind: Any, **policy: Any) -> Volume:
    return read_itk(data, kind, LIMITS, Policy(**{"dims": 3, **policy}))


def refused(data: bytes, kind: Any, limits: Limits = LIMITS, **policy: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_itk(data, kind, limits, Policy(**{"dims": 3, **policy}))
    return caught.value


def oblique(seed: int = 5) -> np.ndarray:
    affine = np.eye(4)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    affine[:3, :3] = turn * (0.5, 1.0, 3.0)
    affine[:3, 3] = 10, -20, 30
    return affine


@pytest.mark.parametrize(
    "data_file",
    ["volume.raw", "/etc/passwd", "LIST", "slice%03d.raw 1 5 1", "../../x", "local.raw"],
)
def test_pixels_in_another_file_are_never_looked_for(data_file: str) -> None:
    for data, kind in [
        (mha(ElementDataFile=data_file), "metaimage"),
        (mha(ElementDataFile=data_file).split(b"\x00")[0].rstrip(b"\n"), "metaimage"),
        (nrrd(data_file=data_file), "nrrd"),
        (nrrd(**{"Data_File": data_file}), "nrrd"),
        (nrrd(datafile=data_file), "nrrd"),
        (nrrd(data_file=data_file).split(b"\n\n")[0] + b"\n", "nrrd"),
    ]:
        error = refused(data, kind)
        assert error.code == "E_FORMAT"
        assert "another file" in error.found
        assert data_file not in str(error)


def test_a_detached_header_of_simpleitk(tmp_path: Path) -> None:
    for name in ("a.mhd", "a.nhdr"):
        SimpleITK.WriteImage(itk_image(ramp((3, 4, 5)), np.eye(4)), str(tmp_path / name))
        with pytest.raises(InputError, match="another file") as caught:
            open_scan(tmp_path / name, key=KEY, policy=VOLUMES)
        assert caught.value.code == "E_FORMAT"


NRRD_LIES = [
    ({"sizes": "3 4"}, "E_FORMAT"), ({"sizes": "3 4 x"}, "E_FORMAT"), ({"sizes": None}, "E_FORMAT"),
    ({"sizes": "3 4 6"}, "E_TRUNCATED"), ({"sizes": "0 4 5"}, "E_SIZE"),
    ({"sizes": "-3 4 5"}, "E_SIZE"), ({"sizes": "99999999 99999999 99999999"}, "E_SIZE"),
    ({"type": "block"}, "E_FORMAT"), ({"type": None}, "E_FORMAT"), ({"endian": None}, "E_FORMAT"),
    ({"encoding": "bzip2"}, "E_FORMAT"), ({"encoding": "ascii"}, "E_FORMAT"),
    ({"byte_skip": "-1"}, "E_FORMAT"), ({"line_skip": "2"}, "E_FORMAT"),
    ({"kinds": "domain domain"}, "E_FORMAT"), ({"kinds": "RGB-color domain domain"}, "E_NDIM"),
    ({"kinds": "vector domain domain"}, "E_NDIM"), ({"spacings": "1 2"}, "E_FORMAT"),
    ({"spacings": "1 2 0"}, "E_AFFINE"), ({"spacings": "1 2 inf"}, "E_NDIM"),
    ({"space_directions": "(1,0,0) (0,1,0) (0,0,0)"}, "E_AFFINE"),
    ({"space_directions": "(1,0,0) (0,1,0) (1,1,0)"}, "E_AFFINE"),
    ({"space_directions": "(1,0,0) (0,1,0) (0,nan,1)"}, "E_AFFINE"),
    ({"space_directions": "(1,0,0) (0,1,0)"}, "E_FORMAT"),
    ({"encoding": "gzip"}, "E_DECODE"), ({"dimension": "4"}, "E_FORMAT"),
]  # fmt: skip


MHA_LIES = [
    ({"DimSize": "3 4"}, "E_FORMAT"), ({"DimSize": "3 4 6"}, "E_TRUNCATED"),
    ({"DimSize": "3 4 0"}, "E_SIZE"), ({"DimSize": "9999999 9999999 99999"}, "E_SIZE"),
    ({"NDims": "5", "DimSize": "3 4 5 1 1"}, "E_FORMAT"), ({"NDims": None}, "E_FORMAT"),
    ({"BinaryData": "False"}, "E_FORMAT"), ({"HeaderSize": "-1"}, "E_FORMAT"),
    ({"ElementType": "MET_STRING"}, "E_FORMAT"), ({"ElementType": "MET_UCHAR_ARRAY"}, "E_NDIM"),
    ({"ElementNumberOfChannels": "3"}, "E_NDIM"), ({"ElementSpacing": "1 2 0"}, "E_AFFINE"),
    ({"ElementSpacing": "1 nan 1"}, "E_AFFINE"), ({"ElementSpacing": "1 1"}, "E_FORMAT"),
    ({"ElementSpacing": "a b c"}, "E_FORMAT"), ({"CompressedData": "True"}, "E_DECODE"),
    ({"TransformMatrix": "1 0 0 1 0 0 0 0 1"}, "E_AFFINE"),
    ({"TransformMatrix": "1 0 0"}, "E_FORMAT"), ({"ObjectType": "Tube"}, "E_FORMAT"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [("nrrd", *lie) for lie in NRRD_LIES] + [("metaimage", *lie) for lie in MHA_LIES],
)
def test_headers_that_lie(kind: str, fields: dict[str, str | None], code: str) -> None:
    assert refused(BY_HAND[kind](**fields), kind).code == code


def test_truncated_and_too_long() -> None:
    for kind, make in BY_HAND.items():
        error = refused(make()[:-10], kind)
        assert error.code == "E_TRUNCATED"
        assert "120 bytes expected by the header, 110 found" in error.found
        assert refused(make() + bytes(600), kind).code == "E_SIZE"


def test_headers_without_an_end() -> None:
    for start, kind in [(b"NRRD0004\n", "nrrd"), (b"NDims = 3\n", "metaimage")]:
        for line in (b"x" * (2 << 20), b"x\n" * (1 << 15), b" " * (2 << 20)):
            assert refused(start + line, kind).code == "E_FORMAT"
    assert refused(b"NRRD0004\ntype: short\n", "nrrd").code == "E_FORMAT"
    assert refused(b"NDims = 3\n" * 300_000, "metaimage").code == "E_FORMAT"


@pytest.mark.parametrize("kind", BY_HAND)
def test_bombs_are_refused_by_their_header(kind: str) -> None:
    """64 MB of zeros in 64 kB: refused before a byte is unpacked, or after the few announced."""
    engine = zlib.compressobj(9, wbits=31 if kind == "nrrd" else 15)
    packed = b"".join(engine.compress(bytes(1 << 20)) for _ in range(64)) + engine.flush()
    fields = {"encoding": "gzip"} if kind == "nrrd" else {"CompressedData": "True"}
    for sizes, code in [
        ("512 512 128", "E_BOMB"),
        ("5 5 5", "E_SIZE"),
        ("9999 9999 999", "E_SIZE"),
    ]:
        name = "sizes" if kind == "nrrd" else "DimSize"
        header = BY_HAND[kind](ramp((0, 0, 0)), **fields, **{name: sizes})
        assert refused(header + packed, kind).code == code


def test_limits_are_arguments() -> None:
    zeros = np.zeros((50, 50, 50), "i2")
    data = itk_bytes(itk_image(zeros, np.eye(4)), ".nrrd", packed=True)
    assert refused(data, "nrrd", Limits(ratio_from_bytes=1000)).code == "E_BOMB"
    assert refused(data, "nrrd", Limits(file_bytes=100_000)).code == "E_SIZE"


def test_random_damage_is_refused_or_read_but_never_a_crash() -> None:
    draw = np.random.default_rng(3)
    image = itk_image(ramp((3, 4, 5)), oblique())
    for suffix, kind in SUFFIXES.items():
        whole = itk_bytes(image, suffix, packed=True)
        for _ in range(300):
            data = bytearray(whole)
            for place in draw.integers(0, len(whole), size=3):
                data[place] = draw.integers(256)
            try:
                to_ras(volume_of(bytes(data), kind))
            except InputError:
                continue
