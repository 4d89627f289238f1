"""The bytes of a DICOM file as a data set whose header is sound, before any pixel is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from pydicom import dcmread
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from latentdx.core.errors import InputError
from latentdx.scans import dicom_geometry, dicom_pixels, dicom_tags
from latentdx.scans.dicom_header import PIXEL_KEYWORDS
from latentdx.scans.limits import Limits
from latentdx.scans.outline import Outline, outline

_TRANSFER_SYNTAX = 0x0010
_WITHOUT_PIXELS = frozenset({"SR", "KO", "PR", "REG", "FID", "RTPLAN", "RTSTRUCT", "RTRECORD"})
_BLOCK = 1 << 20

# Made once: pydicom looks up every keyword anew for every file.
_TAGS = [
    Tag(keyword)
    for keyword in (
        *dicom_tags.TAGS, *dicom_pixels.TAGS, *dicom_geometry.TAGS, *PIXEL_KEYWORDS,
    )
]  # fmt: skip


def read_dataset(data: bytes, limits: Limits) -> Any:
    """The pydicom data set of an image, with or without preamble and meta information.

    Raises `InputError`: ``N_NOT_IMAGE`` (an object without pixels), ``E_TRUNCATED``, ``E_BOMB``,
    ``E_DEPTH``.
    """
    start, syntax = _meta_end(data)
    if syntax == DeflatedExplicitVRLittleEndian:
        data, start, syntax = _inflate(data[start:], limits), 0, ExplicitVRLittleEndian
    implicit, little = _encoding(data, start, syntax)
    found = outline(data, start, implicit=implicit, little=little, depth=limits.depth)
    ds = dcmread(io.BytesIO(data), force=True, specific_tags=_TAGS)
    _require_pixels(ds, found)
    _require_syntax(ds, syntax)
    return ds


def _meta_end(data: bytes) -> tuple[int, str]:
    """Where the data set begins, and the transfer syntax that the meta information gives or ""."""
    at = 132 if data[128:132] == b"DICM" else 0
    syntax = ""
    while at + 12 <= len(data) and data[at : at + 2] == b"\x02\0":
        element, vr, length = struct.unpack_from("<H2sH", data, at + 2)
        value = at + 8
        if vr in (b"OB", b"UN", b"UT", b"SQ"):
            (length,) = struct.unpack_from("<I", data, value)
            value += 4
        if element == _TRANSFER_SYNTAX:
            syntax = data[value : value + length].decode("ascii", "replace").strip(" \0")
        at = value + length
    return at, syntax


def _inflate(packed: bytes, limits: Limits) -> bytes:
    """Unpack a deflated data set piece by piece, so that a bomb is met at its cap."""
    cap = min(limits.file_bytes, limits.inflated_cap(len(packed)))
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacked = bytearray()
    rest = packed
    while rest and not machine.eof:
        unpacked += machine.decompress(rest, _BLOCK)
        rest = machine.unconsumed_tail
        if len(unpacked) > cap:
            raise InputError(
                "E_BOMB",
                f"{len(packed)} deflated bytes unpack to more than {cap}",
                fix="check where the file comes from, or raise the limits",
            )
    if not machine.eof:
        raise InputError(
            "E_TRUNCATED",
            f"the deflated data end after {len(packed)} bytes, {len(unpacked)} unpacked, "
            "and more were expected",
            fix="copy the file again from its source",
        )
    return bytes(unpacked)


def _encoding(data: bytes, start: int, syntax: str) -> tuple[bool, bool]:
    """(implicit VR, little endian), by the transfer syntax or else by the first element."""
    first = data[start : start + 6]
    explicit = first[4:6].isalpha() and first[4:6].isupper()
    if syntax == ImplicitVRLittleEndian:
        return not explicit, True
    if syntax == ExplicitVRBigEndian:
        return False, False
    if syntax:
        return not explicit, True
    little = not (explicit and first[0] == 0 and first[1] != 0)
    return not explicit, little


def _require_pixels(ds: Any, found: Outline) -> None:
    kind, holds = dicom_tags.modality(ds), any(tag in ds for tag in PIXEL_KEYWORDS)
    cut_before = not holds and kind not in _WITHOUT_PIXELS
    if found.breaks is not None and (found.has_pixels or cut_before):
        expected, there = found.breaks
        raise InputError(
            "E_TRUNCATED",
            f"expected at least {expected} bytes, found {there}",
            fix="copy the file again from its source",
        )
    if not holds or "Rows" not in ds:
        named = f" ({kind})" if kind else ""
        raise InputError(
            "N_NOT_IMAGE",
            f"a DICOM object{named} without pixel data",
            fix="nothing: reports, plans and directories are left out",
        )


def _require_syntax(ds: Any, syntax: str) -> None:
    """Give a data set without meta information the transfer syntax that it was read with."""
    if ds.file_meta.get("TransferSyntaxUID") and syntax == ds.file_meta.TransferSyntaxUID:
        return
    implicit, little = ds.original_encoding
    known = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else known
