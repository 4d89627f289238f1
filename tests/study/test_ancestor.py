"""What an encoder may begin from, what its record remembers, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from choice_scans import write_collection
from safetensors.torch import load_file, save_file

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import IntegrityError, LatentdxError, LeakageError, StopError
from latentdx.core.hashing import hash_bytes
from latentdx.scans.open import open_scans
from latentdx.study.ancestor import begun, load_ancestor
from latentdx.study.ancestor_check import KNOWN, UNKNOWN, check_ancestor
from latentdx.study.encoder import load_encoder
from latentdx.study.key import study_key
from latentdx.study.prepare import open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings, settings_from

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NETWORK = {"widths": [8, 16]}


def settings(source: Path, **more: object) -> RunSettings:
    return settings_from({"source": str(source), "network": NETWORK, "fine_tune": "none", **more})


def bare(path: Path, *, of: Path, others: str = "") -> Path:
    """The same scans without labels and parts; with `others`, as if of other patients."""
    first = Collection.open(of)
    collection = Collection.create(path, 16, 1)
    table, rows = first.metadata(), []
    for number, pixels in enumerate(first.pixels()):
        content, patient = str(table.content_hash[number]), str(table.patient[number])
        if others:
            pixels, patient = 1 - pixels, f"{others} {patient}"
            content = hash_bytes(patient.encode(), content.encode())
        rows.append(ScanRow(f"{number:016x}", f"{number}.png", pixels, content, patient=patient))
    collection.append(rows)
    return path


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("own") / "c")


@pytest.fixture(scope="module")
def elsewhere(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of other patients' scans."""
    root = tmp_path_factory.mktemp("elsewhere")
    source = bare(root / "c", of=scans, others="other")
    pretrain_collection(source, root / "e", settings(source, epochs=1), Silent())
    return root / "e"


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


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"epochs": 0}, "E_OPTION"),
        ({"freeze": 1}, "E_OPTION"),
        ({"low_rank": 1}, "E_OPTION"),
        ({"start": "E", "epochs": 0, "low_rank": 1}, "E_OPTION"),
        ({"start": "E", "epochs": 0, "freeze": 1}, "E_OPTION"),
        ({"start": "E", "autoencoder": "residual"}, "E_OPTION"),
        ({"start": "no-such-place"}, "E_ENCODER"),
        ({"start": "hf:a/b/c"}, "E_OPTION"),
    ],
)
def test_what_makes_no_sense_is_refused(
    more: dict[str, object], code: str, elsewhere: Path
) -> None:
    if more.get("start") == "E":
        more = {**more, "start": str(elsewhere)}
    with pytest.raises(LatentdxError) as caught:
        begun(settings(Path("c"), **more))
    assert caught.value.code == code


def test_the_autoencoder_is_that_of_the_weights(scans: Path, tmp_path: Path) -> None:
    source = bare(tmp_path / "c", of=scans)
    classic = settings(source, autoencoder="convolutional", network={}, latent_dim=7, epochs=1)
    pretrain_collection(source, tmp_path / "e", classic, Silent())
    told = settings_from({"source": str(source), "start": str(tmp_path / "e"), "epochs": 0})
    assert begun(told).autoencoder == "convolutional"
    pretrain_collection(source, tmp_path / "f", told, Silent())
    assert load_encoder(tmp_path / "f").network.settings()["latent_dim"] == 7


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "nan.safetensors"])
def test_what_is_no_sound_safetensors_is_refused(name: str, tmp_path: Path) -> None:
    if name.startswith("nan"):
        save_file({"a": torch.tensor([float("nan")])}, tmp_path / name)
    else:
        torch.save({"a": torch.zeros(1)}, tmp_path / name)
    with pytest.raises(IntegrityError) as caught:
        load_ancestor(str(tmp_path / name))
    assert caught.value.code == "E_ENCODER"


def test_the_starter_is_in_the_package_with_its_record_and_card(scans: Path) -> None:
    starter = load_ancestor("starter")
    assert (starter.told, starter.name, starter.channels) == ("starter", "invariant", 1)
    assert starter.seen_all
    assert len(starter.seen) > 3000
    assert starter.path is not None
    card = (starter.path / "README.md").read_text()
    assert all(each.split(" (")[0] in card for each in starter.learned_from)
    assert sum(file.stat().st_size for file in starter.path.iterdir()) < 3e6


def test_the_starter_goes_on_with_scans_of_another_size_and_colour(tmp_path: Path) -> None:
    collection = Collection.create(tmp_path / "c", 32, 3)
    generator = np.random.default_rng(0)
    rows = [
        ScanRow(f"id{number}", f"{number}.png", generator.random((3, 32, 32), np.float32),
                f"{number:064}", patient=f"p{number}")
        for number in range(16)
    ]  # fmt: skip
    collection.append(rows)
    told = settings_from({"source": "c", "start": "starter", "epochs": 1})
    pretrain_collection(tmp_path / "c", tmp_path / "e", told, Silent())
    found = load_encoder(tmp_path / "e")
    assert found.network.shape == (3, 32, 32)
    assert load_ancestor("starter").seen < found.seen
    (record,) = found.ancestry
    assert record["left"] == []
    assert set(record["adapted"]) == {
        *("down.stages.0.0.0.weight", "up.to_pixels.weight", "up.to_pixels.bias")
    }


def test_scans_that_the_starter_learned_from_are_recognised() -> None:
    """Real pictures of the NIH's set, read as any run reads them."""
    folder = SHARED / "cxr_nih_pneumonia_224" / "pneumonia"
    if not folder.is_dir():
        pytest.skip(f"the NIH's set is absent: {folder}")
    seen = load_ancestor("starter").seen
    paths = [[str(path)] for path in sorted(folder.iterdir())[:12]]
    hashes = [scan.content_hash[:16] for path in paths for scan in open_scans(path, key=bytes(32))]
    assert 4 <= sum(each in seen for each in hashes) < 12  # two of three were learned from


def as_hub(cache: Path, encoder: Path) -> None:
    """An encoder as the hub's client keeps a repository that it has fetched."""
    place, commit = cache / "models--clinic--chests", "a" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(commit)
    (place / "snapshots" / commit).mkdir(parents=True)
    for name in ("encoder.json", "encoder.safetensors"):
        (place / "snapshots" / commit / name).write_bytes((encoder / name).read_bytes())


_LOAD = """
from latentdx.collection.table import ScanRow
from latentdx.core.errors import StopError
from latentdx.study.ancestor import load_ancestor
print(load_ancestor("hf:clinic/chests").told)
try:
    load_ancestor("hf:clinic/hearts")
except StopError as error:
    print(error.code)
"""


@pytest.mark.slow
def test_a_repository_of_the_hub_is_read_without_a_network(elsewhere: Path, tmp_path: Path) -> None:
    """By the hub's own client, in a process of its own: it reads its settings at import."""
    pytest.importorskip("huggingface_hub")
    as_hub(tmp_path, elsewhere)
    offline = {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD], env={**os.environ, **offline}, text=True,
        capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.split() == ["hf:clinic/chests", "E_NETWORK"], done.stderr


def test_without_the_hubs_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(StopError, match="huggingface_hub") as caught:
        load_ancestor("hf:a/b")
    assert caught.value.code == "E_EXTRA"
    assert "latentdx[hub]" in caught.value.fix
