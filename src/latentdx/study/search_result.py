"""What a search leaves: ``search.json``, ``best.toml`` for a run, and a page to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from latentdx.core.files import write_atomic, write_json
from latentdx.core.version import VERSION
from latentdx.report.choice_page import search_page
from latentdx.study.search_store import SearchStore
from latentdx.study.settings import RunSettings, settings_from

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

RESULTS = {"search.json", "search.html", "best.toml"}
CAUTION = (
    "The best of many was chosen by these very scans of tune: its log-loss is optimistic. "
    "What it is worth is known when `latentdx run --config best.toml` has tested it."
)
_LIBRARIES = ("optuna", "torch", "scikit-learn", "numpy")


@dataclass(frozen=True)
class Budget:
    """For how long to search, over all calls: minutes, trials, or what is reached first."""

    minutes: float | None = None
    trials: int | None = None


def keep_results(
    to: Path, base: RunSettings, settings: Mapping[str, Any], budget: Budget, store: SearchStore
) -> dict[str, Any]:
    """Write ``search.json`` and ``best.toml``; the same trials give the same but for seconds."""
    trials = [_told(number, trial) for number, trial in enumerate(store.done())]
    best = store.best()
    found: dict[str, Any] = {
        "format": "latentdx-search",
        "judged_by": "mean log-loss on tune of classifiers fitted on few labels",
        "caution": CAUTION,
        "settings": dict(settings),
        "budget": asdict(budget),
        "seconds": round(sum(trial["seconds"] for trial in trials), 3),
        "best": None,
        "importance": {},
        "trials": trials,
        "versions": {"latentdx": VERSION, **{name: version(name) for name in _LIBRARIES}},
    }
    if best is not None:
        numbers = [trial.number for trial in store.done()]
        found["best"] = trials[numbers.index(best.number)]
        write_atomic(to / "best.toml", _config(base, best.user_attrs["settings"]))
    write_json(to / "search.json", found)
    return found


def publish_results(to: Path, found: Mapping[str, Any], store: SearchStore) -> dict[str, Any]:
    """At the end: what mattered, into ``search.json`` and onto ``search.html``."""
    whole = {**found, "importance": store.importance()}
    write_atomic(to / "search.html", search_page(whole))
    write_json(to / "search.json", whole)
    return whole


def _told(number: int, trial: FrozenTrial) -> dict[str, Any]:
    """A trial as JSON; `values` are those of the looks, by epoch."""
    noted = trial.user_attrs
    return {
        "number": number,
        "state": trial.state.name.lower(),
        "settings": noted.get("settings", {}),
        "log_loss": noted.get("log_loss"),
        "auroc": noted.get("auroc"),
        "values": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
        "epochs": noted.get("epochs"),
        "parameters": noted.get("parameters"),
        "seconds": noted["seconds"],
        "note": noted["note"],
        "point": trial.params,
    }


def _config(base: RunSettings, values: Mapping[str, Any]) -> str:
    """The settings of a run with what was found; what is as ever is left out."""
    given = {**base.model_dump(mode="json", exclude_defaults=True), **values}
    told = settings_from(given).model_dump(mode="json", exclude_defaults=True)
    return f"# {CAUTION}\n{tomli_w.dumps(told)}"
