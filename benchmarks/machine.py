"""Where a benchmark ran, and how its results are kept."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
TRIALS = ROOT / "build" / "benchmarks"
"""For results of --quick, which say nothing and are not kept in the repository."""

_LIBRARIES = ("latentdx", "torch", "numpy", "scikit-learn", "pydicom", "pylance")


def data_folder() -> Path:
    """The folder of the public data sets: $LATENTDX_DATA, else beside the repository."""
    named = os.environ.get("LATENTDX_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def provenance() -> dict[str, Any]:
    """Machine, versions and commit."""
    return {
        "machine": {"processor": _processor(), "cores": len(os.sched_getaffinity(0)), **_gpu()},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        "commit": _commit(),
    }


def write(path: Path, value: dict[str, Any]) -> None:
    """Write results as JSON that reads well in a diff; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def before(path: Path, made: Mapping[str, Any]) -> dict[str, Any]:
    """Results by set of an earlier call on this machine; each says of which commit it is."""
    if not path.exists():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    if any(told.get(name) != made[name] for name in ("quick", "machine")):
        return {}
    return {name: {"commit": told["commit"], **each} for name, each in told["results"].items()}


def commits(told: Mapping[str, Any]) -> str:
    """Of which commits results by set are, in words."""
    found = (each.get("commit", told["commit"]) for each in told["results"].values())
    return ", ".join(dict.fromkeys(found))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpu() -> dict[str, str]:
    import torch

    return {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}


def _commit() -> str:
    """The commit, with ``+changes`` where the package differs from it."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "src", "benchmarks/*.py")
    return f"{commit}+changes" if changed else commit or "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
