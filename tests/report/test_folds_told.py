"""What is told of a cross-validation: pooled and fold by fold, on the page and on the card."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from made_folds import AS_ASKED, folds_of
from report_content import binary_content, three_class_content
from sklearn.metrics import roc_auc_score
from test_page import words

from latentdx.report.fold import Folded
from latentdx.report.folds import fold_warnings, folds_told
from latentdx.report.model_card import render_card
from latentdx.report.page import render


@pytest.fixture(scope="module")
def told():
    return folds_told(folds_of(binary_content()), 0, **AS_ASKED)


def test_pooled_numbers_are_of_all_scans_and_each_fold_of_its_own(told):
    made, folds = binary_content(), folds_of(binary_content())
    whole = roc_auc_score(made.labels, made.probabilities[:, 1])
    assert told["pooled"]["auroc"]["value"] == pytest.approx(whole)
    assert told["pooled"]["auroc"]["n_scans"] == len(made.labels)
    own = [roc_auc_score(each.predictions.labels, each.predictions.ranking()) for each in folds]
    assert [each["metrics"]["auroc"]["value"] for each in told["each"]] == pytest.approx(own)
    assert told["auroc_within_folds"]["value"] == pytest.approx(np.mean(own))
    spread = told["spread"]["auroc"]
    numbers = [np.mean(own), np.std(own, ddof=1), min(own), max(own)]
    assert list(spread.values()) == pytest.approx(numbers)
    hog = told["baselines"]["hog-svm"]["auroc"]
    assert hog["value"] == pytest.approx(roc_auc_score(made.labels, made.rivals["hog-svm"][:, 1]))
    assert told["abstention"]["coverage"]["n_scans"] == len(made.labels)
    assert re.search(r"strongest baseline is .* 200 scans of 150 patients", told["verdict"])


def test_a_model_whose_scores_are_shifted_ranks_its_own_scans_as_before(told):
    folds = folds_of(binary_content())
    first = folds[0].predictions
    odds = first.probabilities * [1.0, 50.0]
    shifted = replace(first, probabilities=odds / odds.sum(axis=1, keepdims=True))
    again = folds_told([replace(folds[0], predictions=shifted), *folds[1:]], 0, **AS_ASKED)
    assert again["auroc_within_folds"]["value"] == pytest.approx(
        told["auroc_within_folds"]["value"]
    )
    assert again["verdict"] == told["verdict"]
    assert again["pooled"]["auroc"]["value"] < told["pooled"]["auroc"]["value"] - 0.01


def test_a_baseline_that_one_fold_lacks_is_not_pooled():
    first, *others = folds_of(binary_content())
    rivals = {name: told for name, told in first.rivals.items() if name != "metadata"}
    told = folds_told([replace(first, rivals=rivals), *others], 0, **AS_ASKED)
    assert "metadata" not in told["baselines"]
    assert "hog-svm" in told["baselines"]


def test_folds_that_differ_much_are_warned_of(told):
    assert fold_warnings(told) == []
    first, *others = folds_of(binary_content())
    reversed_ = replace(first.predictions, probabilities=first.predictions.probabilities[:, ::-1])
    worse = folds_told([replace(first, predictions=reversed_), *others], 0, **AS_ASKED)
    assert len(fold_warnings(worse)) == 1


@pytest.mark.parametrize("make", [binary_content, three_class_content])
def test_page_and_card_show_them_and_are_silent_without(make):
    made = make()
    plain, card = words(render(made)), render_card(made, {})
    assert "Every scan tested once" not in plain
    assert "Cross-validation" not in card
    told = folds_told(folds_of(made), 0, **AS_ASKED)
    full = replace(made, metrics={**made.metrics, "folds": told})
    shown = words(render(full))
    value, spread = told["pooled"]["auroc"], told["spread"]["auroc"]
    assert "3 Every scan tested once" in shown
    assert "4 Was the autoencoder worth it?" in shown
    assert f"All scans together 200 150 {value['value']:.3f}" in shown
    assert f"Mean of the folds {spread['mean']:.3f} ± {spread['deviation']:.3f}" in shown
    for each in told["each"]:
        counts = f"{each['metrics']['auroc']['n_scans']} "
        assert f"Fold {each['fold']} {counts}" in shown
    assert told["verdict"] in shown
    mean = told["auroc_within_folds"]["value"]
    assert f"AUROC over folds: This model {mean:.3f}" in render(full)
    card = render_card(full, {})
    assert "## Cross-validation" in card
    assert f"| AUROC | {value['value']:.3f} | " in card
    assert f"| {spread['least']:.3f} | {spread['greatest']:.3f} |" in card


def test_pooled_keeps_what_grades_are():
    one = folds_of(binary_content())[0].predictions
    grades = Folded.of([replace(one, ordered=True), one], [1, 2])
    assert grades.judged_by == ("quadratic_kappa", "kappa")
    assert Folded.of([one, one], [1, 2]).judged_by[0] == "auroc_within_folds"
