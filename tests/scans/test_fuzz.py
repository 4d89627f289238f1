"""Twenty thousand damaged files: each a scan or a documented refusal, and nobody else is harmed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from fuzz_mutations import mutant
from fuzz_run import Findings, fuzz, fuzz_archives
from fuzz_seeds import archives, images, volumes

from latentdx.scans.policy import Policy

ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
MOST_BYTES = 1 << 30


def check(found: Findings, *, least: int) -> None:
    documented = set(re.findall(r"^\| `([EN]_\w+)`", ERRORS.read_text(), re.MULTILINE))
    codes = {code for _, code in found.outcomes}
    assert codes - documented <= {"ok"}
    assert found.broken == []
    assert found.outcomes.total() >= least
    assert 0 < sum(n for (_, code), n in found.outcomes.items() if code == "ok") < least
    assert found.peak_bytes <= MOST_BYTES
    unreadable = found.of("E_CRASH", "E_TIMEOUT", "E_MEMORY")
    assert sum(unreadable.values()) <= least // 1000, unreadable


def test_mutants_are_reproducible_and_differ() -> None:
    seeds = images()
    made = [mutant(seeds["png"], list(seeds.values()), np.random.default_rng(n)) for n in range(99)]
    again = [
        mutant(seeds["png"], list(seeds.values()), np.random.default_rng(n)) for n in range(99)
    ]
    assert made == again
    assert len(set(made)) > 90


@pytest.mark.slow
def test_images(tmp_path: Path) -> None:
    check(fuzz(images(), 15_000, tmp_path, Policy(frames="each")), least=15_000)


@pytest.mark.slow
def test_volumes(tmp_path: Path) -> None:
    check(fuzz(volumes(), 4000, tmp_path, Policy(dims=3), seed=1), least=4000)


@pytest.mark.slow
def test_archives(tmp_path: Path) -> None:
    check(fuzz_archives(archives(), 1000, tmp_path, seed=2), least=1000)
