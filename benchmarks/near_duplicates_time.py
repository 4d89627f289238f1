"""``python -m benchmarks.near_duplicates_time``: near-duplicates among 100,000 scans of 64 x 64.

Each scan is a blend of two drawn chest X-rays (Kermany), mirrored or not: all are alike, few are
copies. In memory, so that no disk is measured. Processor time, time, and peak memory, the 400 MB
of the blends left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from benchmarks.worth_encoders import CACHE
from benchmarks.worth_sets import load
from latentdx.collection.near_duplicates import compare
from latentdx.collection.near_pictures import comparable

SCANS = 100_000
_BLOCK = 512


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, add to near-duplicates.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.near_duplicates_time")
    parser.add_argument("--scans", type=int, default=SCANS)
    asked = parser.parse_args(arguments)
    found = load("kermany", CACHE)
    if found is None:
        return 0
    base = (found.levels[:, 0] >> 8).astype(np.uint8)
    pictures = np.empty((asked.scans, 1, *base.shape[1:]), np.uint8)
    started, spent = time.perf_counter(), time.process_time()
    pairs = compare(pictures, _blends(base, asked.scans), np.arange(asked.scans))
    result = {
        "scans": asked.scans,
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(time.process_time() - spent, 1),
        "peak_memory_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "pairs": len(pairs.rows),
    }
    print(result)
    place = RESULTS if asked.scans == SCANS else TRIALS
    path = place / "near-duplicates.json"
    told = json.loads(path.read_text()) if path.exists() else {}
    write(path, {**told, "time": {**provenance(), **result}})
    return 0


def _blends(base: NDArray[np.uint8], n_scans: int) -> Iterator[NDArray[np.uint8]]:
    generator = np.random.default_rng(0)
    for start in range(0, n_scans, _BLOCK):
        count = min(_BLOCK, n_scans - start)
        one, other = (base[generator.integers(len(base), size=count)] for _ in range(2))
        other = np.where(generator.random((count, 1, 1)) < 0.5, other, other[:, :, ::-1])
        weight = generator.uniform(0.3, 0.7, (count, 1, 1)).astype(np.float32)
        blend = (one * weight + other * (1 - weight)) / np.float32(255)
        yield comparable(blend[:, None].astype(np.float32), np.zeros((count, 2)))


if __name__ == "__main__":
    raise SystemExit(main())
