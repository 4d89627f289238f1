"""``python -m benchmarks.planted_faults``: are faults in a cohort found, and none where none are?

Cohorts of 300 phantom patients of 48 pixels a side. Each kind of fault is planted in `--seeds`
cohorts, a burned-in letter in `--clean`, and as many have no fault. Nothing was fixed on them.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.planted_cohorts import PATIENTS, SIZE, Look, clean, codes_of
from benchmarks.planted_kinds import CORRELATION, KINDS, MARKERS
from latentdx.core.seeds import numpy_generator

_CLEAN, _PLANTED = 1000, 5000  # first seeds
_LETTER = "burned-in letter"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planted_faults")
    parser.add_argument("--seeds", type=int, default=20, help="cohorts of each kind of fault")
    parser.add_argument("--clean", type=int, default=100, help="cohorts without, and with a letter")
    parser.add_argument("--quick", action="store_true", help="2 and 4; not kept")
    asked = parser.parse_args(arguments)
    seeds, n_clean = (2, 4) if asked.quick else (asked.seeds, asked.clean)
    started = time.process_time()
    found = {"clean": without_fault(n_clean), "letter": with_letter(n_clean)}
    found["kinds"] = {name: _told(name, seeds) for name in KINDS}
    facts = {"patients": PATIENTS, "size": SIZE, "correlation": CORRELATION, "seeds": seeds}
    spent = {"processor_seconds": round(time.process_time() - started, 1)}
    folder = TRIALS if asked.quick else RESULTS
    write(folder / "planted-faults.json", {**provenance(), **facts, **spent, "results": found})
    return 0


def without_fault(n_cohorts: int) -> dict[str, Any]:
    """In how many clean cohorts anything is warned of, and what; and what is only told."""
    warned: list[set[str]] = []
    noted: Counter[str] = Counter()
    for seed in range(_CLEAN, _CLEAN + n_cohorts):
        findings = codes_of(clean(seed), seed, Look())
        warned.append({each.code for each in findings if each.severity != "info"})
        noted.update({each.code for each in findings if each.severity == "info"})
    told = {
        "cohorts": n_cohorts,
        "with_a_false_alarm": sum(map(bool, warned)),
        "false_alarms": dict(Counter(code for own in warned for code in own)),
        "with_a_note": dict(noted),
    }
    print("clean", told, flush=True)
    return told


def with_letter(n_cohorts: int) -> dict[str, Any]:
    """In how many cohorts a letter that follows the label is found."""
    hits = 0
    for seed in range(_CLEAN, _CLEAN + n_cohorts):
        rows = MARKERS[0].plant(seed, numpy_generator(seed, _LETTER))
        findings = codes_of(rows, seed, MARKERS[0].look)
        hits += any(kind.is_named(findings) for kind in MARKERS)
    told = {"cohorts": n_cohorts, "found": hits}
    print(_LETTER, told, flush=True)
    return told


def _told(name: str, n_cohorts: int) -> dict[str, Any]:
    """In how many cohorts a fault is found."""
    kind, hits = KINDS[name], 0
    for seed in range(_PLANTED, _PLANTED + n_cohorts):
        rows = kind.plant(seed, numpy_generator(seed, name))
        hits += kind.is_named(codes_of(rows, seed, kind.look))
    told = {"cohorts": n_cohorts, "found": hits}
    print(name, told, flush=True)
    return told


if __name__ == "__main__":
    raise SystemExit(main())
