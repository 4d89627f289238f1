"""`Request`: what a worker is asked to hand back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from latentdx.scans.geometry import fit_scan
from latentdx.scans.intensity import to_channels
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class Request:
    """The shape in which scans are wanted, and the key of their pseudonyms.

    Attributes
    ----------
    size: side of the square in pixels, or None for the native size.
    channels: 1 (colour to luminance), 3 (grey repeated), or None for what each file has.
    key: secret of the pseudonyms (see `latentdx.scans.deidentify.user_key`).

    Examples
    --------
    >>> Request(size=64, channels=1, key=b"secret")
    Request(size=64, channels=1)
    """

    size: int | None = None
    channels: Literal[1, 3] | None = None
    key: bytes = field(default=b"", repr=False)

    def fit(self, scan: Scan) -> Scan:
        """The scan in the shape asked for, its conversions recorded."""
        return self._fit_channels(scan if self.size is None else fit_scan(scan, self.size))

    def _fit_channels(self, scan: Scan) -> Scan:
        if self.channels is None or len(scan.pixels) == self.channels:
            return scan
        done = "colour to luminance" if self.channels == 1 else "grey repeated in 3 channels"
        pixels = to_channels(scan.pixels, self.channels)
        return replace(scan, pixels=pixels, conversions=(*scan.conversions, done))
