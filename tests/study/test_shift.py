"""A test part that differs from the scans held out beside it is named; one that does not is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_study_folds import settings_of

from latentdx.study.run import run_study

COUNTS = {"train": 80, "val": 80, "test": 50}


def write_npz(path: Path, brighter: float) -> Path:
    """Bright discs or none on noise; the test part brighter by so much of 255."""
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for name, count in COUNTS.items():
        labels = rng.integers(0, 2, count)
        images = rng.normal(90, 20, (count, 16, 16))
        images[:, 5:11, 5:11] += 60 * labels[:, None, None]
        images += brighter * 255 * (name == "test")
        arrays[f"{name}_images"] = np.clip(images, 0, 255).astype(np.uint8)
        arrays[f"{name}_labels"] = labels[:, None].astype(np.uint8)
    np.savez(path, **arrays)
    return path


def drift_of_run(folder: Path, brighter: float) -> tuple[dict[str, Any], list[str], str]:
    source = write_npz(folder / "scans.npz", brighter)
    done = run_study(settings_of(source, one_scan_per_patient=True), folder / "run")
    warnings = [text for text in done.metrics["warnings"] if text.startswith("shift:")]
    return done.metrics["drift"], warnings, (folder / "run" / "report.html").read_text()


@pytest.mark.slow
def test_a_brighter_test_part_is_named(tmp_path: Path) -> None:
    drift, warnings, page = drift_of_run(tmp_path, 0.1)
    sizes = {test["of"]: test["size"] for test in drift["tests"]}
    assert sizes["pixels"] == "strong"
    assert drift["n_patients"] == COUNTS["test"]
    assert len(warnings) == 1
    assert "pixels" in warnings[0]
    assert warnings[0] in page
    assert "expected" not in drift


@pytest.mark.slow
def test_one_of_the_same_kind_is_not(tmp_path: Path) -> None:
    drift, warnings, page = drift_of_run(tmp_path, 0.0)
    assert drift["largest"] == "none shown"
    assert warnings == []
    assert "No difference from the scans" in page
