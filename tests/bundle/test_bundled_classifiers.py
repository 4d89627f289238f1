"""Each classifier comes back from a bundle as it went in; one that is an object does not go in."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from bundle_models import Recipe, bars, model_of, saved
from sklearn.naive_bayes import GaussianNB

from latentdx.bundle.load import load_bundle
from latentdx.core.errors import StopError
from latentdx.diagnosis.head import HeadSettings, train_head
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.own_classifier import Classifier

SLOW = {"boosting", "forest", "mlp", "stacking"}
names = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in get_args(ClassifierName)
]


def model_with(classifier: Classifier, n_classes: int = 2) -> DiagnosticModel:
    """A bundle's model with another classifier, fitted on its features."""
    recipe = Recipe() if n_classes == 2 else Recipe("invariant", "logistic", "pooled", 3)
    model = model_of(recipe)
    train, calibrate = (bars(count, n_classes=n_classes, seed=count) for count in (24, 18))
    settings = HeadSettings(classifier=classifier, rows=48, fewest_copies=1, components=4)
    return replace(model, head=train_head(train, calibrate, model.extract, settings, seed=0))


@pytest.mark.parametrize("name", names)
@pytest.mark.parametrize("n_classes", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_a_bundle_keeps_each_classifier(
    name: ClassifierName, n_classes: int, tmp_path: Path
) -> None:
    model = model_with(name, n_classes)
    saved(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.head.name == name
    assert type(loaded.head.machine) is type(model.head.machine)
    pixels = bars(12, n_classes=n_classes, seed=5).pixels
    before, after = model.compute(pixels), loaded.compute(pixels)
    for field in fields(before):
        np.testing.assert_array_equal(
            getattr(before, field.name), getattr(after, field.name), err_msg=field.name
        )


def test_an_object_is_refused_and_the_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="prototypes") as caught:
        saved(model_with(GaussianNB()), tmp_path / "bundle")
    assert caught.value.code == "E_CLASSIFIER"
    assert not (tmp_path / "bundle").exists()
