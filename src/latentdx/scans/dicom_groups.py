"""What an enhanced DICOM file says frame by frame (PS3.3 C.7.6.16)."""

from __future__ import annotations

import math
from typing import Any

from latentdx.core.errors import InputError
from latentdx.scans.dicom_told import Told

TAGS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def frame_group(ds: Told, index: int, keyword: str) -> Any:
    """The item of one functional group, of frame `index` or else shared, or None.

    >>> from pydicom.dataset import Dataset
    >>> frame_group(Dataset(), 0, "PlanePositionSequence") is None
    True
    """
    for items, place in (
        (ds.get("PerFrameFunctionalGroupsSequence"), index),
        (ds.get("SharedFunctionalGroupsSequence"), 0),
    ):
        if items and place < len(items):
            group = items[place].get(keyword)
            if group and len(group):
                return group[0]
    return None


def frame_value(ds: Told, index: int, group: str, keyword: str) -> Any:
    """A tag from a functional group where there is one, else from the data set itself, or None."""
    item = frame_group(ds, index, group)
    value = None if item is None else item.get(keyword)
    return ds.get(keyword) if value is None else value


def numbers(value: Any, count: int | None = None) -> tuple[float, ...] | None:
    """A tag's finite numbers, `count` of them; None where they are missing or something else."""
    if value is None or value == "":
        return None
    try:
        found = tuple(float(part) for part in _parts(value))
    except (TypeError, ValueError):
        return None
    is_right = bool(found) and count in (None, len(found))
    return found if is_right and all(map(math.isfinite, found)) else None


def number(value: Any, default: float) -> float:
    """One finite number, `default` where the tag is missing or empty.

    Raises `InputError` ``E_DECODE`` where it is there and no finite number.
    """
    if value is None or value == "":
        return default
    found = numbers(value)
    if found is None:
        raise InputError(
            "E_DECODE",
            "the rescale slope or intercept is no finite number",
            fix="the header is wrong: export the image again",
        )
    return found[0]


def _parts(value: Any) -> Any:
    return value if hasattr(value, "__len__") and not isinstance(value, str) else (value,)
