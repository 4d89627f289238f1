"""Killed at random moments and inside the writing of checkpoints: the same weights at the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def test_a_dozen_kills_change_nothing(tmp_path: Path) -> None:
    out = tmp_path / "resume.json"
    command = [sys.executable, "-m", "benchmarks.resume", "--kills", "12", "--inside", "8"]
    done = subprocess.run(
        [*command, "--out", str(out)],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(out.read_text())
    assert (told["kills"], told["inside_a_checkpoint"], told["unreadable"]) == (12, 8, 0)
    assert told["trainings_equal"] == told["trainings"] >= 1
