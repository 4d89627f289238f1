"""DICOM: one file of one frame becomes one scan, its header checked before its pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from pydicom import dcmread
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from latentdx.core.errors import InputError
from latentdx.scans import dicom_pixels, dicom_tags
from latentdx.scans.limits import Limits
from latentdx.scans.outline import Outline, outline
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

_TRANSFER_SYNTAX = (0x0002, 0x0010)
_PIXEL_TAGS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_WITHOUT_PIXELS = frozenset({"SR", "KO", "PR", "REG", "FID", "RTPLAN", "RTSTRUCT", "RTRECORD"})
_BLOCK = 1 << 20


def read_dicom(data: bytes, limits: Limits, *, key: bytes, policy: Policy) -> Iterator[Scan]:
    """Decode one single-frame DICOM file, with or without preamble and meta information.

    Order of the pixels' way: decoding, unused bits masked, modality LUT or rescale, VOI LUT or
    window (CR, DX, MG, RF, XA, CT) or else the scan's percentiles, MONOCHROME1 inverted;
    palettes and YBR become RGB (DICOM PS3.3 C.7.6.3, C.11.1, C.11.2; PS3.4 N.2).
    `key` makes the pseudonyms (see `latentdx.scans.deidentify`).

    Raises `InputError`: ``N_NOT_IMAGE`` (an object without pixels), ``E_NDIM`` (several frames),
    ``E_TRUNCATED``, ``E_SIZE``, ``E_BOMB``, ``E_DEPTH``, ``E_PI`` (unknown or contradictory
    photometric interpretation), ``E_NAN``, ``E_DECODE``.
    """
    start, syntax = _meta_end(data)
    if syntax == DeflatedExplicitVRLittleEndian:
        data, start, syntax = _inflate(data[start:], limits), 0, ExplicitVRLittleEndian
    implicit, little = _encoding(data, start, syntax)
    found = outline(data, start, implicit=implicit, little=little, depth=limits.depth)
    tags = [*dicom_tags.TAGS, *dicom_pixels.TAGS, *_PIXEL_TAGS]
    ds = dcmread(io.BytesIO(data), force=True, specific_tags=tags)
    _require_pixels(ds, found)
    _require_syntax(ds, syntax)
    _require_one_frame(ds)
    _require_size(ds, limits, len(data))
    pixels, done = dicom_pixels.decode(ds, dicom_tags.modality(ds))
    yield Scan(
        pixels,
        (int(ds.Rows), int(ds.Columns)),
        conversions=tuple(done),
        **dicom_tags.identity(ds, key),
    )


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
        if element == _TRANSFER_SYNTAX[1]:
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
    kind, holds = dicom_tags.modality(ds), any(tag in ds for tag in _PIXEL_TAGS)
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


def _require_one_frame(ds: Any) -> None:
    frames = int(ds.get("NumberOfFrames") or 1)
    if frames != 1:
        raise InputError(
            "E_NDIM",
            f"the file holds {frames} frames; only single frames are read for now",
            fix="export the frames that matter as files of their own",
        )


def _require_size(ds: Any, limits: Limits, stored: int) -> None:
    """Sizes by the header alone, before a decoder sees the data."""
    dicom_pixels.require_header(ds)
    sample_bytes = max(1, ds.BitsAllocated // 8)
    limits.check_image(
        ds.Rows, ds.Columns, pixel_bytes=sample_bytes * ds.SamplesPerPixel, stored_bytes=stored
    )
    if ds.file_meta.TransferSyntaxUID.is_encapsulated or "PixelData" not in ds:
        return
    expected, found = get_expected_length(ds), len(ds.PixelData)
    if found < expected:
        raise InputError(
            "E_SIZE",
            f"{ds.Rows} rows x {ds.Columns} columns need {expected} bytes, "
            f"the pixel data hold {found}",
            fix="the header is wrong: export the image again",
        )
