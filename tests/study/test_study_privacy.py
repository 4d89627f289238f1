"""`latentdx privacy`: what it tells of a run; a planted classifier that remembers is caught."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from choice_scans import COUNTS, write_collection

from latentdx.core.errors import StopError
from latentdx.diagnosis.classifiers import fit_classifier
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.machines import ClassifierName
from latentdx.diagnosis.shadows import shadow_heads
from latentdx.features.table import FeatureTable
from latentdx.features.whiten import PrincipalComponents, Standardiser
from latentdx.metrics.membership import Attack, judge_attack, lira
from latentdx.study.forget import forget
from latentdx.study.privacy import RESULTS, look_at_privacy
from latentdx.study.run import run_study
from latentdx.study.settings import RunSettings


def attack_on(name: ClassifierName, strength: float, columns: int, noise: float) -> Attack:
    """LiRA on heads of 120 scans whose labels follow one column, the more `noise` the less."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(120, columns)).astype(np.float32)
    labels = (vectors[:, 0] + noise * generator.normal(size=120) > 0).astype(np.int64)
    names = np.array([f"p{number}" for number in range(120)])
    table = FeatureTable(vectors, labels, names, names, np.full(120, "train"), ("a", "b"), "", "")
    scale = Standardiser.fit(vectors)
    components = PrincipalComponents.fit(scale(vectors), 64)
    machine = fit_classifier(
        name, components(scale(vectors)), labels, n_classes=2, strength=strength
    )
    head = Head(name, strength, scale, components, machine)
    made = shadow_heads(head, table, n_scans=120, count=16, seed=0)
    scores = lira(made.confidences, made.members)
    return judge_attack(scores, made.members, names, generator=generator)


def test_a_classifier_that_remembers_is_caught_and_a_plain_one_is_not() -> None:
    planted, plain = attack_on("svm", 10.0, 60, 9.0), attack_on("logistic", 1e-3, 2, 0.1)
    caught, spared = planted.told[0.01], plain.told[0.01]
    assert caught is not None
    assert spared is not None
    assert (caught.low or 0) > 0.5
    assert (spared.value or 0) < 0.05


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("privacy")
    settings = RunSettings(
        source=str(write_collection(root / "c")), autoencoder="variational",
        network={"widths": [8, 16]}, epochs=1, classifier="prototypes", features="pooled",
        fine_tune="none",
    )  # fmt: skip
    run_study(settings, root / "run")
    return root / "run"


@pytest.mark.slow
def test_a_run_is_attacked_in_four_ways_and_its_test_part_stays_closed(
    run: Path, tmp_path: Path
) -> None:
    found = look_at_privacy(run, tmp_path / "out", shadows=4)
    assert found == json.loads((tmp_path / "out" / RESULTS[0]).read_text())
    learned = COUNTS["train"] + COUNTS["tune"] + COUNTS["calibrate"]
    membership: dict[str, Any] = found["membership"]
    assert membership["classifier"]["n_members"] == 2 * learned
    counts = [(part["n_members"], part["n_others"]) for part in membership.values()][1:]
    assert counts == [(COUNTS["train"], learned - COUNTS["train"])] * 2
    assert found["reidentification"]["embeddings"]["n_among"] == learned + 12
    inverted = {name: part["value"] for name, part in found["inversion"].items()}
    assert inverted["embeddings"] > inverted["mean scan"]
    assert found["samples"]["n_samples"] == 200
    page = (tmp_path / "out" / RESULTS[1]).read_text()
    assert "<img" not in page, "it may be passed on"
    assert "Are drawn scans copies?" in page
    assert look_at_privacy(run, tmp_path / "again", shadows=4) == found


@pytest.mark.slow
def test_only_a_finished_run_as_it_was_is_attacked(run: Path, tmp_path: Path) -> None:
    for folder, shadows, code in ((tmp_path, 4, "E_RUN"), (run, 5, "E_OPTION")):
        with pytest.raises(StopError) as caught:
            look_at_privacy(folder, tmp_path / "out", shadows=shadows)
        assert caught.value.code == code
    forget("test-0", [run])
    with pytest.raises(StopError, match="changed since"):
        look_at_privacy(run, tmp_path / "out")
