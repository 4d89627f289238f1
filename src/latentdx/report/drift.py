"""Drift: how the scans of an evaluation differ from those that the model was made from.

Pixels, embeddings and scores are compared by the maximum mean discrepancy, columns by their shares,
one scan of each patient, each with a test by permutation; Holm's correction holds the chance of
any false alarm at 5 %. A p-value says that a difference is no chance, its size what it amounts to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.drift_reference import Reference
from latentdx.metrics.permutation import holm
from latentdx.metrics.two_samples import discrepancy_p, shares_p, told_apart, total_variation

LEVEL = 0.05
FEWEST = 20
SIZES = ("none shown", "slight", "moderate", "strong")
_BY_AUROC = (0.65, 0.8)
_BY_SHARE = (0.1, 0.3)
_RESAMPLES = 1000


def drift_of(reference: Reference | None, rows: Reference, seed: int) -> dict[str, Any]:
    """For ``metrics.json``: ``tests``, the ``largest`` size, and the ``expected`` accuracy.

    `rows` are all in one order. `expected` stands only where pixels, embeddings and scores differ
    slightly at most, and of answers that are right or wrong: not of numbers. Where either
    side has fewer than 20 patients, or the bundle keeps no reference, ``reason`` says so.
    """
    if reference is None:
        return {"reason": "the bundle keeps no reference: make it again by latentdx fit"}
    counts = {"n_reference": len(reference), "n_patients": len(rows)}
    if min(counts.values()) < FEWEST:
        return {**counts, "reason": f"fewer than {FEWEST} patients: drift cannot be told"}
    tests = [*_of_numbers(reference, rows, seed), *_of_columns(reference, rows, seed)]
    for test, p in zip(tests, holm([test["p"] for test in tests]).tolist(), strict=True):
        test["p_corrected"] = p
        test["size"] = SIZES[0] if p > LEVEL else _size(test)
    largest = max((SIZES.index(test["size"]) for test in tests), default=0)
    found = {**counts, "tests": tests, "largest": SIZES[largest]}
    near = max(SIZES.index(test["size"]) for test in tests if test["by"] == "auroc") < 2
    if not reference.sure.shape[1]:
        return {**found, "expected": None, "reason": "numbers are neither right nor wrong"}
    if not near:
        return {**found, "expected": None, "reason": "the drift is too large for an expectation"}
    return {**found, "expected": expected_accuracy(reference, rows, seed)}


def _of_numbers(reference: Reference, rows: Reference, seed: int) -> list[dict[str, Any]]:
    found = []
    for name in ("pixels", "embeddings", "scores"):
        first, second = (np.asarray(getattr(side, name)) for side in (reference, rows))
        generator = numpy_generator(seed, f"drift {name}")
        p = discrepancy_p(first, second, generator)
        effect = told_apart(first, second, generator)
        found.append({"of": name, "p": p, "by": "auroc", "effect": effect})
    return found


def _of_columns(reference: Reference, rows: Reference, seed: int) -> list[dict[str, Any]]:
    found = []
    for name in sorted(set(reference.columns) & set(rows.columns)):
        first, second = reference.columns[name], rows.columns[name]
        p = shares_p(first, second, numpy_generator(seed, f"drift column {name}"))
        effect = total_variation(first, second)
        found.append({"of": name, "p": p, "by": "total variation", "effect": effect})
    return found


def _size(test: dict[str, Any]) -> str:
    limits = _BY_AUROC if test["by"] == "auroc" else _BY_SHARE
    return SIZES[1 + sum(test["effect"] >= limit for limit in limits)]


def expected_accuracy(reference: Reference, rows: Reference, seed: int) -> dict[str, Any]:
    """The accuracy to be expected without labels, by two ways, each with a 95 % interval.

    ``average_confidence`` is the mean probability of the decided class. ``thresholded_confidence``
    is the share above the confidence that as many scans of the reference stay below as it had wrong
    (Garg and others, ICLR 2022). Of several findings all answers are taken together. Intervals
    resample the patients of both sides.
    """
    sure, new = reference.sure, rows.sure
    wrong = ~reference.right
    generator = numpy_generator(seed, "drift expected")
    resampled = []
    for _ in range(_RESAMPLES):
        own = generator.integers(len(sure), size=len(sure))
        drawn = new[generator.integers(len(new), size=len(new))]
        resampled.append(_expected(sure[own], wrong[own], drawn))
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    names = ("average_confidence", "thresholded_confidence")
    values = _expected(sure, wrong, new)
    return {
        name: {"value": values[k], "low": float(low[k]), "high": float(high[k])}
        for k, name in enumerate(names)
    }


def _expected(sure: Any, wrong: Any, new: Any) -> tuple[float, float]:
    n_wrong = int(wrong.sum())
    cut = np.sort(sure, axis=None)[n_wrong] if n_wrong < sure.size else np.inf
    return float(new.mean()), float((new >= cut).mean())
