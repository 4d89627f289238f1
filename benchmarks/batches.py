"""``python -m benchmarks.batches``: how fast stored pixels come back for training.

Random batches of 64 from a collection (single calls, and streamed read-ahead), from the
materialised training array, and whole passes in order against the store's own scan. Images of 28
and 256 px, 8 bits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from latentdx.collection.batches import materialise, stream
from latentdx.collection.columns import PIXEL_COLUMNS
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow

BATCH = 64


def write_collection(folder: Path, size: int, count: int) -> Collection:
    """Random images of 8 bits."""
    generator = np.random.default_rng(0)
    collection = Collection.create(folder, size=size, channels=1)
    for start in range(0, count, 500):
        values = generator.integers(0, 256, (500, 1, size, size)).astype(np.float32) / 255
        names = [f"{start + index:016x}" for index in range(500)]
        rows = [ScanRow(n, f"{n}.png", v, n) for n, v in zip(names, values, strict=True)]
        collection.append(rows)
    return Collection.open(folder)


def measure(size: int, count: int, rounds: int) -> dict[str, Any]:
    """Images a second of each way."""
    with tempfile.TemporaryDirectory() as folder:
        collection = write_collection(Path(folder) / "collection", size, count)
        array = materialise(collection)
        mapped = materialise(collection, Path(folder) / "pixels.npy")
        generator = np.random.default_rng(1)
        batches = [generator.integers(0, count, BATCH) for _ in range(max(4, count // BATCH))]
        order = np.concatenate(batches)

        def singly(read: Callable[[Any], Any]) -> Callable[[], int]:
            return lambda: sum(len(read(batch)) for batch in batches)

        ways: dict[str, Callable[[], int]] = {
            "collection, one call a batch": singly(collection.levels),
            "collection, streamed at random": lambda: sum(map(len, stream(collection, order))),
            "training array in memory": singly(array.batch),
            "training array, memory-mapped": singly(mapped.batch),
            "store's own scan": lambda: sum(
                len(piece) for piece in collection._dataset.to_batches(columns=PIXEL_COLUMNS)
            ),
            "scan as levels, checked": lambda: sum(map(len, collection.scan_levels())),
            "scan as levels": lambda: sum(map(len, collection.scan_levels(verify=False))),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                n_images = way()
                spent[name].append(n_images / (time.perf_counter() - started))
    rates = {name: round(median(found)) for name, found in spent.items()}
    own = rates["store's own scan"]
    return {
        "dtype": str(array.levels.dtype),
        "images_per_second": rates,
        "of_the_store's_scan": {
            name: round(rates[name] / own, 3)
            for name in ("scan as levels", "scan as levels, checked")
        },
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="next to no work: does it work?")
    asked = parser.parse_args(arguments)
    made: dict[str, Any] = {"quick": asked.quick, **provenance(), "results": {}}
    for size, count in ((28, 50_000), (256, 5_000)):
        n_images, rounds = (500, 1) if asked.quick else (count, 7)
        made["results"][f"{size} px"] = found = measure(size, n_images, rounds)
        print(size, found, flush=True)
    write((TRIALS if asked.quick else RESULTS) / "batches.json", made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
