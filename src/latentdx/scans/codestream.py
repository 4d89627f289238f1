"""What a JPEG, JPEG-LS or JPEG 2000 stream says of its own size, before a decoder trusts it."""

from __future__ import annotations

import struct

from pydicom.encaps import get_frame

from latentdx.core.errors import InputError

_J2K = b"\xff\x4f\xff\x51"  # SOC, then SIZ (ISO/IEC 15444-1, Annex A)
_NO_LENGTH = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # TEM, SOI, RSTn
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}


def require_same_size(encapsulated: bytes, rows: int, columns: int) -> None:
    """Refuse a stream whose own size is not the header's: a decoder would allocate it whole.

    Raises `InputError` ``E_SIZE``.
    """
    stream = get_frame(encapsulated, 0, number_of_frames=1)
    found = _j2k_size(stream) if stream.startswith(_J2K) else _jpeg_size(stream)
    if found is not None and found != (rows, columns):
        raise InputError(
            "E_SIZE",
            f"the header says {rows} x {columns} pixels, the compressed data {found[0]} x "
            f"{found[1]}",
            fix="the header is wrong: export the image again",
        )


def broken_stream(encapsulated: bytes, error: Exception) -> InputError:
    """Why a decoder failed: cut short where the end marker (EOI, EOC) is missing, else damaged."""
    stream = get_frame(encapsulated, 0, number_of_frames=1).rstrip(b"\0")
    if stream[:1] == b"\xff" and not stream.endswith(b"\xff\xd9"):
        return InputError(
            "E_TRUNCATED",
            f"expected more compressed bytes than the {len(stream)} found: no end marker",
            fix="copy the file again from its source",
        )
    return InputError("E_DECODE", f"the compressed data are damaged ({type(error).__name__})")


def _j2k_size(stream: bytes) -> tuple[int, int] | None:
    if len(stream) < 24:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", stream, 8)
    return bottom - top, right - left


def _jpeg_size(stream: bytes) -> tuple[int, int] | None:
    """(rows, columns) of the first frame header; None where the stream is something else."""
    at = 0
    while at + 9 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _FRAME_HEADERS:
            rows, columns = struct.unpack_from(">HH", stream, at + 5)
            return rows, columns
        if marker == 0xFF:
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", stream, at + 2)[0]
    return None
