"""`Request`: what a worker is asked to hand back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from latentdx.core.errors import InputError
from latentdx.scans.burned_in import Risk, guard
from latentdx.scans.geometry import fit_scan
from latentdx.scans.intensity import to_channels
from latentdx.scans.policy import Policy
from latentdx.scans.profile_options import INGEST, ProfileOptions
from latentdx.scans.quality import check_quality
from latentdx.scans.scan import Scan


@dataclass(frozen=True)
class Request:
    """The shape in which scans are wanted, how files are read, and the key of the pseudonyms.

    Attributes
    ----------
    size: side of the square (or cube) in pixels, or None for the native size.
    channels: 1 (colour to luminance), 3 (grey repeated), or None for what each file has.
    key: secret of the pseudonyms (see `latentdx.scans.deidentify.user_key`).
    policy: see `Policy`.
    profile: what stays in files that are written clean (see `Sandbox.clean`).

    Examples
    --------
    >>> Request(size=64, channels=1, key=b"secret").size
    64
    """

    size: int | None = None
    channels: Literal[1, 3] | None = None
    key: bytes = field(default=b"", repr=False)
    policy: Policy = field(default_factory=Policy)
    profile: ProfileOptions = INGEST

    def deliver(self, scan: Scan) -> Scan | InputError:
        """The scan in the shape asked for, or why this frame of its file cannot be used."""
        try:
            return self.fit(self._guarded(scan))
        except InputError as error:
            return InputError(error.code, error.found, fix=error.fix, path=scan.frame)

    def _guarded(self, scan: Scan) -> Scan:
        """The scan as the guards let it pass, marked where it looks wrong; text may be masked."""
        warnings, masked = scan.warnings, tuple[str, ...]()
        if self.policy.gate:
            found = check_quality(scan.pixels, scan.native_shape, modality=scan.modality)
            warnings = (*warnings, *found)
        pixels = scan.pixels
        if scan.dims == 2 and not scan.frame.startswith("slice/"):  # volumes are not searched
            risk = Risk(scan.text_risk or "low", has_face=scan.has_face)
            pixels, masked, told = guard(pixels, risk, self.policy.burned_in)
            warnings = (*warnings, *told)
        return replace(
            scan,
            pixels=pixels,
            conversions=(*scan.conversions, *masked),
            warnings=tuple(dict.fromkeys(warnings)),
        )

    def fit(self, scan: Scan) -> Scan:
        """The scan in the shape asked for, its conversions recorded."""
        return self._fit_channels(scan if self.size is None else self._fit_size(scan, self.size))

    def _fit_size(self, scan: Scan, size: int) -> Scan:
        if scan.dims == 2:
            return fit_scan(scan, size)
        from latentdx.scans.cube import fit_cube  # volumes need scipy, images need not wait for it

        return fit_cube(scan, size, keep_spacing=self.policy.spacing_mm is not None)

    def _fit_channels(self, scan: Scan) -> Scan:
        if self.channels is None or len(scan.pixels) == self.channels:
            return scan
        done = "colour to luminance" if self.channels == 1 else "grey repeated in 3 channels"
        pixels = to_channels(scan.pixels, self.channels)
        return replace(scan, pixels=pixels, conversions=(*scan.conversions, done))
