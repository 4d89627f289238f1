"""What a search may vary: from the numbers that Optuna suggests to the settings of a run.

    autoencoder       one of the families
    objective         none, or one beside what the member learns anyway
    objective_weight  0.1 to 10 times its own weight
    width             0.5 to 2 times the member's widths
    latent            0.5 to 4 times its latent size
    learning_rate     1/3 to 3 times its own

All but the names are factors, drawn on a logarithmic scale, so that what was learnt of one member
serves the others: 1 is always what the member has by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from latentdx.autoencoder.family import BUILT_IN, FAMILY
from latentdx.autoencoder.objectives.names import DOMAIN_OBJECTIVES, OBJECTIVES
from latentdx.core.errors import StopError

if TYPE_CHECKING:
    from optuna import Trial

NONE = "none"
RANGES = {
    "objective_weight": (0.1, 10.0),
    "width": (0.5, 2.0),
    "latent": (0.5, 4.0),
    "learning_rate": (1 / 3, 3.0),
}
_CHANNELS = 8  # widths are whole multiples: what processors like


@dataclass(frozen=True)
class Space:
    """The families and objectives to choose from, by name."""

    families: tuple[str, ...]
    objectives: tuple[str, ...]

    def suggested(self, trial: Trial) -> dict[str, Any]:
        """One point of the space, by name."""
        found: dict[str, Any] = {
            "autoencoder": trial.suggest_categorical("autoencoder", self.families),
            "objective": trial.suggest_categorical("objective", (NONE, *self.objectives)),
        }
        for name, (low, high) in RANGES.items():
            if _has(found, name):
                found[name] = trial.suggest_float(name, low, high, log=True)
        return found

    @staticmethod
    def own(family: str) -> dict[str, Any]:
        """The point at which a member is as it is by itself."""
        point = {"autoencoder": family, "objective": NONE}
        return point | {name: 1.0 for name in RANGES if _has(point, name)}


def space_of(families: tuple[str, ...], objectives: tuple[str, ...] | None = None) -> Space:
    """A space of these families, or of all that are built in where none is named; all objectives
    where nothing is said of them.

    Raises `StopError` ``E_NAME``.
    """
    names = (*OBJECTIVES,) if objectives is None else objectives
    return Space(
        known("autoencoder", families or BUILT_IN, FAMILY),
        known("objective", names, OBJECTIVES),
    )


def known(kind: str, names: tuple[str, ...], among: Mapping[Any, Any]) -> tuple[str, ...]:
    """The names, each once. Raises `StopError` ``E_NAME`` for one that is not `among` them.

    ``E_OPTION`` for an objective that aligns domains: neither `compare` nor `search` knows them.
    """
    for name in names:
        if name in DOMAIN_OBJECTIVES:
            found = f"{name} needs the scans' sites, which a choice between members leaves alone"
            fix = f"latentdx pretrain COLLECTION --objective {name} --to ENCODER"
            raise StopError("E_OPTION", found, fix=fix)
        if name not in among:
            fix = f"choose from {', '.join(among)}"
            raise StopError("E_NAME", f"no {kind} is called {name!r}", fix=fix)
    return tuple(dict.fromkeys(names))


def run_values(point: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `RunSettings` at a point; what the member has by itself is left out.

    Examples
    --------
    >>> run_values({"autoencoder": "convolutional", "objective": "none", "width": 0.5})
    {'autoencoder': 'convolutional', 'network': {'widths': [16, 32, 64]}}
    """
    kind = FAMILY[point["autoencoder"]]
    values: dict[str, Any] = {"autoencoder": point["autoencoder"]}
    if (width := point.get("width", 1.0)) != 1.0:
        scaled = [max(1, round(own * width / _CHANNELS)) for own in _own(kind, "widths")]
        values["network"] = {"widths": [_CHANNELS * number for number in scaled]}
    if (latent := point.get("latent", 1.0)) != 1.0:
        values["latent_dim"] = max(1, round(_own(kind, "latent_dim") * latent))
    if (rate := point.get("learning_rate", 1.0)) != 1.0:
        values["learning_rate"] = _rounded(kind.learning_rate * rate)
    if (name := point["objective"]) != NONE:
        weight = OBJECTIVES[name].weight * point["objective_weight"]
        values["objectives"] = {name: _rounded(weight)}
    return values


def _has(point: Mapping[str, Any], name: str) -> bool:
    """Whether a point of this family and objective has this factor."""
    if name == "objective_weight":
        return bool(point["objective"] != NONE)
    asked = {"width": "widths", "latent": "latent_dim"}.get(name)
    return asked is None or _own(FAMILY[point["autoencoder"]], asked) is not None


def _own(kind: type, name: str) -> Any:
    """What the member has where nothing is said, or None where it has no such setting."""
    parameter = inspect.signature(kind).parameters.get(name)
    return None if parameter is None else parameter.default


def _rounded(value: float) -> float:
    """Four digits are enough, and can be read."""
    return float(f"{value:.4g}")
