"""Pictures: every mode exact, every conversion recorded, every break refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from raster_files import encode

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP", "GIF"])
def test_eight_bits_are_exact(form: str, read: Read) -> None:
    scan = read(encode(Image.fromarray(RAMP), form))
    assert np.array_equal(scan.pixels[0], RAMP.astype(np.float32) / np.float32(255))
    assert scan.pixels.dtype == np.float32
    assert scan.native_shape == (16, 16)


@pytest.mark.parametrize("form", ["JPEG", "WebP"])
def test_lossy_forms_are_close(form: str, read: Read) -> None:
    scan = read(encode(Image.fromarray(RAMP), form, quality=95))
    assert scan.pixels.shape == (1, 16, 16)
    assert np.abs(scan.pixels[0] - RAMP / 255).max() < 0.1


def test_the_name_does_not_matter(read: Read) -> None:
    data = encode(Image.fromarray(RAMP))
    assert read(data, name="a.dcm").content_hash == read(data, name="b.jpg").content_hash
    other = encode(Image.fromarray(RAMP[::-1]))
    assert read(other).content_hash != read(data).content_hash


def test_twelve_bits_in_sixteen_keep_their_steps(read: Read) -> None:
    values = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    scan = read(encode(Image.fromarray(values)))
    low, high = np.percentile(values, (0.5, 99.5))
    assert np.allclose(scan.pixels[0], np.clip((values - low) / (high - low), 0, 1), atol=1e-6)
    assert any("percentiles" in done for done in scan.conversions)


def test_palette_is_resolved(read: Read) -> None:
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[:4, :, 0], colours[4:, :, 2] = 200, 100
    scan = read(encode(Image.fromarray(colours).quantize(4)))
    assert np.array_equal(scan.pixels, colours.transpose(2, 0, 1) / np.float32(255))
    assert any("palette" in done for done in scan.conversions)


def test_transparency_is_laid_on_black(read: Read) -> None:
    rgba = np.full((4, 4, 4), 255, np.uint8)
    rgba[:2, :, 3], rgba[2:, :, 3] = 0, 51
    scan = read(encode(Image.fromarray(rgba)))
    assert np.allclose(scan.pixels[0, :2], 0)
    assert np.allclose(scan.pixels[0, 2:], 0.2)
    assert any("transparency" in done for done in scan.conversions)


def test_opaque_alpha_changes_nothing(read: Read) -> None:
    image = Image.fromarray(RAMP)
    image.putalpha(255)
    assert np.array_equal(read(encode(image)).pixels[0], RAMP / np.float32(255))


def test_one_bit(read: Read) -> None:
    bits = np.zeros((4, 4), bool)
    bits[1, 2] = True
    assert np.array_equal(read(encode(Image.fromarray(bits))).pixels[0], bits)


def test_cmyk_becomes_rgb(read: Read) -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    scan = read(encode(image, "JPEG", quality=100))
    assert scan.pixels.mean((1, 2)) == pytest.approx([1, 0, 0], abs=0.03)
    assert any("CMYK" in done for done in scan.conversions)


def test_grey_saved_as_rgb_becomes_one_channel(read: Read) -> None:
    scan = read(encode(Image.fromarray(RAMP).convert("RGB")))
    assert np.array_equal(scan.pixels[0], RAMP / np.float32(255))
    assert any("one channel" in done for done in scan.conversions)


def test_a_small_coloured_part_stays_colour(read: Read) -> None:
    picture = np.repeat(RAMP[..., None], 3, axis=2).repeat(8, 0).repeat(8, 1)
    picture[:8, :8] = (255, 0, 0)
    assert read(encode(Image.fromarray(picture))).pixels.shape == (3, 128, 128)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "GIF"])
def test_truncated_pictures(form: str, kept: float, refuse: Refuse) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    data = encode(Image.fromarray(noise), form)
    error = refuse(data[: int(len(data) * kept)])
    assert error.code == "E_TRUNCATED"
    assert f"{int(len(data) * kept)}" in error.found


def test_flipped_bits_in_a_png(refuse: Refuse) -> None:
    data = bytearray(encode(Image.fromarray(RAMP)))
    data[len(data) // 2] ^= 0xFF
    assert refuse(bytes(data)).code == "E_DECODE"


def test_size_and_bomb_are_told_from_the_header(refuse: Refuse) -> None:
    black = encode(Image.new("L", (5000, 5000)))
    assert refuse(black).code == "E_BOMB"
    assert refuse(black, limits=Limits(frame_pixels=1000)).code == "E_SIZE"
    huge = bytearray(encode(Image.new("L", (8, 8))))
    huge[16:24] = (200_000).to_bytes(4, "big") * 2
    assert refuse(bytes(huge)).code == "E_SIZE"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
@pytest.mark.parametrize("flat", [False, True])
def test_a_jpeg_that_libjpeg_fills_up(
    options: dict[str, Any], flat: bool, read: Read, refuse: Refuse
) -> None:
    """An end marker after half of the data: libjpeg makes up the rest and only warns."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    if flat:  # as the black corner of an X-ray: nothing is made up there
        noise[40:, 30:] = 0
    data = encode(Image.fromarray(noise), "JPEG", **options)
    assert read(data).pixels.shape == (1, 64, 64)
    if not options.get("progressive"):
        assert refuse(data[: len(data) // 2] + b"\xff\xd9").code == "E_TRUNCATED"
