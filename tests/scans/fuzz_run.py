"""Mutants through the sandbox, what came of them, and what its workers took at most."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from dicom_files import KEY
from fuzz_mutations import mutant
from fuzz_seeds import PACKED, finish

from latentdx.core.errors import InputError
from latentdx.scans.arrays import open_npz_arrays
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Found, Sandbox
from latentdx.scans.scan import Scan


@dataclass
class Findings:
    """Outcomes (``ok`` or a code) by seed, mutants that broke a promise, bytes of memory."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    peak_bytes: int = 0

    def of(self, *codes: str) -> dict[str, int]:
        """How often each seed ended in one of `codes`."""
        found: Counter[str] = Counter()
        for (seed, code), count in self.outcomes.items():
            if code in codes:
                found[f"{seed} {code}"] += count
        return dict(found)


class PeakOfWorkers:
    """The largest resident set of any child of this process, sampled from /proc."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakOfWorkers:
        self._thread.start()
        return self

    def __exit__(self, *ignored: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            for pid in children():
                self.peak_bytes = max(self.peak_bytes, peak_of(pid))


def children() -> list[int]:
    task = Path(f"/proc/{os.getpid()}/task")
    found = []
    for path in task.glob("*/children"):
        try:
            found += [int(pid) for pid in path.read_text().split()]
        except OSError:
            continue
    return found


def peak_of(pid: int | str) -> int:
    """``VmHWM`` of a process in bytes, 0 where it has ended.

    Also 0 for a child between fork and exec: what it holds then is this process's memory.
    """
    own = Path("/proc/self/cmdline").read_bytes()
    try:
        if Path(f"/proc/{pid}/cmdline").read_bytes() == own:
            return 0
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def fuzz(
    seeds: dict[str, bytes], count: int, folder: Path, policy: Policy, *, seed: int = 0
) -> Findings:
    """`count` mutants of `seeds` in turn, decoded by two workers."""
    found, rng = Findings(), np.random.default_rng(seed)
    request = Request(size=32, channels=1, key=KEY, policy=policy)
    names: list[tuple[str, Path]] = []

    def paths() -> Iterator[tuple[str]]:
        for name, path in _written(seeds, count, folder, rng):
            names.append((name, path))
            yield (str(path),)

    with PeakOfWorkers() as peak, Sandbox(2, Limits(seconds=3.0)) as sandbox:
        for index, outcome in enumerate(sandbox.read(paths(), request)):
            name, path = names[index]
            _note(found, name, path, outcome)
            path.unlink()
    found.peak_bytes = peak.peak_bytes
    return found


def fuzz_archives(seeds: dict[str, bytes], count: int, folder: Path, *, seed: int = 0) -> Findings:
    """As `fuzz`, for archives of arrays, which are read in this process."""
    found, rng = Findings(), np.random.default_rng(seed)
    for name, path in _written(seeds, count, folder, rng):
        try:
            open_npz_arrays(path)
            found.outcomes[name, "ok"] += 1
        except InputError as error:
            _note(found, name, path, error)
        path.unlink()
    return found


def _written(
    seeds: dict[str, bytes], count: int, folder: Path, rng: np.random.Generator
) -> Iterator[tuple[str, Path]]:
    names, files = list(seeds), list(seeds.values())
    for number in range(count):
        name = names[number % len(names)]
        path = folder / f"{number}"
        path.write_bytes(_sealed(name, mutant(seeds[name], files, rng), rng))
        yield name, path


def _sealed(name: str, data: bytes, rng: np.random.Generator) -> bytes:
    """Checksums are set right in most mutants, and stay wrong in the others."""
    return finish(name, data) if name in PACKED or rng.random() < 0.7 else data


def _note(found: Findings, name: str, path: Path, outcome: Found) -> None:
    items = (outcome,) if isinstance(outcome, InputError) else outcome
    for item in items:
        code = item.code if isinstance(item, InputError) else "ok"
        found.outcomes[name, code] += 1
        if not _keeps_promise(item):
            found.broken.append(f"{name} {path.name}: {item!r}")
    if not items:
        found.broken.append(f"{name} {path.name}: nothing")


def _keeps_promise(item: Scan | InputError) -> bool:
    if isinstance(item, InputError):
        return item.path is not None and bool(item.found)
    pixels = item.pixels
    inside = np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1
    return bool(inside) and pixels.dtype == np.float32 and len(pixels) == 1
