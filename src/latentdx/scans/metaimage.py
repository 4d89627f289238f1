"""MetaImage's header (itk.org/Wiki/MetaIO/Documentation), as far as voxels and their place need it.

Comments, names and all fields that are not listed here are never read: they may name the patient.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.text_header import (
    MOST_BYTES,
    TextHeader,
    counts,
    elsewhere,
    in_space,
    lines_of,
    numbers,
    three_columns,
    wrong,
)

Fields = dict[str, str]

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_TURN = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")
_ORDER = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_SEPARATOR = re.compile("[=:]")


def parse_metaimage(data: bytes) -> TextHeader | None:
    """The header of a MetaImage (.mha); None where its voxels are vectors or colour.

    Raises `InputError` ``E_FORMAT``, also for a detached header, whose path is not followed.
    """
    fields, start = _fields(data)
    sizes = counts(_needed(fields, "DimSize"), "DimSize")
    dims = counts(_needed(fields, "NDims"), "NDims")[0]
    if len(sizes) != dims or not 2 <= dims <= 4:
        raise wrong("'NDims' and 'DimSize' do not fit")
    if fields.get("ObjectType", "Image") != "Image":
        raise wrong("it is no image")
    if not _true(fields, "BinaryData", default="True") or fields.get("HeaderSize", "0") != "0":
        raise wrong("'BinaryData' and 'HeaderSize' must be True and 0")
    kind = _needed(fields, "ElementType")
    if kind.endswith("_ARRAY") or fields.get("ElementNumberOfChannels", "1") != "1":
        return None
    if kind not in _TYPES:
        raise wrong("the type of the voxels is not known")
    columns = _columns(fields, dims)
    origin = numbers(_first(fields, _ORIGIN) or "0 " * dims, "Offset")
    return TextHeader(
        sizes,
        (">" if _true(fields, *_ORDER, default="False") else "<") + _TYPES[kind],
        start,
        _true(fields, "CompressedData", default="False"),
        columns if "ElementSpacing" in fields or "ElementSize" in fields else None,
        in_space(origin[: min(dims, 3)]),
        volumes_axis=3 if dims == 4 else None,
        oriented=_first(fields, _TURN) is not None,
    )


def _fields(data: bytes) -> tuple[Fields, int]:
    """Fields by name, and where the voxels begin: after the line that names their file."""
    fields: Fields = {}
    for line, end in lines_of(data):
        name, *rest = (part.strip() for part in _SEPARATOR.split(line.decode("latin-1"), 1))
        value = rest[0] if rest else ""
        if name == "ElementDataFile":
            if value.upper() != "LOCAL":
                raise elsewhere()
            return fields, end
        fields.setdefault(name, value)
    if re.search(rb"(^|\n)ElementDataFile\s*[=:]", data[:MOST_BYTES]):
        raise elsewhere()  # the last line of a detached header need not end
    raise wrong(f"it does not end within {min(len(data), MOST_BYTES)} bytes")


def _needed(fields: Fields, name: str) -> str:
    if name not in fields:
        raise wrong(f"'{name}' is missing")
    return fields[name]


def _first(fields: Fields, names: tuple[str, ...]) -> str | None:
    return next((fields[name] for name in names if name in fields), None)


def _true(fields: Fields, *names: str, default: str) -> bool:
    return (_first(fields, names) or default).lower() in ("true", "t", "1")


def _columns(fields: Fields, dims: int) -> NDArray[np.float64]:
    """The step of each spatial axis: the matrix holds one axis after the other."""
    told = _first(fields, _TURN)
    turn = np.eye(dims).ravel() if told is None else numbers(told, "TransformMatrix")
    spacing = numbers(_first(fields, ("ElementSpacing", "ElementSize")) or "1 " * dims, "spacing")
    if len(turn) != dims * dims or len(spacing) != dims:
        raise wrong("'TransformMatrix' or 'ElementSpacing' do not fit 'NDims'")
    spatial = min(dims, 3)
    steps = turn.reshape(dims, dims)[:spatial, :spatial] * spacing[:spatial, None]
    return three_columns(list(steps))
