"""`Peek`: what a file says of itself before its pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentdx.scans.dicom import peek_dicom
from latentdx.scans.limits import Limits
from latentdx.scans.open import read_bytes, refusals
from latentdx.scans.sniff import HEAD_BYTES, sniff


@dataclass(frozen=True)
class Peek:
    """Enough to tell which files belong together.

    Attributes
    ----------
    kind: as `latentdx.scans.sniff.sniff` tells it.
    series: keyed pseudonym of a DICOM image's series, else None.
    is_lone: the file makes scans of its own: several frames, or not DICOM.
    """

    kind: str
    series: str | None = None
    is_lone: bool = True


def peek(path: str | Path, *, key: bytes, limits: Limits) -> Peek:
    """Look into one file. Raises `InputError`, as `open_scan` does, where it is no scan."""
    with refusals(path):
        data = read_bytes(Path(path), limits)
        kind = sniff(data[:HEAD_BYTES])
        if kind != "dicom":
            return Peek(kind)
        series, n_frames = peek_dicom(data, limits, key=key)
        return Peek(kind, series, is_lone=series is None or n_frames > 1)
