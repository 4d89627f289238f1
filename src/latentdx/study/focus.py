"""A focus of the reconstruction loss, from the settings of a run."""

from __future__ import annotations

from inspect import signature
from typing import Any

from latentdx.autoencoder.family import FAMILY
from latentdx.autoencoder.losses.reconstruction import goes_by_masks, with_focus
from latentdx.core.errors import StopError
from latentdx.study.settings import RunSettings


def focused_settings(settings: RunSettings, found: dict[str, Any]) -> dict[str, Any]:
    """A network's arguments with the reconstruction loss on the part of the scan that is asked for.

    Raises `StopError` ``E_OPTION`` where the member has no such loss.
    """
    if settings.focus is None:
        return found
    member = next((kind for name, kind in FAMILY.items() if name == settings.autoencoder), None)
    known = {} if member is None else dict(signature(member).parameters)
    if "reconstruction" not in known:
        text = f"--focus with the autoencoder {settings.autoencoder!r}"
        raise StopError("E_OPTION", text, fix="leave it out: its loss is its own")
    asked = found.get("reconstruction", known["reconstruction"].default)
    return {**found, "reconstruction": with_focus(asked, settings.focus)}


def wants_masks(settings: RunSettings) -> bool:
    """Whether the scans' own masks are asked for, to weigh the reconstruction by."""
    return settings.focus == "mask" or goes_by_masks(settings.network.get("reconstruction"))
