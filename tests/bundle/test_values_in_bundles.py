"""Models of numbers and of grades: the same from their bundles, and refused where damaged."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from bundle_models import SIZE, bars, rewrite, saved
from numpy.typing import NDArray

from latentdx.autoencoder.family import build
from latentdx.bundle.load import load_bundle
from latentdx.bundle.schema import ValueDescription, read_description
from latentdx.collection.labelled_values import ValuedScans
from latentdx.core.errors import IntegrityError, StopError
from latentdx.diagnosis.diagnoses import Diagnosis
from latentdx.diagnosis.gate_fit import fit_gate
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.head import HeadSettings, train_head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_head import train_regression_head
from latentdx.diagnosis.regression_model import IntervalRule, RegressionModel
from latentdx.diagnosis.regressors import RegressorName
from latentdx.diagnosis.set_rule import SetRule
from latentdx.features.covariates import Covariates
from latentdx.features.extract import embed
from latentdx.scans.scan import Scan


@cache
def model_of(name: RegressorName) -> RegressionModel:
    """Of an untrained network: how many bars a scan has, and a little of its brightness."""
    train, calibrate = (bars(count, n_classes=4, seed=count) for count in (60, 30))
    network = build("convolutional", {"channels": 1, "size": SIZE, "widths": (8, 16)})
    network.fit_normalisation(torch.from_numpy(train.pixels))

    def extract(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return embed(network, pixels, "pooled")

    values = 10.0 * train.labels + train.pixels.mean(axis=(1, 2, 3))
    settings = HeadSettings(
        "gaussian-process" if name == "gaussian-process" else "svm", rows=100, components=8
    )
    head = train_regression_head(ValuedScans(train, values), extract, name, settings, seed=0)
    gate = fit_gate(network, train, calibrate, headers=Headers(("CR",), (0.5, 1.5)), rate=0.01)
    return RegressionModel(network, head, "pooled", True, IntervalRule(7.5, 0.9, 40), gate, "bars")


@pytest.mark.parametrize("name", get_args(RegressorName))
def test_a_loaded_model_computes_the_same_bit_for_bit(name: RegressorName, tmp_path: Path) -> None:
    model, scans = model_of(name), bars(40, n_classes=4, seed=3)
    digest = saved(model, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    assert isinstance(again, RegressionModel)
    assert (again.bundle, again.units, again.sets) == (digest, "bars", model.sets)
    assert (again.head.name, again.head.strength) == (name, model.head.strength)
    first, second = model.compute(scans.pixels), again.compute(scans.pixels)
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.intervals, second.intervals)
    np.testing.assert_array_equal(first.look.anomaly, second.look.anomaly)
    assert np.corrcoef(first.values, scans.labels)[0, 1] > 0.5, "not worth comparing"


def test_intervals_without_end_stay_so(tmp_path: Path) -> None:
    model = replace(model_of("ridge"), sets=IntervalRule(math.inf, 0.9, 5), units="")
    saved(model, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    assert again.sets.half_width == math.inf
    scan = Scan(bars(1).pixels[0], (SIZE, SIZE), modality="CR")
    found = again.diagnose(["x"], [again.request(b"k" * 32).fit(scan)])[0]
    told = found.as_json()
    assert (told["interval"], told["units"], told["label"]) == (None, "", None)
    assert told["status"] == "not_evaluated" or math.isfinite(told["value"])


def test_a_diagnosis_has_its_value_in_the_middle_of_its_interval() -> None:
    model = replace(model_of("ridge"), flip=False)
    pixels = bars(8, n_classes=4, seed=60).pixels
    request = model.request(b"k" * 32)
    scans = [request.fit(Scan(each, (SIZE, SIZE), modality="CR")) for each in pixels]
    found = model.diagnose([""] * 8, scans)
    ok = [each for each in found if each.status == "ok"]
    assert ok
    for each in ok:
        assert each.value == pytest.approx(sum(each.interval) / 2, abs=1e-5)
        assert each.interval[1] - each.interval[0] == pytest.approx(15, abs=1e-5)
        assert list(each.as_json())[-3:] == ["value", "interval", "units"]
    with pytest.raises(StopError, match="E_OPTION"):
        model.diagnose([""] * 8, scans, abstain=True)


def reading() -> RegressionModel:
    """One that reads an age, which says more than the picture, and decides by study."""
    train = bars(60, n_classes=4, seed=60)
    ages = tuple(str(30 + 5 * row % 37) for row in range(60))
    fitted = Covariates.fit({"age": ages}, range(60))
    values = np.array([float(age) for age in ages]) + train.labels
    told = ValuedScans(replace(train, beside=fitted.encode({"age": ages})), values)
    model = model_of("ridge")
    head = train_regression_head(
        told, model.extract, "ridge", HeadSettings(rows=100, components=8), seed=0
    )
    return replace(model, head=head, covariates=fitted, decide_by="study")


def test_covariates_and_studies_go_into_a_bundle_and_come_out_alike(tmp_path: Path) -> None:
    model = reading()
    saved(model, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    assert isinstance(again, RegressionModel)
    assert (again.covariates, again.decide_by) == (model.covariates, "study")
    pixels = bars(6, n_classes=4, seed=60).pixels
    told = [("S1", "40"), ("S1", "50"), ("S2", "60"), ("S2", ""), ("S3", "66"), ("S1", "45")]
    scans = [
        again.request(b"k" * 32).fit(
            Scan(each, (SIZE, SIZE), modality="CR", content_hash=f"{row:016x}" + "0" * 48,
                 patient="P", study=study, covariates={"age": age} if age else {})
        )
        for row, (each, (study, age)) in enumerate(zip(pixels, told, strict=True))
    ]  # fmt: skip
    found = [each for each in again.predict(scans) if each.status == "ok"]
    assert found
    assert {each.units for each in found} == {"bars"}
    single = replace(again, decide_by="scan").predict(scans)
    for each in found:
        rows = [row for row, one in enumerate(told) if one[0] == told[_row(each)][0]]
        used = [single[row] for row in rows if single[row].status == "ok"]
        assert len(each.paths) == len(used)
        assert each.value == pytest.approx(np.mean([one.value for one in used]), abs=1e-4)
        assert sum(each.interval) / 2 == pytest.approx(each.value, abs=1e-4)
        missing = {name for one in used for name in one.missing}
        assert each.missing == tuple(sorted(missing))
    low, high = (again.compute(pixels, model.covariates.encode({"age": (age,) * 6})).values
                 for age in ("35", "60"))  # fmt: skip
    assert (high - low > 5).all(), "the age was not read"


def _row(found: Diagnosis) -> int:
    return int(found.scan_id, 16)


@pytest.mark.parametrize(
    "changes",
    [
        {"head__regressor": "boosting"},
        {"head__decide_by": "hospital"},
        {"head__regressor": "knn"},
        {"head__half_width": -1.0},
        {"head__coverage": 1.0},
        {"task": "classes"},
        {"classes": ["no", "yes"]},
        {"units": None},
        {"encoder__settings": {"channels": 1, "size": SIZE, "widths": [8, 32]}},
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    saved(model_of("ridge"), tmp_path / "b")
    rewrite(tmp_path / "b", **changes)
    with pytest.raises(IntegrityError, match="E_MODEL_INTEGRITY"):
        load_bundle(tmp_path / "b")


def test_the_description_tells_that_it_is_of_numbers(tmp_path: Path) -> None:
    saved(model_of("svm"), tmp_path / "b")
    told = read_description((tmp_path / "b" / "bundle.json").read_text(), tmp_path)
    assert isinstance(told, ValueDescription)
    assert (told.task, told.head.half_width, told.head.n_patients) == ("regression", 7.5, 40)


def test_a_model_of_grades_comes_back(tmp_path: Path) -> None:
    train, calibrate = (bars(count, n_classes=4, seed=count) for count in (60, 30))
    network = build("convolutional", {"channels": 1, "size": SIZE, "widths": (8, 16)})
    network.fit_normalisation(torch.from_numpy(train.pixels))
    settings = HeadSettings("svm", rows=100, components=8, ordered=True, calibration="beta")
    head = train_head(
        train, calibrate, lambda pixels: embed(network, pixels, "pooled"), settings, seed=0
    )
    gate, sets = fit_gate(network, train, calibrate, rate=0.01), SetRule("marginal", (0.1,))
    model = DiagnosticModel(network, head, train.classes, "pooled", True, sets, gate)
    saved(model, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    assert again.head.ordered
    pixels = bars(20, n_classes=4, seed=3).pixels
    first, second = model.compute(pixels), again.compute(pixels)
    for name in ("scores", "probabilities", "decisions", "sets"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    edges = np.abs(np.diff(first.sets.astype(int), axis=1)).sum(axis=1)
    assert (edges + first.sets[:, 0] + first.sets[:, -1] == 2).all(), "a set has a gap"
    rewrite(tmp_path / "b", task="classes")
    with pytest.raises(IntegrityError, match="E_MODEL_INTEGRITY"):
        load_bundle(tmp_path / "b")
