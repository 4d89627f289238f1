"""A module of one's own through a study: trained as a copy, saved as weights, asked for again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from choice_scans import SIDE, write_collection
from torch import nn

from latentdx import load_bundle
from latentdx.collection.store import Collection
from latentdx.core.errors import IntegrityError, StopError
from latentdx.features.transformer import AutoencoderFeatures
from latentdx.study.encoder import load_encoder
from latentdx.study.external import evaluate_bundle
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings, read_toml


class Mine(nn.Module):
    """A small autoencoder as a user writes it."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down = nn.Sequential(
            *(nn.Conv2d(1, width, 3, 2, 1), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1))
        )
        self.up = nn.Sequential(
            *(nn.ConvTranspose2d(2 * width, width, 2, 2), nn.ReLU()),
            *(nn.ConvTranspose2d(width, 1, 2, 2), nn.Sigmoid()),
        )

    def encode(self, pixels: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.down(pixels), None

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.up(latent)
        return found


class Other(Mine):
    """Of the same shapes, and not the same."""


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "collection")


@pytest.fixture
def module() -> Mine:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Mine()


def settings(collection: Path, **more: object) -> RunSettings:
    return RunSettings(source=str(collection), epochs=2, precision="fp32", **more)  # type: ignore[arg-type]


def test_pretrained_then_fitted_then_loaded(collection: Path, module: Mine, tmp_path: Path) -> None:
    before = {key: value.clone() for key, value in module.state_dict().items()}
    encoder, bundle, how = tmp_path / "encoder", tmp_path / "bundle", settings(collection)
    pretrain_collection(collection, encoder, how, Silent(), autoencoder=module)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    told = json.loads((encoder / "encoder.json").read_text())
    assert (told["name"], told["settings"]["module"]) == ("own", "Mine")

    trained = load_encoder(encoder, Mine()).network.state_dict()
    assert not torch.equal(trained["module.down.0.weight"], before["down.0.weight"])
    for given, code in ((None, "E_CONFIG"), (Other(), "E_SHAPE"), (Mine(4), "E_SHAPE")):
        with pytest.raises(StopError) as caught:
            load_encoder(encoder, given)
        assert (caught.value.code, caught.value.path) == (code, str(encoder))

    fit_collection(collection, encoder, bundle, how, Silent(), autoencoder=Mine())
    model = load_bundle(bundle, autoencoder=Mine())
    weights = model.encoder.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in trained.items())
    pixels = np.asarray(Collection.open(collection).pixels([0, 1, 2]))
    again = load_bundle(bundle, autoencoder=module).compute(pixels)
    np.testing.assert_array_equal(model.compute(pixels).scores, again.scores)
    for given, code in ((None, "E_CONFIG"), (Other(), "E_SHAPE"), (Mine(4), "E_SHAPE")):
        with pytest.raises(StopError) as caught:
            load_bundle(bundle, autoencoder=given)
        assert (caught.value.code, caught.value.path) == (code, str(bundle))


def test_a_damaged_encoder_of_ones_own_is_still_a_damaged_one(
    collection: Path, module: Mine, tmp_path: Path
) -> None:
    encoder = tmp_path / "encoder"
    pretrain_collection(collection, encoder, settings(collection), Silent(), autoencoder=module)
    (encoder / "encoder.safetensors").write_bytes(b"short")
    with pytest.raises(IntegrityError) as caught:
        load_encoder(encoder)
    assert caught.value.code == "E_ENCODER"


def test_what_a_name_would_be_built_with_is_refused(collection: Path, tmp_path: Path) -> None:
    how = settings(collection, latent_dim=4)
    with pytest.raises(StopError, match="latent_dim") as caught:
        pretrain_collection(collection, tmp_path / "e", how, Silent(), autoencoder=Mine())
    assert caught.value.code == "E_CONFIG"


@pytest.mark.slow
def test_a_whole_study(collection: Path, module: Mine, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = run_study(settings(collection), out, autoencoder=module)
    assert read_toml(out / "config.toml")["autoencoder"] == "own"
    assert first.metrics["baselines"]["untrained-encoder"]["auroc"]["value"] is not None
    assert run_study(settings(collection), out, autoencoder=module).bundle == first.bundle
    others = write_collection(tmp_path / "others", prefix="other ")
    metrics, _ = evaluate_bundle(
        out / "bundle", others, tmp_path / "elsewhere", Silent(), autoencoder=Mine()
    )
    assert metrics["test"]["auroc"]["value"] > 0.6
    with torch.no_grad():
        module.down[0].weight.mul_(2)  # type: ignore[operator]
    assert run_study(settings(collection), out, autoencoder=module).bundle != first.bundle
    with pytest.raises(StopError) as caught:
        run_study(settings(collection, autoencoder="own"), out)
    assert caught.value.code == "E_CONFIG"


def test_as_a_transformer_of_scikit_learn_it_is_cloned_and_left_alone(module: Mine) -> None:
    from sklearn.base import clone

    images = np.random.default_rng(0).random((24, SIDE, SIDE)).astype(np.float32)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    model = AutoencoderFeatures(autoencoder=module, epochs=1)
    assert model.get_params()["autoencoder"] is module
    features = model.fit_transform(images)
    assert features.shape == (24, (9 + 25) * (8 + 16))
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    np.testing.assert_array_equal(clone(model).fit(images).transform(images), features)
    assert clone(model).autoencoder is not module
    with pytest.raises(StopError) as caught:
        AutoencoderFeatures(autoencoder=module, latent_dim=3).fit(images)
    assert caught.value.code == "E_CONFIG"
