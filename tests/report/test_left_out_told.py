"""What is told of places left out: numbers, the lead of models that know them, page and card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_folds import left_out_of
from report_content import binary_content, three_class_content
from sklearn.metrics import roc_auc_score
from test_page import words

from latentdx.report.left_out import left_out_told, left_out_warnings
from latentdx.report.model_card import render_card
from latentdx.report.page import render


def test_gaps_are_paired_on_the_scans_that_both_have():
    left_out, known = left_out_of(binary_content())
    kept = np.arange(len(known.scan_ids)) % 3 > 0
    known = replace(
        known,
        scan_ids=known.scan_ids[kept][::-1],
        predictions=known.predictions.take(np.flatnonzero(kept)[::-1]),
        folds=np.zeros(kept.sum(), np.int64),
    )
    told = left_out_told(left_out, known, 0)
    at = {name: row for row, name in enumerate(known.scan_ids.tolist())}
    gaps = []
    for one, fold in zip(told["each"], left_out.folds, strict=True):
        rows = [row for row, name in enumerate(fold.scan_ids) if name in at]
        others = [at[fold.scan_ids[row]] for row in rows]
        labels = fold.predictions.labels[rows]
        areas = (
            roc_auc_score(labels, known.predictions.ranking()[others]),
            roc_auc_score(labels, fold.predictions.ranking()[rows]),
        )
        gaps.append(areas[0] - areas[1])
        assert one["known"]["with"]["value"] == pytest.approx(areas[0])
        assert one["known"]["gap"]["value"] == pytest.approx(gaps[-1])
        assert one["known"]["gap"]["n_scans"] == len(rows) < len(fold.scan_ids)
        whole = roc_auc_score(fold.predictions.labels, fold.predictions.ranking())
        assert one["metrics"]["auroc"]["value"] == pytest.approx(whole)
    assert told["gap"]["value"] == pytest.approx(np.mean(gaps))
    assert told["gap"]["low"] > 0
    assert "a new place loses that" in told["verdict"]
    assert len(left_out_warnings(told)) == 2


def test_no_loss_is_claimed_where_none_can_be_shown():
    left_out, known = left_out_of(binary_content())
    whole = [fold.predictions.probabilities for fold in left_out.folds]
    alike = replace(known.predictions, probabilities=np.concatenate(whole))
    told = left_out_told(replace(left_out, others=()), replace(known, predictions=alike), 0)
    assert told["gap"]["value"] == 0
    assert "no loss could be shown" in told["verdict"]
    assert left_out_warnings(told) == []


@pytest.mark.parametrize("make", [binary_content, three_class_content])
def test_page_and_card_show_them_and_are_silent_without(make):
    made = make()
    assert "never seen" not in words(render(made))
    assert "Places never seen" not in render_card(made, {})
    told = left_out_told(*left_out_of(made), 0)
    full = replace(made, metrics={**made.metrics, "left_out": told})
    shown, card = words(render(full)), render_card(full, {})
    assert "3 At a place it has never seen" in shown
    assert told["verdict"] in shown
    assert "## Places never seen" in card
    for one in told["each"]:
        value = f"{one['metrics']['auroc']['value']:.3f}"
        assert f"{one['name']} 100 75 " in shown
        assert f"| {one['name']} | 100 | 75 | {value} |" in card
