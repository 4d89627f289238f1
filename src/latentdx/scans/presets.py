"""Presets: how scans of a kind are usually read, as settings that can be given one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentdx.core.errors import StopError
from latentdx.scans.policy import WINDOWS

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "ct-chest": {"windows": ("lung", "soft-tissue", "bone"), "region": "body"},
    "ct-lung": {"windows": ("lung",), "region": "body"},
    "ct-abdomen": {"windows": ("soft-tissue", "liver", "bone"), "region": "body"},
    "ct-brain": {"windows": ("brain", "subdural", "bone"), "region": "body"},
    "ct-bone": {"windows": ("bone",), "region": "body"},
    "mr": {"scale": "body", "region": "body"},
    "cxr": {"region": "field"},
}
"""By name: windows, scale, bias field and region, as `Policy` has them."""


def preset_values(name: str | None) -> dict[str, Any]:
    """The values of a preset, windows as (center, width); none for None.

    Raises `StopError` ``E_OPTION`` for a name that there is not.

    Examples
    --------
    >>> preset_values("ct-lung")
    {'region': 'body', 'window': (-600.0, 1500.0)}
    >>> preset_values("mr")
    {'scale': 'body', 'region': 'body'}
    """
    if name is None:
        return {}
    if name not in PRESETS:
        found = f"--preset {name!r} is not understood"
        raise StopError("E_OPTION", found, fix=f"give one of {', '.join(PRESETS)}")
    values = dict(PRESETS[name])
    windows = tuple(WINDOWS[each] for each in values.pop("windows", ()))
    if len(windows) == 1:
        values["window"] = windows[0]
    elif windows:
        values["windows"] = windows
    return values
