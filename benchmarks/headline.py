"""``python -m benchmarks.headline``: whole studies on public data, by the command line.

Each run is `latentdx run` in a process of its own, as a user would start it. Results are written
after every run, so that an interrupted benchmark keeps what it has.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import headline_table
from benchmarks.machine import RESULTS, TRIALS, data_folder, provenance, write

_QUICK = ("--epochs", "1", "--size", "28", "--labelled", "60")
_SHOWN_ERROR = 400


@dataclass(frozen=True)
class Case:
    """One data set: where it lies, how it is told of patients, and with how many seeds."""

    name: str
    source: str
    options: tuple[str, ...]
    seeds: int = 1

    def arguments(self, data: str) -> list[str]:
        """Of `latentdx run`, without seed and folder; `{data}` in an option is the data folder."""
        return [
            f"{data}/{self.source}",
            *(option.replace("{data}", data) for option in self.options),
        ]


CASES = (
    Case("pneumoniamnist", "medmnist/pneumoniamnist.npz", ("--one-scan-per-patient",), seeds=3),
    Case(
        "kermany",
        "cxr_pneumonia_kermany_small",
        ("--patient-pattern", r"person\d+_[a-z]+|(?:NORMAL2-)?IM-\d+"),
    ),
    Case("nih", "cxr_nih_pneumonia_224", ("--labels", "{data}/cxr_nih_pneumonia_224/metadata.csv")),
    Case("brain-mr", "brain_mri_tumor_yesno", ("--one-scan-per-patient",)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases asked for; 1 where one failed."""
    asked = _parser().parse_args(arguments)
    cases = [case for case in CASES if asked.only in (None, case.name)]
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "headline.json"
    made = {"quick": asked.quick, **provenance()}
    runs, n_failed = _kept(out, made), 0
    for case in cases:
        if not (data_folder() / case.source).exists():
            print(f"{case.name}: skipped, {case.source} is not in the data folder", flush=True)
            continue
        for seed in asked.seeds or range(1 if asked.quick else case.seeds):
            found = run_case(case, seed, quick=asked.quick)
            if found is None:
                n_failed += 1
                continue
            own = {"commit": made["commit"], "versions": made["versions"]}
            runs[case.name, seed] = {**found, **own}
            write(out, {**made, "runs": _in_order(runs)})
    if runs:
        print("\n" + headline_table({**made, "runs": _in_order(runs)}))
    return 1 if n_failed else 0


def run_case(case: Case, seed: int, *, quick: bool) -> dict[str, Any] | None:
    """One study; None where it failed, after its error was shown."""
    extra = ["--seed", str(seed), *(_QUICK if quick else ())]
    print(f"{case.name}, seed {seed} ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        given = case.arguments(str(data_folder()))
        command = [sys.executable, "-m", "latentdx", "run", *given, *extra, "--json"]
        started = time.monotonic()
        done = subprocess.run(
            [*command, "--out", f"{folder}/out"], capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - started
    if done.returncode not in (0, 3):  # 3: done, some files set aside
        print(
            f"{case.name}: exit code {done.returncode}: {done.stderr[-_SHOWN_ERROR:]}", flush=True
        )
        return None
    told = json.loads(done.stdout)
    return {
        "name": case.name,
        "seed": seed,
        "command": ["latentdx", "run", *case.arguments("DATA"), *extra],
        "exit_code": done.returncode,
        "test": told["test"],
        "baselines": {name: value["auroc"] for name, value in told["baselines"].items()},
        "controls": {name: value["auroc"] for name, value in told["controls"].items()},
        "abstention": told["abstention"],
        "verdict": told["verdict"],
        "warnings": told["warnings"],
        "seconds": round(seconds, 1),
        "seconds_by_step": told["seconds"],
    }


def _kept(out: Path, made: dict[str, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    """Runs of an earlier call on the same machine; each says of which commit and versions it is."""
    if not out.exists():
        return {}
    before = json.loads(out.read_text(encoding="utf-8"))
    same = all(before.get(name) == made[name] for name in ("quick", "machine"))
    return {(run["name"], run["seed"]): run for run in before["runs"]} if same else {}


def _in_order(runs: dict[tuple[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    names = [case.name for case in CASES]
    return [runs[key] for key in sorted(runs, key=lambda key: (names.index(key[0]), key[1]))]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.headline", description=__doc__)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    parser.add_argument(
        "--seeds", type=int, nargs="+", help="which (default: as many as a set has)"
    )
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results)")
    parser.add_argument("--quick", action="store_true", help="few labels, one epoch: does it work?")
    return parser


if __name__ == "__main__":
    sys.exit(main())
