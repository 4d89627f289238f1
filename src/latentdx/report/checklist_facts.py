"""What the program knows that reporting checklists ask for: from a run's numbers, or by its making.

A fact is ``computed`` where it holds a value of this run, ``answered`` where every run does so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from latentdx.report.card import BASELINE_NAMES, METRIC_NAMES, count, field_of, interval, number
from latentdx.report.value_words import METRIC_NAMES as VALUE_NAMES
from latentdx.report.value_words import with_unit


class Fact(NamedTuple):
    """An answer, and whether it holds values of this run."""

    text: str
    is_computed: bool


ANSWERED: Mapping[str, str] = {
    "use": "Research on scans of the kind it was trained on; no diagnosis, treatment or triage.",
    "aims": "Development of a model with internal validation on held-out patients.",
    "preparation": "Files are read by content, brought to grey levels in 0..1 and one size, each "
    "conversion recorded; what cannot be used is set aside with its reason; odd, inverted, empty "
    "and saturated scans are marked.",
    "deidentification": "DICOM's Basic profile (PS3.15) at every depth, dates shifted by patient, "
    "burned-in text searched for.",
    "partition": "By patient into train, tune, calibrate and test; test is opened once.",
    "measures": "Discrimination, decisions, calibration and net benefit; paired comparison with "
    "simpler methods on the same scans.",
    "intervals": "95 % intervals by resampling patients.",
    "tests": "Paired intervals; permutation tests by patient, corrected by Holm.",
    "code": "latentdx, open source.",
    "repeat": "config.toml replays the run.",
    "bundle": "The bundle holds weights, classifier, calibration and threshold.",
    "limits": "See Limits.",
    "input": "What cannot be read is refused with its reason, scans of another kind are not "
    "evaluated, and the model may abstain.",
}


OF_NUMBERS: Mapping[str, str] = {
    "measures": "Absolute and squared errors, explained variance, correlations, and the share of "
    "values within their intervals; paired comparison with simpler methods on the same scans.",
    "bundle": "The bundle holds weights, the machine, and how far its intervals reach.",
    "input": "What cannot be read is refused with its reason, scans of another kind are not "
    "evaluated.",
}
"""What every run of numbers does instead."""

OF_FINDINGS: Mapping[str, str] = {
    "measures": "Discrimination, decisions and calibration of each finding, and their means; "
    "paired comparison of the means with simpler methods on the same scans.",
    "bundle": "The bundle holds weights, and classifier, calibration and threshold of each "
    "finding.",
}
"""What every run of several findings does instead."""


def facts_of(content: Any) -> dict[str, Fact]:
    """All facts by name; those that this run does not have are left out."""
    own = OF_NUMBERS if _are_numbers(content) else {}
    if _are_findings(content):
        own = OF_FINDINGS
    found = {name: Fact(text, False) for name, text in {**ANSWERED, **own}.items()}
    for name, tell in _COMPUTED.items():
        if text := tell(content):
            found[name] = Fact(text, True)
    return found


def _are_numbers(content: Any) -> bool:
    return hasattr(content, "units")


def _are_findings(content: Any) -> bool:
    return hasattr(content, "negative")


def _task(content: Any) -> str:
    if _are_numbers(content):
        return f"A number, as given{f', in {content.units}' if content.units else ''}."
    names = ", ".join(content.classes)
    if _are_findings(content):
        return f"Findings as given, each a question of its own: {names}."
    is_graded = field_of(content.metrics, "test", "quadratic_kappa") is not None
    return f"{'Grades as given, the lowest first' if is_graded else 'Labels as given'}: {names}."


def _counts(content: Any) -> str:
    told = []
    for part, held in content.parts.items():
        if not isinstance(held, Mapping):
            told.append(f"{part}: {count(held.n_scans)} scans of {count(held.n_patients)} patients")
            continue
        by = [f"{name or 'no label'} {count(n)} ({count(m)})" for name, (n, m) in held.items()]
        told.append(f"{part}: {', '.join(by)}")
    return f"Scans (patients): {'; '.join(told)}." if told else ""


def _flow(content: Any) -> str:
    return f"{count(content.n_quarantined)} files were set aside. {_counts(content)}".strip()


def _disjoint(content: Any) -> str:
    if content.invalid:
        return f"INVALID: {content.invalid}"
    return "By patient; no patient of test is in another part."


def _partition(content: Any) -> str:
    n_folds = field_of(content.metrics, "folds", "n_folds")
    if n_folds is None:
        return ""
    return (
        f"{ANSWERED['partition']} Beside that, {count(n_folds)} folds by patient, each tested by a "
        "model made anew from the others."
    )


def _duplicates(content: Any) -> str:
    found = field_of(content.audit, "findings") or []
    texts = [item["text"] for item in found if "duplicate" in str(field_of(item, "code"))]
    return f"Searched for equal and nearly equal pictures: {'; '.join(texts) or 'none found'}."


def _imbalance(content: Any) -> str:
    if _are_numbers(content):
        return "There are no classes; every part has small and large values, by patient."
    found = field_of(content.audit, "findings") or []
    texts = [
        item["text"] for item in found if field_of(item, "code") in ("imbalance", "small-class")
    ]
    weighed = "Classes are weighed alike in fitting, and balanced metrics are told."
    return " ".join([*(f"{text}." for text in texts), weighed])


def _model(content: Any) -> str:
    names = ("autoencoder", "latent_dim", "classifier")
    return _settings(*names, *(() if _are_numbers(content) else ("calibration",)))(content)


def _settings(*names: str) -> Callable[[Any], str]:
    def tell(content: Any) -> str:
        known = {name: content.settings.get(name) for name in names}
        return ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)

    return tell


def _predictors(content: Any) -> str:
    columns = field_of(content.metrics, "covariates", "columns")
    beside = f", and {', '.join(columns)}" if columns else ""
    return f"The picture's features{beside}."


def _missing(content: Any) -> str:
    counts = field_of(content.metrics, "covariates", "missing")
    if counts is None:
        return ""
    told = ", ".join(f"{name}: {count(n)}" for name, n in counts.items())
    return f"Covariates not known of test scans: {told}; the model goes on without."


def _subgroups(content: Any) -> str:
    groups = field_of(content.metrics, "subgroups") or []
    told = []
    for group in groups:
        name = next((key for key in ("auroc", "mae") if key in group), "")
        estimate = group.get(name)
        value = f"{number(field_of(estimate, 'value'))} ({interval(estimate)})"
        told.append(f"{group['column']} {group['value']} {name} {value}")
    return "; ".join(told)


def _performance(content: Any) -> str:
    test = field_of(content.metrics, "test") or {}
    names = ("auroc", "sensitivity", "specificity", "ece", "mae", "r2")
    told = [
        _shown(with_unit({**METRIC_NAMES, **VALUE_NAMES}[name], name, _unit(content)), test[name])
        for name in names
        if name in test
    ]
    if covered := field_of(content.metrics, "intervals", "coverage"):
        told.append(_shown("Values within their intervals", covered))
    each = field_of(content.metrics, "findings") or {}
    told += [_shown(f"AUROC of {name}", found["auroc"]) for name, found in each.items()]
    told += _of_folds(content)
    return f"{'Means over findings: ' if each else ''}{'; '.join(told)}" if told else ""


def _shown(name: str, estimate: Any) -> str:
    return f"{name} {number(field_of(estimate, 'value'))} ({interval(estimate)})"


def _unit(content: Any) -> str:
    return str(getattr(content, "units", ""))


def _of_folds(content: Any) -> list[str]:
    pooled = field_of(content.metrics, "folds", "pooled", "auroc")
    if pooled is None:
        return []
    value = f"{number(field_of(pooled, 'value'))} ({interval(pooled)})"
    return [f"over all folds AUROC {value} on {count(field_of(pooled, 'n_scans'))} scans"]


def _baselines(content: Any) -> str:
    name = "mae" if _are_numbers(content) else "auroc"
    rivals = field_of(content.metrics, "baselines") or {}
    told = [
        f"{BASELINE_NAMES.get(rival, rival)} {number(field_of(values, name, 'value'))}"
        for rival, values in rivals.items()
    ]
    title = {**METRIC_NAMES, **VALUE_NAMES}[name]
    return f"{title} of simpler methods: {'; '.join(told)}" if told else ""


def _failures(content: Any) -> str:
    groups = field_of(content.metrics, "strata", "groups")
    if not groups:
        return ""
    failing = sum(bool(group["fails"]) for group in groups)
    return f"{failing} of {len(groups)} hidden groups fail; the report shows the gravest errors."


def _choice(content: Any) -> str:
    chosen = field_of(content.metrics, "features", "chosen")
    return f"Features {chosen}, by log loss on tune." if chosen else ""


def _software(content: Any) -> str:
    told = {
        name: content.provenance.get(name) for name in ("latentdx", "torch", "python", "device")
    }
    return ", ".join(f"{name} {value}" for name, value in told.items() if value)


def _fingerprint(content: Any) -> str:
    digest = content.provenance.get("collection")
    return f"Collection {digest}" if digest else ""


def _sites(content: Any) -> str:
    groups = field_of(content.metrics, "subgroups") or []
    n_sites = sum(group.get("column") == "site" for group in groups)
    return f"{n_sites} sites with 20 test scans or more." if n_sites else ""


def _training(content: Any) -> str:
    passes = f"{len(content.history)} passes" if content.history else ""
    names = ("size", "augment", "batch_size", "learning_rate", "schedule", "objectives", "loss")
    return ", ".join(filter(None, (passes, _settings(*names)(content))))


def _decides(content: Any) -> str:
    return " ".join(content.decided)


def _drift(content: Any) -> str:
    return str(field_of(content.metrics, "drift", "largest") or "")


_COMPUTED: Mapping[str, Callable[[Any], str]] = {
    "task": _task,
    "counts": _counts,
    "flow": _flow,
    "disjoint": _disjoint,
    "partition": _partition,
    "duplicates": _duplicates,
    "imbalance": _imbalance,
    "model": _model,
    "features": _settings("features", "flip"),
    "seed": _settings("seed"),
    "predictors": _predictors,
    "missing": _missing,
    "subgroups": _subgroups,
    "sites": _sites,
    "performance": _performance,
    "baselines": _baselines,
    "failures": _failures,
    "choice": _choice,
    "software": _software,
    "fingerprint": _fingerprint,
    "training": _training,
    "decides": _decides,
    "drift": _drift,
}
