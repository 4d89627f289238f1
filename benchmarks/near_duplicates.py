"""``python -m benchmarks.near_duplicates``: are changed copies found, and nothing else?

Copies (ten of each change, ten of each two changes, of drawn scans, under names of their own) are
planted in at most 3,000 scans of a set. The set as it is tells what is named without being
planted. Constants were fixed on NIH and phantoms; the other sets decided nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.machine import RESULTS, data_folder, provenance, write
from benchmarks.near_changes import CHANGES, KINDS, Picture, changed
from latentdx.collection.near_duplicates import NearPairs, compare
from latentdx.collection.near_pictures import comparable
from latentdx.collection.phantoms import PhantomSettings, draw_phantom
from latentdx.scans.geometry import fit_square

MOST, COPIES = 3000, 10
FIXED_ON = ("nih", "phantoms")
FOLDERS = {
    "nih": "cxr_nih_pneumonia_224",
    "kermany": "cxr_pneumonia_kermany_small",
    "brain-mr": "brain_mri_tumor_yesno",
    "mednist": "mednist_64_subset",
}
SETS = (*FOLDERS, "phantoms", "pneumoniamnist")
_SUFFIXES = {".png", ".jpg", ".jpeg"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; results of sets that were not asked for are kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.near_duplicates")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    asked = parser.parse_args(arguments)
    path = RESULTS / "near-duplicates.json"
    for name in asked.sets:
        found = measured(name)
        print(name, {key: value for key, value in found.items() if key != "unplanted"}, flush=True)
        told = json.loads(path.read_text()) if path.exists() else {}
        results = {**told.get("results", {}), name: found}
        facts = {"fixed_on": FIXED_ON, "copies": COPIES, "most": MOST}
        write(path, {**told, **provenance(), **facts, "results": results})
    return 0


def measured(name: str) -> dict[str, Any]:
    """Recall by change, and what is named in the set as it is."""
    pictures, owners, names = scans(name)
    size = 28 if name == "pneumoniamnist" else 64
    draw = np.random.default_rng(7)
    kinds = [kind for kind in KINDS for _ in range(COPIES)]
    rows = draw.integers(len(pictures), size=len(kinds))
    copies = [changed(pictures[row], kind, draw) for row, kind in zip(rows, kinds, strict=True)]
    as_is = _compared(pictures, owners, size)
    strangers = np.arange(len(copies)) + len(pictures)
    started = time.process_time()
    planted = _compared([*pictures, *copies], np.concatenate([owners, strangers]), size)
    pairs = {(one, other) for one, other in planted.rows.tolist()}
    hits = np.array(
        [(int(row), len(pictures) + k) in pairs for k, row in enumerate(rows)], np.float64
    )
    own = [(one, other) for one, other in pairs if other < len(pictures)]
    order = np.argsort(-as_is.agreement)
    return {
        "scans": len(pictures),
        "size": size,
        "copies": len(copies),
        "recall": round(float(hits.mean()), 4),
        "recall_of_one_change": round(float(hits[[len(kind) == 1 for kind in kinds]].mean()), 4),
        "recall_with": {
            change: round(float(hits[[change in kind for kind in kinds]].mean()), 3)
            for change in CHANGES
        },
        "pairs_as_it_is": len(as_is.rows),
        "scans_named_as_it_is": len(np.unique(as_is.rows)),
        "pairs_not_planted_beside_copies": len(own),
        "processor_seconds": round(time.process_time() - started, 1),
        "unplanted": [
            [names[one], names[other], round(float(agree), 4)]
            for (one, other), agree in zip(
                as_is.rows[order].tolist(), as_is.agreement[order], strict=True
            )
        ][:200],
    }


def scans(name: str) -> tuple[list[Picture], NDArray[np.int64], list[str]]:
    """Pictures as they lie in their files, an owner each, names; no two have the same pixels."""
    if name == "phantoms":
        settings = PhantomSettings(patients=1000, size=128)
        pictures = [draw_phantom(number, settings=settings).pixels for number in range(1000)]
        names = [str(number) for number in range(1000)]
    elif name == "pneumoniamnist":
        stored = np.load(data_folder() / "medmnist" / "pneumoniamnist.npz")
        parts = [stored[f"{part}_images"] for part in ("train", "val", "test")]
        pictures = list(np.concatenate(parts).astype(np.float32) / np.float32(255))
        names = [str(number) for number in range(len(pictures))]
    else:
        root = data_folder() / FOLDERS[name]
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)
        paths = [paths[row] for row in _drawn(len(paths))]
        pictures = [np.asarray(Image.open(p).convert("L"), np.float32) / 255 for p in paths]
        names = [str(path.relative_to(root)) for path in paths]
    contents = [hash((picture.shape, picture.tobytes())) for picture in pictures]
    _, first = np.unique(contents, return_index=True)
    kept = np.sort(first)[_drawn(len(first))]
    owners = [Path(names[row]).name.split("_")[0] if name == "nih" else names[row] for row in kept]
    _, numbers = np.unique(owners, return_inverse=True)
    return [pictures[row] for row in kept], numbers.ravel(), [names[row] for row in kept]


def _drawn(count: int) -> NDArray[np.int64]:
    if count <= MOST:
        return np.arange(count)
    return np.sort(np.random.default_rng(7).choice(count, MOST, replace=False))


def _compared(pictures: Sequence[Picture], owners: NDArray[np.int64], size: int) -> NearPairs:
    squares = np.stack([fit_square(picture[None], size) for picture in pictures])
    native = np.array([picture.shape for picture in pictures])
    blocks = (
        comparable(squares[start : start + 512], native[start : start + 512])
        for start in range(0, len(squares), 512)
    )
    return compare(np.empty((len(squares), 1, size, size), np.uint8), blocks, owners)


if __name__ == "__main__":
    raise SystemExit(main())
