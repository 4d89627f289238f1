"""The sealed map: opens with its key alone, shows nothing, loses nothing."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from dicom_files import KEY

from latentdx.core.errors import IntegrityError, StopError
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.identity_map import IdentityMap, open_sealed, seal_identity

ORIGINALS = {"patient": "PLANTPATIENT4711", "study": "1.2.3.4", "series": None}


def test_back_and_forth(tmp_path: Path) -> None:
    known = IdentityMap(KEY, tmp_path / "identities.sealed")
    assert known.who("0" * 16) is None
    assert (
        known.add([seal_identity(ORIGINALS, KEY), seal_identity({"patient": "Ünal^Jö"}, KEY)]) == 2
    )
    for kind, text in (
        ("patient", "PLANTPATIENT4711"),
        ("study", "1.2.3.4"),
        ("patient", "Ünal^Jö"),
    ):
        assert known.who(pseudonym(text, KEY, kind) or "") == text
    assert len(known) == 3


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    known = IdentityMap(KEY, tmp_path / "identities.sealed")
    known.add([seal_identity(ORIGINALS, KEY)])
    size = known.path.stat().st_size
    assert known.add([seal_identity(ORIGINALS, KEY)] * 3) == 0
    assert known.path.stat().st_size == size


def test_nothing_is_seen_without_the_key(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "identities.sealed"
    IdentityMap(KEY, path).add([seal_identity(ORIGINALS, KEY)])
    stored = path.read_bytes()
    for data in (stored, base64.b64decode(stored)):
        assert b"PLANT" not in data
        assert b"patient" not in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(IntegrityError, match="E_IDENTITY_MAP"):
        IdentityMap(b"j" * 32, path).who("0" * 16)


def test_lines_differ_for_equal_identities_and_not_in_length() -> None:
    lines = {seal_identity({"patient": name}, KEY) for name in ("A", "A", "Longer^Name")}
    assert len(lines) == 3
    assert len({len(line) for line in lines}) == 1
    assert seal_identity({"patient": None, "study": ""}, KEY) == ""


def test_every_changed_bit_is_met() -> None:
    sealed = bytearray(base64.b64decode(seal_identity({"patient": "4711"}, KEY)))
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        with pytest.raises(IntegrityError, match="E_IDENTITY_MAP") as caught:
            open_sealed(base64.b64encode(changed).decode(), KEY)
        assert "4711" not in str(caught.value)
    for broken in ("", "!", "AAAA"):
        with pytest.raises(IntegrityError, match="E_IDENTITY_MAP"):
            open_sealed(broken, KEY)


def test_a_torn_line_is_mended(tmp_path: Path) -> None:
    known = IdentityMap(KEY, tmp_path / "identities.sealed")
    known.add([seal_identity({"patient": "1"}, KEY)])
    with known.path.open("ab") as file:
        file.write(seal_identity({"patient": "2"}, KEY).encode()[:40])
    assert known.add([seal_identity({"patient": "3"}, KEY)]) == 1
    found = [known.who(pseudonym(name, KEY, "patient") or "") for name in "123"]
    assert found == ["1", None, "3"]


def test_it_lies_beside_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path / "team.key"))
    assert IdentityMap(KEY).path == tmp_path / "identities.sealed"


def test_an_unwritable_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    known = IdentityMap(KEY, tmp_path / "file" / "identities.sealed")
    with pytest.raises((StopError, IntegrityError)):
        known.add([seal_identity(ORIGINALS, KEY)])
