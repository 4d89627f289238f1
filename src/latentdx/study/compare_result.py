"""What a comparison keeps of each member, and what it makes of all: ``compare.json``, a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from latentdx.core.files import write_atomic, write_json
from latentdx.core.version import VERSION
from latentdx.diagnosis.probe import Probe
from latentdx.metrics.calibration import log_loss
from latentdx.metrics.crossed import Crossed, crossed_bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.metrics.metric import Metric
from latentdx.report.choice_page import compare_page

Kind = Literal["trained", "untrained", "baseline"]

RESULTS = {"compare.json", "compare.html"}
CAUTION = (
    "All were judged on the scans of tune, by which the best epoch of each training was chosen, "
    "too; members were not chosen by them. A run tests one of them: `latentdx run`."
)
_LIBRARIES = ("torch", "scikit-learn", "numpy")


@dataclass(frozen=True)
class Entry:
    """One training (or none) and its probe.

    Attributes
    ----------
    control: the name of the same member untrained, or None.
    facts: seconds, images_per_second, parameters, epochs: where there are such.
    """

    name: str
    kind: Kind
    control: str | None
    probe: Probe
    facts: Mapping[str, float] = field(default_factory=dict)


def write_entry(path: Path, entry: Entry) -> None:
    """Keep an entry: arrays and JSON, nothing else."""
    told = {
        **{"name": entry.name, "kind": entry.kind, "control": entry.control},
        **{"facts": dict(entry.facts), "patients": entry.probe.patients.tolist()},
    }
    arrays = {
        "probabilities": np.ascontiguousarray(entry.probe.probabilities),
        "labels": entry.probe.labels,
    }
    write_atomic(path, save(arrays, metadata={"told": json.dumps(told)}))


def read_entry(path: Path) -> Entry | None:
    """Undo `write_entry`; None where it is not there or damaged: it is then made again."""
    try:
        with safe_open(path, "np") as file:
            told = json.loads(file.metadata()["told"])
            arrays = {name: file.get_tensor(name) for name in ("probabilities", "labels")}
        probe = Probe(**arrays, patients=np.array(told.pop("patients"), np.str_))
        return Entry(**told, probe=probe)
    except (OSError, SafetensorError, ValueError, LookupError, TypeError):
        return None


def publish_comparison(
    to: Path,
    settings: Mapping[str, Any],
    entries: Sequence[Entry],
    failed: Mapping[str, str],
    *,
    seed: int,
) -> dict[str, Any]:
    """Write ``compare.html`` and, last, ``compare.json``; returns the content of the latter.

    `failed`: why a training has no entry.
    """
    groups = _grouped(entries)
    losses = {name: _measured(log_loss, group, seed) for name, group in groups.items()}
    first = next(iter(groups))
    rows = [_row(name, group, losses, first, seed) for name, group in groups.items()]
    found = {
        "format": "latentdx-compare",
        "judged_by": "mean log-loss on tune of classifiers fitted on few labels",
        "caution": CAUTION,
        "settings": {**settings, "first": first},
        "rows": rows,
        "failed": dict(failed),
        "versions": {"latentdx": VERSION, **{name: version(name) for name in _LIBRARIES}},
    }
    write_atomic(to / "compare.html", compare_page(found))
    write_json(to / "compare.json", found)
    return found


def _grouped(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.name, []).append(entry)
    return groups


def _measured(metric: Metric, group: Sequence[Entry], seed: int) -> Crossed:
    """Over all seeds and draws; what was fitted on one draw is resampled together."""
    probe = group[0].probe
    tables = np.concatenate([entry.probe.probabilities for entry in group])
    draws = np.tile(np.arange(len(probe.probabilities)), len(group))
    return crossed_bootstrap(metric, probe.labels, tables, probe.patients, draws=draws, seed=seed)


def _row(
    name: str, group: Sequence[Entry], losses: Mapping[str, Crossed], first: str, seed: int
) -> dict[str, Any]:
    control = group[0].control
    facts = {
        fact: _mean(group, fact)
        for fact in ("seconds", "images_per_second", "parameters", "epochs")
    }
    return {
        "name": name,
        "kind": group[0].kind,
        "log_loss": losses[name].estimate().as_json(),
        "auroc": _measured(auroc, group, seed).estimate().as_json(),
        "to_first": None if name == first else _difference(losses, name, first),
        "to_untrained": None if control is None else _difference(losses, name, control),
        "by_seed": [float(entry.probe.losses().mean()) for entry in group],
        **facts,
    }


def _difference(losses: Mapping[str, Crossed], name: str, other: str) -> dict[str, Any]:
    return losses[name].minus(losses[other]).as_json()


def _mean(group: Sequence[Entry], fact: str) -> float | None:
    known = [entry.facts[fact] for entry in group if fact in entry.facts]
    return round(float(np.mean(known)), 3) if known else None
