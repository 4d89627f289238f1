"""What sites that train one encoder refuse: spoilt files, other settings, names and options."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from federated_sites import Sites
from safetensors.torch import load_file, save_file

from latentdx.core.hashing import hash_file


def spoil(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """A well-formed update of other weights."""
    held = load_file(path)
    change(held)
    save_file(held, path)
    sign(path)


def sign(path: Path) -> None:
    told = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**told, "sha256": hash_file(path)}))


def not_a_number(held: dict[str, torch.Tensor]) -> None:
    next(iter(held.values())).view(-1)[0] = torch.nan


def of_another_network(held: dict[str, torch.Tensor]) -> None:
    held["mean"] = held["mean"].repeat(1, 2, 1, 1)


def strange(path: Path) -> None:
    path.write_bytes(b"\x80\x04K\x01.")  # a pickle
    sign(path)


def large(path: Path) -> None:
    path.write_bytes(bytes(1 << 20))
    sign(path)


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lambda path: spoil(path, not_a_number), "is not finite"),
        (lambda path: spoil(path, of_another_network), "another shape"),
        (lambda path: spoil(path, lambda held: held.pop("std")), "other names"),
        (strange, "no safetensors"),
        (large, "larger than"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "do not match their SHA-256"),
        (lambda path: path.with_suffix(".json").write_text("{"), "cut short"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "not what this version"),
    ],
)
def test_what_another_site_wrote_wrongly_is_refused(
    harm: Callable[[Path], Any], text: str, collections: dict[str, Path], tmp_path: Path
) -> None:
    sites = Sites(tmp_path / "s", collections)
    assert sites.refused("a").code == "E_WAIT"
    assert sites.refused("b").code == "E_WAIT"
    harm(sites.exchange / "round-1" / "b.safetensors")
    refusal = sites.refused("a")
    assert (refusal.code, text in str(refusal)) == ("E_UPDATE", True), refusal
    assert not (sites.root / "encoder-a" / "encoder.json").exists()


def test_a_site_that_redoes_its_part_is_let_in_again(
    collections: dict[str, Path], trained: tuple[Sites, list[dict[str, Any]]], tmp_path: Path
) -> None:
    sites = Sites(tmp_path / "s", collections)
    sites.refused("a")
    sites.refused("b")
    spoil(sites.exchange / "round-1" / "b.safetensors", not_a_number)
    assert sites.refused("a").code == "E_UPDATE"
    for path in (sites.exchange / "round-1").glob("b.*"):
        path.unlink()
    assert sites.by_turns()[0]["sha256"] == trained[1][0]["sha256"]


def test_files_changed_after_the_fact_are_noticed(
    collections: dict[str, Path], tmp_path: Path
) -> None:
    sites = Sites(tmp_path / "s", collections)
    for site in ("a", "b", "a", "b"):
        sites.refused(site)
    spoil(sites.exchange / "round-1" / "b.safetensors", lambda held: held["mean"].add_(1))
    refusal = sites.refused("a")
    assert (refusal.code, "began from other weights" in str(refusal)) == ("E_UPDATE", True)


def test_sites_that_do_not_train_alike_are_told_what_differs(
    collections: dict[str, Path], tmp_path: Path
) -> None:
    sites = Sites(tmp_path / "s", collections)
    assert sites.refused("a").code == "E_WAIT"
    refusal = sites.refused("b", rounds=4, seed=1)
    assert refusal.code == "E_SITES"
    assert "a does not train as this site does: rounds, seed" in refusal.found
    assert sites.refused("b").code == "E_WAIT", "corrected, it goes on"
    assert sites.refused("a").code == "E_WAIT"
    refusal = sites.refused("a", seed=1)
    assert (refusal.code, "other settings" in refusal.found) == ("E_DESTINATION", True)


def test_names_and_numbers_of_sites_are_kept_to(
    collections: dict[str, Path], tmp_path: Path
) -> None:
    first = Sites(tmp_path / "s", collections)
    assert first.refused("a").code == "E_WAIT"
    other = Sites(tmp_path / "t", {"a": collections["b"]})
    other.exchange.rmdir()
    assert other.refused("a").code == "E_DESTINATION"
    other.exchange.symlink_to(first.exchange)
    refusal = other.refused("a")
    assert (refusal.code, "of the name a has begun" in refusal.found) == ("E_SITES", True)
    for mean in ([], [7.0], [0.1, 0.2]):
        told = json.loads((first.exchange / "round-0" / "a.json").read_text())
        path = first.exchange / "round-0" / "b.json"
        path.write_text(json.dumps({**told, "site": "b", "mean": mean}))
        refusal = first.refused("a")
        assert (refusal.code, "moments" in refusal.found) == ("E_UPDATE", True), mean
    for name in ("b", "c"):
        told = json.loads((first.exchange / "round-0" / "a.json").read_text())
        path = first.exchange / "round-0" / f"{name}.json"
        path.write_text(json.dumps({**told, "site": name}))
    refusal = first.refused("a")
    assert (refusal.code, "a, b, c" in refusal.found) == ("E_SITES", True)
    (tmp_path / "u" / "encoder-a").mkdir(parents=True)
    (tmp_path / "u" / "encoder-a" / "thesis.doc").touch()
    assert Sites(tmp_path / "u", collections).refused("a").code == "E_DESTINATION"


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"minutes": 1.0}, {"schedule": "schedule-free"}, {"low_rank": 2},
     {"epsilon": 2.0, "proximal": 0.1}, {"autoencoder": "vector-quantised", "network": {}},
     {"epsilon": 2.0, "objectives": {"rotation": 1.0}}],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(
    wrong: dict[str, Any], collections: dict[str, Path], tmp_path: Path
) -> None:
    sites = Sites(tmp_path / "s", collections, **wrong)
    assert sites.refused("a").code == "E_OPTION"
    assert list(sites.exchange.iterdir()) == [], "nothing was told"
