"""The public names of `latentdx`: these and no others, each where it says, none paid for unused."""

from __future__ import annotations

import subprocess
import sys

import pytest

import latentdx

NAMES = [
    "AutoencoderFeatures",
    "Collection",
    "LatentClassifier",
    "Policy",
    "RunSettings",
    "load_bundle",
    "open_scan",
    "open_scans",
    "run_study",
    "split_by_patient",
]


def loaded_after(code: str) -> set[str]:
    """The modules that a new process holds once it has run the code."""
    command = [sys.executable, "-P", "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_the_public_names_are_exactly_these() -> None:
    assert latentdx.__all__ == NAMES
    assert dir(latentdx) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_can_be_imported_and_bears_it(name: str) -> None:
    assert getattr(latentdx, name).__name__ == name


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from latentdx import *", names)  # noqa: S102 - a star is allowed at module level only
    assert set(names) - {"__builtins__"} == set(NAMES)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'run_studdy'"):
        latentdx.run_studdy  # noqa: B018


def test_the_package_alone_imports_no_torch() -> None:
    loaded = loaded_after("import latentdx")
    assert "latentdx" in loaded
    assert "torch" not in loaded
    assert not any(name.startswith("latentdx.") for name in loaded)


def test_a_name_that_needs_no_torch_imports_none() -> None:
    assert "torch" not in loaded_after("from latentdx import open_scan, Collection")
