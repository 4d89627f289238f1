"""Checklists: every item once, nothing made up, nothing on the card that names a group."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import test_findings_report
import test_value_report
from every_page import full_binary
from report_content import binary_content

from latentdx.report.checklist_facts import ANSWERED, OF_FINDINGS, OF_NUMBERS, facts_of
from latentdx.report.checklist_text import checklists_of, checklists_section, items_of

N_ITEMS = {"TRIPOD+AI": 52, "CLAIM": 42, "REFORMS": 32}


def test_every_item_is_there_once() -> None:
    assert {name: len(items) for name, items in items_of().items()} == N_ITEMS
    for items in items_of().values():
        numbers = [item.number for item in items]
        assert len(set(numbers)) == len(numbers)
        assert all(item.asks for item in items)


def test_every_fact_is_told_by_the_program_and_asked_for_by_an_item() -> None:
    asked = {item.fact for items in items_of().values() for item in items if item.fact}
    drifted = full_binary()
    covariates = {"columns": ["age"], "missing": {"age": 3}}
    groups = [*drifted.metrics["subgroups"], {"column": "site", "value": "x", "auroc": None}]
    full = replace(
        drifted,
        metrics={**drifted.metrics, "covariates": covariates, "subgroups": groups},
        decided=("It decides.",),
        settings={**drifted.settings, "features": "grid", "classifier": "svm"},
        provenance={**drifted.provenance, "collection": "abc"},
    )
    assert set(facts_of(full)) == asked


def test_what_a_run_does_not_know_is_missing_and_what_it_knows_has_its_value() -> None:
    content = binary_content()
    by_item = {
        (name, entry["item"]): entry
        for name, told in checklists_of(content).items()
        for entry in told
    }
    assert by_item["TRIPOD+AI", "17"] == {
        "item": "17", "asks": "ethical approval, consent", "status": "missing", "answer": "",
    }  # fmt: skip
    assert by_item["CLAIM", "13"]["status"] == "missing", "no covariate, nothing known"
    performance = by_item["TRIPOD+AI", "23a"]
    assert performance["status"] == "computed"
    assert f"AUROC {content.metrics['test']['auroc']['value']:.3f}" in performance["answer"]
    assert by_item["REFORMS", "2e"]["status"] == "answered"
    assert "140 (96)" in by_item["TRIPOD+AI", "21"]["answer"]
    for (_, _), entry in by_item.items():
        assert (entry["status"] == "missing") == (entry["answer"] == "")


def test_invalid_runs_do_not_claim_a_sound_split() -> None:
    told = facts_of(binary_content(invalid="4 test patients were in train"))
    assert told["disjoint"].text == "INVALID: 4 test patients were in train"


def test_the_card_names_no_group_and_no_column() -> None:
    content = binary_content()
    groups = [{"column": "ward", "value": "St Elsewhere", "auroc": {"value": 0.9}}]
    covariates = {"columns": ["ward"], "missing": {"ward": 1}}
    metrics = {**content.metrics, "subgroups": groups, "covariates": covariates}
    content = replace(content, metrics=metrics)
    assert "St Elsewhere" in json.dumps(checklists_of(content))
    card = checklists_section(content)
    assert "St Elsewhere" not in card
    assert "ward" not in card.replace("reward", "")
    assert "### TRIPOD+AI: " in card


@pytest.mark.parametrize("module", [test_findings_report, test_value_report])
def test_runs_of_other_tasks_have_checklists_too(module: object) -> None:
    content = module.content()  # type: ignore[attr-defined]
    told = checklists_of(content)
    assert {name: len(items) for name, items in told.items()} == N_ITEMS
    assert "Scans (patients): train" in next(
        entry["answer"] for entry in told["REFORMS"] if entry["item"] == "3e"
    )


def test_numbers_are_told_of_as_numbers() -> None:
    """Nothing of classes, thresholds or abstention is claimed where there is none."""
    content = test_value_report.content(settings={"calibration": "sigmoid", "classifier": "svm"})
    answers = {name: fact.text for name, fact in facts_of(content).items()}
    error = content.metrics["test"]["mae"]["value"]
    assert f"Mean absolute error, years {error:.3f}"[:-1] in answers["performance"]
    assert "Values within their intervals 0.910" in answers["performance"]
    assert answers["task"] == "A number, as given, in years."
    assert answers["baselines"].startswith("Mean absolute error of simpler methods: Median")
    said = " ".join(answers.values()).lower()
    for word in (
        "threshold",
        "calibration",
        "abstain",
        "balanced",
        "discrimination",
        "net benefit",
    ):
        assert word not in said, word


def test_findings_are_told_of_one_by_one() -> None:
    content = test_findings_report.content()
    answers = {name: fact.text for name, fact in facts_of(content).items()}
    assert answers["performance"].startswith("Means over findings: AUROC")
    for name in content.classes:
        value = content.metrics["findings"][name]["auroc"]["value"]
        assert f"AUROC of {name} {value:.3f}" in answers["performance"]
        assert name in answers["task"]
    assert "each finding" in answers["bundle"]


def test_grades_are_called_grades() -> None:
    content = binary_content()
    graded = {**content.metrics["test"], "quadratic_kappa": {"value": 0.6}}
    content = replace(content, metrics={**content.metrics, "test": graded})
    assert facts_of(content)["task"].text.startswith("Grades as given")
    assert facts_of(binary_content())["task"].text.startswith("Labels as given")


def test_answers_are_sentences() -> None:
    every = [*ANSWERED.values(), *OF_NUMBERS.values(), *OF_FINDINGS.values()]
    assert all(text.endswith(".") for text in every)
    assert set(OF_NUMBERS) | set(OF_FINDINGS) <= set(ANSWERED)
