"""What the text headers of NRRD and MetaImage come to: `TextHeader`, and how numbers are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError

MOST_BYTES = 1 << 20
"""No honest header is longer."""


@dataclass(frozen=True)
class TextHeader:
    """A header that has been checked.

    Attributes
    ----------
    sizes: of each axis, the fastest first.
    dtype: numpy's name of the type, byte order included.
    start: byte at which the voxels begin.
    packed: zlib or gzip.
    columns: (3, 3), the step of each spatial axis in mm (LPS); None where none is told.
    origin: (3,), the first voxel's centre (LPS).
    volumes_axis: the axis that counts volumes, or None.
    oriented: False where only spacing is told.
    """

    sizes: tuple[int, ...]
    dtype: str
    start: int
    packed: bool
    columns: NDArray[np.float64] | None
    origin: NDArray[np.float64]
    volumes_axis: int | None = None
    oriented: bool = True


def lines_of(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Lines of the first `MOST_BYTES`, each with the byte after its end; ends are LF or CRLF."""
    start, most = 0, min(len(data), MOST_BYTES)
    while (end := data.find(b"\n", start, most)) >= 0:
        yield data[start:end].rstrip(b"\r"), end + 1
        start = end + 1


def wrong(found: str) -> InputError:
    """The refusal of a header; `found` quotes nothing of it."""
    return InputError(
        "E_FORMAT", f"the header is wrong: {found}", fix="export it again from its source"
    )


def elsewhere() -> InputError:
    """The refusal of a header whose voxels lie in another file: no path in a file is followed."""
    return InputError(
        "E_FORMAT",
        "a header that keeps its pixels in another file",
        fix="save header and pixels in one file (.nrrd, .mha)",
    )


def numbers(text: str, field: str) -> NDArray[np.float64]:
    """Numbers between spaces or commas. Raises `InputError` ``E_FORMAT`` that names `field`."""
    try:
        return np.array([float(word) for word in text.replace(",", " ").split()])
    except ValueError:
        raise wrong(f"'{field}' are no numbers") from None


def counts(text: str, field: str) -> tuple[int, ...]:
    """Whole numbers between spaces."""
    words = text.split()
    if not words or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        raise wrong(f"'{field}' are no whole numbers")
    return tuple(int(word) for word in words)


def in_space(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) or longer as (3,): what is missing is 0, time is left out."""
    return np.concatenate([vector, np.zeros(3)])[:3]


def three_columns(vectors: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Two or three steps as the columns of (3, 3); an image gets its normal, 1 mm long."""
    steps = [in_space(vector) for vector in vectors]
    if len(steps) == 2:
        normal = np.cross(steps[0], steps[1])
        length = float(np.linalg.norm(normal))
        steps.append(normal / length if length else normal)
    return np.stack(steps, axis=1)
