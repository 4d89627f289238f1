"""`PixelHeader`: what a DICOM header says of its pixels, checked before any is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from latentdx.core.errors import InputError
from latentdx.scans.dicom_told import Told
from latentdx.scans.limits import Limits

TAGS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip

PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

GREY = ("MONOCHROME1", "MONOCHROME2")
HALF = {"YBR_FULL_422": "YBR_FULL", "YBR_PARTIAL_422": "YBR_PARTIAL"}
"""Colours stored with half the columns of chrominance where they are not compressed, and what they
are with all columns (YBR_PARTIAL is our name: PS3.3 has only its two subsampled forms)."""

_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT",
           "YBR_RCT")  # fmt: skip
_KNOWN = (*GREY, *_COLOUR, "PALETTE COLOR")
_BITS = (1, 8, 16, 32, 64)


@dataclass(frozen=True)
class PixelHeader:
    """The image pixel description of DICOM PS3.3 C.7.6.3, its defaults filled in.

    Attributes
    ----------
    rows, columns, samples, frames: counts; `samples` is 1 or 3 a pixel.
    allocated, stored, high: bits a sample takes, bits that mean something, place of the highest.
    signed: two's complement.
    interpretation: MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB or one of YBR_...
    planar: the three components of a frame are stored one after the other.
    keyword: the element that holds the pixels.
    """

    rows: int
    columns: int
    samples: int
    frames: int
    allocated: int
    stored: int
    high: int
    signed: bool
    interpretation: str
    planar: bool = False
    keyword: str = "PixelData"

    @property
    def is_float(self) -> bool:
        """Whether samples are IEEE floating point numbers."""
        return self.keyword != "PixelData"

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame."""
        samples = 2 if self.interpretation in HALF else self.samples
        return self.rows * self.columns * samples * self.allocated


def read_header(ds: Told) -> PixelHeader:
    """The pixel description of a data set.

    Raises `InputError` ``E_PI`` (unknown or contradictory colours), ``E_SIZE`` or ``E_DECODE``
    (numbers that cannot be).
    """
    keyword = _keyword(ds)
    interpretation, samples = _colours(ds)
    allocated = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword) or ds.get(
        "BitsAllocated"
    )
    rows, columns = _whole(ds, "Rows"), _whole(ds, "Columns")
    if allocated not in _BITS or not rows or not columns:
        raise InputError("E_SIZE", "rows, columns or bits allocated are missing or wrong")
    if allocated == 1 and samples > 1:
        raise InputError("E_PI", "colours of one bit a sample")
    stored = _whole(ds, "BitsStored") or allocated
    stored = stored if 0 < stored <= allocated else allocated
    high = _whole(ds, "HighBit")
    is_placed = high is not None and stored - 1 <= high < allocated
    return PixelHeader(
        rows=rows,
        columns=columns,
        samples=samples,
        frames=count_frames(ds),
        allocated=allocated,
        stored=stored,
        high=high if is_placed and high is not None else stored - 1,
        signed=_whole(ds, "PixelRepresentation") == 1,
        interpretation=interpretation,
        planar=samples > 1 and _whole(ds, "PlanarConfiguration") == 1,
        keyword=keyword,
    )


def count_frames(ds: Told) -> int:
    """Frames of a file, 1 where it does not say. Raises `InputError` ``E_DECODE``, ``E_SIZE``."""
    try:
        frames = int(ds.get("NumberOfFrames") or 1)
    except (ValueError, TypeError):
        raise InputError(
            "E_DECODE",
            "the number of frames is no number",
            fix="the header is wrong: export the image again",
        ) from None
    if frames < 1:
        raise InputError("E_SIZE", f"the header says {frames} frames")
    return frames


def require_size(ds: Told, header: PixelHeader, limits: Limits, stored_bytes: int) -> None:
    """Sizes by the header alone, before a decoder sees the data; one frame counts for memory.

    Raises `InputError` ``E_SIZE`` or ``E_BOMB``.
    """
    pixel_bytes = header.samples * max(1, header.allocated // 8)
    limits.check_image(
        header.rows, header.columns, pixel_bytes=pixel_bytes, stored_bytes=stored_bytes
    )
    limits.check_frames(header.frames)
    if ds.syntax.is_encapsulated:
        return
    expected, found = -(-header.frame_bits * header.frames // 8), len(ds.get(header.keyword) or b"")
    if found < expected:
        frames = f"{header.frames} frames of " if header.frames > 1 else ""
        raise InputError(
            "E_SIZE",
            f"{frames}{header.rows} rows x {header.columns} columns need {expected} bytes, "
            f"the pixel data hold {found}",
            fix="the header is wrong: export the image again",
        )


def _keyword(ds: Told) -> str:
    held = [keyword for keyword in PIXEL_KEYWORDS if ds.holds(keyword)]
    if len(held) != 1:
        raise InputError(
            "E_DECODE",
            f"{len(held)} elements of pixel data where one belongs",
            fix="export the image again",
        )
    return held[0]


def _colours(ds: Told) -> tuple[str, int]:
    interpretation = str(ds.get("PhotometricInterpretation") or "").strip()
    samples = _whole(ds, "SamplesPerPixel") or 1
    if interpretation not in _KNOWN or samples != (3 if interpretation in _COLOUR else 1):
        known = interpretation if interpretation in _KNOWN else "?"
        raise InputError(
            "E_PI",
            f"photometric interpretation {known} with {samples} samples a pixel",
            fix="export the image again as MONOCHROME2 or RGB",
        )
    return interpretation, samples


def _whole(ds: Told, keyword: str) -> int | None:
    value = ds.get(keyword)
    return value if isinstance(value, int) else None
