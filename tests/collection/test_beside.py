"""A table beside the scans to be diagnosed: which file a row speaks of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latentdx.collection.beside import read_beside
from latentdx.core.errors import StopError
from latentdx.scans.scan import Scan

KEY = b"k" * 32
SCAN = Scan(np.zeros((1, 2, 2), np.float32), (2, 2), site="x", covariates={"age": "1", "sex": "M"})


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for name in ("a/1.png", "a/2.png", "series/x.dcm", "series/y.dcm"):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a scan")
    return tmp_path / "scans"


def a_table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("path,Age,site,label", *rows)) + "\n")
    return path


def test_the_table_wins_over_the_file_and_leaves_the_rest(scans: Path, tmp_path: Path) -> None:
    found = read_beside(a_table(tmp_path / "t.csv", "a/1.png,45,,ill"), [scans])
    told = found.told([str(scans / "a" / "1.png")], SCAN, KEY)
    assert told.covariates == {"age": "45", "sex": "M"}
    assert told.site == "x"
    assert found.told([str(scans / "a" / "2.png")], SCAN, KEY) is SCAN


@pytest.mark.parametrize("written", ["1.png", "scans/a/1.png", "{}/a/1.png"])
def test_paths_may_be_written_from_several_places(
    scans: Path, tmp_path: Path, written: str
) -> None:
    row = f"{written.format(scans)},45,north,"
    found = read_beside(a_table(tmp_path / "t.csv", row), [scans / "a" / "1.png"])
    told = found.told([str(scans / "a" / ".." / "a" / "1.png")], SCAN, KEY)
    assert (told.covariates["age"], told.site) == ("45", "north")


@pytest.mark.parametrize("written", ["series", "series/y.dcm"])
def test_a_row_may_name_a_series_by_its_folder_or_a_file(
    scans: Path, tmp_path: Path, written: str
) -> None:
    found = read_beside(a_table(tmp_path / "t.csv", f"{written},45,,"), [scans])
    files = [str(scans / "series" / name) for name in ("x.dcm", "y.dcm")]
    assert found.told(files, SCAN, KEY).covariates["age"] == "45"


def test_rows_that_name_nothing_are_counted(scans: Path, tmp_path: Path) -> None:
    rows = ("a/1.png,45,,", "b/9.png,46,,", "1.png,47,,")
    assert read_beside(a_table(tmp_path / "t.csv", *rows), [scans]).n_astray == 2
    with pytest.raises(StopError, match="no row names a file") as caught:
        read_beside(a_table(tmp_path / "t.csv", "b/9.png,46,,"), [scans])
    assert caught.value.code == "E_CSV"
