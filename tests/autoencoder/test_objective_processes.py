"""Two real processes train with all objectives at once (gloo), sharded or not, and after a stop."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).parent / "objectives_child.py"

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def trained(folder: Path, sharding: str, *, stop_after: int = 0) -> list[dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launch += [f"--master-port={free_port()}"]
    done = subprocess.run(
        [*launch, str(CHILD), sharding, str(folder), str(stop_after)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


def test_processes_agree_whether_sharded_or_not(tmp_path: Path) -> None:
    copies = trained(tmp_path / "copies", "none")
    shards = trained(tmp_path / "shards", "full")
    assert copies[0] == copies[1]
    assert shards[0] == shards[1]
    for first, second in zip(copies[0]["terms"], shards[0]["terms"], strict=True):
        assert second == pytest.approx(first, rel=1e-2)


@pytest.mark.parametrize("sharding", ["none", "full"])
def test_stopped_processes_go_on_to_the_same_weights(sharding: str, tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", sharding)
    stopped = trained(tmp_path / "cut", sharding, stop_after=1)
    assert len(stopped[0]["terms"]) == 1
    assert trained(tmp_path / "cut", sharding) == whole
