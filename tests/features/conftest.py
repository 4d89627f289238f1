"""Labelled scans made for one test each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latentdx.collection.labelled import LabelledScans


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(20240607)


@pytest.fixture
def scans() -> Callable[..., LabelledScans]:
    """Scans (count, 1, size, size) of noise, two a patient, classes in turns."""

    def make(count: int = 6, *, size: int = 12, channels: int = 1) -> LabelledScans:
        rows = np.arange(count)
        pixels = np.random.default_rng(3).random((count, channels, size, size))
        return LabelledScans(
            pixels.astype(np.float32),
            rows % 2,
            np.array([f"P{row // 2}" for row in rows]),
            np.array([f"{row:016x}" for row in rows]),
            np.array(["train", "tune"])[(rows >= count - 2).astype(int)],
            ("no", "yes"),
            "the split",
        )

    return make
