"""DICOM pixels: from a stored frame to 0..1, brighter = more signal."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentdx.scans import dicom_colour, dicom_groups, dicom_header, dicom_units, dicom_window
from latentdx.scans.dicom_colour import colour_pixels
from latentdx.scans.dicom_header import GREY
from latentdx.scans.dicom_native import Native
from latentdx.scans.dicom_told import Told
from latentdx.scans.dicom_units import Units, modality_units, valid_mask
from latentdx.scans.dicom_window import display, file_voi
from latentdx.scans.frames import Window
from latentdx.scans.intensity import Pixels
from latentdx.scans.policy import Policy
from latentdx.scans.voxels import finite

TAGS = (
    *dicom_header.TAGS, *dicom_units.TAGS, *dicom_window.TAGS, *dicom_colour.TAGS,
    *dicom_groups.TAGS,
)  # fmt: skip


def frame_pixels(
    native: Native, ds: Told, index: int, *, modality: str, policy: Policy
) -> tuple[Pixels, list[str]]:
    """float32 (1 or 3, H, W) of frame `index`, and what was done, in order.

    Three channels are colour, or one for each of the policy's windows.

    Raises `InputError` ``E_PI``, ``E_NAN`` or ``E_DECODE``.
    """
    done = list(native.conversions)
    if native.interpretation not in GREY:
        return colour_pixels(native, ds, done), done
    values, imputed = finite(native.values, policy)
    done += imputed
    valid = valid_mask(values, ds)
    units = modality_units(Native(values, native.interpretation, native.stored), ds, index)
    done += units.conversions
    vois = [Window(*each, "LINEAR_EXACT") for each in policy.windows] or [
        _voi(units, ds, index, modality, policy, done)
    ]
    pixels = np.stack([display(units, valid, voi, done) for voi in vois])
    if native.interpretation == "MONOCHROME1":
        np.subtract(np.float32(1), pixels, out=pixels)
        done.append("MONOCHROME1 inverted")
    if valid is not None:
        pixels[:, ~valid] = 0
        done.append("padding set to 0")
    return pixels, done


def _voi(units: Units, ds: Told, index: int, modality: str, policy: Policy, done: list[str]) -> Any:
    """The policy's window for every modality, else the file's."""
    if policy.window is not None:
        done.append("the window asked for, in place of the file's")
        return Window(*policy.window, "LINEAR_EXACT")  # as in volumes: center -+ width / 2
    signed = units.values.dtype.kind != "u" or units.slope < 0 or units.intercept < 0
    return file_voi(ds, index, modality, signed, done)
