"""Thresholds by what they are to reach: balanced accuracy, a sensitivity, a specificity, a cost."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from latentdx.core.errors import StopError
from latentdx.diagnosis.independent import one_a_patient

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rate = Literal["sensitivity", "specificity"]
TargetKind = Literal["balanced", "sensitivity", "specificity", "cost"]

CONFIDENCE = 0.95
"""How sure one may be that a wanted sensitivity or specificity is reached."""

BALANCED = "balanced accuracy"

_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_FORMS = "balanced, sensitivity>=0.95, specificity>=0.9 or cost:FN/FP=5"


@dataclass(frozen=True)
class Target:
    """What a threshold is to reach; `value` is the rate, or how many false alarms a miss costs."""

    kind: TargetKind = "balanced"
    value: float = 0.0


@dataclass(frozen=True)
class Threshold:
    """The probability of the second class from which it is decided, and what that targets."""

    value: float
    text: str


def parse_target(text: str) -> Target:
    """A target from its words. Raises `StopError` ``E_OPTION``.

    Examples
    --------
    >>> parse_target("sensitivity>=0.95")
    Target(kind='sensitivity', value=0.95)
    """
    if text == "balanced":
        return Target()
    if match := re.fullmatch(rf"(sensitivity|specificity)>={_NUMBER}", text):
        kind: Rate = "sensitivity" if match[1] == "sensitivity" else "specificity"
        if 0 < float(match[2]) < 1:
            return Target(kind, float(match[2]))
        raise _refused(text, f"give a {kind} between 0 and 1, without them")
    if match := re.fullmatch(rf"cost:FN/FP={_NUMBER}", text):
        if 0 < float(match[1]) < math.inf:
            return Target("cost", float(match[1]))
        raise _refused(text, "give a cost above 0")
    raise _refused(text, f"give {_FORMS}")


def require_two_classes(text: str, n_classes: int) -> None:
    """Raise `StopError` ``E_OPTION`` where a target other than balanced has no threshold."""
    if n_classes != 2 and parse_target(text).kind != "balanced":
        fix = "leave --target out: of several classes the likeliest is decided"
        raise StopError("E_OPTION", f"--target {text!r} with {n_classes} classes", fix=fix)


def choose_threshold(
    target: Target,
    probabilities: Floats,
    labels: Ints,
    patients: Sequence[str] | NDArray[np.str_],
    *,
    seed: int,
) -> Threshold:
    """A threshold on probabilities (N,) of the second class, by labels (N,) of ``tune``.

    Of a rate, the threshold that gives away least of the other rate while the wanted one is
    reached in scans to come with 95 % confidence: an order statistic (Wilks, Annals of
    Mathematical Statistics 12, 1941) of one scan a patient. Where there are too few patients for
    that, the one that reaches it on these scans alone, and the text says so. Of a cost, 1 / (1 +
    FN/FP): calibrated probabilities need no search (Elkan, IJCAI 2001). `balanced` has no
    threshold to choose: it is `Head.calibrated`'s.
    """
    assert target.kind != "balanced", "the head has this threshold"
    if target.kind == "cost":
        text = f"the least cost where a missed positive costs {target.value:g} false alarms"
        return Threshold(1 / (1 + target.value), text)
    return _for_rate(target.kind, target.value, (probabilities, labels, patients), seed)


def _for_rate(
    kind: Rate,
    wanted: float,
    tune: tuple[Floats, Ints, Sequence[str] | NDArray[np.str_]],
    seed: int,
) -> Threshold:
    probabilities, labels, patients = tune
    # Misses are positives below the threshold, false alarms negatives above it: mirrored, alike.
    sign, own = (1, 1) if kind == "sensitivity" else (-1, 0)
    scans = labels == own
    names = np.asarray(patients)[scans]
    values = sign * probabilities[scans]
    alone = values[one_a_patient(names, seed=seed)] if len(names) else values
    name = "positive" if own else "negative"
    goal = f"a {kind} of at least {wanted:g}"
    rank = guarded_rank(len(alone), wanted)
    if rank:
        kept, by = np.sort(alone)[rank - 1], f"by {len(alone)} {name} patients of tune"
        text = f"{goal} with {CONFIDENCE:.0%} confidence, {by}".replace("%", " %")
    elif len(values):
        kept = np.sort(values)[math.floor(len(values) * (1 - wanted) + 1e-9)]
        needed = fewest_patients(wanted)
        text = f"{goal} on the scans of tune alone: to promise it {needed} {name} patients are "
        text += f"needed and {len(alone)} are there"
    else:
        raise StopError("E_ONE_CLASS", f"the tune part has no {name} scan", fix="add some")
    return Threshold(_just_below(float(kept), sign * probabilities, sign), text)


def guarded_rank(count: int, wanted: float, confidence: float = CONFIDENCE) -> int:
    """The largest k so that the k-th smallest of `count` values has enough above it; else 0.

    At least the share `wanted` of values to come are as large, with `confidence`.

    Examples
    --------
    >>> guarded_rank(58, 0.95), guarded_rank(59, 0.95), guarded_rank(200, 0.95)
    (0, 1, 5)
    """
    ranks = np.arange(1, count + 1)
    safe = bdtr(ranks - 1, count, 1 - wanted) <= 1 - confidence
    return int(safe.sum())  # the sum's terms fall with the rank: safe ones come first


def fewest_patients(wanted: float, confidence: float = CONFIDENCE) -> int:
    """Patients of a class that are needed to promise a rate of it.

    Examples
    --------
    >>> fewest_patients(0.95), fewest_patients(0.9)
    (59, 29)
    """
    return math.ceil(math.log(1 - confidence) / math.log(wanted))


def _just_below(kept: float, values: Floats, sign: int) -> float:
    """A threshold between a value that must be on its side and the next, in 0..1.

    In the middle of the gap: another machine's rounding changes no decision. It can only add to
    the wanted rate.
    """
    beyond = values[values < kept]
    end = float(beyond.max()) if len(beyond) else (0.0 if sign > 0 else -1.0)
    return float(sign * (kept + end) / 2)


def _refused(text: str, fix: str) -> StopError:
    return StopError("E_OPTION", f"--target {text!r} is not understood", fix=fix)
