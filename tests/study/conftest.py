"""Sites that have trained together once for all tests, and two runs to set side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from diff_folders import told, write_run
from federated_sites import Sites, write_collection


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of two sites."""
    root = tmp_path_factory.mktemp("sites")
    return {
        "a": write_collection(root / "a", "a", 24, 1.0),
        "b": write_collection(root / "b", "b", 16, 0.6),
    }


@pytest.fixture(scope="session")
def trained(
    collections: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Sites, list[dict[str, Any]]]:
    """Both, and what each was told at the end."""
    sites = Sites(tmp_path_factory.mktemp("trained"), collections)
    return sites, sites.by_turns()


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs on the same test part."""
    return (
        write_run(tmp_path / "one", *told(skill=1.0), warnings=["common", "only here"]),
        write_run(
            tmp_path / "other", *told(skill=3.0, seed=1), warnings=["common", "and here"],
            classifier="logistic",
        ),
    )  # fmt: skip
