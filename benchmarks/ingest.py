"""``python -m benchmarks.ingest``: files into a collection, against what people write themselves.

2,000 phantom DICOM files of 512 x 512 pixels and 16 bits, uncompressed, RLE, JPEG-LS and JPEG 2000:
`latentdx ingest` (killable workers, de-identification, quality gate and burned-in text search on)
against a plain loop of pydicom and Pillow on one core and against MONAI's `LoadImage` with two
workers (where MONAI is installed). Ways take turns; the median over three rounds is told (one round
for JPEG 2000). Then the peak memory of an ingest of 1,000 and of 20,000 files.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.pixels import apply_voi_lut

from benchmarks.dicom_files import SYNTAXES, write_files
from benchmarks.machine import RESULTS, TRIALS, provenance, write

SIZE = 64
WORKERS = 2

_PEAK = """
import resource, sys
from pathlib import Path
from latentdx.collection.ingest import ingest
from latentdx.collection.plan import IngestSettings
settings = IngestSettings(size=64, workers=2, for_training=False)
report = ingest([Path(sys.argv[1])], Path(sys.argv[2]), settings)
status = Path("/proc/self/status").read_text()  # ru_maxrss would be that of who started us
own = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(report.n_scans, own, workers)
"""


def latentdx_ingest(paths: list[Path], scratch: Path) -> None:
    """All files of their folder into a collection."""
    from latentdx.collection.ingest import ingest
    from latentdx.collection.plan import IngestSettings

    settings = IngestSettings(size=SIZE, workers=WORKERS, for_training=False)
    report = ingest([paths[0].parent], scratch / "collection", settings)
    assert report.n_scans == len(paths), report.quarantine[:3]


def plain_loop(paths: list[Path], scratch: Path) -> None:
    """What a notebook does: read, window, shrink, keep; one core, no protection."""
    found = np.empty((len(paths), SIZE, SIZE), np.float32)
    for index, path in enumerate(paths):
        dataset = dcmread(path)
        shown = apply_voi_lut(dataset.pixel_array, dataset).astype(np.float32)
        shown -= shown.min()
        shown /= max(float(shown.max()), 1.0)
        found[index] = Image.fromarray(shown).resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    np.save(scratch / "plain.npy", found)


def monai_loader(paths: list[Path], scratch: Path) -> None:
    """MONAI's LoadImage in a torch DataLoader of two workers; neither window nor shrinking."""
    from monai.data import DataLoader, Dataset
    from monai.transforms import Compose, EnsureChannelFirst, LoadImage

    load = Compose([LoadImage(image_only=True, reader="PydicomReader"), EnsureChannelFirst()])
    loader = DataLoader(
        Dataset([str(path) for path in paths], load), batch_size=16, num_workers=WORKERS
    )
    n_read = sum(len(batch) for batch in loader)
    assert n_read == len(paths)


def speeds(n_files: int, rounds: int) -> dict[str, Any]:
    """Images a second of each way, for each transfer syntax, and how much faster ours is."""
    ways: dict[str, Callable[[list[Path], Path], None]] = {
        "latentdx": latentdx_ingest,
        "pydicom + Pillow, one core": plain_loop,
    }
    if find_spec("monai"):
        ways["MONAI LoadImage, 2 workers"] = monai_loader
    found: dict[str, Any] = {}
    for syntax in SYNTAXES:
        with tempfile.TemporaryDirectory() as folder:
            paths = write_files(Path(folder) / "scans", n_files, syntax)
            spent: dict[str, list[float]] = {name: [] for name in ways}
            # A round of JPEG 2000 takes minutes, nearly all of them in the decoder: one is enough.
            for _ in range(1 if syntax == "JPEG 2000" else rounds):
                for name, way in ways.items():
                    spent[name].append(_seconds(way, paths, Path(folder) / "scratch"))
            rates = {name: n_files / median(times) for name, times in spent.items()}
        found[syntax] = {
            "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
            "ratio": {
                f"latentdx / {name}": round(rates["latentdx"] / rate, 2)
                for name, rate in rates.items()
                if name != "latentdx"
            },
        }
        print(syntax, found[syntax], flush=True)
    return found


def _seconds(way: Callable[[list[Path], Path], None], paths: list[Path], scratch: Path) -> float:
    scratch.mkdir()
    started = time.perf_counter()
    way(paths, scratch)
    spent = time.perf_counter() - started
    shutil.rmtree(scratch)
    return spent


def peak_memory(counts: Sequence[int]) -> dict[str, Any]:
    """Peak resident memory in MB of the ingesting process, and of its largest worker."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        few = write_files(Path(folder) / "few", 200, "uncompressed")
        for count in counts:
            source = Path(folder) / f"{count}"
            source.mkdir()
            for number in range(count):  # links: the names differ, the content repeats
                os.link(few[number % len(few)], source / f"{number:06}.dcm")
            command = [sys.executable, "-c", _PEAK, str(source), str(Path(folder) / f"c{count}")]
            told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            n_scans, own, worker = (int(part) for part in told.split())
            assert n_scans == count
            found[f"{count} files"] = {
                "parent_mb": round(own / 1024, 1),
                "worker_mb": round(worker / 1024, 1),
            }
            print(count, found[f"{count} files"], flush=True)
    first, last = (found[f"{count} files"]["parent_mb"] for count in (counts[0], counts[-1]))
    return {**found, "parent_ratio": round(last / first, 3)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="next to no work: does it work?")
    parser.add_argument("--only", choices=("speed", "memory"))
    asked = parser.parse_args(arguments)
    folder = TRIALS if asked.quick else RESULTS
    if asked.only in (None, "speed"):
        made: dict[str, Any] = {"quick": asked.quick, **provenance()}
        made["results"] = speeds(40 if asked.quick else 2000, 1 if asked.quick else 3)
        write(folder / "ingest-speed.json", made)
    if asked.only in (None, "memory"):
        made = {"quick": asked.quick, **provenance()}
        made["results"] = peak_memory((50, 100) if asked.quick else (1000, 20_000))
        write(folder / "ingest-memory.json", made)
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
