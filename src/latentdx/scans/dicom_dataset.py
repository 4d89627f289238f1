"""The bytes of a DICOM file as a data set whose header is sound, before any pixel is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from latentdx.core.errors import InputError
from latentdx.scans import burned_in, dicom_geometry, dicom_pixels, dicom_tags, dicom_uids
from latentdx.scans.dicom_header import PIXEL_KEYWORDS
from latentdx.scans.dicom_told import Told, tags_of
from latentdx.scans.limits import Limits
from latentdx.scans.outline import Outline, outline

_TRANSFER_SYNTAX = 0x0010
_WITHOUT_PIXELS = frozenset({"SR", "KO", "PR", "REG", "FID", "RTPLAN", "RTSTRUCT", "RTRECORD"})
_OF_IMAGES = ("Rows", "Columns", "PhotometricInterpretation", "BitsAllocated")
_BLOCK = 1 << 20

# Made once: pydicom looks up every keyword anew for every file.
_TAGS = tags_of(
    *(*dicom_tags.TAGS, *dicom_pixels.TAGS, *dicom_geometry.TAGS, *PIXEL_KEYWORDS),
    *(*dicom_uids.TAGS, *burned_in.TAGS),
)


def read_dataset(data: bytes, limits: Limits) -> Told:
    """What the file of an image says, with or without preamble and meta information.

    Raises `InputError`: ``N_NOT_IMAGE`` (an object without pixels), ``E_TRUNCATED``, ``E_BOMB``,
    ``E_DEPTH``, ``E_UID``, ``E_DECODE`` (a header or transfer syntax that cannot be read).
    """
    start, syntax = meta_end(data)
    if syntax == DeflatedExplicitVRLittleEndian:
        data, start, syntax = _inflate(data[start:], limits), 0, ExplicitVRLittleEndian
    implicit, little = _encoding(data, start, syntax)
    found = outline(data, start, implicit=implicit, little=little, limits=limits)
    ds = _parsed(data)
    _require_pixels(ds, found)
    dicom_uids.require_uids(ds)
    return Told(ds, _syntax(ds, syntax), bool(ds.original_encoding[1]), _TAGS, found.tags)


def _parsed(data: bytes) -> Any:
    try:
        return dcmread(io.BytesIO(data), force=True, specific_tags=list(_TAGS.values()))
    except RecursionError:
        raise
    except Exception as error:  # pydicom raises many kinds, whose words may quote the file
        raise InputError(
            "E_DECODE",
            f"the header cannot be read ({type(error).__name__})",
            fix="the file is damaged: export the image again",
        ) from None


def meta_end(data: bytes) -> tuple[int, str]:
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
        unpacked += _next_block(machine, rest)
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


def _next_block(machine: Any, rest: bytes) -> bytes:
    try:
        return bytes(machine.decompress(rest, _BLOCK))
    except zlib.error:
        raise InputError(
            "E_DECODE",
            "the deflated data are damaged",
            fix="copy the file again from its source",
        ) from None


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
    if not holds or not any(name in ds for name in _OF_IMAGES):
        lacks = "with pixel data of no known size" if holds else "without pixel data"
        raise _no_image(kind, dicom_tags.class_name(ds), lacks)


def _no_image(kind: str, class_name: str, lacks: str) -> InputError:
    """What it is by its modality and class, and whether anything is to be done."""
    told = ", ".join(name for name in (kind, class_name) if name)
    fix = "nothing is to be done: reports, plans and directories are no images, and are left out"
    if kind not in _WITHOUT_PIXELS and ("Image" in class_name or not class_name):
        fix = "nothing where it is no image; if it should be one, export it again"
    named = f" ({told})" if told else ""
    return InputError("N_NOT_IMAGE", f"a DICOM object{named} {lacks}", fix=fix)


def _syntax(ds: Any, syntax: str) -> Any:
    """The transfer syntax; of a data set without meta information the one it was read with."""
    if ds.file_meta.get("TransferSyntaxUID") and syntax == ds.file_meta.TransferSyntaxUID:
        told = ds.file_meta.TransferSyntaxUID
        if not told.is_transfer_syntax:
            raise InputError("E_DECODE", "unknown transfer syntax", fix="export the image again")
        return told
    implicit, little = ds.original_encoding
    known = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else known
