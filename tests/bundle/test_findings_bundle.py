"""A model of several findings: each head as if alone, and a bundle that gives all of them back."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bundle_models import CARD, rewrite
from finding_models import FINDINGS, QUICK, SIZE, findings_model, pictures

from latentdx.bundle.load import load_bundle
from latentdx.bundle.save import save_bundle
from latentdx.collection.terms import Term
from latentdx.core.errors import IntegrityError
from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.head import train_head
from latentdx.diagnosis.set_rule import SetRule
from latentdx.features.extract import embed
from latentdx.scans.scan import Scan


def saved(model: FindingsModel, path: Path) -> str:
    return save_bundle(model, path, card=CARD, split_hash="the split", counts={"train": 64}, seed=0)


def scans_of(count: int, seed: int) -> tuple[list[Scan], np.ndarray]:
    found = pictures(count, seed)
    pixels = found.scans.pixels
    return [Scan(image, (SIZE, SIZE), content_hash="0" * 64) for image in pixels], found.targets


def with_sets(cutoff: float) -> FindingsModel:
    model = findings_model()
    rule = SetRule("marginal", (cutoff,))
    return replace(model, models=tuple(replace(one, sets=rule) for one in model.models))


def test_each_head_is_that_of_its_question_alone() -> None:
    train, calibrate = pictures(64, 64), pictures(40, 40)
    model = findings_model()
    extract = partial(embed, model.encoder, kind="pooled")
    pixels = pictures(12, 5).scans.pixels
    for number, one in enumerate(model.models):
        parts = train.question(number), calibrate.question(number)
        alone = train_head(*parts, extract, QUICK, seed=0)
        found = replace(one, head=alone).compute(pixels)
        np.testing.assert_array_equal(
            found.probabilities, model.compute(pixels)[number].probabilities
        )


def test_findings_are_told_from_each_other() -> None:
    new = pictures(80, 7)
    for number, outputs in enumerate(findings_model().compute(new.scans.pixels)):
        right = outputs.decisions == new.targets[:, number]
        assert right.mean() > 0.8, FINDINGS.names[number]


def test_a_diagnosis_holds_every_finding_by_itself() -> None:
    scans, _ = scans_of(24, 9)
    model = findings_model()
    outputs = model.compute(np.stack([scan.pixels for scan in scans]))
    labels = set()
    for row, found in enumerate(model.predict(scans)):
        if found.status != "ok":
            continue
        value = found.as_json()
        assert set(value["probabilities"]) == set(FINDINGS.names)
        held = [one.decisions[row] == 1 for one in outputs]
        assert value["label"] == FINDINGS.label(held)
        possible = [name for name, one in zip(FINDINGS.names, outputs, strict=True)
                    if one.sets[row, 1]]  # fmt: skip
        assert value["prediction_set"] == possible
        assert set(found.label.split(";")) - {"normal"} <= set(possible)
        labels.add(found.label)
    assert labels == {"bar", "spot", "bar;spot", "normal"}


def test_it_abstains_where_a_finding_is_open() -> None:
    scans, _ = scans_of(12, 9)
    never, always = with_sets(1.0), with_sets(0.0)
    known = [found for found in never.predict(scans, abstain=True) if found.status != "ok"]
    assert {found.status for found in known} <= {"not_evaluated"}
    for found in always.predict(scans, abstain=True):
        if found.status == "not_evaluated":
            continue
        assert (found.status, found.label, found.reason.code) == ("abstained", None, "A_AMBIGUOUS")
        assert found.reason.text == "not sure enough of 2 of 2 findings: bar, spot"
        assert found.prediction_set == FINDINGS.names


def test_a_risk_is_kept_for_each_finding() -> None:
    scans, _ = scans_of(8, 9)
    model = findings_model()
    strict = RiskControl(0.1, 0.9, 1.0, 100, 50, 0)
    models = (replace(model.models[0], risk=strict), model.models[1])
    for found in replace(with_sets(1.0), models=models).predict(scans, abstain=True):
        assert found.status in ("abstained", "not_evaluated")
        if found.status == "abstained":
            assert (found.reason.code, "bar" in found.reason.text) == ("A_RISK", True)


def test_a_loaded_model_computes_the_same_bit_for_bit(tmp_path: Path) -> None:
    model = findings_model()
    risk = RiskControl(0.1, 0.9, 0.8, 100, 50, 1)
    group = SetRule("class-conditional", (0.2, 0.3), 0.8)
    model = replace(
        model, models=(model.models[0], replace(model.models[1], risk=risk, sets=group))
    )
    told = saved(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert isinstance(loaded, FindingsModel)
    pixels = pictures(10, 11).scans.pixels
    for before, after in zip(model.compute(pixels), loaded.compute(pixels), strict=True):
        for field in fields(before):
            first, second = getattr(before, field.name), getattr(after, field.name)
            np.testing.assert_array_equal(first, second, err_msg=field.name)
    assert loaded.bundle == told
    assert (loaded.findings.names, loaded.findings.negative) == (FINDINGS.names, "normal")
    assert [(one.risk, one.sets) for one in loaded.models] == [
        (one.risk, one.sets) for one in model.models
    ]
    assert saved(loaded, tmp_path / "again") == told
    assert all(found.bundle == told for found in loaded.predict([tmp_path / "absent.png"]))


@pytest.mark.parametrize(
    "change",
    [
        {"findings": []},
        {"negative": ""},
        {"task": "classes"},
        {"task": "other"},
        {"classes": ["a", "b"]},
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    saved(findings_model(), tmp_path / "bundle")
    rewrite(tmp_path / "bundle", **change)
    with pytest.raises(IntegrityError, match="E_MODEL_INTEGRITY"):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("name", ["flip", "features"])
def test_heads_that_see_differently_are_refused(tmp_path: Path, name: str) -> None:
    saved(findings_model(), tmp_path / "bundle")
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())["findings"]
    told[1]["head"][name] = {"flip": False, "features": "latent"}[name]
    rewrite(tmp_path / "bundle", findings=told)
    with pytest.raises(IntegrityError, match="E_MODEL_INTEGRITY"):
        load_bundle(tmp_path / "bundle")


def test_a_finding_too_many_is_refused(tmp_path: Path) -> None:
    saved(findings_model(), tmp_path / "bundle")
    told = json.loads((tmp_path / "bundle" / "bundle.json").read_text())["findings"]
    rewrite(tmp_path / "bundle", findings=[*told, told[0]])
    with pytest.raises(IntegrityError, match="E_MODEL_INTEGRITY"):
        load_bundle(tmp_path / "bundle")


def test_whoever_has_a_kind_of_a_finding_has_the_finding(tmp_path: Path) -> None:
    scans, _ = scans_of(24, 9)
    pixels = np.stack([scan.pixels for scan in scans])
    plain = findings_model()
    terms = {"bar": Term(parent="spot", icd10="Q1")}
    saved(replace(plain, findings=replace(FINDINGS, terms=terms)), tmp_path / "b")
    model = load_bundle(tmp_path / "b")
    assert model.findings.terms == terms
    (bar, spot), (_, alone) = model.compute(pixels), plain.compute(pixels)
    assert (spot.probabilities[:, 1] >= bar.probabilities[:, 1]).all()
    assert (alone.probabilities[:, 1] < bar.probabilities[:, 1]).any()
    np.testing.assert_allclose(spot.probabilities.sum(axis=1), 1)
    assert (spot.decisions >= bar.decisions).all()
    assert (spot.decisions >= alone.decisions).all()
    assert (spot.sets[:, 1] >= bar.sets[:, 1]).all()
    for found in model.predict(scans):
        if found.status == "ok" and "bar" in found.label.split(";"):
            assert "spot" in found.label.split(";")
    together = replace(
        model, models=tuple(replace(one, decide_by="patient") for one in model.models)
    )
    named = [replace(scan, patient=f"P{row // 2}") for row, scan in enumerate(scans)]
    for found in together.predict(named):
        if found.probabilities:
            assert found.probabilities["spot"] >= found.probabilities["bar"]
