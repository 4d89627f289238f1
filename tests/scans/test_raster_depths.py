"""Pictures of every depth, colour and layout: values that were stored are the values that come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from dicom_files import KEY
from PIL import Image
from raster_files import chunk, encode, oriented, picture, png, tiff

from latentdx.core.errors import InputError
from latentdx.scans.open import open_scans
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]
RNG = np.random.default_rng(5)
COLOUR16 = RNG.integers(0, 65536, (24, 20, 3), dtype=np.uint16)
GREY16 = RNG.integers(0, 65536, (24, 20), dtype=np.uint16)
COLOUR8 = RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8)
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def planes(values: np.ndarray) -> np.ndarray:
    """What colour of 8 or 16 bits must become: value / white, exactly."""
    return values.transpose(2, 0, 1).astype(np.float32) / np.float32(np.iinfo(values.dtype).max)


def stretched(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (0.5, 99.5))
    return np.clip((values - low) / (high - low), 0, 1)


def read_as(path: Path, data: bytes, **policy: Any) -> list[Scan]:
    path.write_bytes(data)
    return list(open_scans([path], key=KEY, policy=Policy(**policy)))


@pytest.mark.parametrize(
    "data",
    [
        png(COLOUR16),
        tiff(COLOUR16),
        tiff(COLOUR16, bigtiff=True, byteorder=">"),
        tiff(COLOUR16, compression="lzw", predictor=True),
        tiff(COLOUR16, compression="zlib", predictor=True, tile=(16, 16)),
        tiff(COLOUR16, compression="packbits", rowsperstrip=5),
        tiff(COLOUR16, compression="zstd"),
        tiff(COLOUR16.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        tiff(
            COLOUR16.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", tile=(16, 16)
        ),
    ],
)
def test_sixteen_bit_colour_is_exact(data: bytes, read: Read) -> None:
    assert np.array_equal(read(data).pixels, planes(COLOUR16))


@pytest.mark.parametrize(
    "data",
    [
        png(COLOUR8),
        tiff(COLOUR8),
        tiff(COLOUR8, compression="lzw", tile=(16, 16)),
        picture(COLOUR8, "WebP", lossless=True),
        picture(COLOUR8, "BMP"),
        picture(COLOUR8, "TIFF", compression="tiff_adobe_deflate"),
    ],
)
def test_eight_bit_colour_is_exact(data: bytes, read: Read) -> None:
    assert np.array_equal(read(data).pixels, planes(COLOUR8))


@pytest.mark.parametrize("kind", ["u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("layout", [{}, {"compression": "lzw"}, {"tile": (16, 16)}])
def test_tiff_grey_of_every_type(kind: str, layout: dict[str, Any], read: Read) -> None:
    values = RNG.normal(9000, 2000, (40, 30)).astype(kind)
    scan = read(tiff(values, **layout))
    assert np.allclose(scan.pixels[0], stretched(values.astype(np.float64)), atol=2e-6)
    assert any("percentiles" in done for done in scan.conversions)


def test_all_bits_of_wide_integers_count(read: Read) -> None:
    values = (2**31 + np.arange(600, dtype=np.uint32)).reshape(20, 30)
    assert len(np.unique(read(tiff(values)).pixels)) > 1


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_exact(bits: int, read: Read) -> None:
    values = RNG.integers(0, 2**bits, (20, 30), dtype=np.uint8)
    if bits == 1:
        data = tiff(values == 1, photometric="minisblack")
    else:
        data = tiff(values, bitspersample=bits, photometric="minisblack")
    assert np.array_equal(read(data).pixels[0], values / np.float32(2**bits - 1))


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_white_is_zero_is_inverted(kind: str, read: Read) -> None:
    values = RNG.integers(0, np.iinfo(kind).max, (20, 30)).astype(kind)
    inverted, plain = read(tiff(values, photometric="miniswhite")), read(tiff(~values))
    assert np.array_equal(inverted.pixels, plain.pixels)
    assert "WhiteIsZero inverted" in inverted.conversions
    assert "WhiteIsZero inverted" not in plain.conversions


def test_grey_of_sixteen_bits_saved_as_colour(read: Read) -> None:
    grey = read(png(GREY16))
    for data in (png(np.dstack([GREY16] * 3)), tiff(np.dstack([GREY16] * 3), photometric="rgb")):
        assert np.array_equal(read(data).pixels, grey.pixels)
    assert np.array_equal(read(tiff(GREY16)).pixels, grey.pixels)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_transparency_of_every_depth(channels: int, kind: str, read: Read) -> None:
    white = np.iinfo(kind).max
    values = RNG.integers(0, white, (20, 30, channels)).astype(kind)
    values[..., -1] = white
    opaque = png(values)
    solid = np.ascontiguousarray(values[..., 0] if channels == 2 else values[..., :3])
    assert np.array_equal(read(opaque).pixels, read(png(solid)).pixels)
    values[:10, :, -1] = 0
    scan = read(png(values))
    assert not scan.pixels[:, :10].any()
    assert scan.pixels[:, 10:].any()
    assert "transparency laid on black" in scan.conversions
    values[..., -1] = white // 5
    if channels == 4:
        assert np.allclose(read(png(values)).pixels, planes(solid) * 0.2, atol=1e-6)


def test_transparent_level_of_a_deep_png(read: Read) -> None:
    values = GREY16.copy()
    values[0, 0] = 777
    scan = read(png(values, chunk(b"tRNS", (777).to_bytes(2, "big"))))
    assert scan.pixels[0, 0, 0] == 0
    assert "transparency laid on black" in scan.conversions


def test_palette_with_transparency(read: Read) -> None:
    image = Image.fromarray(np.repeat(np.arange(4, dtype=np.uint8), 4).reshape(4, 4), "P")
    image.putpalette([0, 0, 0, 250, 0, 0, 0, 250, 0, 0, 0, 250])
    data = encode(image, transparency=bytes([255, 51, 0, 255]))
    scan = read(data)
    colours = np.array([[0, 0, 0], [50, 0, 0], [0, 0, 0], [0, 0, 250]]) / 255
    assert np.allclose(scan.pixels[:, :, 0].T, colours, atol=1e-6)
    assert {"palette converted to RGB", "transparency laid on black"} <= set(scan.conversions)


def test_palette_of_a_tiff(read: Read) -> None:
    indices = RNG.integers(0, 256, (20, 30), dtype=np.uint8)
    table = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    deep = read(tiff(indices, photometric="palette", colormap=table))
    assert np.array_equal(deep.pixels, planes(table.T[indices]))
    coarse = (table >> 8) * 257
    shallow = read(tiff(indices, photometric="palette", colormap=coarse.astype(np.uint16)))
    assert np.array_equal(shallow.pixels, planes((coarse >> 8).astype(np.uint8).T[indices]))


def test_transparency_of_a_tiff(read: Read) -> None:
    values = RNG.integers(0, 65536, (20, 30, 4), dtype=np.uint16)
    apart = read(tiff(values, photometric="rgb", extrasamples=["unassalpha"]))
    alpha = values[..., 3].astype(np.float32) / 65535
    assert np.allclose(apart.pixels, planes(values[..., :3]) * alpha, atol=1e-6)
    multiplied = read(tiff(values, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.array_equal(multiplied.pixels, planes(values[..., :3]))
    unknown = read(tiff(values, photometric="rgb", extrasamples=["unspecified"]))
    assert "1 extra samples left out" in unknown.conversions


def test_more_samples_than_colours_are_refused(refuse: Refuse) -> None:
    values = RNG.integers(0, 255, (20, 30, 5), dtype=np.uint8)
    data = tiff(values, photometric="minisblack", planarconfig="contig")
    assert refuse(data).code == "E_NDIM"


@pytest.mark.parametrize("ink", [(0, 255, 255, 0), (255, 0, 255, 0), (0, 0, 0, 200)])
def test_cmyk_and_ycck_jpeg(ink: tuple[int, ...], read: Read) -> None:
    """Adobe stores inks inverted, whether as CMYK or as YCCK; both give the same colours."""
    cmyk = np.full((16, 16, 4), ink, np.uint8)
    key = 255 - ink[3]
    expected = np.array([(255 - value) * key / 255 for value in ink[:3]]) / 255
    for outcome in ("CMYK", "YCCK"):
        data = imagecodecs.jpeg8_encode(
            255 - cmyk, colorspace="CMYK", outcolorspace=outcome, level=98
        )
        scan = read(data)
        colour = np.broadcast_to(scan.pixels.mean((1, 2)), 3)
        assert colour == pytest.approx(expected, abs=0.02)
        assert "CMYK converted to RGB" in scan.conversions


def test_cmyk_tiff(read: Read) -> None:
    scan = read(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "TIFF"))
    assert scan.pixels.mean((1, 2)) == pytest.approx([1, 0, 0])
    assert "CMYK converted to RGB" in scan.conversions


@pytest.mark.parametrize("photometric", ["rgb", "ycbcr", "minisblack"])
def test_jpeg_in_tiff(photometric: str, read: Read) -> None:
    rows, columns = np.mgrid[:64, :64]
    colour = np.dstack([rows * 4, columns * 4, 255 - rows * 2]).astype(np.uint8)
    values = colour[..., 0] if photometric == "minisblack" else colour
    expected = planes(values.reshape(64, 64, -1))
    if photometric == "ycbcr":  # tifffile stores what it is given
        values = np.asarray(Image.fromarray(colour).convert("YCbCr"))
    data = tiff(values, photometric=photometric, compression="jpeg", compressionargs={"level": 95})
    assert np.abs(read(data).pixels - expected).mean() < 0.01


@pytest.mark.parametrize(("bits", "lossless"), [(12, False), (12, True), (16, True)])
def test_deep_jpeg(bits: int, lossless: bool, read: Read) -> None:
    rows, columns = np.mgrid[:64, :64]
    values = ((rows + columns) * (2**bits // 130)).astype(np.uint16)
    data = imagecodecs.jpeg8_encode(values, level=98, lossless=lossless, bitspersample=bits)
    assert np.abs(read(data).pixels[0] - stretched(values)).max() < (1e-6 if lossless else 0.01)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WebP"])
def test_every_orientation_is_applied(orientation: int, form: str, read: Read) -> None:
    rows, columns = np.mgrid[:32, :48]
    values = (rows * 5 + columns * 2).astype(np.uint8)
    options = {"JPEG": {"quality": 97}, "WebP": {"lossless": True}}.get(form, {})
    scan = read(oriented(values, orientation, form, **options))
    assert scan.pixels.shape == (1, 32, 48)
    assert np.abs(scan.pixels[0] - values / 255).max() < (0.03 if form == "JPEG" else 1e-6)
    assert ("EXIF orientation applied" in scan.conversions) == (orientation != 1)


def test_orientation_of_deep_pictures(read: Read) -> None:
    upright = read(png(COLOUR16)).pixels
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(COLOUR16))
    turned = png(stored, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    assert np.array_equal(read(turned).pixels, upright)
    turned = tiff(stored, extratags=[(274, "H", 1, 6, True)])
    assert np.array_equal(read(turned).pixels, upright)


def test_resolution_is_no_spacing_and_profiles_are_left_out(read: Read) -> None:
    scan = read(encode(Image.fromarray(RAMP), "PNG", dpi=(300, 300), icc_profile=b"x" * 200))
    assert scan.spacing_mm is None
    assert "colour profile ignored" in scan.conversions
    scan = read(tiff(RAMP, resolution=(10, 10), resolutionunit=3, iccprofile=b"x" * 200))
    assert scan.spacing_mm is None
    assert "colour profile ignored" in scan.conversions
    for form in ("JPEG", "WebP"):
        scan = read(encode(Image.fromarray(RAMP), form, icc_profile=b"x" * 200))
        assert "colour profile ignored" in scan.conversions


def test_nan_is_refused_or_replaced(tmp_path: Path, refuse: Refuse) -> None:
    values = np.linspace(2, 3, 64, dtype=np.float32).reshape(8, 8)
    holes = values.copy()
    holes[0, 1], holes[0, 2] = np.nan, -np.inf
    assert refuse(tiff(holes)).code == "E_NAN"
    (scan,) = read_as(tmp_path / "a", tiff(holes), nan="impute")
    assert scan.pixels[0, 0, 1] == scan.pixels[0, 0, 2] == 0
    assert any("2 NaN" in done for done in scan.conversions)
    with pytest.raises(InputError, match="E_NAN"):
        read_as(tmp_path / "b", tiff(np.full((8, 8), np.nan, np.float32)), nan="impute")


def test_a_picture_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2-D picture in a collection of volumes"):
        read_as(tmp_path / "a", png(GREY16), dims=3)
    (scan,) = read_as(tmp_path / "b", png(GREY16), every=2)
    assert scan.pixels.shape == (1, 24, 20)


def test_texts_of_a_png_go_nowhere(read: Read) -> None:
    plain = read(png(COLOUR8))
    noted = read(png(COLOUR8, chunk(b"tEXt", b"Patient\0Planted"), chunk(b"zTXt", b"a\0\0junk")))
    assert noted.content_hash == plain.content_hash
    assert "Planted" not in repr(noted)
