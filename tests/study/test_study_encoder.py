"""An encoder's folder remembers what it has seen, and is believed only where it is whole."""

import json

import numpy as np
import pytest

from latentdx.autoencoder.family import build
from latentdx.collection.split import Split
from latentdx.collection.table import ScanRow, table_of
from latentdx.core.errors import IntegrityError, LeakageError
from latentdx.study.encoder import load_encoder, save_encoder

PARTS = ("train", "pretrain", "tune", "calibrate", "test", "excluded")


def table(patients, pictures):
    pixels = np.zeros((1, 16, 16), np.float32)
    return table_of(
        ScanRow(f"{row:016x}", f"{row}.png", pixels, picture * 64, patient=patient, label="no")
        for row, (patient, picture) in enumerate(zip(patients, pictures, strict=True))
    )


def split(rows, parts=PARTS):
    return Split(np.array(parts), Split.hash_of(rows, np.array(parts)))


@pytest.fixture
def network():
    return build("convolutional", {"channels": 1, "size": 16}, seed=0)


@pytest.fixture
def saved(tmp_path, network):
    rows = table("abcdef", "123456")
    save_encoder(tmp_path / "e", network, rows, split(rows))
    return tmp_path / "e"


def test_it_comes_back_the_same(saved, network):
    found = load_encoder(saved)
    assert found.network.settings() == network.settings()
    assert not found.network.training
    for name, value in network.state_dict().items():
        assert (found.network.state_dict()[name] == value).all()


def test_it_has_seen_train_and_pretrain_alone(saved):
    assert len(load_encoder(saved).seen) == 4  # two pictures, two patients
    rows = table("abcdef", "123456")
    load_encoder(saved).require_unseen(rows, split(rows))


@pytest.mark.parametrize("part", ["tune", "calibrate", "test"])
@pytest.mark.parametrize(("patient", "picture"), [("a", "9"), ("z", "2")])
def test_a_held_out_scan_that_it_has_seen_is_refused(saved, part, patient, picture):
    rows = table([patient, "y"], [picture, "8"])
    with pytest.raises(LeakageError, match="held-out scans") as caught:
        load_encoder(saved).require_unseen(rows, split(rows, (part, "train")))
    assert (caught.value.code, caught.value.path) == ("E_SEEN", str(saved))
    assert "of 1 held-out" in caught.value.found


def test_what_it_has_seen_may_train_again(saved):
    rows = table(["a", "y"], ["9", "8"])
    load_encoder(saved).require_unseen(rows, split(rows, ("train", "test")))


def test_its_folder_names_no_patient(saved):
    described = json.loads((saved / "encoder.json").read_text())
    assert all(len(name) == 16 for name in described["seen"])
    assert not set("abcdef") & set(described["seen"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "encoder.json").unlink(),
        lambda path: (path / "encoder.json").write_text("{"),
        lambda path: (path / "encoder.json").write_text("[]"),
        lambda path: (path / "encoder.json").write_bytes(b"\xff"),
        lambda path: (path / "encoder.safetensors").write_bytes(b"short"),
        lambda path: (path / "encoder.safetensors").unlink(),
        lambda path: change(path, name="transformer"),
        lambda path: change(path, settings={"channels": 1, "size": 32}),
        lambda path: change(path, seen=3),
    ],
)
def test_a_damaged_one_is_refused(saved, damage):
    damage(saved)
    with pytest.raises(IntegrityError) as caught:
        load_encoder(saved)
    assert (caught.value.code, caught.value.path) == ("E_ENCODER", str(saved))


def change(path, **values):
    described = json.loads((path / "encoder.json").read_text())
    (path / "encoder.json").write_text(json.dumps({**described, **values}))
