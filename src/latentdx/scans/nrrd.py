"""NRRD's header (teem.sourceforge.net/nrrd/format.html), as far as voxels and their place need it.

Key/value pairs, comments and the description are never read: they may name the patient.
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
    "i1": "signed char|int8|int8_t",
    "u1": "uchar|unsigned char|uint8|uint8_t",
    "i2": "short|short int|signed short|signed short int|int16|int16_t",
    "u2": "ushort|unsigned short|unsigned short int|uint16|uint16_t",
    "i4": "int|signed int|int32|int32_t",
    "u4": "uint|unsigned int|uint32|uint32_t",
    "i8": "longlong|long long|long long int|signed long long|signed long long int|int64|int64_t",
    "u8": "ulonglong|unsigned long long|unsigned long long int|uint64|uint64_t",
    "f4": "float",
    "f8": "double",
}
_DTYPES = {name: dtype for dtype, names in _TYPES.items() for name in names.split("|")}
_ENDIANS = {"little": "<", "big": ">"}
_PACKED = {"raw": False, "gzip": True, "gz": True}
_SPATIAL, _VOLUMES = ("domain", "space", "none", "???"), ("list", "time")
# Signs that turn a named space into LPS; spaces with other names count as LPS, as in ITK.
_SIGNS = {
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip


def parse_nrrd(data: bytes) -> TextHeader | None:
    """The header of a NRRD file; None where its voxels are vectors or colour.

    Raises `InputError` ``E_FORMAT``, also for a detached header, whose path is not followed.
    """
    fields, start = _fields(data)
    sizes = counts(_needed(fields, "sizes"), "sizes")
    if len(sizes) != counts(_needed(fields, "dimension"), "dimension")[0] or len(sizes) > 16:
        raise wrong("'sizes' and 'dimension' differ, or are more than 16")
    if any(numbers(fields.get(skip, "0"), skip).any() for skip in ("line skip", "byte skip")):
        raise wrong("'line skip' and 'byte skip' are not supported")
    kinds = _kinds(fields, len(sizes))
    steps = _steps(fields, kinds)
    apart = [axis for axis in range(len(sizes)) if kinds[axis] in _VOLUMES or steps[axis] is None]
    if len(sizes) == 4 and not apart:
        apart = [3]
    if len(apart) > 1 or any(kind not in (*_SPATIAL, *_VOLUMES) for kind in kinds):
        return None
    spatial = [step for axis, step in enumerate(steps) if axis not in apart and step is not None]
    if not 2 <= len(spatial) <= 3:
        return None
    signs = np.array(_SIGNS.get(_space(fields), (1, 1, 1)))
    told = "space directions" in fields or "spacings" in fields
    origin = numbers(re.sub(r"[()]", " ", fields.get("space origin", "")), "space origin")
    return TextHeader(
        sizes,
        _dtype(fields),
        start,
        _encoding(fields),
        signs[:, None] * three_columns(spatial) if told else None,
        signs * in_space(origin),
        volumes_axis=apart[0] if apart else None,
        oriented="space directions" in fields,
    )


def _fields(data: bytes) -> tuple[Fields, int]:
    """Fields by name, and where the voxels begin: after the first empty line."""
    fields: Fields = {}
    lines = lines_of(data)
    next(lines, None)  # the magic
    for line, end in lines:
        if not line:
            _require_attached(fields)
            return fields, end
        name, colon, value = line.decode("latin-1").partition(":")
        if colon and not line.startswith(b"#") and not value.startswith("="):
            fields[" ".join(name.lower().split())] = value.strip()
    _require_attached(fields)
    raise wrong(f"it does not end within {min(len(data), MOST_BYTES)} bytes")


def _require_attached(fields: Fields) -> None:
    if any(name.replace(" ", "") == "datafile" for name in fields):
        raise elsewhere()


def _needed(fields: Fields, name: str) -> str:
    if name not in fields:
        raise wrong(f"'{name}' is missing")
    return fields[name]


def _dtype(fields: Fields) -> str:
    dtype = _DTYPES.get(" ".join(_needed(fields, "type").lower().split()))
    if dtype is None:
        raise wrong("the type of the voxels is not known")
    if dtype[1] == "1":
        return "|" + dtype
    endian = _ENDIANS.get(_needed(fields, "endian").lower())
    if endian is None:
        raise wrong("'endian' is neither little nor big")
    return endian + dtype


def _encoding(fields: Fields) -> bool:
    packed = _PACKED.get(_needed(fields, "encoding").lower())
    if packed is None:
        raise wrong("the encoding is neither raw nor gzip")
    return packed


def _space(fields: Fields) -> str:
    return fields.get("space", "").lower().removesuffix("-time").removesuffix("t")


def _kinds(fields: Fields, dims: int) -> list[str]:
    kinds = fields.get("kinds", "").lower().split() or ["domain"] * dims
    if len(kinds) != dims:
        raise wrong("'kinds' does not fit 'dimension'")
    return kinds


def _steps(fields: Fields, kinds: list[str]) -> list[NDArray[np.float64] | None]:
    """Each axis' step in mm; None for an axis that is not of space."""
    if "space directions" in fields:
        found = re.findall(r"none|\([^()]*\)", fields["space directions"].lower())
        steps = [_step(text) for text in found]
    else:
        spacings = numbers(fields.get("spacings", "1 " * len(kinds)), "spacings")
        steps = _along_axes(spacings, kinds)
    if len(steps) != len(kinds):
        raise wrong("'space directions' or 'spacings' do not fit 'dimension'")
    return steps


def _along_axes(
    spacings: NDArray[np.float64], kinds: list[str]
) -> list[NDArray[np.float64] | None]:
    """Spacings of axes that run along the patient's, whatever lies between them in the file."""
    steps: list[NDArray[np.float64] | None] = []
    axes = iter((0, 1, 2, 2))
    for spacing, kind in zip(spacings, kinds, strict=False):
        is_spatial = kind not in _VOLUMES and np.isfinite(spacing)
        steps.append(np.eye(3)[next(axes, 2)] * spacing if is_spatial else None)
    return steps


def _step(text: str) -> NDArray[np.float64] | None:
    if text == "none":
        return None
    step = numbers(text.strip("()"), "space directions")
    return None if np.isnan(step).all() or (not step[:3].any() and step[3:].any()) else step
