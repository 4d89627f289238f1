"""Odd DICOM files, which are read all the same."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable

from bad_input_dicom import GREY, made, nested, shipped
from bad_input_row import Odd
from dicom_files import dicom_bytes
from pydicom.uid import ImplicitVRLittleEndian


def with_preamble(head: bytes) -> Callable[[], bytes]:
    return lambda: head.ljust(128, b"\0") + dicom_bytes(GREY)[128:]


def odd_dicom() -> list[Odd]:
    return [
        Odd("no-meta-explicit.dcm", _without_meta(made()), ""),
        Odd("no-meta-implicit.dcm", _without_meta(made(syntax=ImplicitVRLittleEndian)), ""),
        Odd("no-meta-big-endian.dcm", _without_meta(shipped("MR_small_bigendian.dcm")), ""),
        Odd("no-preamble.dcm", lambda: dicom_bytes(GREY)[132:], ""),
        Odd("odd-vr.dcm", lambda: dicom_bytes(GREY).replace(b"LO\x04\x004711", b"XX\x04\x004711"),
            ""),
        Odd("nested-32.dcm", _nested_32, ""),
        Odd("dicom-named.png", made(), ""),
        Odd("padded.dcm", shipped("MR_small_padded.dcm"), ""),
        Odd("unknown-charset.dcm", _unknown_charset, ""),
        Odd("chinese.dcm", made(SpecificCharacterSet="GB18030", PatientName="王^小东"), ""),
        Odd("preamble-windows.exe", with_preamble(b"MZ\x90\0"), ""),
        Odd("preamble-linux.elf", with_preamble(b"\x7fELF\2\1\1"), ""),
        Odd("preamble-script.sh", with_preamble(b"#!/bin/sh\nexit\n"), ""),
        Odd("preamble-tiff.tif", with_preamble(b"II*\0\x08\0\0\0"), ""),
        Odd("monochrome1.dcm", made(PhotometricInterpretation="MONOCHROME1"), "MONOCHROME1"),
        Odd("rescaled.dcm", made(RescaleSlope="2", RescaleIntercept="-1024"), "rescaled by 2"),
        Odd("overlay-bits.dcm", lambda: dicom_bytes(GREY | 0x8000, BitsStored=12, HighBit=11),
            "masked to 12"),
        Odd("palette.dcm", shipped("examples_palette.dcm"), "palette"),
        Odd("ybr.dcm", shipped("SC_ybr_full_422_uncompressed.dcm"), "converted to RGB"),
        Odd("jpeg2000.dcm", shipped("MR_small_jp2klossless.dcm"), "decoded from"),
        Odd("deflated.dcm", shipped("image_dfl.dcm"), ""),
        Odd("big-endian.dcm", shipped("MR_small_expb.dcm"), ""),
    ]  # fmt: skip


def _nested_32() -> bytes:
    whole = dicom_bytes(GREY)
    start = 144 + struct.unpack_from("<I", whole, 140)[0]
    return nested(32, closed=True) + whole[start:]


def _without_meta(data: Callable[[], bytes]) -> Callable[[], bytes]:
    """The data set alone, without preamble and meta information."""

    def make() -> bytes:
        whole = data()
        return whole[144 + struct.unpack_from("<I", whole, 140)[0] :]

    return make


def _unknown_charset() -> bytes:
    return dicom_bytes(GREY, SpecificCharacterSet="ISO_IR 100").replace(
        b"ISO_IR 100", b"ISO_IR 999"
    )


def with_uid(uid: str) -> bytes:
    """A file whose series and study have a malformed identifier."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dicom_bytes(GREY, StudyInstanceUID=uid, SeriesInstanceUID=uid)
