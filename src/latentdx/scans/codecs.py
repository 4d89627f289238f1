"""Compressed DICOM frames: which decoder reads which transfer syntax.

A literal table in place of pydicom's decoders: those know no JPEG lossless and no 12-bit JPEG here
(their plug-ins for it are GPL or no longer built), cut samples to the header's bits without a word,
and convert colour twice where a JPEG stream says itself how it is coded. imagecodecs (BSD) wraps
libjpeg-turbo, CharLS, OpenJPEG and OpenJPH.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from latentdx.core.errors import InputError
from latentdx.scans.codestream import (
    Codestream,
    j2k_start,
    read_codestream,
    require_end,
    require_same_samples,
    require_same_size,
)
from latentdx.scans.jpeg_end import require_whole_scan

Samples = NDArray[Any]
_YBR = ("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")


@dataclass(frozen=True)
class Expected:
    """What the DICOM header says of a frame; `interpretation` is its photometric one."""

    rows: int
    columns: int
    samples: int
    allocated: int
    interpretation: str


@dataclass(frozen=True)
class Decoded:
    """Samples (H, W) or (H, W, 3) as the stream holds them.

    `precision` counts the bits that the stream gives each sample; `signed` is None where the
    format cannot say; `interpretation` is what the samples are now; `note` tells what the stream
    says against the DICOM header.
    """

    samples: Samples
    precision: int
    signed: bool | None
    interpretation: str
    note: str = ""


def decode_frame(stream: bytes, syntax: str, expected: Expected) -> Decoded:
    """Decode one compressed frame, after its own header agreed with the DICOM header.

    Raises `InputError`: ``E_SIZE`` and ``E_PI`` where the two contradict each other,
    ``E_TRUNCATED`` for a stream cut short, ``E_DECODE`` for a damaged one or an unknown syntax.
    """
    if syntax == uid.RLELossless:
        return _rle(stream, expected)
    decode = _DECODERS.get(syntax)
    if decode is None:
        raise InputError(
            "E_DECODE",
            f"images in {uid.UID(syntax).name} are not read",
            fix="decompress it first (dcmdjpeg of dcmtk, say)",
        )
    found = read_codestream(stream)
    if found is None:
        raise InputError("E_DECODE", "the compressed data do not begin like an image")
    require_same_size(found, expected.rows, expected.columns)
    require_same_samples(found, expected.samples)
    if decode is not _jpeg:  # which tells for itself whether all is there
        require_end(stream)
    try:
        decoded = decode(stream, found, expected)
    except (ValueError, RuntimeError, OSError) as error:  # imagecodecs raises RuntimeError's kin
        raise _damaged(error) from None
    if decoded.samples.shape[:2] != (expected.rows, expected.columns):
        raise InputError("E_DECODE", "the compressed data hold another size than they say")
    return decoded


def _damaged(error: Exception) -> InputError:
    return InputError("E_DECODE", f"the compressed data are damaged ({type(error).__name__})")


def _jpeg(stream: bytes, found: Codestream, expected: Expected) -> Decoded:
    from imagecodecs import jpeg8_decode

    is_header_ybr = expected.interpretation in _YBR
    is_ybr = found.colour == "YBR" or (found.colour is None and is_header_ybr)
    is_turned = found.components == 3 and not found.is_lossless
    source, target = None, None
    if found.components == 3:
        source, target = ("YCBCR" if is_ybr and is_turned else "RGB"), "RGB"

    def decode(data: bytes) -> Samples:
        return jpeg8_decode(data, colorspace=source, outcolorspace=target)

    samples = decode(stream)
    require_whole_scan(stream, found, samples, decode)
    if not is_turned:
        return Decoded(samples, found.precision, None, expected.interpretation)
    is_other = is_ybr != is_header_ybr
    note = f"the stream's own colours ({found.colour}), not the header's" if is_other else ""
    return Decoded(samples, found.precision, None, "RGB", note)


def _jpeg_ls(stream: bytes, found: Codestream, expected: Expected) -> Decoded:
    from imagecodecs import jpegls_decode

    samples = jpegls_decode(stream)
    if samples.ndim == 3 and samples.shape[2] not in (1, 3):
        samples = samples.transpose(1, 2, 0)  # components stored one after the other
    after = found.colour if found.colour == "RGB" else expected.interpretation
    return Decoded(samples, found.precision, None, after)


def _jpeg_2000(stream: bytes, found: Codestream, expected: Expected) -> Decoded:
    from imagecodecs import jpeg2k_decode

    samples = jpeg2k_decode(stream[j2k_start(stream) or 0 :])
    # The inverse component transform is part of decoding (ISO/IEC 15444-1, Annex G).
    is_done = expected.interpretation in ("YBR_RCT", "YBR_ICT")
    after = "RGB" if is_done else expected.interpretation
    return Decoded(samples, found.precision, found.signed, after)


def _rle(stream: bytes, expected: Expected) -> Decoded:
    """PS3.5 Annex G: one PackBits segment a byte plane, the most significant first."""
    from imagecodecs import packbits_decode

    sample_bytes = expected.allocated // 8
    if not sample_bytes:
        raise InputError("E_DECODE", "run-length data of single bits have no defined form")
    planes = expected.samples * sample_bytes
    n_pixels = expected.rows * expected.columns
    segments = _rle_segments(stream, planes)
    out = np.empty((n_pixels, expected.samples, sample_bytes), np.uint8)
    for index, segment in enumerate(segments):
        sample, place = divmod(index, sample_bytes)
        try:
            plane = packbits_decode(segment)
        except (ValueError, RuntimeError) as error:
            raise _damaged(error) from None
        if len(plane) < n_pixels:
            raise InputError(
                "E_DECODE",
                f"a segment unpacks to {len(plane)} bytes where {n_pixels} were expected",
                fix="copy the file again from its source",
            )
        out[:, sample, sample_bytes - 1 - place] = np.frombuffer(plane, np.uint8, n_pixels)
    shape = (expected.rows, expected.columns, expected.samples)
    samples = out.view(f"<u{sample_bytes}").reshape(shape if expected.samples > 1 else shape[:2])
    return Decoded(samples, expected.allocated, None, expected.interpretation)


def _rle_segments(stream: bytes, planes: int) -> list[bytes]:
    if len(stream) < 64 or struct.unpack_from("<I", stream)[0] != planes:
        raise InputError(
            "E_DECODE",
            f"the run-length header does not announce the {planes} planes expected",
            fix="the header is wrong: export the image again",
        )
    starts = [*struct.unpack_from(f"<{planes}I", stream, 4), len(stream)]
    if starts[0] < 64 or any(a >= b for a, b in itertools.pairwise(starts)):
        raise InputError("E_DECODE", "the run-length segments do not follow each other")
    return [stream[a:b] for a, b in itertools.pairwise(starts)]


_Decode = Callable[[bytes, Codestream, Expected], Decoded]

_DECODERS: dict[str, _Decode] = {
    uid.JPEGBaseline8Bit: _jpeg,
    uid.JPEGExtended12Bit: _jpeg,
    "1.2.840.10008.1.2.4.53": _jpeg,  # spectral selection, 8 and 12 bits; retired
    "1.2.840.10008.1.2.4.55": _jpeg,  # full progression, 8 and 12 bits; retired
    uid.JPEGLossless: _jpeg,
    uid.JPEGLosslessSV1: _jpeg,
    uid.JPEGLSLossless: _jpeg_ls,
    uid.JPEGLSNearLossless: _jpeg_ls,
    uid.JPEG2000Lossless: _jpeg_2000,
    uid.JPEG2000: _jpeg_2000,
    uid.HTJ2KLossless: _jpeg_2000,
    uid.HTJ2KLosslessRPCL: _jpeg_2000,
    uid.HTJ2K: _jpeg_2000,
}
