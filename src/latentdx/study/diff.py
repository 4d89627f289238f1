"""`diff_runs`: two runs side by side on the same test scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.metrics.bootstrap import N_RESAMPLES
from latentdx.report.diff_page import diff_page
from latentdx.study.paired_places import differences_at_places
from latentdx.study.paired_runs import Pair, differences, pair_runs
from latentdx.study.told_run import ToldRun, read_run

RESULTS = ("diff.json", "diff.html")
_PLACES = ("source", "labels", "unlabelled")


def diff_runs(
    first: Path, second: Path, out: Path | None = None, *, n_resamples: int = N_RESAMPLES
) -> dict[str, Any]:
    """Metrics of both with paired intervals of differences; what else differs beside them.

    Where the test parts differ, the scans of both are compared if they are at least half of the
    larger one, and it is said. Writes ``diff.json`` and ``diff.html`` to `out`. Returns what is in
    the former. Raises `StopError`: ``E_RUN``, ``E_DIFF``, ``E_DESTINATION`` (other things lie at
    `out`).
    """
    _check_destination(out)
    pair = pair_runs(read_run(first), read_run(second))
    found = {
        "first": pair.first.name,
        "second": pair.second.name,
        "task": pair.first.task,
        "scans": {
            "first": len(pair.first.rows),
            "second": len(pair.second.rows),
            "shared": len(pair.scan_ids),
        },
        "n_patients": len(set(pair.patients)),
        "notes": _notes(pair),
        "metrics": {name: each.as_json() for name, each in differences(pair, n_resamples).items()},
        "left_out": differences_at_places(pair.first, pair.second, n_resamples),
        "settings": _settings(pair),
        "warnings": _warnings(pair),
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "diff.json", found)
        write_atomic(out / "diff.html", diff_page(found))
    return found


def _notes(pair: Pair) -> list[str]:
    found = []
    if not pair.is_whole:
        counts = f"{len(pair.first.rows)} and {len(pair.second.rows)}"
        found.append(
            f"The test parts differ: of {counts} scans the {len(pair.scan_ids)} that both tested "
            "are compared, and numbers differ from those of each report."
        )
    if None in (pair.first.settings, pair.second.settings):
        found.append("An evaluation of a bundle has no settings of its own to compare.")
    return found


def _settings(pair: Pair) -> dict[str, list[Any]]:
    """Settings that differ, by name, of both; places by their last name only."""
    if pair.first.settings is None or pair.second.settings is None:
        return {}
    both = [_shown(run) for run in (pair.first, pair.second)]
    return {
        name: [told[name] for told in both] for name in both[0] if both[0][name] != both[1][name]
    }


def _shown(run: ToldRun) -> dict[str, Any]:
    assert run.settings is not None, "asked before"
    values = run.settings.model_dump(mode="json")
    for name in _PLACES:
        given = values[name]
        if isinstance(given, list):
            values[name] = [Path(each).name for each in given]
        elif given:
            values[name] = Path(given).name
    return values


def _warnings(pair: Pair) -> dict[str, list[str]]:
    both = [list(run.metrics.get("warnings", [])) for run in (pair.first, pair.second)]
    return {
        "first": [text for text in both[0] if text not in both[1]],
        "second": [text for text in both[1] if text not in both[0]],
    }


def _check_destination(out: Path | None) -> None:
    if out is None or not out.exists():
        return
    if not out.is_dir() or {path.name for path in out.iterdir()} - set(RESULTS):
        fix = "choose another --out"
        raise StopError("E_DESTINATION", "other things lie there", fix=fix, path=out)
