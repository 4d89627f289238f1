"""What a JPEG, JPEG-LS or JPEG 2000 stream says of itself, before a decoder trusts it."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Literal

from latentdx.core.errors import InputError

_SOC_SIZ = b"\xff\x4f\xff\x51"  # ISO/IEC 15444-1, Annex A
_EOI = b"\xff\xd9"
_NO_LENGTH = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})  # TEM, SOI, RSTn
_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_SOS, _DRI, _APP0, _APP14 = 0xDA, 0xDD, 0xE0, 0xEE
_RGB_IDS = (b"RGB", b"rgb")


@dataclass(frozen=True)
class Codestream:
    """The header of one compressed frame.

    Attributes
    ----------
    rows, columns, components: of the picture.
    precision: bits a sample.
    signed: whether samples are signed; None where the format cannot say (JPEG, JPEG-LS).
    colour: what three components are, where the stream says so itself, else None.
    is_lossless: JPEG's lossless process, whose colours are never transformed.
    is_one_scan: its first scan holds all of a JPEG: every component, not progressive.
    scan: byte at which the first entropy-coded data begin (JPEG), else 0.
    restart_every: coding units between restart markers (JPEG), 0 for none.
    units: coding units of the whole picture in one interleaved scan (JPEG), else 0.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None = None
    colour: Literal["RGB", "YBR"] | None = None
    is_lossless: bool = False
    is_one_scan: bool = False
    scan: int = 0
    restart_every: int = 0
    units: int = 0


def read_codestream(stream: bytes) -> Codestream | None:
    """The header of a stream; None where it is none of these formats.

    Examples
    --------
    >>> siz = struct.pack(">HHIIIIIIIIHBBB", 41, 0, 640, 480, 0, 0, 640, 480, 0, 0, 1, 139, 1, 1)
    >>> found = read_codestream(b"\\xff\\x4f\\xff\\x51" + siz)
    >>> found.rows, found.columns, found.precision, found.signed
    (480, 640, 12, True)
    """
    start = j2k_start(stream)
    if start is not None:
        return _j2k(stream, start)
    return _jpeg(stream) if stream[:2] == b"\xff\xd8" else None


def j2k_start(stream: bytes) -> int | None:
    """Where a JPEG 2000 codestream begins, past the boxes of a JP2 file around it."""
    if stream[:4] == _SOC_SIZ:
        return 0
    if stream[4:8] != b"jP  ":
        return None
    found = stream.find(_SOC_SIZ, 0, 1 << 16)
    return None if found < 0 else found


def require_same_size(found: Codestream, rows: int, columns: int) -> None:
    """Refuse a stream whose own size is not the header's: a decoder would allocate it whole.

    Raises `InputError` ``E_SIZE``.
    """
    if (found.rows, found.columns) != (rows, columns):
        raise InputError(
            "E_SIZE",
            f"the header says {rows} x {columns} pixels, the compressed data {found.rows} x "
            f"{found.columns}",
            fix="the header is wrong: export the image again",
        )


def require_same_samples(found: Codestream, samples: int) -> None:
    """Refuse a stream with other components than the header's. Raises `InputError` ``E_PI``."""
    if found.components != samples:
        raise InputError(
            "E_PI",
            f"the header says {samples} samples a pixel, the compressed data {found.components}",
            fix="the header is wrong: export the image again",
        )


def require_end(stream: bytes) -> None:
    """Refuse a stream without its end marker (EOI, EOC). Raises `InputError` ``E_TRUNCATED``."""
    end = stream.rstrip(b"\0")
    if not end.endswith(_EOI) and _EOI not in end[-16:]:
        raise InputError(
            "E_TRUNCATED",
            f"expected more compressed bytes than the {len(end)} found: no end marker",
            fix="copy the file again from its source",
        )


def _j2k(stream: bytes, start: int) -> Codestream | None:
    if len(stream) < start + 43:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", stream, start + 8)
    (components,) = struct.unpack_from(">H", stream, start + 40)
    depth = stream[start + 42] if len(stream) > start + 42 else 0
    return Codestream(
        bottom - top, right - left, components, (depth & 0x7F) + 1, signed=bool(depth & 0x80)
    )


def _jpeg(stream: bytes) -> Codestream | None:
    """Markers up to the first scan (ISO/IEC 10918-1, Annex B; 14495-1 for JPEG-LS)."""
    found: Codestream | None = None
    adobe = jfif = is_progressive = is_one = False
    transform, at, restart = 0, 2, 0
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", stream, at + 2)
        body = stream[at + 4 : at + 2 + length]
        if marker in _FRAME_HEADERS:
            found = _frame_header(body, is_lossless=marker in _LOSSLESS)
            is_progressive = marker in _PROGRESSIVE
        elif marker == _APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe, transform = True, body[11]
        elif marker == _APP0 and body[:4] == b"JFIF":
            jfif = True
        elif marker == _DRI and len(body) >= 2:
            (restart,) = struct.unpack(">H", body[:2])
        at += 2 + length
        if marker == _SOS:
            is_one = found is not None and body[:1] == bytes((found.components,))
            break
    if found is None:
        return None
    colour = found.colour
    if colour is None and not found.is_lossless and (adobe or jfif):
        colour = "RGB" if adobe and transform == 0 else "YBR"
    return replace(
        found,
        colour=colour,
        is_one_scan=is_one and not is_progressive,
        scan=at,
        restart_every=restart,
    )


def _frame_header(body: bytes, *, is_lossless: bool) -> Codestream | None:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        return None
    precision, rows, columns, components = struct.unpack_from(">BHHB", body)
    sides = [(part >> 4, part & 15) for part in body[7::3][:components]]
    block = 1 if is_lossless else 8
    # One component alone is coded block by block, whatever its sampling factors (A.2.2).
    across, down = (
        block * (max(side[axis] for side in sides) if components > 1 else 1) for axis in (0, 1)
    )
    if not across or not down:
        return None
    return Codestream(
        rows,
        columns,
        components,
        precision,
        is_lossless=is_lossless,
        colour="RGB" if body[6::3][:components] in _RGB_IDS else None,
        units=-(-columns // across) * -(-rows // down),
    )
