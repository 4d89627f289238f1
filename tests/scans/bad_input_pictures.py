"""Bad and odd pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from bad_input_row import EACH, IMPUTE, VOLUMES, Odd, Row, bad, cut, patched
from PIL import Image
from raster_files import (
    PNG_SIGNATURE,
    bmp,
    chunk,
    encode,
    oriented,
    picture,
    png,
    retagged,
    tiff,
    tiff_by_hand,
    tiff_pages,
)

RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 256, (64, 64), dtype=np.uint8)
NOISE16 = RNG.integers(0, 65536, (64, 64), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
COLOUR16 = RNG.integers(0, 65536, (64, 64, 3), dtype=np.uint16)
FORMS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WebP")
FRAMES = [Image.fromarray(NOISE), Image.fromarray(NOISE[::-1]), Image.fromarray(NOISE.T)]


def animated(form: str, **options: bool) -> bytes:
    return encode(FRAMES[0], form, save_all=True, append_images=FRAMES[1:], **options)


def huge_png(side: int = 20_000) -> bytes:
    """A header that announces `side` x `side` pixels over nothing but zeros."""
    return png(np.zeros((4, 4), np.uint8), size=(side, side))


def huge_gif(side: int = 65_535) -> bytes:
    return patched(picture(NOISE, "GIF"), 6, struct.pack("<HH", side, side))


def huge_bmp(side: int = 30_000) -> bytes:
    return patched(picture(NOISE, "BMP"), 18, struct.pack("<ii", side, side))


def huge_jpeg(side: int = 65_500) -> bytes:
    data = picture(COLOUR, "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return patched(data, at, struct.pack(">HH", side, side))


def huge_webp(side: int = 16_384) -> bytes:
    """An extended header (RFC 9649, 2.7) that announces a canvas of `side` x `side`."""
    three = (side - 1).to_bytes(3, "little")
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0" + three + three
    body = b"WEBP" + canvas + picture(COLOUR, "WebP", lossless=True)[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def huge_tiff(side: int = 40_000) -> bytes:
    entries = [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, side), (279, 4, 1, 100),
    ]  # fmt: skip
    return tiff_by_hand(entries, bytes(200))


def tiff_ring() -> bytes:
    """Its directory names itself as the next."""
    data = huge_tiff(4)
    return patched(data, 10 + 12 * 9, struct.pack("<I", 8))


def tiff_with(*entry: int) -> bytes:
    """A small TIFF, one of whose entries is another."""
    tag, kind, count, value = entry
    return retagged(tiff(NOISE), (tag, kind, count, value))


def _truncated() -> list[Row]:
    whole = {form: picture(NOISE, form) for form in FORMS}
    whole["TIFF-lzw"] = tiff(COLOUR16, compression="lzw")
    whole["PNG-16"] = png(COLOUR16)
    return [
        bad(f"cut-{kept}.{form.lower()}", cut(data, kept), "E_TRUNCATED")
        for form, data in whole.items()
        for kept in (0.2, 0.6, 0.95)
    ] + [bad(f"cut-20-bytes.{form.lower()}", cut(whole[form], 20), "E_TRUNCATED") for form in FORMS]


def _sizes() -> list[Row]:
    black, less = np.zeros((4200, 4200), np.uint8), np.zeros((2200, 2200), np.uint8)
    return [
        bad("huge.png", huge_png, "E_SIZE"),
        bad("huge.gif", huge_gif, "E_SIZE"),
        bad("huge.bmp", huge_bmp, "E_TRUNCATED"),
        bad("huge.jpg", huge_jpeg, "E_SIZE"),
        bad("huge.webp", huge_webp, "E_SIZE", hostile=True),
        bad("huge.tif", huge_tiff, "E_SIZE"),
        bad("empty-sides.png", lambda: png(NOISE, size=(0, 0)), "E_SIZE"),
        bad("bomb.png", lambda: picture(black), "E_BOMB"),
        bad("bomb.tif", lambda: tiff(black, compression="zlib"), "E_BOMB"),
        bad("bomb.gif", lambda: picture(black, "GIF"), "E_BOMB", hostile=True),
        bad("bomb.webp", lambda: picture(less, "WebP"), "E_BOMB", hostile=True),
        bad("more-rows-than-data.png", lambda: png(NOISE, size=(640, 64)), "E_TRUNCATED"),
        bad("more-rows-than-data-16.png", lambda: png(COLOUR16, size=(640, 64)), "E_TRUNCATED"),
    ]


def _frames() -> list[Row]:
    pages = tiff_pages([NOISE, NOISE])
    return [
        bad("animated.png", lambda: animated("PNG"), "E_NDIM"),
        bad("animated.gif", lambda: animated("GIF"), "E_NDIM"),
        bad("animated.webp", lambda: animated("WebP"), "E_NDIM"),
        bad("pages.tif", pages, "E_NDIM"),
        bad("pages-as-volume.tif", pages, "E_NDIM", policy={"frames": "volume"}),
        bad("picture-as-volume.png", picture(NOISE), "E_NDIM", policy=VOLUMES),
        bad("many-pages.tif", lambda: tiff_pages([NOISE[:2, :2]] * 4001), "E_SIZE", policy=EACH),
        bad("second-page-broken.tif", lambda: pages[:-100], "E_TRUNCATED", policy=EACH),
    ]


def _damaged() -> list[Row]:
    whole = picture(NOISE)
    head = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return [
        bad("flipped.png", patched(whole, len(whole) // 2, b"\xaa\x55\xaa"), "E_DECODE"),
        bad("flipped-header.png", patched(whole, 25, b"\x07"), "E_DECODE"),
        bad("no-pixels.png", PNG_SIGNATURE + chunk(b"IHDR", head) + chunk(b"IEND"), "E_TRUNCATED"),
        bad(
            "not-deflated.png",
            PNG_SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", b"x" * 99) + chunk(b"IEND"),
            "E_DECODE",
        ),
        bad(
            "short-pixels.png",
            PNG_SIGNATURE
            + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(bytes(40)))
            + chunk(b"IEND"),
            "E_TRUNCATED",
        ),
        bad("noise.jpg", b"\xff\xd8\xff\xe0" + bytes(500), "E_DECODE"),
        bad("no-frame.jpg", b"\xff\xd8\xff\xd9" + bytes(500), "E_DECODE"),
        bad("noise.gif", b"GIF89a" + bytes(500), "E_DECODE"),
        bad("noise.webp", b"RIFF\xf4\1\0\0WEBP" + bytes(600), "E_DECODE"),
        bad("noise.tif", b"II*\0\x08\0\0\0" + bytes(500), "E_DECODE"),
        bad("ring.tif", tiff_ring, "E_DECODE"),
        bad("beyond.tif", b"II*\0\xff\xff\xff\x7f" + bytes(50), "E_TRUNCATED"),
        bad("strip-beyond.tif", lambda: tiff_with(273, 4, 1, 1 << 30), "E_TRUNCATED"),
        bad("strip-empty.tif", lambda: tiff_with(279, 4, 1, 0), "E_DECODE"),
        bad("strip-short.tif", lambda: tiff_with(279, 4, 1, 100), "E_TRUNCATED"),
        bad("compression.tif", lambda: tiff_with(259, 3, 1, 34712), "E_DECODE"),
        bad("colours.tif", lambda: tiff_with(262, 3, 1, 8), "E_DECODE"),
        bad("complex.tif", lambda: tiff(NOISE.astype(np.complex64)), "E_DECODE"),
        bad("five-bands.tif", lambda: tiff(np.dstack([NOISE] * 5), planarconfig="contig",
            photometric="minisblack"), "E_NDIM"),
        bad("nan.tif", lambda: tiff(np.where(NOISE > 9, NOISE, np.nan).astype("f4")), "E_NAN"),
        bad("infinite.tif", lambda: tiff(np.where(NOISE > 9, NOISE, np.inf)), "E_NAN"),
        bad("all-nan.tif", lambda: tiff(np.full((8, 8), np.nan)), "E_NAN", policy=IMPUTE),
        bad("bits.bmp", lambda: bmp(8, 8, 7, bytes(64)), "E_DECODE"),
    ]  # fmt: skip


def picture_rows() -> list[Row]:
    return [*_truncated(), *_sizes(), *_frames(), *_damaged()]


def odd_pictures() -> list[Odd]:
    grey, rgba = Image.fromarray(NOISE), Image.fromarray(np.dstack([COLOUR, NOISE]))
    return [
        Odd("png-named.dcm", lambda: picture(NOISE), ""),
        Odd("jpeg-named.png", lambda: picture(NOISE, "JPEG"), ""),
        Odd("deep.png", lambda: png(NOISE16), "percentiles"),
        Odd("deep-colour.png", lambda: png(COLOUR16), ""),
        Odd("deep-alpha.png", lambda: png(np.dstack([COLOUR16, NOISE16])), "transparency"),
        Odd("rgba.png", lambda: encode(rgba), "transparency"),
        Odd("la.png", lambda: png(np.dstack([NOISE, NOISE])), "transparency"),
        Odd("palette.png", lambda: encode(Image.fromarray(COLOUR).quantize(9)), "palette"),
        Odd("bit.png", lambda: encode(grey.convert("1")), "1 bit"),
        Odd("cmyk.jpg", lambda: encode(Image.fromarray(COLOUR).convert("CMYK"), "JPEG"), "CMYK"),
        Odd("turned.jpg", lambda: oriented(NOISE, 6, "JPEG"), "EXIF"),
        Odd("white-is-zero.tif", lambda: tiff(NOISE, photometric="miniswhite"), "WhiteIsZero"),
        Odd("profile.png", lambda: encode(grey, icc_profile=b"x" * 99), "colour profile"),
        Odd("grey-as-colour.jpg", lambda: encode(grey.convert("RGB"), "JPEG"), "one channel"),
        Odd("trailing.png", lambda: picture(NOISE) + b"appended" * 9, ""),
        Odd("nan.tif", lambda: tiff(np.where(NOISE > 9, NOISE, np.nan)), "NaN", IMPUTE),
        Odd("bad-exif.png", lambda: png(NOISE, chunk(b"eXIf", b"MM\0*" + b"\xff" * 40)), ""),
    ]
