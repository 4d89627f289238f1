"""Whom a name means, and which files are theirs."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.collection.person import find_person
from latentdx.collection.rewrite import without_person
from latentdx.collection.table import ScanRow, table_of
from latentdx.core.errors import StopError
from latentdx.scans.deidentify import pseudonym

KEY = b"k" * 32


def row(path: str, patient: str | None, picture: str = "") -> ScanRow:
    name = pseudonym(patient, KEY, "patient")
    pixels = np.zeros((1, 8, 8), np.float32)
    return ScanRow(f"id-{path}", path, pixels, picture or path, patient=name)


TABLE = table_of(
    [
        *(row("ward/a.png", "12"), row("ward/b.png", "123"), row("x12/c.png", "12", "shared")),
        *(row("cine.dcm#frame/0", "7", "shared"), row("alone.png", None)),
    ]
)


@pytest.mark.parametrize(
    "name", ["12", " 12\n", pseudonym("12", KEY, "patient"), "x12/c.png", "id-ward/a.png"]
)
def test_a_patient_is_found_by_every_name(name: str) -> None:
    found = find_person(name, KEY, [TABLE])
    assert found.patient == pseudonym("12", KEY, "patient")
    assert found.paths == {"ward/a.png", "x12/c.png"}
    assert found.content_hashes == {"ward/a.png"}, "a picture of others, too, is not theirs alone"


def test_a_scan_without_patient_and_a_frame_are_found_by_path() -> None:
    assert find_person("alone.png", KEY, [TABLE]).scan_ids == {"id-alone.png"}
    assert find_person("cine.dcm", KEY, [TABLE]).scan_ids == {"id-cine.dcm#frame/0"}


def test_nobody_and_two_are_refused_without_telling_the_name() -> None:
    for name, others in (("4711", ()), ("ward/a.png", ())):
        tables = [TABLE] if name == "4711" else [TABLE, table_of([row("ward/a.png", "9")])]
        with pytest.raises(StopError) as caught:
            find_person(name, KEY, tables, others)
        assert (caught.value.code, name in str(caught.value)) == ("E_FORGET", False)


def test_files_set_aside_are_theirs_by_name_by_folder_or_as_another_frame() -> None:
    found = find_person("12", KEY, [TABLE])
    own = ("ward/a.png#page/3", "x12/broken.dcm", "old/12_b.dcm", "'=12/b.dcm")
    others = ("ward/broken.dcm", "old/123.dcm", "y/b12.dcm")
    aside = [{"path": path, "code": "E_EMPTY"} for path in (*own, *others)]
    info = {"aside": aside, "notes": ["'a.png' is small", "all well"], "key": "ab"}
    kept = without_person(info, found)
    assert [item["path"] for item in kept["aside"]] == list(others)
    assert (kept["notes"], kept["key"]) == (["all well"], "ab")


def test_by_pseudonym_no_file_bears_the_name() -> None:
    name = pseudonym("12", KEY, "patient")
    assert name is not None
    assert not find_person(name, KEY, [TABLE]).owns("old/12_b.dcm")
