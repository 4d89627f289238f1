"""Masks of the user's own: files that say which pixels of a scan matter."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan
from latentdx.scans.sniff import HEAD_BYTES, open_regular, sniff

Mask = NDArray[np.bool_]
Box = tuple[slice, ...]

NO_MASK = "W_NO_MASK"
"""Of a scan that was to be cropped to its mask and has none, or an empty one."""

LEFT_WHOLE = "left whole: there is no mask"

_MARGIN = 1 / 32  # of the longest side, as around the regions that are found
_FIX = "give a mask of the same size: PNG, TIFF or npy of an image, NIfTI, NRRD or npy of a volume"


def read_mask(path: str | Path, limits: Limits) -> Mask:
    """Where a mask is not 0: (H, W) of a picture, or (X, Y, Z) in RAS+ of a volume.

    PNG, TIFF, BMP, GIF or npy; NIfTI, NRRD, MetaImage or npy. JPEG is refused: it blurs edges.
    Raises `InputError` ``E_MASK``; its message names the mask's file.

    Examples
    --------
    >>> read_mask("masks/1.png", Limits()).sum()  # doctest: +SKIP
    1805
    """
    try:
        return _read(Path(path), limits)
    except InputError as error:
        found = f"its mask {Path(path).name} cannot be used: {error.found}"
        raise InputError("E_MASK", found, fix=_FIX) from None
    except MemoryError:
        raise
    except Exception as error:  # a library's message may quote the file's values
        found = f"its mask {Path(path).name} cannot be decoded ({type(error).__name__})"
        raise InputError("E_MASK", found, fix=_FIX) from None


def _read(path: Path, limits: Limits) -> Mask:
    with open_regular(path) as file:
        data = file.read(limits.file_bytes + 1)
    if len(data) > limits.file_bytes:
        raise InputError("E_SIZE", f"it is larger than {limits.file_bytes} bytes")
    kind = sniff(data[:HEAD_BYTES])
    if kind in ("nifti", "nrrd", "metaimage"):
        return _of_volume(data, kind, limits)
    if kind in ("jpeg", "dicom", "zip", "webp"):
        raise InputError("E_FORMAT", f"{kind} is no format of masks")
    if kind == "npy":
        return _of_array(data, limits)
    from latentdx.scans.raster import read_raster

    (picture,) = read_raster(data, kind, limits, Policy())
    return np.asarray(picture.pixels.max(axis=0) > 0)


def _of_array(data: bytes, limits: Limits) -> Mask:
    from latentdx.scans.arrays import read_npy

    try:
        (found,) = read_npy(data, limits, Policy())
    except InputError as error:
        if error.code != "E_NDIM":
            raise
        (found,) = read_npy(data, limits, Policy(dims=3))
    return np.asarray(found.pixels.max(axis=0) > 0)


def _of_volume(data: bytes, kind: str, limits: Limits) -> Mask:
    from latentdx.scans.orientation import to_ras

    policy = Policy(dims=3)
    if kind == "nifti":
        from latentdx.scans.nifti import read_nifti

        return np.asarray(to_ras(read_nifti(data, limits, policy)).values != 0)
    from latentdx.scans.itk import read_itk

    volume = read_itk(data, "nrrd" if kind == "nrrd" else "metaimage", limits, policy)
    return np.asarray(to_ras(volume).values != 0)


def require_fit(mask: Mask, shape: tuple[int, ...]) -> None:
    """Refuse a mask of another shape than its scan's: `InputError` ``E_MASK``."""
    if mask.shape != shape:
        found = f"its mask has {_text(mask.shape)} pixels, and the scan {_text(shape)}"
        raise InputError("E_MASK", found, fix=_FIX)


def mask_box(mask: Mask) -> Box:
    """Slices that hold a mask that is not empty, and 1/32 of the longest side around it.

    Examples
    --------
    >>> mask = np.zeros((64, 64), bool)
    >>> mask[20:40, 30:34] = True
    >>> mask_box(mask)
    (slice(18, 42, None), slice(28, 36, None))
    """
    margin = math.ceil(_MARGIN * max(mask.shape))
    box = []
    for axis, side in enumerate(mask.shape):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        rows = np.flatnonzero(mask.any(axis=others))
        box.append(slice(max(0, int(rows[0]) - margin), min(side, int(rows[-1]) + 1 + margin)))
    return tuple(box)


def stacked(scan: Scan) -> NDArray[np.float32]:
    """Pixels with the mask as one more channel, so that both are resized and placed alike."""
    if scan.mask is None:
        return scan.pixels
    return np.concatenate([scan.pixels, scan.mask[None].astype(np.float32)])


def unstacked(scan: Scan, pixels: NDArray[np.float32], **changes: Any) -> Scan:
    """The scan with the pixels, and the mask, that came of `stacked`."""
    if scan.mask is None:
        return replace(scan, pixels=pixels, **changes)
    mask = pixels[-1] >= np.float32(0.5)
    return replace(scan, pixels=np.ascontiguousarray(pixels[:-1]), mask=mask, **changes)


def packed(mask: Mask | None) -> bytes | None:
    """A mask as bits, as it is stored."""
    return None if mask is None else np.packbits(mask).tobytes()


def unpacked(data: bytes | None, shape: tuple[int, ...]) -> Mask | None:
    """`packed`, undone.

    Examples
    --------
    >>> unpacked(packed(np.eye(3, dtype=bool)), (3, 3)).sum()
    np.int64(3)
    """
    if data is None:
        return None
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=math.prod(shape))
    return bits.reshape(shape).astype(np.bool_)


def as_text(mask: Mask | None) -> list[Any] | None:
    """A mask for a JSON message: its shape and its bits."""
    data = packed(mask)
    return None if mask is None or data is None else [mask.shape, base64.b64encode(data).decode()]


def from_text(told: list[Any] | None) -> Mask | None:
    """`as_text`, undone."""
    return None if told is None else unpacked(base64.b64decode(told[1]), tuple(told[0]))


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(str(side) for side in shape)
