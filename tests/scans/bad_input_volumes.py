"""Bad and odd volumes: NIfTI, NRRD, MetaImage."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from typing import Any

import nibabel
import numpy as np
from bad_input_row import HASTY, VOLUMES, Odd, Row, bad, cut, patched, zipped

VOXELS = np.random.default_rng(4).integers(0, 500, (6, 7, 8), dtype=np.int16)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def nifti(values: np.ndarray = VOXELS, affine: np.ndarray = AFFINE, **fields: Any) -> bytes:
    image = nibabel.Nifti1Image(values, affine)
    for name, value in fields.items():
        image.header[name] = value
    return bytes(image.to_bytes())


def singular() -> bytes:
    """Both rows of x and y of the sform (bytes 280 to 327) are the same."""
    data = nifti()
    return data[:296] + data[280:296] + data[312:]


def dims(*sides: int) -> bytes:
    return patched(nifti(), 40, struct.pack("<8h", len(sides), *sides, *[1] * (7 - len(sides))))


def holed(value: float) -> np.ndarray:
    values = VOXELS.astype(np.float32)
    values[1, 2, 3] = value
    return values


def nifti_bomb() -> bytes:
    """A header that announces 100 MB over zeros that pack to 100 kB."""
    return zipped(dims(256, 256, 800)[:352] + bytes(100 << 20))


def nrrd(body: bytes | None = None, **fields: str) -> bytes:
    told = {
        "type": "int16", "dimension": "3", "sizes": "6 7 8", "endian": "little", "encoding": "raw",
        "space": "left-posterior-superior", "space directions": "(1,0,0) (0,1,0) (0,0,2)",
        "space origin": "(0,0,0)",
        **{name.replace("_", " "): value for name, value in fields.items()},
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\n" for name, value in told.items() if value)
    plain = VOXELS.tobytes(order="F") if body is None else body
    return f"NRRD0004\n{lines}\n".encode() + plain


def mha(body: bytes | None = None, **fields: str) -> bytes:
    told = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False", "CompressedData": "False", "Offset": "0 0 0",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1", "ElementSpacing": "1 1 2", "DimSize": "6 7 8",
        "ElementType": "MET_SHORT", "ElementDataFile": "LOCAL", **fields,
    }  # fmt: skip
    lines = "".join(f"{name} = {value}\n" for name, value in told.items() if value)
    return lines.encode() + (VOXELS.tobytes(order="F") if body is None else body)


def volume(name: str, data: Any, code: str, **options: Any) -> Row:
    return bad(name, data, code, policy=VOLUMES, **options)


def _nifti() -> list[Row]:
    four = nifti(np.zeros((4, 4, 4, 5), np.int16) + np.arange(5, dtype=np.int16))
    return [
        bad("volume-where-images.nii", nifti(), "E_NDIM"),
        volume("four.nii", four, "E_NDIM"),
        bad("volume-9-of-5.nii", four, "E_NDIM", policy={"dims": 3, "volume_index": 9}),
        volume("nan.nii", nifti(holed(np.nan)), "E_NAN"),
        volume("infinite.nii.gz", zipped(nifti(holed(-np.inf))), "E_NAN"),
        volume("singular.nii", singular(), "E_AFFINE"),
        volume("nan-affine.nii", patched(nifti(), 284, struct.pack("<f", np.nan)), "E_AFFINE"),
        volume("dims-lie.nii", dims(60, 70, 80), "E_TRUNCATED"),
        volume("dims-lie-little.nii", dims(6, 7, 9), "E_TRUNCATED"),
        volume("dims-huge.nii", dims(32767, 32767, 32767), "E_SIZE"),
        volume("dims-zero.nii", dims(6, 0, 8), "E_SIZE"),
        volume("dims-negative.nii", dims(6, -7, 8), "E_SIZE"),
        volume("dims-ninety.nii", patched(nifti(), 40, struct.pack("<h", 90)), "E_FORMAT"),
        volume("one-dimension.nii", dims(336), "E_NDIM"),
        volume("type-unknown.nii", patched(nifti(), 70, struct.pack("<h", 77)), "E_FORMAT"),
        volume("bits-lie.nii", patched(nifti(), 72, struct.pack("<h", 64)), "E_FORMAT"),
        volume("complex.nii", nifti(VOXELS.astype(np.complex64)), "E_FORMAT"),
        volume("offset.nii", patched(nifti(), 108, struct.pack("<f", 3.0)), "E_FORMAT"),
        volume("offset-nan.nii", patched(nifti(), 108, struct.pack("<f", np.nan)), "E_FORMAT"),
        volume("offset-beyond.nii", patched(nifti(), 108, struct.pack("<f", 9e8)), "E_TRUNCATED"),
        volume("pair.hdr", patched(nifti(), 344, b"ni1\0"), "E_FORMAT"),
        *(volume(f"cut-{kept}.nii", cut(nifti(), kept), "E_TRUNCATED") for kept in (0.6, 0.99)),
        *(
            volume(f"cut-{kept}.nii.gz", cut(zipped(nifti()), kept), "E_TRUNCATED")
            for kept in (0.7, 0.97)
        ),
        volume("gzip-checksum.nii.gz", _other_checksum(), "E_DECODE"),
        volume("bomb.nii.gz", nifti_bomb, "E_BOMB", hostile=True, limits=HASTY),
    ]


def _other_checksum() -> bytes:
    data = zipped(nifti(np.tile(VOXELS, 2)))
    return patched(data, len(data) - 8, b"\xff\0\xff\0")


def _itk() -> list[Row]:
    packed = zlib.compress(VOXELS.tobytes(order="F"))
    zeros = partial(zlib.compress, bytes(100 << 20), 9)
    return [
        bad("volume-where-images.nrrd", nrrd(), "E_NDIM"),
        bad("volume-where-images.mha", mha(), "E_NDIM"),
        volume("detached.nhdr", nrrd(data_file="/etc/passwd"), "E_FORMAT"),
        volume("sizes-lie.nrrd", nrrd(sizes="60 70 80"), "E_TRUNCATED"),
        volume("sizes-huge.nrrd", nrrd(sizes="99999 99999 99999"), "E_SIZE"),
        volume("sizes-text.nrrd", nrrd(sizes="six 7 8"), "E_FORMAT"),
        volume("dimension-lies.nrrd", nrrd(dimension="7"), "E_FORMAT"),
        volume("encoding.nrrd", nrrd(encoding="bzip2"), "E_FORMAT"),
        volume("type.nrrd", nrrd(type="block"), "E_FORMAT"),
        volume("cut.nrrd", cut(nrrd(), 0.9), "E_TRUNCATED"),
        volume("no-voxels.nrrd", nrrd(b""), "E_TRUNCATED"),
        volume("singular.nrrd", nrrd(space_directions="(1,0,0) (1,0,0) (0,0,2)"), "E_AFFINE"),
        volume("damaged.nrrd", nrrd(b"not gzip" * 50, encoding="gzip"), "E_DECODE"),
        volume("bomb.nrrd", lambda: nrrd(zipped(bytes(100 << 20)), encoding="gzip",
            sizes="256 256 800"), "E_BOMB", hostile=True, limits=HASTY),
        volume("nan.nrrd", nrrd(holed(np.nan).tobytes(order="F"), type="float"), "E_NAN"),
        volume("detached.mhd", mha(ElementDataFile="../../secret.raw"), "E_FORMAT"),
        volume("sizes-lie.mha", mha(DimSize="60 70 80"), "E_TRUNCATED"),
        volume("sizes-huge.mha", mha(DimSize="99999 99999 99999"), "E_SIZE"),
        volume("type.mha", mha(ElementType="MET_STRING"), "E_FORMAT"),
        volume("cut.mha", cut(mha(), 0.9), "E_TRUNCATED"),
        volume("cut-packed.mha", cut(mha(packed, CompressedData="True"), 0.9), "E_TRUNCATED"),
        volume("bomb.mha", lambda: mha(zeros(), CompressedData="True", DimSize="256 256 800"),
            "E_BOMB", hostile=True, limits=HASTY),
        volume("singular.mha", mha(TransformMatrix="1 0 0 1 0 0 0 0 1"), "E_AFFINE"),
        volume("no-size.mha", mha(DimSize=""), "E_FORMAT"),
        volume("nan.mha", mha(holed(np.nan).tobytes(order="F"), ElementType="MET_FLOAT"), "E_NAN"),
    ]  # fmt: skip


def volume_rows() -> list[Row]:
    return [*_nifti(), *_itk()]


def odd_volumes() -> list[Odd]:
    apart = patched(nifti(), 252, struct.pack("<h", 1))  # qform code; its offset is another
    apart = patched(apart, 268, struct.pack("<3f", 90, 90, 90))
    flipped = nifti(affine=np.diag([-1.0, -1.0, 2.0, 1.0]))
    return [
        Odd("flipped.nii", lambda: flipped, "", VOLUMES),
        Odd("disagreeing.nii", lambda: apart, "W_AFFINE", VOLUMES),
        Odd("no-affine.nii", lambda: _without_affine(), "no affine", VOLUMES),
        Odd("nan.nii", lambda: nifti(holed(np.nan)), "NaN", {"dims": 3, "nan": "impute"}),
        Odd("packed.nii.gz", lambda: zipped(nifti()), "", VOLUMES),
        Odd("scaled.nii", lambda: patched(nifti(), 112, struct.pack("<2f", 2, -5)), "rescaled",
            VOLUMES),
        Odd("no-orientation.nrrd", lambda: nrrd(space_directions="", space="", space_origin=""),
            "axes taken", VOLUMES),
    ]  # fmt: skip


def _without_affine() -> bytes:
    return patched(nifti(), 252, struct.pack("<2h", 0, 0))
