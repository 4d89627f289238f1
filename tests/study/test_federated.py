"""Sites train one encoder: equal at all, by files that hold no scan and no name, and it goes on."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from federated_sites import ROUNDS, SMALL, Sites, write_collection
from safetensors.torch import load_file

from latentdx.collection.split import HELD_OUT_PARTS
from latentdx.collection.store import Collection
from latentdx.core.hashing import hash_file
from latentdx.report.ancestry import ancestry_sentences
from latentdx.study.ancestor import load_ancestor
from latentdx.study.ancestor_check import finding
from latentdx.study.encoder import load_encoder
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings


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


def test_each_site_goes_by_its_own_masks_and_tells_how_many(tmp_path: Path) -> None:
    root = tmp_path / "c"
    marked = {name: write_collection(root / name, name, 16, 1.0, masks=True) for name in ("a", "b")}
    first, second = Sites(tmp_path / "s", marked, focus="mask").by_turns()
    assert first["sha256"] == second["sha256"]
    for result in (first, second):
        told = load_encoder(Path(result["encoder"])).focus
        assert told["scans"] == result["sites"][result["site"]]
        assert 0 < told["with_mask"] < told["scans"]
    bare = {**marked, "b": write_collection(root / "bare", "b", 16, 1.0)}
    assert Sites(tmp_path / "t", bare, focus="mask").refused("b").code == "E_MASK"
    plain = Sites(tmp_path / "u", marked).by_turns()
    assert plain[0]["sha256"] != first["sha256"]
