"""Pictures of discs whose size is a grade or a number: what can be learnt is how large they are."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def disc(path: Path, radius: float, seed: int, *, side: int = 16) -> Path:
    """A noisy picture with a bright disc of `radius` pixels near its middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 60, (side, side)).astype(float)
    at = side / 2 + generator.uniform(-1.5, 1.5, 2)
    rows, columns = np.mgrid[:side, :side]
    values[(rows - at[0]) ** 2 + (columns - at[1]) ** 2 < radius**2] += 120
    Image.fromarray(values.astype(np.uint8)).save(path)
    return path


def graded_folders(root: Path, names: tuple[str, ...], n_each: int) -> Path:
    """``NAME/p003.png``: a patient each; a grade more is a pixel more of radius."""
    for index in range(n_each * len(names)):
        grade = index % len(names)
        disc(root / names[grade] / f"p{index:03}.png", 1 + 1.5 * grade, index)
    return root


def measured_table(root: Path, n_patients: int, *, unit: float = 10.0, first: int = 0) -> Path:
    """``scans/p003_0.png``, two scans a patient, and ``labels.csv`` with `unit` times the radius.

    The columns: path, label, patient_id, sex (which says nothing), age (which says a little) and
    twice (the label in other words). `first`: the first patient's number; another makes others.
    """
    generator = np.random.default_rng(5 + first)
    rows = []
    for patient in range(first, first + n_patients):
        radius = generator.uniform(1.5, 6.5)
        for scan in range(2):
            name = f"p{patient:03}_{scan}.png"
            disc(root / "scans" / name, radius, 2 * patient + scan)
            sex = "FM"[int(generator.integers(2))]
            age = f"{30 + 4 * radius + generator.uniform(0, 30):.0f}"
            value = unit * radius + scan / 10
            told = (f"{value:.2f}", f"p{patient:03}", sex, age, f"{2 * value:.1f}")
            rows.append((name, *told))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient_id", "sex", "age", "twice"), *rows])
    return root / "labels.csv"
