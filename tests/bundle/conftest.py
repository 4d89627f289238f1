"""A bundle on disk, and a key of the tests' own."""

from __future__ import annotations

from pathlib import Path

import pytest
from bundle_models import RECIPES, model_of, saved


@pytest.fixture(autouse=True)
def key_of_the_tests(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path_factory.getbasetemp() / "pseudonym.key"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that may be damaged."""
    saved(model_of(RECIPES[0]), tmp_path / "bundle")
    return tmp_path / "bundle"
