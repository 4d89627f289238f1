"""What weights may be begun from, wherever they lie, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from begun_encoders import bare, encoder_elsewhere, settings
from choice_scans import write_collection
from safetensors.torch import save_file

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import IntegrityError, LatentdxError, StopError
from latentdx.scans.open import open_scans
from latentdx.study.ancestor import begun, load_ancestor
from latentdx.study.encoder import load_encoder
from latentdx.study.reporter import Silent
from latentdx.study.separate import pretrain_collection
from latentdx.study.settings import settings_from

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("own") / "c")


@pytest.fixture(scope="module")
def elsewhere(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of other patients' scans."""
    return encoder_elsewhere(tmp_path_factory.mktemp("elsewhere"), scans)


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
