"""Compressed frames without what a writer may have put beside the picture.

JPEG (and JPEG-LS) carry comments and application segments, EXIF with names and places among them;
JPEG 2000 has comments and, in its file format, boxes of XML. The picture itself is not touched.
"""

from __future__ import annotations

import struct

from latentdx.core.errors import InputError

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_LONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_J2K_START = b"\xff\x4f\xff\x51"
_JP2_START = b"\0\0\0\x0cjP  "
_SOT, _SOD, _J2K_COM = 0xFF90, 0xFF93, 0xFF64


def clean_frame(frame: bytes) -> bytes:
    """One frame of a JPEG, JPEG-LS or JPEG 2000 stream, without comments and foreign segments.

    Raises `InputError` ``E_DECODE`` where the stream is none of these, or is broken.

    Examples
    --------
    >>> clean_frame(bytes.fromhex("ffd8 fffe0005 446f65 ffd9")).hex()
    'ffd8ffd9'
    """
    try:
        if frame[:2] == b"\xff\xd8":
            return _clean_jpeg(frame)
        if frame[:8] == _JP2_START:
            frame = _codestream(frame)
        if frame[:4] == _J2K_START:
            return _clean_j2k(frame)
    except (struct.error, IndexError):
        raise _broken() from None
    raise _broken()


def _broken() -> InputError:
    return InputError(
        "E_DECODE",
        "the compressed pixel data cannot be cleaned of comments",
        fix="decompress the file first (dcmdjpeg of dcmtk, say)",
    )


def _clean_jpeg(frame: bytes) -> bytes:
    """Segment by segment (ITU-T T.81 B.1); entropy-coded data run to the next real marker."""
    kept, at = [frame[:2]], 2
    while True:
        if frame[at] != 0xFF:
            raise _broken()
        code = frame[at + 1]
        if code == 0xFF:  # fill bytes may stand before a marker
            at += 1
        elif code == _EOI:
            return b"".join([*kept, b"\xff\xd9"])
        elif code in _LONE:
            kept.append(frame[at : at + 2])
            at += 2
        else:
            (length,) = struct.unpack_from(">H", frame, at + 2)
            end = at + 2 + length
            if code == _SOS:
                end = _scan_end(frame, end)
            if _is_needed(code, frame[at + 4 : at + 2 + length]):
                kept.append(frame[at:end])
            at = end


def _is_needed(code: int, payload: bytes) -> bool:
    """Tables, frames and scans; of application segments those that tell how colours are coded."""
    if code == _COM:
        return False
    if not 0xE0 <= code <= 0xEF:
        return True
    is_jfif = code == 0xE0 and payload[:5] == b"JFIF\0" and len(payload) == 14
    is_adobe = code == 0xEE and payload[:5] == b"Adobe" and len(payload) == 12
    is_colour = code == 0xE8 and payload[:4] == b"mrfx" and len(payload) == 5  # JPEG-LS
    return is_jfif or is_adobe or is_colour


def _scan_end(frame: bytes, at: int) -> int:
    while True:
        at = frame.find(b"\xff", at)
        if at < 0 or at + 1 >= len(frame):
            raise _broken()
        # In JPEG-LS a bit is stuffed after 0xFF: what follows is below 0x80 inside data.
        if frame[at + 1] >= 0x80 and frame[at + 1] not in _LONE and frame[at + 1] != 0xFF:
            return at
        at += 1


def _codestream(file: bytes) -> bytes:
    """The code stream of a JP2 file (ISO 15444-1 Annex I); its boxes are left behind."""
    at = 0
    while at + 8 <= len(file):
        length, kind = struct.unpack_from(">I4s", file, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", file, at + 8)
            head = 16
        end = len(file) if length == 0 else at + length
        if kind == b"jp2c":
            return file[at + head : end]
        if end < at + head:
            break
        at = end
    raise _broken()


def _clean_j2k(stream: bytes) -> bytes:
    """Comments overwritten with zeros in the headers, so that no length changes."""
    out = bytearray(stream)
    at = 2
    tile_end: int | None = None
    while at + 4 <= len(stream):
        marker, length = struct.unpack_from(">HH", stream, at)
        if marker == 0xFFD9:
            break
        if marker == _SOD:
            if tile_end is None:
                raise _broken()
            at, tile_end = tile_end, None
            continue
        if marker == _SOT:
            (tile_bytes,) = struct.unpack_from(">I", stream, at + 6)
            tile_end = at + tile_bytes if tile_bytes else len(stream)
        if marker < 0xFF00 or length < 2:
            raise _broken()
        if marker == _J2K_COM:
            out[at + 6 : at + 2 + length] = bytes(length - 4)
        at += 2 + length
    end = stream.rfind(b"\xff\xd9")
    return bytes(out[: end + 2] if end >= at - 4 else out)
