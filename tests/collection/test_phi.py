"""The search for identifiers in outputs: finds what is there, tells where, never what."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pydicom
import pytest

from latentdx.collection.ingest import ingest
from latentdx.collection.phi import Finding, search_phi
from latentdx.collection.phi_patterns import looks_like, plain, spellings
from latentdx.core.errors import StopError

NAMES = ["Planted^Jane", "PLANT-4711", "Müller^Jörg"]


def _kinds(found: list[Finding]) -> set[tuple[str, int | None]]:
    return {(item.kind, item.name) for item in found}


def _names(found: list[Finding]) -> set[int | None]:
    return {item.name for item in found if item.kind == "name"}


# Where names hide


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-16"])
@pytest.mark.parametrize("name", ["model.bin", "notes.txt"])
def test_bytes_in_every_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    text = "before planted^JANE, plant-4711 and MÜLLER^jörg".replace("MÜLLER", "Müller")
    (tmp_path / name).write_bytes(b"\0\xff" * 50 + text.encode(encoding))
    assert _names(search_phi(tmp_path, NAMES)) == {1, 2, 3}


def test_offsets_are_told_across_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentdx.collection.phi._CHUNK", 64)
    (tmp_path / "big.bin").write_bytes(bytes(60) + b"PLANT-4711" + bytes(500) + b"plant-4711")
    found = search_phi(tmp_path, NAMES)
    assert [(item.offset, item.name, item.where) for item in found] == [
        (60, 2, "bytes"), (570, 2, "bytes"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "spelling", ["Planted Jane", "PLANTED_JANE", "planted, jane", "Jane Planted", "Planted,Jane"]
)
def test_spellings(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "a.csv").write_text(f"path,name\n1.png,{spelling}\n")
    assert _names(search_phi(tmp_path, NAMES)) == {1}
    assert spellings("^") == spellings(" ") == []


def test_escapes_of_json_and_html(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"x": "Müller^Jörg"}))
    (tmp_path / "b.html").write_text("<p>M&uuml;ller^J&#246;rg</p>")
    found = search_phi(tmp_path, NAMES)
    assert {(item.path, item.name) for item in found if item.kind == "name"} == {
        ("a.json", 3), ("b.html", 3),
    }  # fmt: skip


def test_embedded_pictures_are_skipped() -> None:
    assert plain("a data:image/png;base64,UGxhbnQ= b") == "a  b"


def test_names_of_files_are_found_and_blacked_out(tmp_path: Path) -> None:
    (tmp_path / "Planted^Jane").mkdir()
    (tmp_path / "Planted^Jane" / "PLANT-4711.npy").write_bytes(b"x")
    found = search_phi(tmp_path, NAMES)
    assert _names(found) == {1, 2}
    assert {item.path for item in found} == {"[name 1]", "[name 1]/[name 2].npy"}


def test_arrays_in_archives(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", names=np.array(["x" * 99, "Planted^Jane"]))
    found = search_phi(tmp_path, NAMES)
    assert _names(found) == {1}
    assert found[0].where == "member 1"


def test_header_of_safetensors(tmp_path: Path) -> None:
    header = json.dumps({"__metadata__": {"by": "Müller^Jörg, doe@clinic.org"}}).encode()
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    assert _kinds(search_phi(tmp_path, NAMES)) >= {("name", 3), ("e-mail", None)}


def test_all_columns_of_all_versions_of_a_dataset(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "scans.lance"
    rows = pa.table({"path": [f"{index}.png" for index in range(500)], "n": range(500)})
    lance.write_dataset(rows, path)
    named = pa.table({"path": [f"x{index} Planted Jane" for index in range(500)], "n": range(500)})
    lance.write_dataset(named, path, mode="append")
    lance.dataset(path).delete("path LIKE '%Planted%'")
    found = [item for item in search_phi(tmp_path, NAMES) if item.where.startswith("version")]
    assert _names(found) == {1}
    assert {item.where for item in found} == {"version 2 column path"}
    assert min(item.offset for item in found) == 500


def test_what_cannot_be_searched_is_told(tmp_path: Path) -> None:
    (tmp_path / "d" / "_versions").mkdir(parents=True)
    (tmp_path / "d" / "_versions" / "1.manifest").write_bytes(b"nothing")
    assert _kinds(search_phi(tmp_path, NAMES)) == {("unread", None)}
    with pytest.raises(StopError, match="E_IO"):
        search_phi(tmp_path / "nowhere", NAMES)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "secret.txt").write_text("Planted^Jane")
    (tmp_path / "out" / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert search_phi(tmp_path / "out", NAMES) == []


# What identifiers look like


@pytest.mark.parametrize(
    ("text", "kinds"),
    [("by DOE^JANE", ["person-name"]), ("x^2 + y^2", []), ("1.2.840.113619.2.55.3.4", ["uid"]),
     ("2.25.1234.5678.1.2.3", []), ("1.2.840.10008.5.1.4.1.1.7", []), ("version 1.2.3.4", []),
     ("seen 20200131", ["date"]), ("a20200131", []), ("20201399", []), ("1 20200131.5", []),
     ("doe@clinic.org", ["e-mail"]), ("+49 30 1234567", ["phone"]), ("+1.5 2", []),
     ("deadbeef20200131deadbeef", [])],
)  # fmt: skip
def test_looks(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _, _ in looks_like(text)] == kinds


def test_findings_never_hold_what_was_found(tmp_path: Path) -> None:
    text = "Planted^Jane DOE^JOHN 1.2.840.113619.2.55.3.4 20200131 doe@clinic.org +49 30 1234567"
    (tmp_path / "Planted^Jane.txt").write_text(text)
    found = search_phi(tmp_path, NAMES)
    assert {item.severity for item in found} == {"error", "warning", "info"}
    assert len({item.kind for item in found}) == 6
    for word in text.split():
        assert word.lower() not in repr(found).lower()


# A collection made from files full of identifiers


@pytest.fixture(scope="module")
def planted_dicom() -> ModuleType:
    """The helper of the tests of the floor below."""
    path = Path(__file__).resolve().parents[1] / "scans" / "planted_dicom.py"
    spec = importlib.util.spec_from_file_location("planted_dicom", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_nothing_planted_survives_ingest(
    tmp_path: Path,
    settings: Callable[..., Any],
    planted_dicom: ModuleType,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens: set[str] = set()
    for label, index in (("no", 0), ("no", 1), ("yes", 2), ("yes", 3)):
        planter = planted_dicom.Planter()
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            ds = planted_dicom.planted(planter)
            ds.Rows = 999 if index == 3 else ds.Rows  # one is refused: its error is stored
            data = planted_dicom.file_bytes(ds, planter)
        path = tmp_path / "scans" / label / f"{index}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.replace(b"PLANTPATIENT4711", f"PLANTPATIENT471{index}".encode()))
        tokens |= set(planter.places) | {f"PLANTPATIENT471{index}"}
    report = ingest([tmp_path / "scans"], tmp_path / "out", settings(for_training=False))
    assert report.n_scans == 3
    assert len(report.quarantine) == 1
    assert len(tokens) >= 2000
    found = search_phi(tmp_path / "out", sorted(tokens))
    assert [item for item in found if item.severity == "error"] == []
    told = "".join([caplog.text, *capfd.readouterr(), repr(report)])
    assert planted_dicom.found_in(tokens, told.encode()) == []
    assert search_phi(tmp_path / "scans", sorted(tokens)[:200])  # the search can find them
