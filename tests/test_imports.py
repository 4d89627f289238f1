"""What an import costs: the lower floors start without torch, the package without anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import latentdx

ROOT = Path(latentdx.__file__).parent
WITHOUT_TORCH = ("scans", "metrics", "core")
HEAVY = ("torch", "sklearn", "matplotlib", "lance")


def modules_of(floor: str) -> list[str]:
    files = sorted((ROOT / floor).rglob("*.py"))
    names = [
        ".".join(("latentdx", *path.relative_to(ROOT).with_suffix("").parts)) for path in files
    ]
    return [name.removesuffix(".__init__") for name in names]


def heavy_after(modules: list[str]) -> str:
    """The heavy libraries that a new process holds once it has imported the modules."""
    code = f"import sys, {', '.join(modules)}\nprint(*sorted({set(HEAVY)!r} & set(sys.modules)))"
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_the_check_sees_what_is_imported() -> None:
    assert heavy_after(["sklearn"]) == "sklearn"


def test_the_package_itself_is_light() -> None:
    assert heavy_after(["latentdx"]) == ""


@pytest.mark.parametrize("floor", WITHOUT_TORCH)
def test_every_module_of_the_lower_floors_is_light(floor: str) -> None:
    modules = modules_of(floor)
    assert len(modules) > 1
    assert heavy_after(modules) == ""
