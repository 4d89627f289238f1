"""One scan in, one diagnosis out: every status, and the keys that others rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundle_models import RECIPES, SIZE, bars, model_of, saved
from PIL import Image

from latentdx.bundle.load import load_bundle
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import SetRule
from latentdx.scans.scan import Scan

KEYS = [
    "path",
    "scan_id",
    "status",
    "label",
    "probabilities",
    "prediction_set",
    "anomaly_score",
    "reason",
    "bundle",
]


@pytest.fixture
def model(tmp_path: Path) -> DiagnosticModel:
    saved(model_of(RECIPES[0]), tmp_path / "bundle")
    return load_bundle(tmp_path / "bundle")


def a_scan(pixels: np.ndarray, content_hash: str = "0123456789abcdef" * 4) -> Scan:
    return Scan(pixels.astype(np.float32), pixels.shape[1:], content_hash=content_hash)


def a_picture(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(np.round(pixels * 255).astype(np.uint8)).save(path)
    return path


def test_a_plain_diagnosis(model: DiagnosticModel, tmp_path: Path) -> None:
    scans = bars(6, seed=7)
    paths = [a_picture(tmp_path / f"{row}.png", scans.pixels[row, 0]) for row in range(6)]
    found = model.predict(paths)
    assert [diagnosis.path for diagnosis in found] == [str(path) for path in paths]
    assert {diagnosis.status for diagnosis in found} == {"ok"}
    right = [scans.classes[k] == d.label for k, d in zip(scans.labels, found, strict=True)]
    assert sum(right) >= 5
    for diagnosis in found:
        probabilities = diagnosis.probabilities
        assert probabilities is not None
        assert tuple(probabilities) == model.classes
        assert sum(probabilities.values()) == pytest.approx(1, abs=2e-6)
        assert max(probabilities, key=probabilities.__getitem__) in diagnosis.prediction_set
        assert diagnosis.anomaly_score is not None
        assert 0 <= diagnosis.anomaly_score <= 1
        assert diagnosis.bundle == model.bundle
        assert len(diagnosis.scan_id) == 16
        assert diagnosis.reason is None


def test_the_label_is_the_one_decided_at_the_threshold(model: DiagnosticModel) -> None:
    scan = a_scan(bars(2, seed=7).pixels[1])
    probability = model.predict([scan])[0].probabilities[model.classes[1]]  # type: ignore[index]
    labels = []
    for threshold in (probability - 0.01, probability + 0.01):
        head = replace(model.head, threshold=threshold)
        labels.append(replace(model, head=head).predict([scan])[0].label)
    assert labels == [model.classes[1], model.classes[0]]


def test_a_line_of_json_has_exactly_these_keys(model: DiagnosticModel, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_text("no picture")
    good, constant = a_scan(bars(1).pixels[0]), a_scan(np.full((1, SIZE, SIZE), 0.5))
    lines = [found.as_json() for found in model.predict([good, constant, text])]
    assert [line["status"] for line in lines] == ["ok", "not_evaluated", "quarantined"]
    for line in lines:
        assert list(line) == KEYS
        assert json.loads(json.dumps(line, allow_nan=False)) == line
        assert isinstance(line["probabilities"], dict)
        assert isinstance(line["prediction_set"], list)
        assert line["reason"] is None or set(line["reason"]) == {"code", "text"}


def test_scans_of_any_size_are_fitted_first(model: DiagnosticModel, tmp_path: Path) -> None:
    small = bars(1, seed=7).pixels[0, 0]
    large = a_picture(tmp_path / "large.png", np.kron(small, np.ones((4, 4))))
    plain = a_picture(tmp_path / "plain.png", small)
    first, second = model.predict([large, plain])
    assert first.status == second.status == "ok"
    assert first.label == second.label
    assert first.scan_id != second.scan_id


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_image_is_not_evaluated(level: float, model: DiagnosticModel) -> None:
    (found,) = model.predict([a_scan(np.full((1, SIZE, SIZE), level))])
    assert found.status == "not_evaluated"
    assert found.reason is not None
    assert found.reason.code == "A_CONSTANT"
    assert found.label is None
    assert found.as_json()["probabilities"] == {}
    assert found.prediction_set == ()


def test_an_image_that_the_gate_does_not_know_is_not_evaluated(model: DiagnosticModel) -> None:
    noise = a_scan(np.random.default_rng(0).random((1, SIZE, SIZE)))
    assert model.compute(noise.pixels[None]).foreign.all()
    (found,) = model.predict([noise])
    assert found.status == "not_evaluated"
    assert found.reason is not None
    assert found.reason.code == "A_FOREIGN"
    assert found.label is None
    assert found.anomaly_score == pytest.approx(1 - 1 / (len(model.gate.reference) + 1), abs=1e-6)
    assert "unlike" in found.reason.text
    wide = np.array([1e9])
    tolerant = replace(model, gate=replace(model.gate, reference=wide))
    assert tolerant.predict([noise])[0].status == "ok"


def test_a_header_that_says_another_modality_stops_a_scan(model: DiagnosticModel) -> None:
    """The gate of these models was told of CR."""
    scan = a_scan(bars(1, seed=7).pixels[0])
    for modality, status in (("MR", "not_evaluated"), ("DX", "ok"), ("", "ok")):
        (found,) = model.predict([replace(scan, modality=modality)])
        assert found.status == status
    (found,) = model.predict([replace(scan, modality="MR")])
    assert found.reason is not None
    assert found.reason.code == "A_MODALITY"
    assert found.label is None


def test_abstaining_is_only_where_asked_for_and_several_classes_remain(
    model: DiagnosticModel,
) -> None:
    scan = a_scan(bars(1, seed=7).pixels[0])
    unsure = replace(model, sets=SetRule("marginal", (0.0,)))
    (found,) = unsure.predict([scan], abstain=True)
    assert found.status == "abstained"
    assert found.label is None
    assert found.reason is not None
    assert found.reason.code == "A_AMBIGUOUS"
    assert found.prediction_set == model.classes
    assert found.probabilities
    assert unsure.predict([scan])[0].status == "ok"
    sure = replace(model, sets=SetRule("marginal", (1.0,)))
    assert sure.predict([scan], abstain=True)[0].status == "ok"


def test_a_file_that_cannot_be_read_is_quarantined_with_its_code_and_the_others_go_on(
    model: DiagnosticModel, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    whole = a_picture(tmp_path / "whole.png", bars(1, seed=7).pixels[0, 0])
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:100])
    found = model.predict([empty, tmp_path / "absent.png", whole, cut])
    assert [diagnosis.status for diagnosis in found] == [
        "quarantined",
        "quarantined",
        "ok",
        "quarantined",
    ]
    codes = [diagnosis.reason.code for diagnosis in found if diagnosis.reason]
    assert codes == ["E_EMPTY", "E_IO", "E_TRUNCATED"]
    assert [diagnosis.path for diagnosis in found][:2] == [str(empty), str(tmp_path / "absent.png")]
    assert {found[0].scan_id, found[0].label, found[0].anomaly_score} == {"", None}
    assert found[0].bundle == model.bundle


def test_a_scan_is_diagnosed_alike_alone_and_among_others(model: DiagnosticModel) -> None:
    scans = [a_scan(pixels) for pixels in bars(5, seed=8).pixels]
    together = model.diagnose([""] * 5, scans)
    alone = model.predict(scans)
    assert [found.label for found in together] == [found.label for found in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-4)
