"""`Limits`: how much one file may cost before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

from latentdx.core.errors import InputError


@dataclass(frozen=True)
class Limits:
    """What one file may cost in bytes, pixels, depth, seconds and memory.

    Attributes
    ----------
    file_bytes: bytes of one file, as stored and as decoded.
    frame_pixels: rows x columns of one image.
    ratio: decoded bytes per stored byte, once the decoded size passes `ratio_from_bytes`.
    depth: nested DICOM sequences.
    archive_bytes: all arrays of one ``.npz`` together.
    archive_members: arrays in one ``.npz``.
    seconds: wall time, and processor time, of one file in a worker (see `decode_files`).
    frames: frames or pages of one file, slices of one series.
    elements: DICOM data elements, items and fragments of one file.
    memory_bytes: address space of one worker.

    Examples
    --------
    >>> Limits(seconds=5.0).depth
    32
    """

    file_bytes: int = 512 << 20
    frame_pixels: int = 64 << 20
    ratio: int = 100
    ratio_from_bytes: int = 16 << 20
    depth: int = 32
    archive_bytes: int = 8 << 30
    archive_members: int = 1000
    seconds: float = 20.0
    frames: int = 4000
    elements: int = 300_000
    memory_bytes: int = 2 << 30

    def check_image(
        self, height: int, width: int, *, pixel_bytes: float, stored_bytes: int
    ) -> None:
        """Refuse an image by what its header announces, before anything is allocated.

        `pixel_bytes` counts all channels. Raises `InputError` ``E_SIZE`` or ``E_BOMB``.
        """
        if height < 1 or width < 1:
            raise InputError("E_SIZE", f"the image has {height} rows and {width} columns")
        pixels, decoded = height * width, int(height * width * pixel_bytes)
        if pixels > self.frame_pixels or decoded > self.file_bytes:
            raise InputError(
                "E_SIZE",
                f"{height} x {width} pixels, {decoded} bytes decoded; "
                f"the limits are {self.frame_pixels} pixels and {self.file_bytes} bytes",
                fix="crop or reduce it, or raise the limits",
            )
        self.check_ratio(decoded, stored_bytes)

    def check_ratio(self, decoded: int, stored: int) -> None:
        """Refuse a file that unpacks to far more than it holds (``E_BOMB``)."""
        if decoded > self.inflated_cap(stored):
            raise InputError(
                "E_BOMB",
                f"{stored} bytes unpack to at least {decoded}: more than {self.ratio} to 1",
                fix="check where the file comes from, or raise the limits",
            )

    def check_frames(self, n_frames: int) -> None:
        """Refuse more frames or pages than allowed (``E_SIZE``)."""
        if n_frames > self.frames:
            raise InputError("E_SIZE", f"{n_frames} frames; the limit is {self.frames}")

    def seconds_for(self, n_files: int) -> float:
        """The time allowed for a scan of several files: a tenth more for each beyond the first."""
        return self.seconds * (1 + (n_files - 1) / 10)

    def inflated_cap(self, stored: int) -> int:
        """The most bytes that `stored` compressed bytes may become."""
        return max(self.ratio_from_bytes, self.ratio * stored)
