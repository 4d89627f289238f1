"""How a model decides, in sentences for the card and the page."""

from __future__ import annotations

from latentdx.collection.cases import PLURALS, DecideBy
from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.calibrations import name_of
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.fine_tuned import FineTuneFacts
from latentdx.diagnosis.head import Head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.set_rule import SetRule
from latentdx.features.covariates import Covariates

_SAFE = {"site", "modality", "sex", "view", "manufacturer", "age_years"}


def how_it_decides(model: DiagnosticModel) -> tuple[str, ...]:
    """Fine-tuning, covariates, calibration, threshold, sets and abstention, a sentence each.

    Names of groups are not told, nor those of columns that a table brought but for covariates:
    who uses the model must know what to give.
    """
    found = [] if model.tuned is None else [_fine_tuned(model.tuned.facts)]
    how = "the mean of their scores"
    if model.head.attention is not None:
        how = "their scores, weighed by a network that learned which scans tell (attention)"
    found += what_is_read(model.covariates, model.decide_by, how)
    found += [*_probabilities(model.head), _sets(model.sets)]
    return (*found, *([] if model.risk is None else [_risk(model.risk)]))


def what_is_read(covariates: Covariates | None, decide_by: DecideBy, how: str) -> list[str]:
    """What is read beside a picture, and which scans are decided together: a sentence each."""
    found = []
    if covariates is not None:
        names = ", ".join(f"\u201c{name}\u201d" for name in covariates.names)
        found.append(
            f"Beside the picture it reads {names}; where one is not known, it goes on without."
        )
    if decide_by != "scan":
        found.append(
            f"All scans of a {decide_by} are decided together, by {how}: "
            f"numbers here count {PLURALS[decide_by]}, each shown by its first scan."
        )
    return found


_BLOCKS = {
    "head": "a linear layer on the encoder's features",
    "last": "a copy of the encoder whose last block and linear layer",
    "all": "a copy of the encoder which, with a linear layer,",
}


def _fine_tuned(facts: FineTuneFacts) -> str:
    epochs = "1 epoch" if facts.epochs == 1 else f"{facts.epochs} epochs"
    more = [facts.loss]
    if facts.class_weights != "balanced":
        more.append("classes not weighted")
    if facts.sampling != "natural":
        more.append(f"{facts.sampling} sampling")
    if facts.consistency:
        more.append("with unlabelled scans, by consistency")
    verb = "that learned" if facts.which == "head" else "learned"
    asked = ", as many as patients held out within train asked for" if facts.chosen else ""
    return (
        "The score is the mean of two: the classifier's, and that of "
        f"{_BLOCKS[facts.which]} {verb} from the labels for {epochs}{asked} ({'; '.join(more)})."
    )


def _probabilities(head: Head) -> list[str]:
    found = []
    if head.ordered:
        found.append(
            "The labels are grades in an order: a classifier for each step asks whether a scan "
            "lies beyond it, and the median grade is decided."
        )
    if head.calibration is not None:
        found.append(f"Scores become probabilities by {name_of(head.calibration)} calibration.")
    if head.threshold is not None:
        found.append(f"The threshold targets {head.threshold_target}.")
    return found


def _sets(rule: SetRule) -> str:
    share = f"{100 * rule.coverage:g} %"
    if rule.kind == "marginal":
        return f"Prediction sets are made to hold the right label for {share} of all scans."
    if rule.kind == "class-conditional":
        return (
            f"Prediction sets are made to hold the right label for {share} of each label's scans."
        )
    column = f"\u201c{rule.column}\u201d" if rule.column in _SAFE else "a covariate"
    text = f"Prediction sets are made to hold the right label for {share} of each group's scans, "
    text += f"{len(rule.groups)} groups by {column}; scans of no known group get the largest sets."
    if rule.n_small:
        text += f" {rule.n_small} of the groups had too few scans for that and share one cutoff: "
        text += "there it holds over all scans only."
    return text


def _risk(risk: RiskControl) -> str:
    goal = f"at most {100 * risk.risk:g} % of answers are wrong"
    if risk.cutoff is None:
        return (
            f"No abstention was found by which {goal}, with {100 * risk.confidence:g} % confidence "
            f"({risk.n_patients} patients of tune): nothing is promised."
        )
    return (
        f"Asked to abstain, it answers from a confidence of {risk.cutoff:.3f}, by which {goal} "
        f"with {100 * risk.confidence:g} % confidence (of {risk.n_patients} patients of tune "
        f"{risk.n_answered} were answered, {risk.n_wrong} wrongly)."
    )


def how_findings_decide(model: FindingsModel) -> tuple[str, ...]:
    """The sentences of every finding's model; those that do not hold for all name the findings."""
    found: dict[str, list[str]] = {}
    for name, one in zip(model.findings.names, model.models, strict=True):
        for sentence in how_it_decides(one):
            found.setdefault(sentence, []).append(name)
    told = [
        sentence if len(names) == len(model.models) else f"{', '.join(names)}: {sentence}"
        for sentence, names in found.items()
    ]
    return ("Each finding is a question of its own, asked of the same features.", *told)
