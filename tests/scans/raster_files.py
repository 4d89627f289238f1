"""Pictures made for one trait each, in memory."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def picture(values: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    return encode(Image.fromarray(values), form, **options)


def chunk(name: bytes, data: bytes = b"") -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def png(values: np.ndarray, *extra: bytes, size: tuple[int, int] | None = None) -> bytes:
    """A PNG of any depth and 1 to 4 channels, by hand; `extra` chunks before the pixels."""
    height, width = size or values.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    bits = 8 * values.dtype.itemsize
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    rows = values.astype(values.dtype.newbyteorder(">"))
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = chunk(b"IHDR", head), *extra, chunk(b"IDAT", body), chunk(b"IEND")
    return PNG_SIGNATURE + b"".join(parts)


def tiff(values: np.ndarray, **options: Any) -> bytes:
    """By tifffile, which writes every depth, layout and compression."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **{"metadata": None, **options})
    return buffer.getvalue()


def tiff_pages(pages: list[np.ndarray], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in pages:
            writer.write(page, **{"metadata": None, **options})
    return buffer.getvalue()


def tiff_by_hand(entries: list[tuple[int, int, int, int]], data: bytes = b"") -> bytes:
    """A little endian TIFF: entries (tag, type, count, value), then `data` (at byte `8 + ...`)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<I", 8)
    return head + struct.pack("<H", len(entries)) + body + struct.pack("<I", 0) + data


def retagged(data: bytes, entry: tuple[int, int, int, int]) -> bytes:
    """A little endian TIFF whose entry of the same tag is `entry` (tag, type, count, value)."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, at)[0] == entry[0]:
            return data[:at] + struct.pack("<HHII", *entry) + data[at + 12 :]
    raise AssertionError(f"no tag {entry[0]}")


def bmp(width: int, height: int, bits: int, pixels: bytes) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(pixels), 0, 0, 54) + info + pixels


def oriented(values: np.ndarray, orientation: int, form: str, **options: Any) -> bytes:
    """`values` stored so that EXIF's `orientation` is what shows them upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {
        1: values,
        2: values[:, ::-1],
        3: values[::-1, ::-1],
        4: values[::-1],
        5: values.swapaxes(0, 1),
        6: np.rot90(values, 1),
        7: np.rot90(values, 2).swapaxes(0, 1),
        8: np.rot90(values, -1),
    }[orientation]
    return picture(np.ascontiguousarray(stored), form, exif=exif, **options)
