"""Bombs: refused (or disarmed) in two seconds and 256 MB, whatever they would unpack to.

Seconds are of the worker's processor time, which other work on the machine does not lengthen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bad_input_row import Odd, Row
from bomb_files import archive_bombs, dicom_bombs, harmless, picture_bombs, volume_bombs
from dicom_files import KEY
from fuzz_run import children, peak_of
from raster_files import picture

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.sandbox import decode_files
from latentdx.scans.scan import Scan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc"),
]

SECONDS, BYTES = 2.0, 256 << 20
SCANS = (*dicom_bombs(), *picture_bombs(), *volume_bombs())
GOOD = picture(np.arange(256, dtype=np.uint8).reshape(16, 16))
PROBE = """
import json, sys, time
from fuzz_run import peak_of
from latentdx.core.errors import InputError
from latentdx.scans.arrays import open_npz_arrays
open_npz_arrays(sys.argv[1])
before, since, code = peak_of("self"), time.process_time(), "read"
try:
    open_npz_arrays(sys.argv[2])
except InputError as error:
    code = error.code
print(json.dumps([code, time.process_time() - since, peak_of("self") - before]))
"""


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> int:
    """What a worker holds that has read a small picture."""
    path = tmp_path_factory.mktemp("good") / "good.png"
    path.write_bytes(GOOD)
    results = decode_files([path], request=Request(key=KEY), workers=1)
    next(results)
    (worker,) = children()
    return peak_of(worker)


def explode(path: Path, policy: Policy) -> tuple[Scan | InputError, float, int]:
    """What comes of a file in a fresh worker, after how long, and the worker's peak."""
    good = path.with_name("good")
    good.write_bytes(GOOD)
    request, limits = Request(key=KEY, policy=policy), Limits(seconds=60.0)
    results = decode_files([good, path], request=request, workers=1, limits=limits)
    next(results)
    (worker,) = children()
    before = processor_seconds(worker)
    _, outcome = next(results)
    return outcome, processor_seconds(worker) - before, peak_of(worker)


def processor_seconds(pid: int) -> float:
    """Of a process and the kernel for it (proc(5): utime and stime, fields 14 and 15)."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def test_there_are_many() -> None:
    assert len(SCANS) + len(archive_bombs()) >= 40


@pytest.mark.parametrize("row", SCANS, ids=lambda row: row.name)
def test_bomb(row: Row, tmp_path: Path, baseline: int) -> None:
    outcome, seconds, peak = explode(row.write(tmp_path), row.policies())
    assert isinstance(outcome, InputError)
    assert outcome.code == row.code, outcome
    assert seconds <= SECONDS
    assert peak - baseline <= BYTES


@pytest.mark.parametrize("odd", harmless(), ids=lambda odd: odd.name)
def test_disarmed(odd: Odd, tmp_path: Path, baseline: int) -> None:
    path = tmp_path / odd.name
    path.write_bytes(odd.make())
    outcome, seconds, peak = explode(path, Policy(**odd.policy))
    assert isinstance(outcome, Scan)
    assert any(odd.told in text for text in (*outcome.conversions, ""))
    assert seconds <= SECONDS
    assert peak - baseline <= BYTES


@pytest.mark.parametrize("row", archive_bombs(), ids=lambda row: row.name)
def test_archive_bomb(row: Row, tmp_path: Path) -> None:
    np.savez(tmp_path / "good", a=np.arange(9))
    command = [sys.executable, "-c", PROBE, str(tmp_path / "good.npz"), str(row.write(tmp_path))]
    folder = Path(__file__).parent
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    code, seconds, grown = json.loads(done.stdout)
    assert code == row.code
    assert seconds <= SECONDS
    assert grown <= BYTES
