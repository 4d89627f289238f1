"""Bad and odd DICOM files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from bad_input_row import EACH, HASTY, Row, bad, cut, patched
from dicom_files import dataset_bytes, dicom_bytes, pydicom_dataset, pydicom_file
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

GREY = np.arange(64 * 48, dtype=np.uint16).reshape(64, 48)
COLOUR = np.random.default_rng(2).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def shipped(name: str) -> Callable[[], bytes]:
    return lambda: pydicom_file(name).read_bytes()


def made(**tags: Any) -> Callable[[], bytes]:
    return lambda: dicom_bytes(GREY, **tags)


def coloured(**tags: Any) -> Callable[[], bytes]:
    return lambda: dicom_bytes(COLOUR, **tags)


def changed(name: str, **tags: Any) -> Callable[[], bytes]:
    """One of pydicom's files with other tags."""

    def make() -> bytes:
        ds = pydicom_dataset(name)
        for keyword, value in tags.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
        return dataset_bytes(ds)

    return make


def restreamed(name: str, change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    """One of pydicom's files, its first compressed frame changed."""

    def make() -> bytes:
        ds = pydicom_dataset(name)
        stream = get_frame(ds.PixelData, 0, number_of_frames=1)
        ds.PixelData = encapsulate([change(stream)])
        ds["PixelData"].is_undefined_length = True
        return dataset_bytes(ds)

    return make


def jp2_of_length_zero(stream: bytes) -> bytes:
    """A box of length 0 means "to the end of the file": a reader may wait there for ever."""
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 " + b"\0\0\0\0jp2h"
    return boxes + stream


def deflated(body: bytes) -> bytes:
    """`body` as the deflated data set of a file."""
    whole = dicom_bytes(GREY, syntax=DeflatedExplicitVRLittleEndian)
    start = 144 + struct.unpack_from("<I", whole, 140)[0]
    machine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return whole[:start] + machine.compress(body) + machine.flush()


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def nested(depth: int, *, closed: bool = False) -> bytes:
    """Sequences of undefined length within each other, before the rest of a file."""
    whole = dicom_bytes(GREY)
    start = 144 + struct.unpack_from("<I", whole, 140)[0]
    opened = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return whole[:start] + (opened + item) * depth + (ends * depth if closed else b"")


def with_length(keyword_tag: bytes, length: int) -> Callable[[], bytes]:
    """The element of `keyword_tag` (as stored, with its VR) says another length."""

    def make() -> bytes:
        data = dicom_bytes(GREY)
        at = data.index(keyword_tag)
        if keyword_tag[4:] in (b"OW", b"OB"):
            return patched(data, at + 8, struct.pack("<I", length))
        return patched(data, at + 6, struct.pack("<H", length))

    return make


def without_pixels(modality: str) -> Callable[[], bytes]:
    return made(Modality=modality, PixelData=None, Rows=None, Columns=None)


def _truncated() -> list[Row]:
    files = {
        "explicit": made(),
        "implicit": made(syntax=ImplicitVRLittleEndian),
        "big-endian": shipped("MR_small_bigendian.dcm"),
        "ct": shipped("CT_small.dcm"),
        "rle": shipped("MR_small_RLE.dcm"),
        "jpeg2000": shipped("MR_small_jp2klossless.dcm"),
        "jpeg-ls": shipped("MR_small_jpeg_ls_lossless.dcm"),
        "jpeg": shipped("SC_rgb_jpeg_gdcm.dcm"),
        "deflated": shipped("image_dfl.dcm"),
    }
    return [
        bad(f"cut-{kind}-{kept}.dcm", cut(data, kept), "E_TRUNCATED")
        for kind, data in files.items()
        for kept in (0.5, 0.97)
    ] + [
        bad("cut-in-the-header.dcm", cut(made(), 421), "E_TRUNCATED"),
        bad("cut-in-a-tag.dcm", cut(made(), 403), "E_TRUNCATED"),
        bad("cut-by-pydicom.dcm", shipped("MR_truncated.dcm"), "E_TRUNCATED"),
        bad("cut-one-byte.dcm", cut(made(), len(dicom_bytes(GREY)) - 1), "E_TRUNCATED"),
    ]


def _without_image() -> list[Row]:
    names = ["rtplan.dcm", "rtstruct.dcm", "reportsi.dcm", "test-SR.dcm", "waveform_ecg.dcm"]
    return [
        *(bad(f"no-image-{name}", shipped(name), "N_NOT_IMAGE") for name in names),
        bad("no-image-pixels-alone.dcm", shipped("nested_priv_SQ.dcm"), "N_NOT_IMAGE"),
        bad("no-image-presentation.dcm", without_pixels("PR"), "N_NOT_IMAGE"),
        bad("no-image-key-objects.dcm", without_pixels("KO"), "N_NOT_IMAGE"),
        bad("DICOMDIR", shipped("dicomdirtests/DICOMDIR"), "N_NOT_IMAGE"),
    ]


def _sizes() -> list[Row]:
    huge = {"Rows": 65535, "Columns": 65535}
    return [
        bad("rows-lie.dcm", made(Rows=9000), "E_SIZE"),
        bad("columns-lie.dcm", made(Columns=49), "E_SIZE"),
        bad("frames-lie.dcm", made(NumberOfFrames=9), "E_SIZE", policy=EACH),
        bad("frames-refused.dcm", made(NumberOfFrames=9), "E_NDIM"),
        bad("frames-a-million.dcm", made(NumberOfFrames=10**6), "E_SIZE", policy=EACH),
        bad("frames-negative.dcm", made(NumberOfFrames=-3), "E_SIZE"),
        bad("rows-zero.dcm", made(Rows=0), "E_SIZE"),
        bad("rows-none.dcm", made(Rows=None), "E_SIZE"),
        bad("no-columns.dcm", made(Columns=None), "E_SIZE"),
        bad("no-bits.dcm", _without_bits, "E_SIZE"),
        bad("bits-odd.dcm", made(BitsAllocated=13), "E_SIZE"),
        bad("huge-native.dcm", made(**huge), "E_SIZE"),
        bad("huge-rle.dcm", changed("MR_small_RLE.dcm", **huge), "E_SIZE"),
        bad("huge-jpeg2000.dcm", changed("MR_small_jp2klossless.dcm", **huge), "E_SIZE"),
        bad("huge-jpeg-ls.dcm", changed("MR_small_jpeg_ls_lossless.dcm", **huge), "E_SIZE"),
        bad("rows-lie-jpeg2000.dcm", changed("MR_small_jp2klossless.dcm", Rows=65), "E_SIZE"),
        bad("rows-lie-jpeg.dcm", changed("SC_rgb_jpeg_gdcm.dcm", Columns=99), "E_SIZE"),
        bad("rows-lie-jpeg-ls.dcm", changed("MR_small_jpeg_ls_lossless.dcm", Rows=63), "E_SIZE"),
        bad("rows-lie-rle.dcm", changed("MR_small_RLE.dcm", Rows=4000), "E_DECODE"),
        bad("two-frames-rle.dcm", shipped("SC_rgb_rle_2frame.dcm"), "E_NDIM"),
        bad("dose-grid.dcm", shipped("rtdose.dcm"), "E_NDIM"),
        bad("pixels-empty.dcm", made(PixelData=b""), "E_SIZE"),
    ]


def _colours() -> list[Row]:
    return [
        bad("pi-unknown.dcm", made(PhotometricInterpretation="SEPIA"), "E_PI"),
        bad("pi-missing.dcm", made(PhotometricInterpretation=None), "E_PI"),
        bad("pi-rgb-of-one.dcm", made(PhotometricInterpretation="RGB"), "E_PI"),
        bad("pi-hsv.dcm", coloured(PhotometricInterpretation="HSV"), "E_PI"),
        bad("pi-grey-of-three.dcm", coloured(PhotometricInterpretation="MONOCHROME2"), "E_PI"),
        bad("pi-four-samples.dcm", coloured(SamplesPerPixel=4), "E_PI"),
    ]


def _streams() -> list[Row]:
    jpeg2000, rle = "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm"
    return [
        bad(
            "jp2-box-of-length-0.dcm",
            restreamed(jpeg2000, jp2_of_length_zero),
            "read",
            limits=HASTY,
            hostile=True,
        ),
        bad("jpeg2000-noise.dcm", restreamed(jpeg2000, _emptied), "E_DECODE"),
        bad("jpeg2000-text.dcm", restreamed(jpeg2000, lambda s: b"hello " * 40), "E_DECODE"),
        bad("rle-short.dcm", restreamed(rle, lambda s: s[:100]), "E_DECODE"),
        bad("rle-text.dcm", restreamed(rle, lambda s: b"hello " * 40), "E_DECODE"),
        bad("rle-no-header.dcm", restreamed(rle, lambda s: bytes(64) + s[64:]), "E_DECODE"),
        bad("syntax-unknown.dcm", _unknown_syntax, "E_DECODE"),
        bad("syntax-mpeg2.dcm", _film, "E_DECODE"),
        bad("no-palette.dcm", made(PhotometricInterpretation="PALETTE COLOR"), "E_PI"),
        bad("float-nan.dcm", partial(_float_pixels, np.nan), "E_NAN"),
        bad("float-infinite.dcm", partial(_float_pixels, np.inf), "E_NAN"),
    ]


def _without_bits() -> bytes:
    """BitsAllocated under another number: the writer would not leave it out."""
    return dicom_bytes(GREY).replace(b"\x28\0\x00\x01US", b"\x28\0\xfe\x00US")


def _emptied(stream: bytes) -> bytes:
    return stream[:120] + bytes(400) + b"\xff\xd9"


def _unknown_syntax() -> bytes:
    rle = pydicom_file("MR_small_RLE.dcm").read_bytes()
    return rle.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.7\0")


def _film() -> bytes:
    ds = pydicom_dataset("MR_small_RLE.dcm")
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
    return dataset_bytes(ds)


def _float_pixels(value: float) -> bytes:
    values = np.ones((8, 8), np.float32)
    values[2, 2] = value
    tags = {"BitsAllocated": 32, "PixelData": None, "FloatPixelData": values.tobytes()}
    return dicom_bytes(np.ones((8, 8), np.uint16), **tags)


def _hostile() -> list[Row]:
    return [
        bad("deflated-bomb.dcm", lambda: deflated(bytes(24 << 20)), "E_BOMB", hostile=True),
        bad("deflated-noise.dcm", lambda: deflated(b"")[:-2] + b"\xff" * 90, "E_DECODE"),
        bad("nested-33.dcm", lambda: nested(33, closed=True), "E_DEPTH"),
        bad("nested-240.dcm", lambda: nested(240), "E_DEPTH"),
        bad("nested-20000.dcm", lambda: nested(20_000, closed=True), "E_DEPTH", hostile=True),
        bad("length-of-rows.dcm", with_length(b"\x28\0\x10\0US", 60_000), "E_TRUNCATED"),
        bad("length-of-pixels.dcm", with_length(b"\xe0\x7f\x10\0OW", 1 << 30), "E_TRUNCATED"),
    ]


def dicom_rows() -> list[Row]:
    return [
        *_truncated(), *_without_image(), *_sizes(), *_colours(), *_streams(), *_hostile(),
    ]  # fmt: skip
