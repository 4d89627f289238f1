"""What an encoder that began from another remembers of what both have seen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from begun_encoders import bare, encoder_elsewhere, settings
from choice_scans import write_collection
from safetensors.torch import load_file, save_file

from latentdx.collection.store import Collection
from latentdx.core.errors import LeakageError
from latentdx.study.ancestor import load_ancestor
from latentdx.study.ancestor_check import KNOWN, UNKNOWN, check_ancestor
from latentdx.study.encoder import load_encoder
from latentdx.study.key import study_key
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("own") / "c")


@pytest.fixture(scope="module")
def elsewhere(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of other patients' scans."""
    return encoder_elsewhere(tmp_path_factory.mktemp("elsewhere"), scans)


@pytest.fixture(scope="module")
def weights(elsewhere: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights without a record."""
    place = tmp_path_factory.mktemp("weights") / "found.safetensors"
    place.write_bytes((elsewhere / "encoder.safetensors").read_bytes())
    return place


def test_as_it_is_it_keeps_every_weight_and_remembers_both(
    scans: Path, elsewhere: Path, tmp_path: Path
) -> None:
    told = settings(scans, start=str(elsewhere), epochs=0)
    count, loss = pretrain_collection(scans, tmp_path / "e", told, Silent())
    assert (count, loss) == (52, None)
    before, after = load_encoder(elsewhere), load_encoder(tmp_path / "e")
    for name, held in before.network.named_parameters():
        assert torch.equal(held, after.network.get_parameter(name))
    assert not torch.equal(before.network.mean, after.network.mean)
    assert before.seen < after.seen
    assert after.seen_all
    (record,) = after.ancestry
    assert (record["from"], record["sha256"]) == ("e", before.sha256)
    assert not record["trained"]
    page = (tmp_path / "e" / "report.html").read_text()
    assert "began from the weights of e (SHA-256" in page
    assert "taken over as it is" in page
    assert str(elsewhere) not in page + (tmp_path / "e" / "encoder.json").read_text()


def test_a_grandchild_remembers_what_its_ancestors_saw(
    scans: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """Of the scans that the first saw, none may be held out two encoders later."""
    pretrain_collection(
        scans, tmp_path / "b", settings(scans, start=str(elsewhere), epochs=0), Silent()
    )
    source = bare(tmp_path / "third", of=scans, others="third")
    third = settings(source, start=str(tmp_path / "b"), epochs=1, freeze=1, low_rank=2)
    pretrain_collection(source, tmp_path / "c", third, Silent())
    found = load_encoder(tmp_path / "c")
    assert load_encoder(tmp_path / "b").seen < found.seen
    assert [each["from"] for each in found.ancestry] == ["b", "e"]
    assert "changes of rank 2 alone" in (tmp_path / "c" / "report.html").read_text()
    other = settings(scans, seed=1)
    table = Collection.open(scans).metadata()
    prepared = open_prepared(scans, other)
    prepared.split.parts[np.flatnonzero(table.given_part == "train")[:2]] = "test"
    with pytest.raises(LeakageError, match="2 held-out") as caught:
        found.require_unseen(table, prepared.split)
    assert caught.value.code == "E_SEEN"


def test_a_run_from_scans_that_it_holds_out_leaves_nothing(scans: Path, tmp_path: Path) -> None:
    """The first encoder saw all of the scans, the run's test part among them."""
    unlabelled = bare(tmp_path / "all", of=scans)
    pretrain_collection(unlabelled, tmp_path / "e", settings(unlabelled, epochs=1), Silent())
    with pytest.raises(LeakageError) as caught:
        run_study(settings(scans, start=str(tmp_path / "e"), epochs=1), tmp_path / "run")
    assert caught.value.code == "E_SEEN"
    assert not (tmp_path / "run").exists()
    with pytest.raises(LeakageError):
        pretrain_collection(
            scans, tmp_path / "d", settings(scans, start=str(tmp_path / "e"), epochs=1), Silent()
        )


def test_with_folds_no_labelled_scan_may_have_been_seen(scans: Path, tmp_path: Path) -> None:
    """Refused before anything is trained: what the first encoder learned from, a fold tests."""
    pretrain_collection(scans, tmp_path / "e", settings(scans, epochs=1), Silent())
    told = settings(scans, start=str(tmp_path / "e"), epochs=1)
    prepared = open_prepared(scans, told)
    check_ancestor(prepared, told)
    with pytest.raises(LeakageError) as caught:
        check_ancestor(prepared, told.model_copy(update={"folds": 3}))
    assert caught.value.code == "E_SEEN"


@pytest.mark.slow
def test_a_run_tells_what_it_began_from(scans: Path, elsewhere: Path, tmp_path: Path) -> None:
    told = settings(scans, start=str(elsewhere), epochs=1, freeze=1)
    result = run_study(told, tmp_path / "run")
    transfer = result.metrics["transfer"]
    assert transfer["ancestry"][0]["frozen"] == 1
    page, card = (
        (tmp_path / "run" / name).read_text() for name in ("report.html", "bundle/README.md")
    )
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert KNOWN in {finding["code"] for finding in audit["findings"]}
    for text in (page, card):
        assert "What the encoder began from" in text
        assert "no held-out scan is among them" in text
        assert str(elsewhere) not in text
    again = run_study(told, tmp_path / "run")
    assert again.bundle == result.bundle
    # its bundle is a beginning, too, but does not say what was learned from
    second = load_ancestor(str(tmp_path / "run" / "bundle"))
    assert (second.name, second.seen_all) == ("invariant", False)


@pytest.mark.slow
def test_weights_without_a_record_are_warned_of(scans: Path, weights: Path, tmp_path: Path) -> None:
    result = run_study(settings(scans, start=str(weights), epochs=0), tmp_path / "run")
    assert any("not recorded what it learned from" in text for text in result.metrics["warnings"])
    audit = json.loads((tmp_path / "run" / "audit.json").read_text())
    assert UNKNOWN in {finding["code"] for finding in audit["findings"]}
    assert "the scores are too good" in (tmp_path / "run" / "bundle" / "README.md").read_text()


def test_what_is_not_known_stays_so(scans: Path, weights: Path, tmp_path: Path) -> None:
    pretrain_collection(
        scans, tmp_path / "e", settings(scans, start=str(weights), epochs=0), Silent()
    )
    assert not load_encoder(tmp_path / "e").seen_all
    notes: list[str] = []

    class Listening(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    fit_collection(scans, tmp_path / "e", tmp_path / "b", settings(scans), Listening())
    assert any("not recorded" in note for note in notes)
    assert "not recorded" in (tmp_path / "b" / "README.md").read_text()


def test_the_key_follows_the_weights_and_not_their_place(
    scans: Path, weights: Path, tmp_path: Path
) -> None:
    place = tmp_path / "w.safetensors"
    place.write_bytes(weights.read_bytes())
    told = settings(scans, start=str(place))
    prepared = open_prepared(scans, told)
    first = study_key(told, prepared, None)
    assert study_key(told, prepared, None) == first
    held = load_file(place)
    held["to_latent.bias"] += 1
    save_file(held, place)
    assert study_key(told, prepared, None) != first
