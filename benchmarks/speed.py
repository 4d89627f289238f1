"""``python -m benchmarks.speed``: what one machine does a second, and ratios within one run.

Ways that are compared take turns, round after round, so that a busy machine slows them alike; the
median over rounds is told. Absolute numbers are of this machine alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.training import matmul_peak
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.precision import uses_bf16
from latentdx.autoencoder.engine.processes import best_device
from latentdx.autoencoder.family import build
from latentdx.collection.ingest import ingest
from latentdx.collection.phantoms import PhantomSettings, draw_phantom, write_phantoms
from latentdx.collection.plan import IngestSettings
from latentdx.metrics.bootstrap import estimate
from latentdx.metrics.discrimination import auroc


@dataclass(frozen=True)
class Effort:
    """How much is measured: training steps a round, rounds, phantom patients, resamples."""

    steps: int = 12
    rounds: int = 5
    patients: int = 150
    resamples: int = 2000


QUICK = Effort(steps=1, rounds=1, patients=12, resamples=50)


@dataclass(frozen=True)
class Way:
    """One way to train: a network, its layout in memory, and its precision."""

    network: Autoencoder
    batch: int
    channels_last: bool = True
    bf16: bool = False


def members(effort: Effort) -> dict[str, Any]:
    """Training steps of several members, batch 64: plain PyTorch against our layout and precision.

    On a GPU at 64, 128 and 224 px, on a processor at 28 and 64. The share of the peak is of a
    bfloat16 matrix product on this machine, by the operations that PyTorch counts in a step.
    """
    device = best_device()
    bf16 = uses_bf16("auto", device)
    peak = matmul_peak(torch.bfloat16 if bf16 else torch.float32)
    found: dict[str, Any] = {"precision": "bf16" if bf16 else "fp32", "peak_gflops": _rounded(peak)}
    for name in ("convolutional", "invariant", "residual", "masked-vit"):
        for size in (64, 128, 224) if device.type == "cuda" else (28, 64):
            plain = Way(_network(name, size), 64, channels_last=False)
            ours = Way(_network(name, size), 64, bf16=bf16)
            tasks = {"plain": _training(plain, effort.steps), "ours": _training(ours, effort.steps)}
            compared = _compared(tasks, effort)["ours"]
            flops = _flops(_network(name, size)) * compared["images_per_second"]
            found[f"{name}, {size} px"] = {**compared, "of_peak": round(flops / 1e9 / peak, 2)}
    return found


def _flops(network: Autoencoder) -> float:
    """Operations of a training step, an image."""
    pixels = torch.rand(8, *network.shape)
    with FlopCounterMode(display=False) as counter:
        terms = network.train().losses(pixels, torch.Generator().manual_seed(0))
        torch.stack(list(terms.values())).sum().backward()
    return counter.get_total_flops() / len(pixels)


def reading(effort: Effort) -> dict[str, Any]:
    """Ingest of phantoms of 128 px as DICOM and as PNG, in killable workers, to 64 px."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_phantoms(root / "cohort", PhantomSettings(patients=effort.patients))
        _write_png(root / "png", effort.patients)
        sources = {"DICOM": root / "cohort" / "scans", "PNG": root / "png"}
        speeds: dict[str, list[float]] = {name: [] for name in sources}
        for turn in range(effort.rounds):
            for name, source in sources.items():
                speeds[name].append(_ingested(source, root / f"{name}-{turn}"))
    return {name: {"scans_per_second": _rounded(median(found))} for name, found in speeds.items()}


def resampling(effort: Effort) -> dict[str, Any]:
    """AUROC by patient-cluster bootstrap: 624 and 10,000 scans, two a patient."""
    found = {}
    for n_scans in (624, 10_000):
        generator = np.random.default_rng(0)
        labels = generator.integers(2, size=n_scans)
        scores = generator.normal(labels)
        patients = np.arange(n_scans) // 2
        spent = []
        for _ in range(effort.rounds):
            started = time.perf_counter()
            estimate(
                auroc, labels, scores, patients, generator=generator, n_resamples=effort.resamples
            )
            spent.append(effort.resamples / (time.perf_counter() - started))
        found[f"{n_scans} scans"] = {"resamples_per_second": _rounded(median(spent))}
    return found


BENCHMARKS: dict[str, Callable[[Effort], dict[str, Any]]] = {
    "members": members,
    "ingest": reading,
    "bootstrap": resampling,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for, print it, and write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--only", choices=list(BENCHMARKS))
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results)")
    parser.add_argument("--quick", action="store_true", help="next to no work: does it work?")
    asked = parser.parse_args(arguments)
    effort = QUICK if asked.quick else Effort()
    made: dict[str, Any] = {
        "quick": asked.quick,
        **provenance(),
        "threads": torch.get_num_threads(),
        "gomp_spincount": os.environ.get("GOMP_SPINCOUNT", ""),
        "device": best_device().type,
    }
    found = {}
    for name, measure in BENCHMARKS.items():
        if asked.only in (None, name):
            print(f"{name} ...", flush=True)
            found[name] = measure(effort)
            _show(found[name])
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "speed.json"
    write(out, {**made, "results": found})
    return 0


def _network(name: str, size: int) -> Autoencoder:
    return build(name, {"channels": 1, "size": size})


def _training(way: Way, steps: int) -> Callable[[], float]:
    """A task that makes `steps` training steps and returns images a second."""
    device = best_device()
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    network = way.network.to(device)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    shape = (way.batch, *network.shape)
    pixels = torch.rand(shape, generator=generator).to(device, memory_format=layout)

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=way.bf16):
            terms = network.losses(pixels, generator)
        optimizer.zero_grad(set_to_none=True)
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        optimizer.step()

    def task() -> float:
        step()  # warm-up
        _finish(device)
        started = time.perf_counter()
        for _ in range(steps):
            step()
        _finish(device)
        return steps * way.batch / (time.perf_counter() - started)

    return task


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _compared(tasks: dict[str, Callable[[], float]], effort: Effort) -> dict[str, Any]:
    """Images a second of each, and the ratio to the first: medians over rounds of turns."""
    rounds = [{name: task() for name, task in tasks.items()} for _ in range(effort.rounds)]
    first = next(iter(tasks))
    return {
        name: {
            "images_per_second": _rounded(median(speeds[name] for speeds in rounds)),
            "ratio": round(median(speeds[name] / speeds[first] for speeds in rounds), 2),
        }
        for name in tasks
    }


def _write_png(folder: Path, patients: int) -> None:
    """The same scans as the DICOM files, as 8-bit pictures."""
    folder.mkdir()
    for number in range(patients):
        for scan in range(PhantomSettings().describe(number).n_scans):
            pixels = np.rint(255 * draw_phantom(number, scan).pixels).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}-{scan}.png")


def _ingested(source: Path, destination: Path) -> float:
    """Scans a second, the start of the workers included."""
    settings = IngestSettings(size=64, one_scan_per_patient=True, for_training=False, key=b"k" * 32)
    started = time.perf_counter()
    report = ingest([source], destination, settings)
    return report.n_scans / (time.perf_counter() - started)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _show(found: dict[str, Any]) -> None:
    for name, numbers in found.items():
        told = (
            numbers
            if isinstance(numbers, str | float)
            else ", ".join(f"{k} {v}" for k, v in numbers.items())
        )
        print(f"  {name:<22}{told}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
