"""Whether files make one volume: what must be alike, and what differs where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.frames import Frames

_SPACING, _COSINE = 0.01, 0.01  # relative; and about half a degree
_MOST = 9  # kinds that are told apart


def require_one_series(frames: Sequence[Frames]) -> None:
    """Raise `InputError` ``E_SERIES``, naming what differs between the slices.

    Examples
    --------
    >>> try:
    ...     require_one_series([Frames(np.zeros((1, 4, 4))), Frames(np.zeros((1, 8, 8)))])
    ... except InputError as error:
    ...     print(error.code, error.found)
    E_SERIES 2 files do not make one volume: 2 sizes
    """
    if not any(len(part.values) for part in frames):
        raise InputError("E_SERIES", "no slices were given")
    found = [text for text in _differences(frames) if text]
    if found:
        raise InputError(
            "E_SERIES",
            f"{len(frames)} files do not make one volume: {', '.join(found)}",
            fix="give the slices of one series and one orientation only",
        )


def _differences(frames: Sequence[Frames]) -> list[str]:
    identities = [part.identity for part in frames]
    return [
        _several({part.values.shape[1:] for part in frames}, "sizes"),
        _orientations(frames),
        _spacings(frames),
        _several({part.inverted for part in frames}, "photometric interpretations"),
        _several({part.positions is None for part in frames}, "kinds: with and without a place"),
        _several({part.values.ndim for part in frames}, "kinds: grey and colour"),
        *(_several({who.get(name) for who in identities}, text) for name, text in _WHOSE),
    ]


_WHOSE = (("patient", "patients"), ("series", "series"), ("modality", "modalities"))


def _several(found: set[Any], name: str) -> str:
    return f"{len(found)} {name}" if len(found) > 1 else ""


def _orientations(frames: Sequence[Frames]) -> str:
    told = [part.orientations for part in frames if part.orientations is not None]
    if len(told) < len(frames):
        return "slices with and without an orientation" if told else ""
    count = _distinct(np.concatenate(told), absolute=_COSINE)
    return f"{count} orientations (a localizer?)" if count > 1 else ""


def _spacings(frames: Sequence[Frames]) -> str:
    told = [part.spacing_mm for part in frames if part.spacing_mm is not None]
    if len(told) < len(frames):
        return "slices with and without pixel spacing" if told else ""
    count = _distinct(np.array(told), relative=_SPACING)
    return f"{count} pixel spacings" if count > 1 else ""


def _distinct(rows: NDArray[np.float64], *, absolute: float = 0, relative: float = 0) -> int:
    """How many of the rows (N, D) are alike in none of those counted before; at most `_MOST`."""
    count = 0
    while len(rows) and count < _MOST:
        alike = np.isclose(rows, rows[0], rtol=relative, atol=absolute, equal_nan=True).all(axis=1)
        rows, count = rows[~alike], count + 1
    return count
