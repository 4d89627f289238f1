"""Two real processes train one network together (gloo), sharded or not, and go on after a stop."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).parent / "engine_child.py"

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def trained(
    folder: Path, name: str, *, processes: int, sharding: str = "none", stop_after: int = 0
) -> list[dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
        launch += [f"--master-port={free_port()}"]
    command = [*launch, str(CHILD), name, sharding, str(folder), str(stop_after)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(processes)]


def test_processes_share_the_work_of_one(tmp_path: Path) -> None:
    (alone,) = trained(tmp_path / "alone", "convolutional", processes=1)
    first, second = trained(tmp_path / "two", "convolutional", processes=2)
    shards = trained(tmp_path / "shards", "convolutional", processes=2, sharding="full")
    assert first == second
    assert shards[0] == shards[1]
    assert first["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert first["tune"] == pytest.approx(alone["tune"], rel=1e-4)
    assert shards[0]["losses"] == pytest.approx(first["losses"], rel=1e-4)


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_stopped_processes_go_on_to_the_same_weights(sharding: str, tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", "invariant", processes=2, sharding=sharding)
    stopped = trained(tmp_path / "cut", "invariant", processes=2, sharding=sharding, stop_after=1)
    assert len(stopped[0]["losses"]) == 1
    resumed = trained(tmp_path / "cut", "invariant", processes=2, sharding=sharding)
    assert resumed == whole
    assert whole[0] == whole[1]
