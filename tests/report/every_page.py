"""One page of each kind that latentdx writes, as full as real ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import test_doctor_page
import test_findings_report
import test_training_page
import test_value_report
from made_folds import AS_ASKED, folds_of, left_out_of, seeds_of
from report_content import FEATURES, binary_content, five, three_class_content

from latentdx.report.choice_page import compare_page
from latentdx.report.doctor_page import doctor_page
from latentdx.report.findings_page import render_findings
from latentdx.report.folds import folds_told
from latentdx.report.language import in_language
from latentdx.report.left_out import left_out_told
from latentdx.report.model_metrics import model_metrics
from latentdx.report.page import render
from latentdx.report.predictions import Predictions
from latentdx.report.seeds import seed_warnings, seeds_sentence, seeds_told
from latentdx.report.suggest_page import Proposal, SuggestContent, suggest_page
from latentdx.report.training_page import training_page
from latentdx.report.value_page import render_values


@cache
def every_page() -> dict[str, str]:
    """HTML by the kind of page."""
    binary, three = full_binary(), three_class_content()
    return {
        "classes": render(binary),
        "chinese": in_language(render(binary), "zh"),
        "three-classes": render(
            three_class_content(invalid="test patients were seen", worst=three.examples)
        ),
        "findings": render_findings(full_findings()),
        "values": render_values(full_values()),
        "training": training_page(test_training_page.content()),
        "doctor": doctor_page(test_doctor_page.content()),
        "suggest": suggest_page(suggestions()),
        "compare": compare_page(compared()),
    }


def full_binary():
    """A report with all that two classes may have."""
    made = binary_content()
    patients = (np.arange(len(made.labels)) * 3 // 4).astype(str)
    told = Predictions(made.labels, patients, made.probabilities, made.decisions)
    further = model_metrics(told, 0, 0.02)
    test = {**made.metrics["test"], **further["test"]}
    group = {"labels": [30, 12], "error": five(0.31), "p_corrected": 0.002, "fails": True}
    strata = {"error": 0.1, "groups": [group, {**group, "fails": False}]}
    each = {"p": 0.001, "p_corrected": 0.003, "by": "auroc", "effect": 0.71, "size": "moderate"}
    sex = {"of": "sex", "by": "total variation", "size": "none shown"}
    tests = [{**each, "of": name} for name in ("pixels", "embeddings", "scores")]
    ends = {"value": 0.81, "low": 0.75, "high": 0.86}
    expected = {"average_confidence": ends, "thresholded_confidence": ends}
    drift = {"n_reference": 120, "n_patients": 150, "tests": [*tests, {**each, **sex}],
             "largest": "moderate", "expected": expected}  # fmt: skip
    metrics = {**made.metrics, **further, "test": test, "features": FEATURES}
    probed = {"name": "view", "auroc": five(0.8), "p_value": 0.01, "flagged": True}
    shortcuts = {
        "metadata": [probed],
        "pixels": [{**probed, "name": name} for name in ("border", "outside the body")],
        "embedding": [{"name": "view", "told": five(0.7), "measure": "auroc"}],
        "score_at_equal_label": [{**probed, "column": "view", "value": "AP"}],
    }
    metrics |= {"strata": strata, "drift": drift, "shortcuts": shortcuts}
    metrics["folds"] = folds_told(folds_of(made), 0, **AS_ASKED)
    metrics["left_out"] = left_out_told(*left_out_of(made), 0)
    simpler = {
        name: Predictions(made.labels, patients, table, table.argmax(axis=1))
        for name, table in made.rivals.items()
    }
    metrics["seeds"] = seeds_told(told, simpler, seeds_of(made), 0)
    split = {"scan-level-split": {"auroc": five(0.97)}, "patient-level-split": {"auroc": five(0.8)}}
    metrics["splits"] = split
    decided = (*made.decided, seeds_sentence(metrics["seeds"]))
    metrics["warnings"] = [*metrics["warnings"], *seed_warnings(metrics["seeds"])]
    return binary_content(
        metrics=metrics, worst=made.examples, strata=(made.examples,), decided=decided
    )


def full_values():
    """A report with all that numbers may have."""
    made, told = test_value_report.content(), full_binary().metrics
    groups = [{**group, "labels": []} for group in told["strata"]["groups"]]
    more = {"strata": {"groups": groups}, "drift": told["drift"], "shortcuts": told["shortcuts"]}
    metrics = {**made.metrics, **more, "decide_by": "patient"}
    return replace(made, worst=made.examples, strata=(made.examples,), metrics=metrics)


def full_findings():
    """A report with all that several findings may have."""
    made, told = test_findings_report.content(), full_binary().metrics
    groups = [{**group, "labels": [9, 4, 2]} for group in told["strata"]["groups"]]
    by_group = [
        {"column": "sex", "value": value, "n_scans": 60, "n_patients": 50, "auroc": five(0.8)}
        for value in "FM"
    ]
    each = {"subgroups": by_group, "subgroup_gaps": []}
    more = {
        "strata": {"groups": groups},
        "drift": told["drift"],
        "subgroups": by_group,
        "finding_subgroups": dict.fromkeys(made.classes, each),
    }
    metrics = {**made.metrics, **more, "decide_by": "study"}
    return replace(made, worst=made.examples, strata=(made.examples,), metrics=metrics)


def suggestions() -> SuggestContent:
    pixels = np.random.default_rng(0).random((3, 1, 32, 32), dtype=np.float32)
    each = [
        Proposal(rank, f"{rank}.png", "hesitates between labels", "yes", 0.51, picture)
        for rank, picture in enumerate(pixels, 1)
    ]
    return SuggestContent("scans", "uncertain", 40, each)


def compared() -> dict[str, object]:
    estimate = {"value": 0.42, "low": 0.31, "high": 0.55, "n_scans": 60, "n_patients": 60}
    rows = [
        {
            "name": name, "kind": kind, "log_loss": estimate, "to_first": None,
            "to_untrained": estimate, "auroc": estimate, "seconds": 12.5,
            "images_per_second": 900.0, "parameters": 123456,
        }
        for name, kind in (("invariant", "trained"), ("invariant, untrained", "untrained"))
    ]  # fmt: skip
    caution = "Chosen on tune: the scores are too good."
    return {"rows": rows, "settings": {"labelled": 40}, "caution": caution}
