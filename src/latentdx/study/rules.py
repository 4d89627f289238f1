"""Rules of the user's in a study: checked before it, applied after the model, and told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.cases import PLURALS
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.diagnosis.rules import Rule
from latentdx.diagnosis.rules_file import require_known
from latentdx.features.covariate_values import columns_of, known_columns
from latentdx.report.abstention import ratios
from latentdx.report.predictions import Scored, as_json
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings

Model = TypeVar("Model", DiagnosticModel, FindingsModel, RegressionModel)


def check_rules(prepared: Prepared, settings: RunSettings) -> None:
    """Raise `StopError` ``E_RULES`` where a rule asks for a column that no scan has."""
    require_known(settings.rules, known_columns(prepared.table))


def tell_rules(
    metrics: dict[str, Any],
    rules: Sequence[Rule],
    prepared: Prepared,
    scans: LabelledScans,
    predictions: Scored | None,
    seed: int,
) -> tuple[str, ...]:
    """What rules hold back of tested scans, into the metrics; returns it in sentences.

    `scans` are those of the test part, all of each case: one that a rule stops stops its case.
    `predictions` are of the cases, None where no labels are known. All other numbers stay those of
    all test scans.
    """
    if not rules:
        return ()
    told = [_over(rule, prepared, scans) for rule in rules]
    stopped = np.any([each for each, _ in told], axis=0)
    patients = scans.decided().patients
    share = {"held_back": (stopped.astype(np.float64), np.ones(len(stopped)))}
    metrics["rules"] = {
        **ratios(share, patients, seed),
        "n_held_back": int(stopped.sum()),
        "rules": [
            rule.model_dump()
            | {
                "n_scans": int(each.sum()),
                "n_patients": len(np.unique(patients[each])),
                "n_unknown": int(unknown.sum()),
            }
            for rule, (each, unknown) in zip(rules, told, strict=True)
        ],
        "rest": None,
    }
    if predictions is not None and stopped.any() and not stopped.all():
        rest = predictions.take(~stopped)
        metrics["rules"]["rest"] = as_json(rest.metrics(seed))
    metrics["warnings"] += _warnings(metrics["rules"], len(stopped))
    return rule_sentences(metrics["rules"], len(stopped), PLURALS[prepared.decide_by])


def rule_sentences(told: dict[str, Any], n_tested: int, counted: str) -> tuple[str, ...]:
    """For the card and the page: what the rules hold back, and of how many."""
    found = [
        f"Rules of the user's are applied after the model: {told['n_held_back']} of {n_tested} "
        f"test {counted} get no answer by them; the numbers here are of all of them."
    ]
    for rule in told["rules"]:
        words = f"Rule: \u201c{rule['text']}\u201d holds back {rule['n_scans']} of {n_tested}."
        found.append(words)
    return tuple(found)


def _warnings(told: dict[str, Any], n_tested: int) -> list[str]:
    return [
        f"the rule {rule['text']!r} could not be asked of {rule['n_unknown']} of {n_tested} test "
        "scans: what it asks for is not known"
        for rule in told["rules"]
        if rule["n_unknown"]
    ]


def _over(
    rule: Rule, prepared: Prepared, scans: LabelledScans
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(M,) which cases it stops, and which it cannot be asked of."""
    table = prepared.table
    rows = {name: index for index, name in enumerate(table.scan_id.tolist())}
    chosen = table.take([rows[name] for name in scans.scan_ids.tolist()])
    stopped, unknown = rule.over(columns_of(chosen, rule.names), len(scans))
    if scans.cases is None:
        return stopped, unknown
    of_cases = scans.together().rows()
    return (
        np.array([bool(stopped[each].any()) for each in of_cases], np.bool_),
        np.array([bool(unknown[each].any()) for each in of_cases], np.bool_),
    )
