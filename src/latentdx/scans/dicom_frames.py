"""`read_frames`: all frames of one DICOM file in the scanner's units, with where each lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans import dicom_geometry
from latentdx.scans.dicom_dataset import read_dataset
from latentdx.scans.dicom_fields import scan_fields
from latentdx.scans.dicom_header import GREY, PixelHeader, read_header, require_size
from latentdx.scans.dicom_native import native_frames
from latentdx.scans.dicom_told import Told
from latentdx.scans.dicom_units import modality_units, valid_mask
from latentdx.scans.dicom_window import file_window
from latentdx.scans.frames import Frames, Window
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.voxels import finite


def read_frames(data: bytes, limits: Limits, *, key: bytes, policy: Policy) -> Frames:
    """Decode every frame of one DICOM file, up to its modality LUT or rescale.

    Each frame gets its own rescale, position and orientation where the file is an enhanced one
    (PS3.3 C.7.6.16.2). Values keep the stored integers where no frame is rescaled, else they are
    float32 (float64 for more than 16 bits). The window is the first frame's.

    Raises `InputError` as `latentdx.scans.dicom.read_dicom` does; ``E_NDIM`` for several frames in
    colour; ``E_SIZE`` where all frames together pass the limit of bytes.
    """
    ds = read_dataset(data, limits)
    header = read_header(ds)
    require_size(ds, header, limits, len(data))
    _require_grey(header)
    _require_room(header, limits)
    values, valid, done = _decoded(ds, header, policy)
    window, more = _window(ds, header.frames)
    identity = scan_fields(ds, key, policy)
    return Frames(
        values,
        valid,
        dicom_geometry.positions(ds, header.frames),
        dicom_geometry.orientations(ds, header.frames),
        dicom_geometry.pixel_spacing(ds, 0),
        dicom_geometry.spacing_between(ds),
        window,
        inverted=header.interpretation == "MONOCHROME1",
        identity=identity,
        conversions=(*done, *more),
    )


def _require_grey(header: PixelHeader) -> None:
    if header.interpretation not in GREY:
        raise InputError(
            "E_NDIM",
            f"{header.frames} frames in colour ({header.interpretation}) make no volume",
            fix="read the frames with --frames each",
        )


def _require_room(header: PixelHeader, limits: Limits) -> None:
    """All frames as they will lie in memory: rescaled values take at least 4 bytes."""
    wide = header.allocated > 16 and header.keyword != "FloatPixelData"
    total = header.frames * header.rows * header.columns * (8 if wide else 4)
    if total > limits.file_bytes:
        raise InputError(
            "E_SIZE",
            f"{header.frames} frames of {header.rows} x {header.columns} pixels take {total} "
            f"bytes; the limit is {limits.file_bytes}",
            fix="read the frames with --frames each, or raise the limits",
        )


def _decoded(
    ds: Told, header: PixelHeader, policy: Policy
) -> tuple[NDArray[Any], NDArray[np.bool_] | None, tuple[str, ...]]:
    """(F, H, W) values, their mask, and all conversions, each once."""
    frames: list[NDArray[Any]] = []
    masks: list[NDArray[np.bool_] | None] = []
    done: dict[str, None] = {}
    for index, native in enumerate(native_frames(ds, header)):
        values, imputed = finite(native.values, policy)
        units = modality_units(replace(native, values=values), ds, index)
        masks.append(valid_mask(values, ds))
        frames.append(units.whole())
        done.update(dict.fromkeys((*native.conversions, *imputed, *units.conversions)))
    whole = _stacked(frames)
    return whole, _stacked_masks(masks, whole.shape[1:]), tuple(done)


def _stacked(frames: list[NDArray[Any]]) -> NDArray[Any]:
    """One array of them all, without holding them twice: each is let go once it is copied."""
    if len(frames) == 1:
        return frames[0][None]
    whole = np.empty((len(frames), *frames[0].shape), np.result_type(*frames))
    for index in range(len(frames)):
        whole[index] = frames[index]
        frames[index] = frames[index][:0]
    return whole


def _stacked_masks(
    masks: list[NDArray[np.bool_] | None], shape: tuple[int, ...]
) -> NDArray[np.bool_] | None:
    if all(mask is None for mask in masks):
        return None
    return np.stack([np.ones(shape, np.bool_) if mask is None else mask for mask in masks])


def _window(ds: Told, n_frames: int) -> tuple[Window | None, tuple[str, ...]]:
    first, count = file_window(ds, 0)
    done = (f"first of {count} windows",) if count > 1 else ()
    if any(file_window(ds, index)[0] != first for index in range(1, n_frames)):
        return first, (*done, "window of the first frame")
    return first, done
