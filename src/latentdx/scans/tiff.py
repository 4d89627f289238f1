"""TIFF: its pages outlined by hand, their samples decoded by libtiff, which fills nothing in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.intensity import Pixels
from latentdx.scans.limits import Limits
from latentdx.scans.picture import Picture
from latentdx.scans.picture_header import damaged, truncated
from latentdx.scans.tiff_outline import CMYK, GREY, PALETTE, RGB, WHITE_IS_ZERO, YCBCR, Page, pages

_COLOURS = {WHITE_IS_ZERO: 1, GREY: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
# None, CCITT, LZW, JPEG, Deflate, PackBits, LZMA, Zstandard, WebP: what libtiff bounds by itself.
_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34925, 50000, 50001})
_UNCOMPRESSED, _COMPLEX = 1, (5, 6)
_ASSOCIATED, _UNASSOCIATED = 1, 2  # TIFF 6.0, section 18: ExtraSamples


def read_tiff(data: bytes, limits: Limits) -> tuple[int, Iterator[Picture]]:
    """How many pages there are, and all of them, decoded when asked for.

    Grey, RGB, palette, CMYK and YCbCr of any depth, BigTIFF, tiles, strips and separate planes.
    Copies in lower resolution and masks are no pages. Every page is checked before the first is
    decoded. Raises `InputError` ``E_TRUNCATED``, ``E_SIZE``, ``E_BOMB``, ``E_NDIM`` or
    ``E_DECODE``.
    """
    found = pages(data)
    for page in found:
        _check(page, len(data), limits)
    return len(found), (_picture(data, page) for page in found)


def _check(page: Page, stored: int, limits: Limits) -> None:
    sample_bytes = max(1.0, page.bits / 8)
    limits.check_image(
        page.height, page.width, pixel_bytes=sample_bytes * page.samples, stored_bytes=stored
    )
    if page.tile is not None:  # libtiff allocates a whole tile, however small the page
        limits.check_image(*page.tile, pixel_bytes=sample_bytes * page.samples, stored_bytes=stored)
    rows_bytes = (page.width * page.bits * page.samples + 7) // 8 * page.height
    if page.compression == _UNCOMPRESSED and page.stored < rows_bytes // (
        8 if page.photometric == YCBCR else 1
    ):
        raise truncated(rows_bytes, page.stored)
    if page.compression not in _COMPRESSIONS or page.photometric not in _COLOURS:
        raise damaged(
            f"a TIFF of compression {page.compression} and colours {page.photometric}, "
            "which are not read"
        )
    if page.sample_format in _COMPLEX:
        raise damaged("a TIFF of complex numbers is not read")
    more = page.samples - _COLOURS[page.photometric]
    if more not in (0, 1) or (more and page.photometric not in (GREY, RGB)):
        raise InputError(
            "E_NDIM",
            f"{page.samples} samples a pixel",
            fix="save it as grey or RGB",
        )
    if more and not page.extra and page.photometric == GREY:
        raise InputError("E_NDIM", f"{page.samples} samples a pixel where grey has one")


def _picture(data: bytes, page: Page) -> Picture:
    done: list[str] = ["colour profile ignored"] if page.has_profile else []
    values = _samples(_decoded(data, page), page)
    if page.photometric in (CMYK, YCBCR):
        done.append(f"{'CMYK' if page.photometric == CMYK else 'YCbCr'} converted to RGB")
        return Picture(values[..., :3], 255, None, page.orientation, tuple(done))
    if page.photometric == PALETTE:
        done.append("palette converted to RGB")
        coloured, white = _from_palette(values, page)
        return Picture(coloured, white, None, page.orientation, tuple(done))
    values, alpha = _without_extra(values, page, done)
    if page.photometric == WHITE_IS_ZERO:
        values = _inverted(values, page.bits)
        done.append("WhiteIsZero inverted")
    return Picture(values, _white(values, page), alpha, page.orientation, tuple(done))


def _decoded(data: bytes, page: Page) -> NDArray[Any]:
    from imagecodecs import tiff_decode

    try:
        as_rgb = page.photometric == YCBCR and page.compression != 7
        return np.asarray(tiff_decode(data, index=page.index, asrgb=as_rgb))
    except Exception as error:
        raise damaged(f"the picture cannot be decoded ({type(error).__name__})") from None


def _samples(values: NDArray[Any], page: Page) -> NDArray[Any]:
    """(H, W) or (H, W, S), separate planes joined."""
    size = (page.height, page.width)
    if page.is_planar and values.ndim == 3 and values.shape[1:] == size:
        values = np.moveaxis(values, 0, 2)
    if values.shape[:2] != size or values.ndim > 3:
        raise InputError("E_SIZE", f"{size} pixels announced, {values.shape} decoded")
    return values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values


def _from_palette(values: NDArray[Any], page: Page) -> tuple[NDArray[Any], float]:
    """(H, W, 3): colour maps have 16 bits, which writers fill from 8 as v * 256 or v * 257."""
    if len(page.colours) != 3 << page.bits:
        raise damaged(f"a palette of {len(page.colours)} numbers for {page.bits} bits")
    table = page.colours.astype(np.uint16).reshape(3, -1)
    low, high = table & 0xFF, table >> 8
    is_deep = bool((table > 255).any()) and not (low[low != high] == 0).all()
    small = high if (table > 255).any() else table
    return (table if is_deep else small).T[values], 65535 if is_deep else 255


def _without_extra(
    values: NDArray[Any], page: Page, done: list[str]
) -> tuple[NDArray[Any], Pixels | None]:
    """Colour alone, and its transparency where the first extra sample is that."""
    colours = _COLOURS[page.photometric]
    if page.samples == colours:
        return values, None
    kind = page.extra[0] if page.extra else 0
    colour = values[..., 0] if colours == 1 else values[..., :colours]
    if kind == _UNASSOCIATED and values.dtype.kind == "u":
        full = np.float32(2.0**page.bits - 1)
        return colour, (values[..., colours] / full).astype(np.float32)
    if kind == _ASSOCIATED:  # the colours are multiplied by it already: they lie on black
        done.append("transparency laid on black")
    else:
        done.append(f"{page.samples - colours} extra samples left out")
    return colour, None


def _inverted(values: NDArray[Any], bits: int) -> NDArray[Any]:
    if values.dtype.kind == "f":
        return -values
    return (2**bits - 1) - values if values.dtype.kind == "u" else ~values


def _white(values: NDArray[Any], page: Page) -> float | None:
    """What is 1: fixed for at most 8 bits and for colour, else None."""
    if values.dtype.kind == "b":
        return 1
    if values.dtype.kind != "u" or (page.bits > 8 and values.ndim == 2):
        return None
    return 2.0**page.bits - 1
