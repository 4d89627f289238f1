"""What a JPEG, GIF, WebP or BMP says of its size and frames, before a decoder allocates it."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from latentdx.core.errors import InputError
from latentdx.scans.sniff import Kind

_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RSTn, SOI (ITU-T T.81, B.1.1.3)
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_UNCOMPRESSED = (0, 3)  # BI_RGB and BI_BITFIELDS


@dataclass(frozen=True)
class PictureHeader:
    """Size in pixels, bytes a pixel once decoded, frames, and whether JPEG holds over 8 bits."""

    height: int
    width: int
    pixel_bytes: float
    frames: int = 1
    is_deep: bool = False


def read_header(data: bytes, kind: Kind) -> PictureHeader:
    """The header of a picture of `kind` ``jpeg``, ``gif``, ``webp`` or ``bmp``.

    Raises `InputError` ``E_TRUNCATED`` or ``E_DECODE``.
    """
    readers = {"jpeg": _jpeg, "gif": _gif, "webp": _webp, "bmp": _bmp}
    try:
        return readers[kind](data)
    except (struct.error, IndexError):
        raise truncated(len(data) + 1, len(data)) from None


def truncated(expected: int, found: int) -> InputError:
    """The error of a picture that ends before its data do."""
    return InputError(
        "E_TRUNCATED",
        f"expected at least {expected} bytes, found {found}",
        fix="copy the file again from its source",
    )


def damaged(text: str) -> InputError:
    """The error of a picture that says what cannot be."""
    return InputError("E_DECODE", text, fix="export it again from its source")


def _jpeg(data: bytes) -> PictureHeader:
    """The first frame header (ITU-T T.81, B.2.2)."""
    at = 0
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAME_HEADERS:
            bits, rows, columns, components = struct.unpack_from(">BHHB", data, at + 4)
            is_deep = bits > 8 or marker in _LOSSLESS
            return PictureHeader(
                rows, columns, components * (2 if bits > 8 else 1), is_deep=is_deep
            )
        if marker in (_SCAN, _END):
            break
        if marker == 0xFF:
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    raise damaged("the JPEG has no frame header")


def _gif(data: bytes) -> PictureHeader:
    """Frames and their furthest edges: one may reach beyond the screen that is announced."""
    width, height, packed = struct.unpack_from("<HHB", data, 6)
    at, frames = 13 + _colour_table(packed), 0
    while at < len(data) and data[at] in (0x21, 0x2C):
        if data[at] == 0x21:
            at = _gif_blocks(data, at + 2)
            continue
        left, top, across, down, packed = struct.unpack_from("<4HB", data, at + 1)
        width, height = max(width, left + across), max(height, top + down)
        at = _gif_blocks(data, at + 11 + _colour_table(packed))
        frames += 1
    if not frames:
        raise truncated(at + 1, len(data)) if at >= len(data) else damaged("the GIF has no frame")
    return PictureHeader(height, width, 1 if frames == 1 else 4, frames)


def _colour_table(packed: int) -> int:
    return 3 << ((packed & 7) + 1) if packed & 0x80 else 0


def _gif_blocks(data: bytes, at: int) -> int:
    """Where a chain of sub-blocks that begins at `at` ends (GIF89a, section 15)."""
    while length := data[at]:
        at += 1 + length
    return at + 1


def _webp(data: bytes) -> PictureHeader:
    """The canvas by the first chunk (RFC 9649, sections 2.5 to 2.7 and 3.4)."""
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise truncated(size + 8, len(data))
    first, frames = data[12:16], 1
    if first == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        frames = max(1, _webp_frames(data)) if data[20] & 2 else 1
    elif first == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    elif first == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise damaged("the WebP has no image chunk")
    return PictureHeader(height, width, 4, frames)


def _webp_frames(data: bytes) -> int:
    at, frames = 12, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        frames += name == b"ANMF"
        at += 8 + size + (size & 1)
    return frames


def _bmp(data: bytes) -> PictureHeader:
    offset, header = struct.unpack_from("<II", data, 10)
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    width, height = abs(width), abs(height)
    expected = offset + (width * bits + 31) // 32 * 4 * height
    if compression in _UNCOMPRESSED and expected > len(data):
        raise truncated(expected, len(data))
    return PictureHeader(height, width, max(1, bits / 8))
