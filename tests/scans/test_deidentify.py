"""Pseudonyms: stable within a key, useless without it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from latentdx.core.errors import StopError
from latentdx.scans.deidentify import key_path, pseudonym, user_key

KEY = b"k" * 32


def test_stable_keyed_and_kind_separated() -> None:
    name = pseudonym("4711", KEY, "patient")
    assert name is not None
    assert len(name) == 16
    assert int(name, 16) >= 0
    assert name == pseudonym(" 4711\0", KEY, "patient")
    assert len({name, pseudonym("4711", b"j" * 32, "patient"), pseudonym("4711", KEY, "site"),
                pseudonym("4712", KEY, "patient")}) == 4  # fmt: skip


@pytest.mark.parametrize("blank", [None, "", "  ", "\0"])
def test_blank_is_nobody(blank: str | None) -> None:
    assert pseudonym(blank, KEY, "patient") is None


def test_key_is_made_once_and_kept_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LATENTDX_KEY_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    key = user_key()
    path = tmp_path / "latentdx" / "pseudonym.key"
    assert path.read_bytes() == key == user_key()
    assert len(key) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_key_file_is_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "team.key"
    path.write_bytes(KEY)
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(path))
    assert user_key() == KEY
    assert key_path() == path


def test_a_damaged_key_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "short.key"
    path.write_bytes(b"short")
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(path))
    with pytest.raises(StopError, match="E_KEY"):
        user_key()


def test_unwritable_folder_gives_a_key_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path / "file" / "below.key"))
    key = user_key()
    assert len(key) == 32
    assert user_key() == key
