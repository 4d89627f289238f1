"""``python -m benchmarks.coverage``: what is promised of sets, risk, thresholds and probabilities.

Scores of a large made-up population (two classes, one a quarter; four sites, one of them worse),
and real ones: PneumoniaMNIST's own train part, an SVM on the pixels of one half of it and its
scores of the other, and the reverse. Again and again a calibrate and a tune part are drawn, all is
fitted on them, and what it promises is counted on the scans that are left. A promise of split
conformal prediction holds on average over such draws, so that the mean is what is to be at the
nominal coverage; the spread is what one draw can be off. A promise of risk or of a rate holds for
one draw with a stated confidence: the share of draws in which it is broken is to be below the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, ROOT, TRIALS, provenance, write
from benchmarks.worth_sets import load
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.abstain import CONFIDENCE, confidences, control_risk
from latentdx.diagnosis.calibration_choice import choose_calibration
from latentdx.diagnosis.calibrations import CALIBRATIONS, CalibrationName
from latentdx.diagnosis.head import HeadSettings, fit_head
from latentdx.diagnosis.set_rule import SetRule, fit_sets
from latentdx.diagnosis.threshold import choose_threshold, parse_target
from latentdx.features.pixels import flat_pixels
from latentdx.features.table import FeatureTable
from latentdx.metrics.calibration import ece, log_loss

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COVERAGES = (0.9, 0.95)
_RISKS = (0.05, 0.1)
_RATE = 0.9
_BY_CLASS = {
    f"coverage alone class-conditional {coverage:g}, class {k}"
    for coverage in _COVERAGES
    for k in (0, 1)
}
_PROMISED = ("marginal", "too low", "rarely")  # the rest is told, and asks for more scans
_SITES = ("north", "south", "east", "west")


@dataclass(frozen=True)
class Population:
    """Scores (N, 1), labels (N,), sites (N,); each scan is a patient of its own.

    `parts`: numbers of scans drawn for calibrate and tune. `tested`: at most so many of the rest.
    """

    name: str
    scores: NDArray[np.float32]
    labels: Ints
    sites: NDArray[np.str_]
    parts: tuple[int, int]
    tested: int

    def draw(self, generator: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Rows of calibrate, of tune, and of scans on which promises are counted."""
        order = generator.permutation(len(self.labels))
        first, second = self.parts[0], sum(self.parts)
        return order[:first], order[first:second], order[second : second + self.tested]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write results/coverage.json; 1 where a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few draws: does it work?")
    asked = parser.parse_args(arguments)
    n_draws = 10 if asked.quick else asked.draws
    cases = [made_up(asked.seed, parts) for parts in ((300, 400), (80, 120))]
    found = {}
    for case in (cases[:1], cases[1:], real(asked.seed)):
        share = -(-n_draws // len(case))
        rows = [row for of in case for row in trials(of, share, asked.seed)]
        found[case[0].name] = {"parts": case[0].parts, "draws": len(rows), **summary(rows)}
        print(case[0].name, checks(found[case[0].name]))
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "coverage.json"
    kept = {name: checks(numbers) for name, numbers in found.items()}
    write(out, {"quick": asked.quick, **provenance(), "seed": asked.seed, "kept": kept, **found})
    promised = [
        held
        for of in kept.values()
        for name, held in of.items()
        if any(p in name for p in _PROMISED)
    ]
    return int(not all(promised))


def made_up(seed: int, parts: tuple[int, int]) -> Population:
    """A hundred thousand scans; positives lie wider than negatives, one site is worse."""
    generator = numpy_generator(seed, "population")
    n_scans = 100_000
    labels = (generator.random(n_scans) < 0.25).astype(np.int64)
    sites = generator.choice(_SITES, n_scans, p=(0.4, 0.3, 0.2, 0.1))
    apart = np.where(sites == "west", 0.5, 1.1)
    tails = generator.standard_t(6, n_scans) * np.where(labels == 1, 0.9, 0.65)
    scores = apart * (2 * labels - 1) + tails + np.where(sites == "south", 0.2, 0.0)
    column = scores[:, None].astype(np.float32)
    return Population(f"made-up {parts[0]}+{parts[1]}", column, labels, sites, parts, 20_000)


def real(seed: int) -> list[Population]:
    """Both halves of PneumoniaMNIST's train part, each scored by an SVM of the other."""
    stored = load("pneumoniamnist", ROOT / "build" / "worth")
    scans = stored.scans(stored.learned(0))
    features = flat_pixels(scans.pixels)
    half = numpy_generator(seed, "halves").permutation(len(scans)) % 2
    found = []
    for fitted in (0, 1):
        train, rest = half == fitted, half != fitted
        known = scans.take(train)
        given = (known.labels, known.patients, known.scan_ids, known.parts, known.classes)
        table = FeatureTable(features[train], *given, "", "")
        head = fit_head(table, HeadSettings(), n_scans=len(known), seed=seed)
        nowhere = np.full(int(rest.sum()), "")
        scores = head.scores(features[rest])
        found.append(
            Population("pneumoniamnist", scores, scans.labels[rest], nowhere, (300, 400), 10_000)
        )
    return found


def trials(case: Population, n_draws: int, seed: int) -> list[dict[str, float]]:
    """What each draw came to, by name."""
    base = derive_seed(seed, case.name, int(case.labels.sum()))
    return [_trial(case, derive_seed(base, number)) for number in range(n_draws)]


def _trial(case: Population, seed: int) -> dict[str, float]:
    calibrate, tune, new = case.draw(numpy_generator(seed))
    scores, labels = case.scores, case.labels
    patients = [str(row) for row in range(len(calibrate))]
    chosen = choose_calibration(scores[calibrate], labels[calibrate], patients, seed=seed)
    found: dict[str, float] = {}
    for name, kind in CALIBRATIONS.items():
        fitted = kind.fit(scores[calibrate], labels[calibrate])
        table = fitted.probabilities(scores[new])
        numbers = {"ece": ece(labels[new], table), "log-loss": log_loss(labels[new], table)}
        found |= {f"{what} {name}": value for what, value in numbers.items()}
        found[f"chosen {name}"] = float(chosen == name)
        if name == "sigmoid":
            at_zero = float(fitted.probabilities(np.zeros((1, 1), np.float32))[0, 1])
            every = fitted.probabilities(scores)
            found |= _sets(case, every, (tune, new), at_zero)
            found |= _risks(case, every, tune, at_zero, seed)
            found |= _rates(case, every, tune, seed)
    chosen_name: CalibrationName = chosen
    found |= {f"{what} auto": found[f"{what} {chosen_name}"] for what in ("ece", "log-loss")}
    found["log-loss auto - sigmoid"] = found["log-loss auto"] - found["log-loss sigmoid"]
    return found


def _sets(
    case: Population, table: Floats, rows: tuple[Ints, Ints], at_zero: float
) -> dict[str, float]:
    """Coverage of each kind of sets, as made (the decided class is in) and without that."""
    tune, new = rows
    labels, found = case.labels, {}
    decided = (table[new, 1] >= at_zero).astype(np.int64)
    kinds = ["marginal", "class-conditional"] + ["mondrian:site"] * bool(case.sites[0])
    for kind in kinds:
        for coverage in _COVERAGES:
            groups = case.sites[tune].tolist()
            rule = fit_sets(table[tune], labels[tune], sets=kind, coverage=coverage, groups=groups)
            inside = rule.inside(table[new], decided, case.sites[new].tolist())
            held = {"": inside[np.arange(len(new)), labels[new]]}
            held["alone "] = _cutoff_alone(rule, table[new], labels[new], case.sites[new])
            name = f"{kind} {coverage:g}"
            for way, covered in held.items():
                for within, mask in _within(kind, case, new).items():
                    found[f"coverage {way}{name}{within}"] = float(covered[mask].mean())
            found[f"answered {name}"] = float((inside.sum(axis=1) == 1).mean())
    return found


def _cutoff_alone(
    rule: SetRule, table: Floats, labels: Ints, sites: NDArray[np.str_]
) -> NDArray[np.bool_]:
    """Whether the label passes its cutoff: what conformal prediction is about."""
    other = 1 - labels  # had the other class been decided, the label is in by its cutoff alone
    inside = rule.inside(table, other, sites.tolist())
    return inside[np.arange(len(labels)), labels]


def _within(kind: str, case: Population, new: Ints) -> dict[str, NDArray[np.bool_]]:
    every = {"": np.ones(len(new), np.bool_)}
    if kind == "class-conditional" or kind == "marginal":
        every |= {f", class {k}": case.labels[new] == k for k in (0, 1)}
    if case.sites[0]:
        every |= {f", {site}": case.sites[new] == site for site in ("north", "west")}
    return every


def _risks(
    case: Population, table: Floats, tune: Ints, at_zero: float, seed: int
) -> dict[str, float]:
    """Whether the promised risk is broken among all scans of the population."""
    decided = (table[:, 1] >= at_zero).astype(np.int64)
    right, sure = decided == case.labels, confidences(table, decided)
    names = [str(row) for row in range(len(tune))]
    found = {}
    for risk in _RISKS:
        rule = control_risk(sure[tune], right[tune], names, risk, seed=seed)
        reached = rule.cutoff is not None
        answered = rule.answers(table, decided)
        actual = float(1 - right[answered].mean()) if answered.any() else 0.0
        found[f"risk {risk:g} reached"] = float(reached)
        found[f"risk {risk:g} broken"] = float(reached and actual > risk)
        found[f"risk {risk:g} answered"] = float(answered.mean()) if reached else np.nan
        found[f"risk {risk:g} actual"] = actual if reached else np.nan
    found["risk of answering all"] = float(1 - right.mean())
    return found


def _rates(case: Population, table: Floats, tune: Ints, seed: int) -> dict[str, float]:
    """Whether a wanted sensitivity or specificity is missed among all scans."""
    names = [str(row) for row in range(len(tune))]
    found = {}
    for own, kind in enumerate(("specificity", "sensitivity")):
        target = parse_target(f"{kind}>={_RATE}")
        chosen = choose_threshold(target, table[tune, 1], case.labels[tune], names, seed=seed)
        decided = table[case.labels == own, 1] >= chosen.value
        rate = float((decided == own).mean())
        promised = "confidence" in chosen.text
        found[f"{kind} promised"] = float(promised)
        found[f"{kind} missed"] = float(promised and rate < _RATE)
        found[f"{kind} reached"] = rate
    return found


def summary(rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Mean and spread of each number over the draws."""
    found = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        values = values[np.isfinite(values)]
        if len(values):
            low, high = np.quantile(values, (0.05, 0.95))
            found[name] = {
                "mean": round(float(values.mean()), 5),
                "standard_deviation": round(float(values.std()), 5),
                "from_5_to_95_percent": [round(float(low), 5), round(float(high), 5)],
            }
    return found


def checks(found: dict[str, Any]) -> dict[str, bool]:
    """Which promises were kept, on average or as often as stated."""

    def all_of(start: str, holds: Callable[[float, str], bool], end: str = "") -> bool:
        chosen = {name: of for name, of in found.items() if name.startswith(start)}
        return all(holds(of["mean"], name) for name, of in chosen.items() if name.endswith(end))

    def over(name: str) -> float:
        """How far a mean coverage is above the nominal one."""
        mean: float = found[name]["mean"]
        return mean - float(name.split()[3].rstrip(","))

    marginal = [over(f"coverage alone marginal {coverage:g}") for coverage in _COVERAGES]
    by_class = [over(name) for name in found if name in _BY_CLASS]
    margin = 2 * np.sqrt(0.1 * 0.9 / found["draws"])
    return {
        "marginal coverage within a point": max(map(abs, marginal)) < 0.01,
        "coverage of each class at most a point too low": min(by_class) > -0.01,
        "coverage of each class at most a point too high": max(by_class) < 0.01,
        "risk broken as rarely as stated": all_of(
            "risk", lambda mean, _: mean <= 1 - CONFIDENCE + margin, " broken"
        ),
        "rates missed as rarely as stated": all_of("se", lambda m, _: m <= 0.05 + margin, " missed")
        and all_of("sp", lambda mean, _: mean <= 0.05 + margin, " missed"),
        **{f"ECE of {n} at most .03": found[f"ece {n}"]["mean"] <= 0.03 for n in CALIBRATIONS},
    }


if __name__ == "__main__":
    raise SystemExit(main())
