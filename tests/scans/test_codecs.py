"""Compressed frames: what a stream says of itself, and streams that are cut or lie."""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from latentdx.core.errors import InputError
from latentdx.scans.codecs import Expected, decode_frame
from latentdx.scans.codestream import read_codestream

Y, X = np.mgrid[:64, :48]
GREY = (2000 + 1500 * np.sin(X / 5) * np.cos(Y / 7)).astype(np.uint16)
COLOUR = np.stack([X * 5, Y * 4, (X + Y) * 2], axis=-1).astype(np.uint8)
EOI = b"\xff\xd9"


def expected(array: np.ndarray, **changes: Any) -> Expected:
    samples = 1 if array.ndim == 2 else 3
    told = {
        "rows": array.shape[0], "columns": array.shape[1], "samples": samples,
        "allocated": 8 * array.itemsize, "interpretation": "MONOCHROME2" if samples == 1 else "RGB",
    }  # fmt: skip
    return Expected(**{**told, **changes})


def jpeg(array: np.ndarray, **options: Any) -> bytes:
    return bytes(imagecodecs.jpeg8_encode(array, **options))


STREAMS: dict[str, tuple[str, bytes, np.ndarray]] = {
    "baseline": (uid.JPEGBaseline8Bit, jpeg((GREY >> 4).astype(np.uint8), level=95),
                 (GREY >> 4).astype(np.uint8)),
    "extended": (uid.JPEGExtended12Bit, jpeg(GREY, level=95, bitspersample=12), GREY),
    "lossless": (uid.JPEGLossless, jpeg(GREY, lossless=True, bitspersample=12), GREY),
    "colour": (uid.JPEGBaseline8Bit, jpeg(COLOUR, level=95), COLOUR),
    "jpeg-ls": (uid.JPEGLSLossless, bytes(imagecodecs.jpegls_encode(GREY)), GREY),
    "jpeg 2000": (uid.JPEG2000Lossless, bytes(imagecodecs.jpeg2k_encode(
        GREY, level=0, reversible=True, codecformat="j2k")), GREY),
}  # fmt: skip


def refusal(name: str, stream: bytes, **changes: Any) -> InputError:
    syntax, _, array = STREAMS[name]
    with pytest.raises(InputError) as caught:
        decode_frame(stream, syntax, expected(array, **changes))
    return caught.value


@pytest.mark.parametrize("name", STREAMS)
def test_streams_give_their_samples(name: str) -> None:
    syntax, stream, array = STREAMS[name]
    found = decode_frame(stream, syntax, expected(array, interpretation=_stored(name)))
    tolerance = {"baseline": 3, "extended": 12, "colour": 12}.get(name, 0)
    assert np.abs(found.samples.astype(int) - array.astype(int)).max() <= tolerance
    assert found.precision == {"extended": 12, "lossless": 12}.get(name, 8 * array.itemsize)
    header = read_codestream(stream)
    assert header is not None
    assert (header.rows, header.columns) == array.shape[:2]


def _stored(name: str) -> str:
    return "YBR_FULL_422" if name == "colour" else "MONOCHROME2"


@pytest.mark.parametrize("name", ["baseline", "extended", "lossless", "colour"])
@pytest.mark.parametrize("kept", [0.6, 0.8, 0.95])
@pytest.mark.parametrize("end", [b"", EOI, b"\0", EOI + b"\0"])
def test_a_jpeg_cut_short_is_not_filled_up(name: str, kept: float, end: bytes) -> None:
    """Also where someone put an end marker behind the cut."""
    stream = STREAMS[name][1]
    assert refusal(name, stream[: int(len(stream) * kept)] + end).code == "E_TRUNCATED"


@pytest.mark.parametrize("name", ["baseline", "extended", "lossless", "colour"])
def test_a_whole_jpeg_may_lack_its_end_marker(name: str) -> None:
    syntax, stream, array = STREAMS[name]
    whole = decode_frame(stream, syntax, expected(array))
    for end in (b"", b"\0"):
        bare = decode_frame(stream.removesuffix(EOI) + end, syntax, expected(array))
        assert np.array_equal(bare.samples, whole.samples)


def test_a_progressive_jpeg_must_have_its_end_marker() -> None:
    buffer = io.BytesIO()
    Image.fromarray((GREY >> 4).astype(np.uint8)).save(buffer, "JPEG", progressive=True)
    syntax, _, array = STREAMS["baseline"]
    assert decode_frame(buffer.getvalue(), syntax, expected(array)).samples.shape == array.shape
    second = buffer.getvalue().index(b"\xff\xda", buffer.getvalue().index(b"\xff\xda") + 2)
    for cut in (second, -2):
        assert refusal("baseline", buffer.getvalue()[:cut]).code == "E_TRUNCATED"


@pytest.mark.parametrize("name", ["jpeg-ls", "jpeg 2000"])
def test_other_streams_cut_short(name: str) -> None:
    stream = STREAMS[name][1]
    assert refusal(name, stream[: len(stream) // 2]).code == "E_TRUNCATED"
    if name == "jpeg 2000":  # CharLS takes seconds to find out
        assert refusal(name, stream[: len(stream) // 2] + EOI).code == "E_DECODE"


def restarted(rows_kept: int) -> bytes:
    """A baseline JPEG of 8 rows of blocks, a restart marker after each, cut after some rows."""
    buffer = io.BytesIO()
    Image.fromarray((GREY >> 4).astype(np.uint8)).save(
        buffer, "JPEG", quality=90, restart_marker_rows=1
    )
    parts = buffer.getvalue()
    ends = [
        at for at in range(len(parts) - 1) if parts[at] == 0xFF and 0xD0 <= parts[at + 1] < 0xD8
    ]
    return parts if rows_kept == 8 else parts[: ends[rows_kept - 1]] + EOI


def test_restart_markers_are_counted() -> None:
    whole = restarted(8)
    syntax, _, array = STREAMS["baseline"]
    assert decode_frame(whole, syntax, expected(array)).samples.shape == array.shape
    for rows in (1, 4, 7):
        assert refusal("baseline", restarted(rows)).code == "E_TRUNCATED"


@pytest.mark.parametrize("name", STREAMS)
def test_headers_that_lie(name: str) -> None:
    stream = STREAMS[name][1]
    assert refusal(name, stream, rows=65).code == "E_SIZE"
    assert refusal(name, stream, columns=480).code == "E_SIZE"
    samples = 1 if name == "colour" else 3
    assert refusal(name, stream, samples=samples).code == "E_PI"
    assert refusal(name, b"nothing of the kind").code == "E_DECODE"


def test_unknown_transfer_syntax() -> None:
    with pytest.raises(InputError) as caught:
        decode_frame(b"", "1.2.840.10008.1.2.4.100", expected(GREY))
    assert caught.value.code == "E_DECODE"


def test_colours_are_what_the_stream_says() -> None:
    """Adobe's marker, and components called R, G and B, outrank the header; JFIF means YCbCr."""
    plain = decode_frame(
        STREAMS["colour"][1], uid.JPEGBaseline8Bit, expected(COLOUR, interpretation="RGB")
    )
    header = read_codestream(STREAMS["colour"][1])
    assert header is not None
    assert header.colour == "YBR"
    assert plain.note == "the stream's own colours (YBR), not the header's"
    assert np.abs(plain.samples.astype(int) - COLOUR).max() <= 12
    kept = jpeg(COLOUR, level=95, colorspace="RGB", outcolorspace="RGB")
    for told in ("RGB", "YBR_FULL_422"):
        found = decode_frame(kept, uid.JPEGBaseline8Bit, expected(COLOUR, interpretation=told))
        assert found.interpretation == "RGB"
        assert np.abs(found.samples.astype(int) - COLOUR).max() <= 12


def run_length(planes: list[bytes], count: int | None = None) -> bytes:
    starts, at = [], 64
    for plane in planes:
        starts.append(at)
        at += len(plane)
    numbers = [len(planes) if count is None else count, *starts]
    return struct.pack("<16I", *numbers, *[0] * (16 - len(numbers))) + b"".join(planes)


def packed(data: bytes) -> bytes:
    return bytes(imagecodecs.packbits_encode(data))


def test_run_lengths() -> None:
    high, low = (GREY >> 8).astype(np.uint8).tobytes(), (GREY & 255).astype(np.uint8).tobytes()
    stream = run_length([packed(high), packed(low)])
    found = decode_frame(stream, uid.RLELossless, expected(GREY))
    assert np.array_equal(found.samples, GREY)
    broken = [
        run_length([packed(high)]),
        run_length([packed(high), packed(low)], count=3),
        run_length([packed(high), packed(low[:-1])]),
        run_length([packed(high), packed(low)[:-3]]),
        stream[:60],
        struct.pack("<16I", 2, 64, 64, *[0] * 13) + packed(low),
        struct.pack("<16I", 2, 64, 1 << 30, *[0] * 13) + packed(low),
    ]
    for data in broken:
        with pytest.raises(InputError) as caught:
            decode_frame(data, uid.RLELossless, expected(GREY))
        assert caught.value.code == "E_DECODE"
