"""Pictures: PNG, JPEG, TIFF, BMP, WebP and GIF, exact in every depth and accounted for."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from latentdx.core.errors import InputError
from latentdx.scans.intensity import Pixels
from latentdx.scans.jpeg_fill import require_unfilled
from latentdx.scans.limits import Limits
from latentdx.scans.picture import Picture, to_scan
from latentdx.scans.picture_header import read_header
from latentdx.scans.png import Png, decode_deep, read_chunks
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan
from latentdx.scans.sniff import Kind

_EXIF_ORIENTATION = 0x0112
_BYTE_MODES = {"1": "1 bit", "P": "palette", "PA": "palette"}
_PROFILE = "colour profile ignored"


def read_raster(data: bytes, kind: Kind, limits: Limits, policy: Policy) -> Iterator[Scan]:
    """Decode a picture, or with ``policy.frames`` ``"each"`` all its frames or pages, one by one.

    Eight bits become value / 255 and colour of sixteen bits value / 65535, exactly; deeper grey
    levels are scaled by the picture's percentiles; palettes are resolved, transparency is laid on
    black, CMYK becomes RGB, WhiteIsZero is inverted, the EXIF orientation is applied, colour that
    is none becomes one channel, colour profiles are ignored: each recorded. Texts, EXIF and
    profiles go no further. The resolution that a picture may state is the printer's or the
    scanner's, not the patient's: no spacing is told.

    Raises `InputError` ``E_TRUNCATED``, ``E_SIZE``, ``E_BOMB``, ``E_NDIM``, ``E_NAN`` or
    ``E_DECODE``.
    """
    if policy.dims == 3:
        raise InputError(
            "E_NDIM",
            "a 2-D picture in a collection of volumes",
            fix="leave it out, or read 2-D images (--dims 2)",
        )
    if kind == "tiff":
        from latentdx.scans.tiff import read_tiff  # its decoder takes 0.2 s to import

        frames, pictures = read_tiff(data, limits)
    else:
        frames, pictures = _read_with_pillow(data, kind, limits)
    _check_frames(frames, limits, policy)
    for number, picture in enumerate(pictures):
        yield to_scan(picture, policy, frame=f"page/{number}" if frames > 1 else "")


def _check_frames(frames: int, limits: Limits, policy: Policy) -> None:
    if frames == 1:
        return
    if policy.several == "volume":
        found = f"{frames} frames or pages, which tell no spacing, are no volume"
        raise InputError("E_NDIM", found, fix="read each as an image with --frames each")
    if policy.several == "refuse":
        raise InputError(
            "E_NDIM",
            f"the file holds {frames} frames or pages where one image is read",
            fix="read each as an image with --frames each, or export those that matter",
        )
    limits.check_frames(frames)


def _read_with_pillow(data: bytes, kind: Kind, limits: Limits) -> tuple[int, Iterator[Picture]]:
    """How many frames there are, and all of them, decoded when asked for."""
    if kind == "png":
        png = read_chunks(data, limits)
        return png.frames, _frames(png.lean, kind, png.frames, png)
    header = read_header(data, kind)
    limits.check_image(
        header.height, header.width, pixel_bytes=header.pixel_bytes, stored_bytes=len(data)
    )
    if header.is_deep:
        return 1, _deep_jpeg(data)
    return header.frames, _frames(data, kind, header.frames)


def _frames(data: bytes, kind: Kind, frames: int, png: Png | None = None) -> Iterator[Picture]:
    """Each frame by itself; a JPEG that carries further views of its own (MPO) has one."""
    try:
        with Image.open(io.BytesIO(data), formats=[kind.upper()]) as image:
            done = _profile_note(image, png)
            orientation = _orientation(image)
            if png is not None and png.is_deep:
                yield _deep_png(png, orientation, done)
                return
            for number in range(frames):
                image.seek(number)
                if kind == "jpeg":
                    require_unfilled(data, np.asarray(image))
                yield _picture(image, orientation, done)
    except Image.DecompressionBombError:
        raise InputError("E_SIZE", "the picture is far larger than Pillow allows") from None
    except (OSError, SyntaxError, EOFError) as error:
        raise _decode_error(error, len(data)) from None


def _profile_note(image: Image.Image, png: Png | None) -> tuple[str, ...]:
    return (_PROFILE,) if image.info.get("icc_profile") or (png and png.has_profile) else ()


def _orientation(image: Image.Image) -> int:
    """1 where the EXIF data say nothing, or cannot be read: pixels do not depend on them."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # EXIF is a file of its own, and its damage has many forms
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _picture(image: Image.Image, orientation: int, before: tuple[str, ...]) -> Picture:
    """The frame on which `image` stands, in grey or RGB."""
    done = list(before)
    if image.mode in ("I;16", "I;16B", "I"):
        return Picture(np.asarray(image), None, None, orientation, tuple(done))
    target = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        done.append(f"{_BYTE_MODES.get(image.mode, image.mode)} converted to {target}")
    alpha: Pixels | None = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"), np.float32) / np.float32(255)
    values = np.asarray(image.convert(target))
    return Picture(values, 255, alpha, orientation, tuple(done))


def _deep_png(png: Png, orientation: int, done: tuple[str, ...]) -> Picture:
    values = decode_deep(png)
    alpha: Pixels | None = None
    if values.shape[2] in (2, 4):
        alpha = values[..., -1].astype(np.float32) / np.float32(65535)
        values = values[..., :-1]
    if values.shape[2] == 1:
        return Picture(values[..., 0], None, alpha, orientation, done)
    return Picture(values, 65535, alpha, orientation, done)


def _deep_jpeg(data: bytes) -> Iterator[Picture]:
    """Over eight bits, or lossless, which Pillow's decoder does not read."""
    from imagecodecs import jpeg8_decode

    try:
        values = np.asarray(jpeg8_decode(data))
    except Exception as error:
        text = f"the picture cannot be decoded ({type(error).__name__})"
        raise InputError("E_DECODE", text) from None
    white = 255.0 if values.dtype == np.uint8 else None
    if values.ndim == 2:
        yield Picture(values, white)
    elif values.shape[2] == 3:
        yield Picture(values, white or 65535)
    else:
        found = f"a JPEG of {values.shape[2]} channels and more than 8 bits"
        raise InputError("E_DECODE", found)


def _decode_error(error: Exception, found: int) -> InputError:
    if "truncated" in str(error).lower():
        return InputError(
            "E_TRUNCATED",
            f"the picture expects more bytes than the {found} found",
            fix="copy the file again from its source",
        )
    return InputError("E_DECODE", f"the picture cannot be decoded ({type(error).__name__})")
