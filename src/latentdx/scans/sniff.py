"""What a file is, told by its first bytes and never by its name."""

from __future__ import annotations

import os
import re
import stat
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

from latentdx.core.errors import InputError

Kind = Literal[
    "dicom", "png", "jpeg", "tiff", "bmp", "webp", "gif", "nifti", "nrrd", "metaimage", "npy", "zip"
]

HEAD_BYTES = 1024
"""`sniff` wants this many bytes from the start of the file (or all of a smaller one)."""

_SIGNATURES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x93NUMPY", "npy"),
    (b"NRRD000", "nrrd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
_METAIMAGE = re.compile(rb"\s*(ObjectType\s*[=:]\s*Image|NDims\s*[=:]\s*[0-9])\b")
# A data set without file meta information opens with one of these groups.
_FIRST_GROUPS = (0x0000, 0x0002, 0x0004, 0x0008)
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR "
    b"US UT UV".split()
)


def sniff(head: bytes) -> Kind:
    """The kind of a file from its first `HEAD_BYTES` bytes.

    ``"dicom"`` includes files without preamble or meta information, in any of the uncompressed
    encodings; ``"zip"`` includes ``.npz``; ``"nifti"`` includes ``.nii.gz``; ``"metaimage"`` is
    ``.mha``.
    Raises `InputError` ``E_EMPTY`` for no bytes and ``E_FORMAT`` for anything unknown.

    Examples
    --------
    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n....")
    'png'
    """
    if not head:
        raise InputError("E_EMPTY", "the file has no bytes", fix="copy it again")
    # First of all: the preamble before DICM is free, and some writers put a TIFF header there.
    if head[128:132] == b"DICM":
        return "dicom"
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if _is_bmp(head):
        return "bmp"
    if _is_nifti(head):
        return "nifti"
    if _METAIMAGE.match(head):
        return "metaimage"
    if _is_bare_dicom(head):
        return "dicom"
    raise InputError(
        "E_FORMAT",
        "the content is none of DICOM, NIfTI, NRRD, MetaImage, PNG, JPEG, TIFF, BMP, WebP, GIF, "
        "npy",
        fix="leave the file out, or convert it",
    )


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a folder, FIFO or device is refused, not waited for.

    Raises `InputError` ``E_IO``.
    """
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for a writer, for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        raise InputError("E_IO", f"cannot be opened: {reason}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError("E_IO", "is not a regular file", fix="give files or folders of files")
    return os.fdopen(descriptor, "rb")


def _is_bmp(head: bytes) -> bool:
    """``BM`` alone opens many a text: the size of the second header must fit too."""
    return head[:2] == b"BM" and len(head) >= 18 and head[14] in (12, 40, 52, 56, 64, 108, 124)


def _is_nifti(head: bytes) -> bool:
    if head[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(head, HEAD_BYTES)
        except zlib.error:
            return False
    return head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2")


def _is_bare_dicom(head: bytes) -> bool:
    """Whether the bytes read as a first data element followed by a plausible second one."""
    return any(_opens_with_elements(head, endian) for endian in ("<", ">"))


def _opens_with_elements(head: bytes, endian: str) -> bool:
    if len(head) < 8:
        return False
    group, element = struct.unpack_from(endian + "HH", head)
    if group not in _FIRST_GROUPS:
        return False
    if head[4:6] in _VRS:
        return True
    # Implicit VR (little endian only): no letters to go by, so ask the next tag as well.
    length = struct.unpack_from("<I", head, 4)[0]
    if endian == ">" or element > 0x3000 or length > len(head) - 16:
        return False
    next_tag = struct.unpack_from("<HH", head, 8 + length)
    return bool((group, element) < next_tag <= (0x0028, 0xFFFF))
