"""Blobs of features, and scans with and without a bright disc: small tasks that can be learnt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.labelled import LabelledScans

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def blobs(
    count: int, *, n_classes: int = 2, width: int = 6, apart: float = 2.0, seed: int = 0
) -> tuple[Floats, Ints]:
    """Features (count, width) and labels: Gaussian classes, `apart` deviations from the middle."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % n_classes
    centres = apart * np.eye(n_classes, width)
    features = generator.normal(size=(count, width)) + centres[labels]
    return features.astype(np.float32), labels


def disc_scans(count: int, *, size: int = 16, seed: int = 0, part: str = "train") -> LabelledScans:
    """Smooth scans, two a patient; those of class 1 hold a bright disc somewhere.

    Smooth, so that resampling (of augmented copies) changes them no more than moving does.
    """
    generator = np.random.default_rng(seed)
    rows = np.arange(count)
    labels = rows // 2 % 2
    y, x = np.mgrid[:size, :size]
    angle, phase = generator.uniform(0, 6, (2, count, 1, 1))
    ground = 0.3 + 0.15 * np.sin(0.3 * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    place = generator.uniform(4, size - 5, (2, count, 1, 1))
    disc = np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / 8)
    noise = generator.uniform(0, 0.05, (count, size, size))
    pixels = ground + 0.4 * disc * labels[:, None, None] + noise
    return LabelledScans(
        pixels[:, None].astype(np.float32),
        labels,
        np.array([f"P{seed}-{row // 2}" for row in rows]),
        np.array([f"{part} {seed} {row}" for row in rows]),
        np.full(count, part),
        ("clear", "disc"),
        "the split",
    )
