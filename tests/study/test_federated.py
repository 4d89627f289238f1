"""Sites train one encoder: equal at all, by files that hold no scan and no name, and it goes on."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from latentdx.collection.split import HELD_OUT_PARTS
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import LatentdxError, StopError
from latentdx.core.hashing import hash_bytes, hash_file
from latentdx.report.ancestry import ancestry_sentences
from latentdx.study.ancestor import load_ancestor
from latentdx.study.ancestor_check import finding
from latentdx.study.encoder import load_encoder
from latentdx.study.federated import federate_collection
from latentdx.study.federated_settings import FederatedSettings
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings

ROUNDS = 3
SMALL = {"autoencoder": "convolutional", "network": {"widths": [4, 8]}, "epochs": 2,
         "precision": "fp32", "batch_size": 8}  # fmt: skip


def write_collection(path: Path, name: str, n_patients: int, bright: float) -> Path:
    """Two scans a patient; every other one holds a square."""
    generator = np.random.default_rng(n_patients)
    rows = []
    for number in range(2 * n_patients):
        pixels = generator.random((1, 12, 12), np.float32) * bright / 2
        pixels[0, 3:8, 3:8] += bright / 2 * (number // 2 % 2)
        label = ("clear", "square")[number // 2 % 2]
        content = hash_bytes(name.encode(), bytes([number]))
        row = ScanRow(f"scanid-{name}-{number}", f"file-{number}.png", pixels, content, label=label)
        rows.append(replace(row, patient=f"pseudonym-{name}-{number // 2}", site=f"ward-{name}"))
    collection = Collection.create(path, size=12, channels=1)
    collection.append(rows)
    collection.mark_complete({})
    return path


class Sites:
    """Two sites in one process, by turns: each call goes as far as the other's files let it."""

    def __init__(self, root: Path, collections: dict[str, Path], **more: Any) -> None:
        self.root, self.collections, self.more = root, collections, more
        self.exchange = root / "exchange"
        self.exchange.mkdir(parents=True)

    def go(self, site: str, reporter: Any = None, **more: Any) -> dict[str, Any]:
        how: dict[str, Any] = {"rounds": ROUNDS, "sites": 2, "wait": 0.0, "proximal": 0.0}
        given = {**SMALL, **self.more, **more}
        how = {name: given.pop(name, value) for name, value in how.items()}
        path = self.collections[site]
        return federate_collection(
            path,
            self.root / f"encoder-{site}",
            RunSettings(source=str(path), **given),
            FederatedSettings(self.exchange, given.pop("name", site), **how),
            reporter or Silent(),
        )

    def refused(self, site: str, **more: Any) -> LatentdxError:
        with pytest.raises(LatentdxError) as caught:
            self.go(site, **more)
        return caught.value

    def by_turns(self) -> list[dict[str, Any]]:
        """Until both have finished; every call before the last ends by waiting in vain."""
        found: dict[str, dict[str, Any]] = {}
        for _ in range(2 * ROUNDS + 2):
            for site in self.collections.keys() - found.keys():
                try:
                    found[site] = self.go(site)
                except StopError as error:
                    if error.code != "E_WAIT":
                        raise
        return [found[site] for site in self.collections]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sites")
    return {
        "a": write_collection(root / "a", "a", 24, 1.0),
        "b": write_collection(root / "b", "b", 16, 0.6),
    }


@pytest.fixture(scope="module")
def trained(
    collections: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Sites, list[dict[str, Any]]]:
    sites = Sites(tmp_path_factory.mktemp("trained"), collections)
    return sites, sites.by_turns()


def test_both_have_the_same_encoder_each_with_its_own_record(
    trained: tuple[Sites, list[dict[str, Any]]],
) -> None:
    sites, results = trained
    first, second = results
    assert first["sha256"] == second["sha256"]
    assert first["sites"] == second["sites"]
    assert min(first["sites"].values()) >= 8
    for result, path in zip(results, sites.collections.values(), strict=True):
        encoder = load_encoder(Path(result["encoder"]))
        assert encoder.federated["site"] == result["site"]
        assert not encoder.seen_all
        prepared = open_prepared(path, RunSettings(source=""))
        encoder.require_unseen(prepared.table, prepared.split)
        learned = prepared.split.rows("train", "pretrain")
        assert result["sites"][result["site"]] == len(learned)
        assert len(encoder.seen) == len(learned) + len(learned) // 2, "pictures and patients"
        page = (Path(result["encoder"]) / "report.html").read_text()
        assert "The encoder learned at 2 sites that share no scans" in page
    assert sites.go("a")["sha256"] == first["sha256"], "asked again there is nothing to do"


def test_the_encoder_is_not_what_either_site_had_alone(
    trained: tuple[Sites, list[dict[str, Any]]],
) -> None:
    sites, results = trained
    last = sites.exchange / f"round-{ROUNDS}"
    here, there = (load_file(last / f"{name}.safetensors") for name in ("a", "b"))
    common = load_encoder(Path(results[0]["encoder"])).network.state_dict()
    counts = list(results[0]["sites"].values())
    for name, held in common.items():
        if held.is_floating_point() and "running_var" not in name:
            wanted = (counts[0] * here[name] + counts[1] * there[name]) / sum(counts)
            torch.testing.assert_close(held, wanted)
    assert any(not torch.equal(here[name], there[name]) for name in common)
    both = [Collection.open(path) for path in sites.collections.values()]
    learned = [
        each.pixels(open_prepared(path, RunSettings(source="")).split.rows("train", "pretrain"))
        for each, path in zip(both, sites.collections.values(), strict=True)
    ]
    whole = np.concatenate(learned)
    assert float(common["mean"]) == pytest.approx(float(whole.mean()), abs=1e-4)
    assert float(common["std"]) == pytest.approx(float(whole.std()), abs=1e-4)


def test_nothing_of_patients_lies_in_the_exchange(
    trained: tuple[Sites, list[dict[str, Any]]],
) -> None:
    sites, _ = trained
    files = [path for path in sites.exchange.rglob("*") if path.is_file()]
    assert len(files) == 2 + 4 * ROUNDS
    written = b"\n".join([*(path.read_bytes() for path in files), *map(bytes, files)])
    for path in sites.collections.values():
        table = Collection.open(path).metadata()
        for column in (table.patient, table.scan_id, table.path, table.content_hash, table.site):
            for value in column.tolist():
                assert str(value).encode() not in written
        assert path.parent.name.encode() not in b"\n".join(p.read_bytes() for p in files)
    for name in ("pseudonym", "ward-", "file-", "square", "clear"):
        assert name.encode() not in written
    assert b"safetensors" in written, "else this looks at nothing"


@pytest.mark.slow
def test_two_processes_that_run_at_once_end_with_the_same_bits(
    collections: dict[str, Path], trained: tuple[Sites, list[dict[str, Any]]], tmp_path: Path
) -> None:
    (tmp_path / "exchange").mkdir()
    words = ["--exchange", "exchange", "--sites", "2", "--rounds", str(ROUNDS), "--json"]
    words += ["--autoencoder", "convolutional", "--network", "widths=[4, 8]", "--epochs", "2"]
    words += ["--precision", "fp32", "--batch-size", "8", "--wait", "3"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "latentdx", "federate", str(path), "--site", name, "--to", name,
             *words],
            cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name, path in collections.items()
    ]  # fmt: skip
    ended = [process.communicate(timeout=200) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ended
    told = [json.loads(out) for out, _ in ended]
    assert {each["sha256"] for each in told} == {trained[1][0]["sha256"]}
    assert all(f"Round {ROUNDS} of {ROUNDS}" in err for _, err in ended)
    names = [tmp_path / name / "encoder.safetensors" for name in collections]
    assert len({hash_file(path) for path in names}) == 1


def test_a_stopped_round_goes_on_to_the_same_bits(
    collections: dict[str, Path], trained: tuple[Sites, list[dict[str, Any]]], tmp_path: Path
) -> None:
    class Interrupted(Silent):
        """Stops the second epoch of a round."""

        def progress(self, done: int, total: int, text: str = "") -> None:
            if "images/s" in text and done > total // 2:
                raise KeyboardInterrupt

    sites = Sites(tmp_path / "s", collections)
    assert sites.refused("a").code == "E_WAIT"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            sites.go("b", Interrupted())
    assert not (sites.exchange / "round-1").exists()
    assert sites.by_turns()[0]["sha256"] == trained[1][0]["sha256"]


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


@pytest.mark.slow
def test_private_training_spends_its_epsilon_over_all_rounds(
    collections: dict[str, Path], tmp_path: Path
) -> None:
    root = tmp_path / "c"
    many = {name: write_collection(root / name, name, 56, 1.0) for name in ("a", "b")}
    sites = Sites(tmp_path / "s", many, epsilon=8.0, epochs=1, rounds=2)
    first, second = sites.by_turns()
    assert first["sha256"] == second["sha256"]
    told = json.loads((Path(first["encoder"]) / "encoder.json").read_text())
    assert told["privacy"]["epsilon"] == 8
    assert told["privacy"]["steps"] == 2 * math.ceil(1 / told["privacy"]["rate"])
    hello = json.loads((sites.exchange / "round-0" / "a.json").read_text())
    assert (hello["mean"], hello["std"]) == (None, None)
    network = load_encoder(Path(first["encoder"])).network
    assert (float(network.mean), float(network.std)) == (0.5, 0.25)
    (Path(first["encoder"]) / "encoder.json").unlink()
    (sites.exchange / "round-1" / "a.json").unlink()
    refusal = sites.refused("a")
    assert (refusal.code, "--epsilon before" in refusal.found) == ("E_UPDATE", True)


def test_it_begins_from_other_weights_and_others_from_it(
    collections: dict[str, Path], trained: tuple[Sites, list[dict[str, Any]]], tmp_path: Path
) -> None:
    start = trained[1][0]["encoder"]
    own = collections["a"]
    quick = {**SMALL, "epochs": 1, "start": start}
    pretrain_collection(own, tmp_path / "e", RunSettings(source=str(own), **quick), Silent())
    encoder = load_encoder(tmp_path / "e")
    told = ancestry_sentences(encoder.ancestry)
    assert any("learned at 2 sites" in text for text in told)
    assert any("record of their own site names" in text for text in told)
    found = finding(load_ancestor(start))
    assert (found.severity, "several sites (a, b)" in found.text) == ("warning", True)
    settings = RunSettings(source=str(own), classifier="prototypes", features="pooled",
                           fine_tune="none")  # fmt: skip
    fit_collection(own, Path(start), tmp_path / "bundle", settings, Silent())
    assert "share no scans: a (" in (tmp_path / "bundle" / "README.md").read_text()
    sites = Sites(tmp_path / "s", {"a": own, "b": collections["b"]}, start=start, freeze=1)
    (_, second) = sites.by_turns()
    assert "learned at 2 sites" in " ".join(
        ancestry_sentences(load_encoder(Path(second["encoder"])).ancestry)
    )
    parts = open_prepared(own, settings).split.counts()
    assert all(parts[name] for name in HELD_OUT_PARTS)
