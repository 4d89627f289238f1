"""The proof: what it says, and what it does not."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from latentdx.collection.phi import Finding
from latentdx.collection.proof import PROOF_NAME, key_fingerprint, write_proof
from latentdx.core.errors import StopError

KEY = b"a key for tests only".ljust(32)
PRESENT = Counter({0x00100010: 12, 0x00080020: 12, 0x00280010: 12, 0x00104000: 3, 0x00111001: 1})


def test_it_says_what_was_done(tmp_path: Path) -> None:
    found = [
        Finding("name", "error", "a.json", "bytes", 3, 1),
        Finding("date", "info", "b", "x", 0),
    ]
    proof = write_proof(
        tmp_path, present=PRESENT, n_scans=12, key=KEY, findings=found, more={"burned_in": "mask"}
    )
    assert json.loads((tmp_path / PROOF_NAME).read_text()) == proof
    assert proof["profile"].startswith("DICOM PS3.15 2024b")
    assert proof["options"] == {
        "active": ["modified_dates", "patient"], "dates": "shift", "strict": True,
    }  # fmt: skip
    told = {item["tag"]: (item["action"], item["files"]) for item in proof["attributes"]}
    assert told == {
        "00080020": ("cleaned or shifted", 12), "00100010": ("emptied or pseudonym", 12),
        "00104000": ("removed", 3), "00111001": ("removed", 1),
        "00280010": ("kept by value, else removed", 12),
    }  # fmt: skip
    assert proof["search"] == {"clean": False, "error: name": 1, "info: date": 1}
    assert proof["burned_in"] == "mask"
    assert proof["n_scans"] == 12


def test_the_key_is_told_apart_and_not_told(tmp_path: Path) -> None:
    write_proof(tmp_path / "p.json", present=PRESENT, n_scans=1, key=KEY)
    text = (tmp_path / "p.json").read_text()
    assert key_fingerprint(KEY) in text
    assert key_fingerprint(KEY) != key_fingerprint(b"j" * 32)
    assert KEY.hex() not in text
    assert KEY.decode().strip() not in text
    assert json.loads(text)["search"] is None


def test_a_search_without_names_found_is_clean(tmp_path: Path) -> None:
    proof = write_proof(tmp_path, present=Counter(), n_scans=0, key=KEY, findings=[])
    assert proof["search"] == {"clean": True}


def test_an_unwritable_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="E_IO"):
        write_proof(tmp_path / "no" / "p.json", present=PRESENT, n_scans=1, key=KEY)
