"""`latentdx run` from outside with other choices: labels, seeds, classes, members, features."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import (
    QUICK,
    RESULTS,
    Ended,
    class_folders,
    differences,
    metrics,
    png,
    table,
    visible,
)
from phantom_hospital import Study, run_of
from sklearn.metrics import roc_auc_score

pytestmark = pytest.mark.slow


def test_fewer_labels_and_more_unlabelled_scans_leave_the_test_part_alone(
    study: Study, here: Callable[..., Ended], more_scans: Path, tmp_path: Path
) -> None:
    more = ("--labelled", "20", "--unlabelled", more_scans)
    ended = here(*run_of(study, tmp_path / "few", *more))
    assert ended.code == 3, ended.err
    counts, few = (
        json.loads((out / "bundle" / "bundle.json").read_text())["counts"]
        for out in (study.out, tmp_path / "few")
    )
    assert few["train"] == 20 < counts["train"]
    n_more = len(list(more_scans.iterdir()))
    assert few["pretrain"] == counts["pretrain"] + counts["train"] - 20 + n_more
    assert [row["path"] for row in table(study.out / "predictions.csv")] == [
        row["path"] for row in table(tmp_path / "few" / "predictions.csv")
    ]
    page = (tmp_path / "few" / "report.html").read_text()
    assert str(20 + few["pretrain"]) in page
    # Its own collection is known as such: the scans it was trained on are not scored.
    bundle, collection = tmp_path / "few" / "bundle", tmp_path / "few" / "collection"
    own = here("evaluate", bundle, collection, "--out", tmp_path / "own", "--json")
    assert own.json["test"]["auroc"]["n_scans"] == counts["test"]
    scored, before = own.json["test"], metrics(tmp_path / "few")["test"]
    for name in ("auroc", "brier", "sensitivity"):
        # Weights that were stored lie otherwise in memory: sums differ in the last bits.
        assert scored[name]["value"] == pytest.approx(before[name]["value"], abs=1e-5)
    rare = here(
        *("evaluate", bundle, collection, "--out", tmp_path / "own", "--json"),
        *("--prevalence", "0.02"),
    ).json
    assert rare["prevalence"] == {"value": 0.02, "source": "given"}
    found, cleared = (scored[name]["value"] for name in ("sensitivity", "specificity"))
    true, false = 0.02 * found, 0.98 * (1 - cleared)
    expected = pytest.approx(true / (true + false)) if found else None  # none was called diseased
    assert rare["test"]["ppv_at_prevalence"]["value"] == expected
    # A run and its bundle's evaluation lie side by side, as far as there is something to compare.
    beside = here("diff", tmp_path / "few", tmp_path / "own", "--json").json
    assert beside["scans"]["shared"] == counts["test"]
    assert abs(beside["metrics"]["auroc"]["difference"]["value"]) < 1e-5
    assert any("no settings of its own" in note for note in beside["notes"])


def test_another_seed_gives_other_parts(
    study: Study, here: Callable[..., Ended], tmp_path: Path
) -> None:
    collection = study.out / "collection"
    ended = here("run", collection, "--out", tmp_path / "o", "--seed", "7", "--epochs", "1")
    assert ended.code == 0, ended.err
    scan_ids = [
        {row["scan_id"] for row in table(out / "predictions.csv")}
        for out in (study.out, tmp_path / "o")
    ]
    assert scan_ids[0] != scan_ids[1]
    assert differences(metrics(study.out)["test"], metrics(tmp_path / "o")["test"])
    refused = here("diff", study.out, tmp_path / "o")
    assert (refused.code, refused.out) == (2, "")
    assert "E_DIFF" in refused.err


@pytest.mark.parametrize(
    ("classifier", "autoencoder", "features"),
    [("knn", "convolutional", "latent"), ("logistic", "invariant", "pooled")],
)
def test_three_classes_and_the_other_choices(
    here: Callable[..., Ended], tmp_path: Path, classifier: str, autoencoder: str, features: str
) -> None:
    source = class_folders(tmp_path / "s", 25)
    for index in range(25):
        png(source / "perhaps" / f"p{index + 500}.png", index + 500, side=14)
    choices = ("--classifier", classifier, "--autoencoder", autoencoder, "--features", features)
    ended = here(
        *("run", source, "--patient-pattern", r"p\d+", "--out", tmp_path / "o", "--json"),
        *(*QUICK, *choices, "--no-flip", "--positive", "yes"),
    )
    assert ended.code == 0, ended.err
    assert visible(tmp_path / "o") == RESULTS
    rows = table(tmp_path / "o" / "predictions.csv")
    names = [name.partition(":")[2] for name in rows[0] if name.startswith("probability:")]
    assert names == ["no", "perhaps", "yes"]
    truth = np.array([names.index(row["label"]) for row in rows])
    scores = np.array([[float(row[f"probability:{name}"]) for name in names] for row in rows])
    value = ended.json["test"]["auroc"]["value"]
    assert roc_auc_score(truth, scores, multi_class="ovr") == pytest.approx(value, abs=1e-12)
    described = json.loads((tmp_path / "o" / "bundle" / "bundle.json").read_text())
    assert described["head"]["classifier"] == classifier
    assert described["encoder"]["name"] == autoencoder
    assert described["head"]["features"] == features
    out, collection = tmp_path / "e", tmp_path / "o" / "collection"
    again = here("evaluate", tmp_path / "o" / "bundle", collection, "--out", out, "--json")
    assert again.json["test"]["auroc"]["value"] == pytest.approx(value, abs=1e-5)
    assert classifier in (out / "report.html").read_text()
    line = here("predict", tmp_path / "o" / "bundle", source / "yes" / "p001.png", "--json").json
    assert set(line["probabilities"]) in (set(names), set())
