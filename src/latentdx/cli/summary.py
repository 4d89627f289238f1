"""The result of a run in a few lines for the terminal."""

from __future__ import annotations

from typing import Any

_SHOWN = ("auroc", "balanced_accuracy", "accuracy", "sensitivity", "specificity", "brier", "ece")

_OF_GRADES = ("quadratic_kappa", "grade_error")


def summary(metrics: dict[str, Any], verdict: str) -> str:
    """Test metrics with intervals, the baselines' AUROCs, the control, and the verdict."""
    from latentdx.report.card import plural

    if "test" not in metrics:
        return _of_decisions(metrics, verdict)
    test = metrics["test"]
    if "mae" in test:
        return _of_values(metrics, verdict)
    first = test["auroc"]
    counted = plural(metrics.get("decide_by"))
    lines = [f"Test part: {first['n_scans']} {counted} of {first['n_patients']} patients"]
    shown = [name for name in (*_OF_GRADES, *_SHOWN) if name in test]
    lines += [f"  {name.replace('_', ' '):<20}{_number(test[name])}" for name in shown]
    findings = metrics.get("findings", {})
    if findings:
        lines.append("These are means over the findings; AUROC of each:")
    lines += [f"  {name:<20}{_number(found['auroc'])}" for name, found in findings.items()]
    others = {**metrics["baselines"], **metrics["controls"]}
    if others:
        lines.append("AUROC of the baselines and of the control:")
    lines += [f"  {name:<20}{_number(found['auroc'])}" for name, found in others.items()]
    if (adapted := metrics.get("adaptation")) is not None:
        lines += adapted_lines(adapted)
        lines.append(f"  {'auroc':<20}{_number(adapted['metrics']['auroc'])}")
        lines.append(f"  {'difference':<20}{_number(adapted['gain'])}")
    lines += _of_shift(metrics)
    return "\n".join(
        [*lines, *_of_drift(metrics), verdict, *_of_folds(metrics), *_of_left_out(metrics)]
    )


def adapted_lines(adapted: dict[str, Any]) -> list[str]:
    """By what was adapted, and where sites were told apart, to which of them."""
    told = f"Adapted without labels by {adapted['method']}"
    if not (sites := adapted.get("sites")):
        return [f"{told}:"]
    lines = [f"{told}, each site by itself:"]
    for one in sites:
        counted = f"{one['n_scans']} scans"
        said = f"difference {_number(one['gain'])}" if one["adapted"] else "left as they are"
        lines.append(f"  {one['name'] or 'not known':<20}{counted}, {said}")
    return [*lines, "All together:"]


def _of_folds(metrics: dict[str, Any]) -> list[str]:
    """Of a cross-validation: all scans together, how far folds differ, and its verdict."""
    from latentdx.report.card import plural

    folds = metrics.get("folds")
    if folds is None:
        return []
    pooled, spread = folds["pooled"], folds["spread"]["auroc"]
    counts = pooled["auroc"]["n_scans"], pooled["auroc"]["n_patients"]
    counted = plural(metrics.get("decide_by"))
    lines = [f"Every one tested once, in {folds['n_folds']} folds: {counts[0]} {counted} of "
             f"{counts[1]} patients"]  # fmt: skip
    shown = [name for name in (*_OF_GRADES, *_SHOWN) if name in pooled]
    lines += [f"  {name.replace('_', ' '):<20}{_number(pooled[name])}" for name in shown]
    lines.append(f"  {'auroc within folds':<20}{_number(folds['auroc_within_folds'])}")
    if spread is not None:
        lines.append(f"  {'auroc of folds':<20}{spread['least']:.3f} to {spread['greatest']:.3f}")
    return [*lines, folds["verdict"]]


def _of_left_out(metrics: dict[str, Any]) -> list[str]:
    """Of each place by a model that has never seen it, and what that loses."""
    told = metrics.get("left_out")
    if told is None:
        return []
    lines = [f"AUROC at each value of {told['column']}, by a model without it:"]
    lines += [f"  {one['name']:<20}{_number(one['metrics']['auroc'])}" for one in told["each"]]
    adapted = [told["adaptation"]["verdict"]] if "adaptation" in told else []
    return [*lines, told["verdict"], *adapted]


def _of_decisions(metrics: dict[str, Any], verdict: str) -> str:
    """Of a collection without labels: what was decided, and drift."""
    from latentdx.report.card import number, plural

    counted = f"{metrics['n_scans']} {plural(metrics['decide_by'])} of {metrics['n_patients']} "
    if "predicted" in metrics:
        unit = f" {metrics['units']}" if metrics["units"] else ""
        lines = [f"{counted}patients, predicted"]
        lines += [f"  {name:<20}{number(at)}{unit}" for name, at in metrics["predicted"].items()]
    else:
        lines = [f"{counted}patients, decided as"]
        lines += [f"  {name:<20}{count}" for name, count in metrics["decisions"].items()]
    return "\n".join([*lines, *_of_shift(metrics), *_of_drift(metrics), verdict])


def _of_shift(metrics: dict[str, Any]) -> list[str]:
    from latentdx.report.label_shift import shift_sentences

    return shift_sentences(metrics["label_shift"]) if "label_shift" in metrics else []


def _of_drift(metrics: dict[str, Any]) -> list[str]:
    from latentdx.report.drift_words import drift_rows, drift_sentences

    drift = metrics.get("drift", {})
    rows = [f"  {name:<28}{size}, {apart}" for name, size, apart, _ in drift_rows(drift)]
    return [*drift_sentences(drift), *rows]


def _of_values(metrics: dict[str, Any], verdict: str) -> str:
    """The same of a model of numbers, by its mean absolute error."""
    from latentdx.report.card import plural

    test, units = metrics["test"], metrics["units"]
    first = test["mae"]
    counted = plural(metrics.get("decide_by"))
    lines = [f"Test part: {first['n_scans']} {counted} of {first['n_patients']} patients"]
    lines += [f"  {name:<20}{_number(found)}" for name, found in test.items()]
    lines.append(f"  {'interval coverage':<20}{_number(metrics['intervals']['coverage'])}")
    others = {**metrics["baselines"], **metrics["controls"]}
    if others:
        unit = f" ({units})" if units else ""
        lines.append(f"Mean absolute error of the baselines and of the control{unit}:")
    lines += [f"  {name:<20}{_number(found['mae'])}" for name, found in others.items()]
    return "\n".join([*lines, *_of_drift(metrics), verdict])


def _number(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "not defined"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f}  ({estimate['low']:.3f} to {estimate['high']:.3f})"
