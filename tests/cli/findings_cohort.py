"""Pictures of several findings each, two a patient, and their table."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

FINDINGS = ("bar", "disc", "frame")


def picture(path: Path, names: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 90, (16, 16))
    y, x = np.mgrid[:16, :16]
    values[(x > 9) & (x < 12)] += 110 * ("bar" in names)
    values[(x - 5) ** 2 + (y - 5) ** 2 < 10] += 110 * ("disc" in names)
    values[(y == 0) | (y == 15)] += 110 * ("frame" in names)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def write_cohort(root: Path, n_patients: int = 70, *, first: int = 0) -> Path:
    """Two pictures a patient; 'rare' is in two patients; labels in every order and spacing."""
    rows = []
    for patient in range(first, first + n_patients):
        every = {"bar": 2, "disc": 3, "frame": 5, "rare": 40}
        names = [name for name, step in every.items() if patient % step == 0]
        for number in range(2):
            path = f"p{patient:03}_{number}.png"
            picture(root / "scans" / path, names, 2 * patient + number)
            joined = " ; ".join(names[::-1]) if number else ";".join(names)
            rows.append((path, joined or "No Finding", f"P{patient}"))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient_id"), *rows])
    return root
