"""Pictures: PNG, JPEG, TIFF, BMP, WebP and GIF through Pillow, exact and accounted for."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from latentdx.core.errors import InputError
from latentdx.scans.intensity import Pixels, merge_equal_channels, stretch, to_unit
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan
from latentdx.scans.sniff import Kind

_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_PIXEL_BYTES = {"I": 4, "F": 4, "RGBA": 4, "RGB": 3, "CMYK": 4, "P": 4, "PA": 4, "LA": 2}
_EXIF_ORIENTATION = 0x0112


def read_raster(data: bytes, kind: Kind, limits: Limits, policy: Policy) -> Iterator[Scan]:
    """Decode one picture.

    Eight bits become value / 255 exactly; deeper grey levels are scaled by the scan's percentiles;
    palettes are resolved, transparency is laid on black, CMYK becomes RGB, the EXIF orientation is
    applied, colour that is none becomes one channel: each recorded.
    Raises `InputError` ``E_TRUNCATED``, ``E_SIZE``, ``E_BOMB``, ``E_NDIM``, ``E_NAN`` or
    ``E_DECODE``.
    """
    if kind == "png":
        _require_whole_png(data)
    try:
        with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
            _require_one_frame(image)
            limits.check_image(
                image.height,
                image.width,
                pixel_bytes=_PIXEL_BYTES.get(image.mode, 2),
                stored_bytes=len(data),
            )
            image.load()
            yield _scan(image)
    except Image.DecompressionBombError:
        raise InputError("E_SIZE", "the picture is far larger than Pillow allows") from None
    except (OSError, SyntaxError) as error:
        raise _decode_error(error, len(data)) from None


def _scan(image: Image.Image) -> Scan:
    done: list[str] = []
    upright = _upright(image, done)
    pixels = _deep(upright, done) if upright.mode in _DEEP_MODES else _shallow(upright, done)
    merged = merge_equal_channels(pixels)
    if len(merged) != len(pixels):
        done.append("colour channels are equal: one channel kept")
    shape = (image.height, image.width)
    return Scan(np.ascontiguousarray(merged), shape, conversions=tuple(done))


def _upright(image: Image.Image, done: list[str]) -> Image.Image:
    if image.getexif().get(_EXIF_ORIENTATION, 1) not in range(2, 9):
        return image
    done.append("EXIF orientation applied")
    return ImageOps.exif_transpose(image)


def _deep(image: Image.Image, done: list[str]) -> Pixels:
    """More than eight bits of grey: (1, H, W)."""
    pixels, text = stretch(np.asarray(image))
    done.append(f"{image.mode} grey levels {text}")
    return pixels[None]


def _shallow(image: Image.Image, done: list[str]) -> Pixels:
    """Eight bits a channel, or one bit: (1 or 3, H, W)."""
    if _is_transparent(image):
        done.append("transparency laid on black")
        return _on_black(image)
    target = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.mode != target:
        done.append(f"{_MODE_NAMES.get(image.mode, image.mode)} converted to {target}")
    return _planes(np.asarray(image.convert(target)))


_MODE_NAMES = {"1": "1 bit", "P": "palette", "PA": "palette", "RGBA": "opaque RGBA"}


def _is_transparent(image: Image.Image) -> bool:
    """Whether any pixel lets the background through; a full alpha channel changes nothing."""
    return image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema() != (
        255,
        255,
    )


def _on_black(image: Image.Image) -> Pixels:
    rgba = _planes(np.asarray(image.convert("RGBA")))
    return rgba[:3] * rgba[3:]


def _planes(values: NDArray[np.uint8]) -> Pixels:
    """(H, W) or (H, W, C) bytes to (C, H, W) in 0..1."""
    planes = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
    return to_unit(planes, 0, 255)


def _require_one_frame(image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames != 1:
        raise InputError(
            "E_NDIM",
            f"the file holds {frames} frames or pages; only single images are read for now",
            fix="export the frames that matter as files of their own",
        )


def _require_whole_png(data: bytes) -> None:
    """Walk the chunks (PNG specification, section 5) up to IEND; each says how long it is."""
    position = 8
    while True:
        if position + 8 > len(data):
            raise _truncated(position + 12, len(data))
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            raise _truncated(end, len(data))
        if data[position + 4 : position + 8] == b"IEND":
            return
        position = end


def _truncated(expected: int, found: int) -> InputError:
    return InputError(
        "E_TRUNCATED",
        f"expected at least {expected} bytes, found {found}",
        fix="copy the file again from its source",
    )


def _decode_error(error: Exception, found: int) -> InputError:
    if "truncated" in str(error).lower():
        return InputError(
            "E_TRUNCATED",
            f"the picture expects more bytes than the {found} found",
            fix="copy the file again from its source",
        )
    return InputError("E_DECODE", f"the picture cannot be decoded ({type(error).__name__})")
