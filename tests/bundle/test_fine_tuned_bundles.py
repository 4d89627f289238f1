"""A fine-tuned network comes back from a bundle; what rebuilds and refuses is left as it was."""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bundle_models import RECIPES, Recipe, bars, model_of, renew_checksums, rewrite, saved
from safetensors.numpy import load_file, save_file

from latentdx.bundle.load import load_bundle
from latentdx.bundle.schema import DESCRIPTION, read_description
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.fine_tune import fine_tune
from latentdx.diagnosis.fine_tune_blocks import FineTune
from latentdx.diagnosis.fine_tune_join import joined
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.features.table import flipped
from latentdx.report.decided import how_it_decides

TWO, THREE = RECIPES[0], RECIPES[2]


@cache
def tuned_model(recipe: Recipe, which: FineTune) -> DiagnosticModel:
    train, calibrate = (bars(count, n_classes=recipe.n_classes, seed=count) for count in (48, 30))
    settings = FineTuneSettings(which=which, epochs=2, fewest_views=48, batch_size=16)
    model = model_of(recipe)
    return joined(model, fine_tune(model.encoder, train, settings, seed=0), calibrate)


@pytest.mark.parametrize("recipe", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("which", ["head", "last", "all"])
def test_it_comes_back_and_says_the_same(recipe: Recipe, which: FineTune, tmp_path: Path) -> None:
    model = tuned_model(recipe, which)
    saved(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.tuned is not None
    assert model.tuned is not None
    assert loaded.tuned.facts == model.tuned.facts
    assert sorted(loaded.tuned.names) == sorted(model.tuned.names)
    pixels = bars(12, n_classes=recipe.n_classes, seed=5).pixels
    before, after = model.compute(pixels), loaded.compute(pixels)
    for field in fields(before):
        np.testing.assert_array_equal(
            getattr(before, field.name), getattr(after, field.name), err_msg=field.name
        )


def test_only_the_scores_are_others(tmp_path: Path) -> None:
    """Reconstruction, gate and features stay those of the encoder that no label was shown to."""
    pixels = bars(12, seed=5).pixels
    plain, tuned = (each.compute(pixels) for each in (model_of(TWO), tuned_model(TWO, "all")))
    for name in ("anomaly", "foreign", "embeddings", "reconstructions", "strangest"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(tuned, name), err_msg=name)
    assert (plain.scores != tuned.scores).all()
    saved(model_of(TWO), tmp_path / "plain")
    saved(tuned_model(TWO, "all"), tmp_path / "tuned")
    first, second = (
        (tmp_path / name / "encoder.safetensors").read_bytes() for name in ("plain", "tuned")
    )
    assert first == second


def test_both_halves_have_the_same_say() -> None:
    model, plain = tuned_model(TWO, "last"), model_of(TWO)
    assert model.tuned is not None
    assert model.head.scales is not None
    pixels = bars(30, seed=30).pixels  # those of calibrate
    alone = plain.compute(pixels).scores
    own = np.mean([model.tuned.scores(each) for each in (pixels, flipped(pixels))], axis=0)
    parts = alone / model.head.scales[0], own / model.head.scales[1]
    np.testing.assert_allclose([part.std() for part in parts], 1, rtol=1e-3)
    np.testing.assert_allclose(model.compute(pixels).scores, sum(parts), rtol=1e-4, atol=1e-5)
    boundary = np.full((1, 1), model.head.boundary, np.float32) / model.head.scales[0]
    assert model.head.boundary != 0  # of the classifier; the network's own is 0
    assert model.head.threshold == model.head.probabilities(boundary)[0, 1]


def test_only_weights_that_were_trained_are_written(tmp_path: Path) -> None:
    model = tuned_model(TWO, "last")
    saved(model, tmp_path / "bundle")
    names = [
        name.removeprefix("tuned.encoder.")
        for name in load_file(tmp_path / "bundle" / "head.safetensors")
        if name.startswith("tuned.encoder.")
    ]
    assert model.tuned is not None
    assert sorted(names) == sorted(model.tuned.names)
    assert 0 < len(names) < len(list(model.encoder.parameters()))


def test_card_and_description_tell_how_it_was_made(tmp_path: Path) -> None:
    model = tuned_model(TWO, "last")
    assert model.tuned is not None
    saved(model, tmp_path / "bundle")
    text = (tmp_path / "bundle" / DESCRIPTION).read_text()
    told = read_description(text, tmp_path).head.fine_tune
    assert told is not None
    assert told.model_dump() == asdict(model.tuned.facts)
    sentence = how_it_decides(model)[0]
    for word in (
        "last block",
        f"{model.tuned.facts.epochs} epoch",
        "cross-entropy",
        "within train",
    ):
        assert word in sentence
    assert not any("last block" in each for each in how_it_decides(model_of(TWO)))


@pytest.mark.parametrize("damage", ["missing", "scales", "unknown", "shape", "classes", "epochs"])
def test_what_does_not_fit_is_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    saved(tuned_model(TWO, "last"), path)
    file = path / "head.safetensors"
    arrays = load_file(file)
    first = next(name for name in arrays if name.startswith("tuned.encoder."))
    if damage == "missing":
        del arrays["tuned.linear.weights"]
    elif damage == "scales":
        del arrays["scales.both"]
    elif damage == "unknown":
        arrays["tuned.encoder.nowhere"] = arrays[first]
    elif damage == "shape":
        arrays[first] = arrays[first].ravel()[:3].copy()
    elif damage == "classes":
        arrays["tuned.linear.weights"] = arrays["tuned.linear.weights"][:, :5].copy()
    save_file(arrays, file)
    renew_checksums(path)
    if damage == "epochs":
        rewrite(path, head__fine_tune__epochs=0)
    with pytest.raises(IntegrityError) as caught:
        load_bundle(path)
    assert caught.value.code == "E_MODEL_INTEGRITY"
