"""The command line as a user's shell starts it, and as quickly as a test can call it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latentdx.core.errors import InputError
from latentdx.scans.open import open_scans
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Found, Sandbox

COMMAND = [sys.executable, "-m", "latentdx"]
RESULTS = {
    *("report.html", "metrics.json", "predictions.csv", "audit.json", "quarantine.csv"),
    *("config.toml", "checklists.json", "bundle", "collection"),
}
QUICK = ("--size", "16", "--epochs", "2", "--fine-tune", "none")


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code, and both of its outputs."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout."""
        return json.loads(self.out)


def latentdx(*args: object) -> Ended:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, args)], capture_output=True, text=True, check=False, timeout=300
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def killed_when(met: Callable[[str], bool], log: Path, *args: object) -> None:
    """Start the command and kill it (SIGKILL) once `met` holds for what it has said on stderr."""
    with (
        log.open("w") as err,
        subprocess.Popen(
            [*COMMAND, *map(str, args)], stdout=subprocess.DEVNULL, stderr=err
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while not met(log.read_text()):
                assert process.poll() is None, f"ended before: {log.read_text()}"
                assert time.monotonic() < deadline, log.read_text()
                os.sched_yield()
        finally:
            process.send_signal(signal.SIGKILL)


def read_here(
    sandbox: Sandbox,
    groups: Iterable[Sequence[str]],
    request: Request,
    masks: Mapping[str, str] | None = None,
) -> Iterator[Found]:
    """`Sandbox.read` without its processes, each of which takes most of a second to start."""
    for paths in groups:
        try:
            scans = open_scans(
                paths, key=request.key, policy=request.policy, mask=(masks or {}).get(paths[0])
            )
            yield tuple(request.deliver(scan) for scan in scans)
        except InputError as error:
            yield error


def png(path: Path, seed: int, *, bright: bool = False, side: int = 16) -> Path:
    """A noisy picture; the bright ones hold a disc, so that there is something to learn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 90, (side, side))
    rows, columns = np.mgrid[:side, :side] - side / 2
    values[(rows**2 + columns**2 < (side / 4) ** 2) & bright] += 120
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def class_folders(root: Path, n_each: int, *, part: str = "", first: int = 0) -> Path:
    """``no/p003.png`` and ``yes/p004.png``: a patient each, told by ``--patient-pattern p\\d+``."""
    for index in range(first, first + 2 * n_each):
        name = ("no", "yes")[index % 2]
        png(root / part / name / f"p{index:03}.png", index, bright=bool(index % 2))
    return root


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def metrics(folder: Path) -> dict[str, Any]:
    """``metrics.json`` but for how long it took."""
    found = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in found.items() if name != "seconds"}


def differences(first: Any, second: Any, at: str = "") -> list[str]:
    """Where two results differ."""
    if isinstance(first, dict) and isinstance(second, dict):
        names = sorted(first.keys() | second.keys())
        return [
            found
            for name in names
            for found in differences(first.get(name), second.get(name), f"{at}/{name}")
        ]
    return [] if first == second else [f"{at}: {first} and {second}"]


def visible(folder: Path) -> set[str]:
    """Names in a folder, hidden ones left out."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}
