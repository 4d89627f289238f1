"""Scans drawn from a saved encoder, and between two that are read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import build
from latentdx.autoencoder.vector_quantised import VectorQuantisedAutoencoder
from latentdx.collection.split import Split
from latentdx.collection.table import ScanRow, table_of
from latentdx.core.errors import InputError, StopError
from latentdx.features.extract import reconstruct
from latentdx.scans.geometry import fit_scan
from latentdx.scans.open import open_scan
from latentdx.study.encoder import save_encoder
from latentdx.study.synthetic import Generative, load_generative

SMALL = {"widths": (8, 16), "n_codes": 16, "prior_width": 8, "prior_layers": 1}


@pytest.fixture(autouse=True)
def _key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTDX_KEY_FILE", str(tmp_path / "key"))


def saved(folder: Path, network: Autoencoder) -> Path:
    blank = np.zeros((1, 16, 16), np.float32)
    rows = table_of([ScanRow("0" * 16, "a.png", blank, "1" * 64, patient="a", label="no")])
    parts = np.array(["train"])
    save_encoder(folder, network, rows, Split(parts, Split.hash_of(rows, parts)))
    return folder


def a_network(size: Any = 16, **more: Any) -> VectorQuantisedAutoencoder:
    found = build("vector-quantised", {"channels": 1, "size": size, **SMALL, **more}, seed=0)
    assert isinstance(found, VectorQuantisedAutoencoder)
    return found


@pytest.fixture
def generative(tmp_path: Path) -> Generative:
    return load_generative(saved(tmp_path / "e", a_network()))


def picture(path: Path, seed: int, shape: tuple[int, ...] = (20, 20)) -> Path:
    levels = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    Image.fromarray(levels).save(path)
    return path


def test_what_is_loaded_is_the_network_in_use(generative: Generative) -> None:
    assert generative.name == "vector-quantised"
    assert not generative.network.training
    assert generative.network.settings() == a_network().settings()


def test_one_without_a_prior_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    folder = saved(tmp_path / "e", build("convolutional", {"channels": 1, "size": 16}))
    with pytest.raises(StopError, match="'convolutional' has no prior") as caught:
        load_generative(folder)
    assert (caught.value.code, caught.value.path) == ("E_GENERATIVE", str(folder))
    named = caught.value.fix.partition(": ")[2].split(", ")
    assert "vector-quantised" in named
    assert not {"convolutional", "invariant"} & set(named)


def test_draws_are_those_of_the_seed(generative: Generative) -> None:
    first, again, other = (generative.draw(3, seed=seed) for seed in (0, 0, 1))
    assert first.shape == (3, 1, 16, 16)
    assert first.dtype == np.float32
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_many_are_drawn_in_parts_that_differ(
    generative: Generative, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    sample = generative.network.sample

    def told(count: int, generator: torch.Generator) -> torch.Tensor:
        counts.append(count)
        return sample(count, generator)

    monkeypatch.setattr(generative.network, "sample", told)
    found = generative.draw(130)
    assert counts == [64, 64, 2]
    assert found.shape == (130, 1, 16, 16)
    assert not np.array_equal(found[:64], found[64:128])


def test_volumes_are_drawn(tmp_path: Path) -> None:
    found = load_generative(saved(tmp_path / "e", a_network((9, 10, 11))))
    assert found.policy.dims == 3
    assert found.draw(5).shape == (5, 1, 9, 10, 11)


@pytest.mark.slow
def test_between_two_scans_the_ends_are_their_reconstructions(
    generative: Generative, tmp_path: Path
) -> None:
    first, second = picture(tmp_path / "a.png", 1), picture(tmp_path / "b.png", 2)
    pixels = generative.read([first, second])
    for path, read in zip((first, second), pixels, strict=True):
        expected = fit_scan(open_scan(path), 16).pixels
        assert np.abs(read - expected).max() < 1e-4
    network = generative.network
    assert isinstance(network, VectorQuantisedAutoencoder)
    with torch.no_grad():  # codes that tell the two apart
        network.quantiser.learn(network.encode(torch.from_numpy(pixels)), torch.Generator())
    found = generative.between(first, second, 5)
    assert found.shape == (5, 1, 16, 16)
    ends = reconstruct(network, pixels)
    np.testing.assert_allclose(found[[0, -1]], ends, atol=1e-5)
    assert all(not np.array_equal(found[k], found[k + 2]) for k in range(3))


@pytest.mark.slow
def test_colour_is_read_as_the_network_wants_it(generative: Generative, tmp_path: Path) -> None:
    colour = picture(tmp_path / "c.png", 3, (20, 20, 3))
    assert generative.read([colour]).shape == (1, 1, 16, 16)
    three = load_generative(saved(tmp_path / "three", a_network(channels=3)))
    assert three.read([colour]).shape == (1, 3, 16, 16)


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_named(generative: Generative, tmp_path: Path) -> None:
    good, bad = picture(tmp_path / "a.png", 1), tmp_path / "b.png"
    bad.write_bytes(b"")
    with pytest.raises(InputError) as caught:
        generative.between(good, bad, 3)
    assert (caught.value.code, caught.value.path) == ("E_EMPTY", str(bad))


def test_files_are_not_fitted_to_sizes_that_are_no_squares(tmp_path: Path) -> None:
    found = load_generative(saved(tmp_path / "e", a_network((16, 18))))
    with pytest.raises(StopError) as caught:
        found.read([picture(tmp_path / "a.png", 1)])
    assert caught.value.code == "E_SIZE"
    assert found.draw(2).shape == (2, 1, 16, 18)


def test_drawing_leaves_the_network_as_it_was(generative: Generative) -> None:
    before = copy.deepcopy(generative.network.state_dict())
    generative.draw(2)
    after = generative.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
