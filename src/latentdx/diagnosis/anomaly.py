"""How strange a scan is: latent density, reconstruction and brightness, joined into one p-value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.diagnosis.gate_density import Density
from latentdx.diagnosis.gate_evidence import MEASURES, Evidence, Measure
from latentdx.diagnosis.gate_header import Headers

Doubles = NDArray[np.float64]
Densities = dict[Measure, Density]

WEIGHTS: Mapping[Measure, float] = {
    "features": 1.0, "latent": 0.5, "rebuilt": 1.0, "brightness": 1.0, "layout": 0.5,
}  # fmt: skip
"""What each measure counts for: those that depend on how a scan was placed count for half."""

LEAST_RATE, GREATEST_RATE = 0.02, 0.05

_FOLDS = 5
_DECIDING = 5
_CONTRADICTED = 0.01
_LEAST_UNIT = 0.05


@dataclass(frozen=True)
class AnomalyGate:
    """Five measures of strangeness, joined, and the joint values of ordinary scans.

    Each measure is a distance to the training part's scans (`Density`). Its unit is what lies
    between the median and the 95 % quantile of training scans, each measured by densities of the
    other ones (five folds by patient). The joint value is the root of the sum of squares of what
    lies above the medians, weighted, so that weak signs of several measures add up.

    The joint value becomes one conformal p-value: the share of ordinary scans that are at least as
    strange, the scan itself counted. Ordinary scans are those of ``calibrate``, and those of
    training by the densities of the other ones (cross-conformal: Vovk, Annals of Mathematics and
    Artificial Intelligence 74, 2015): a few dozen alone leave the limit to chance. Where
    ``calibrate`` contradicts (more of its scans lie beyond the limit than chance would put there,
    p < .01: an encoder that knows its training scans by heart), it stands alone. Of scans that are
    exchangeable with those about `rate` are stopped; with ``calibrate`` alone at most `rate` in the
    mean (Bates et al., "Testing for outliers with conformal p-values", Annals of Statistics 51,
    2023). One p-value of a joint measure needs no correction for having asked five times. With
    fewer than 1 / rate - 1 scans the p-value is continued beyond the strangest by an exponential
    tail (`is_continued`).

    Attributes
    ----------
    densities: by measure. medians, units: (5,), in the order of `MEASURES`.
    reference: (M,) joint values of ordinary scans, sorted.
    rate: of ordinary scans stopped. headers: what training scans' headers said.
    """

    densities: Densities
    medians: Doubles
    units: Doubles
    reference: Doubles
    rate: float = LEAST_RATE
    headers: Headers = field(default_factory=Headers)

    @classmethod
    def fit(
        cls,
        train: Evidence,
        patients: NDArray[Any],
        calibrate: Evidence,
        *,
        rate: float | None = None,
        headers: Headers | None = None,
        seed: int = 0,
    ) -> AnomalyGate:
        """Densities and units from `train`, whose scans are of `patients` (N,); p-values' reference
        from both, `calibrate` being scans that no density has seen. `rate`: None for
        `default_rate`.
        """
        held_out = _held_out(train, patients, seed)
        medians = np.median(held_out, axis=0)
        units = np.maximum(np.quantile(held_out, 0.95, axis=0) - medians, _LEAST_UNIT)
        told = Headers() if headers is None else headers
        gate = cls(_densities(train), medians, units, np.zeros(0), headers=told)
        apart = np.sort(joined(gate.measured(calibrate)))
        together = np.sort(np.append(apart, joined((held_out - medians) / units)))
        found, alone = (gate._with(reference, rate) for reference in (together, apart))
        one_patient = len(np.unique(patients)) < 2
        return alone if one_patient or found._is_contradicted(apart) else found

    def _with(self, reference: Doubles, rate: float | None) -> AnomalyGate:
        chosen = default_rate(len(reference)) if rate is None else rate
        return replace(self, reference=reference, rate=chosen)

    def _is_contradicted(self, joint: Doubles) -> bool:
        """Whether more of such scans lie beyond the limit than chance puts there."""
        from scipy.stats import binom

        stopped = int((self._shares(joint) <= self.rate).sum())
        return bool(binom.sf(stopped - 1, len(joint), self.rate) < _CONTRADICTED)

    @property
    def is_continued(self) -> bool:
        """Whether there are too few ordinary scans for the rate, and the tail has a say."""
        return 1 / (len(self.reference) + 1) > self.rate

    def measured(self, evidence: Evidence) -> Doubles:
        """(N, 5): how far each measure lies above its median, in its unit."""
        values = np.stack([self.densities[name](evidence[name]) for name in MEASURES], axis=1)
        found: Doubles = (values - self.medians) / self.units
        return found

    def p_values(self, evidence: Evidence) -> Doubles:
        """Conformal p-values (N,), continued by a tail beyond the strangest ordinary scan."""
        joint = joined(self.measured(evidence))
        beyond = np.maximum(joint - self.reference[-1], 0)
        found: Doubles = self._shares(joint) * np.exp(-beyond / self._tail())
        return found

    def scores(self, evidence: Evidence) -> Doubles:
        """Anomaly scores (N,) in 0..1: the share of ordinary scans that are less strange.

        One minus the conformal p-value: of scans like those at most 5 % score above 0.95.
        """
        found: Doubles = 1 - self._shares(joined(self.measured(evidence)))
        return found

    def is_foreign(self, evidence: Evidence) -> NDArray[np.bool_]:
        """(N,) True where so strange a scan occurs at most at the `rate` among ordinary ones."""
        p_values = self.p_values(evidence)
        if not self.is_continued:
            p_values = self._shares(joined(self.measured(evidence)))
        found: NDArray[np.bool_] = p_values <= self.rate * (1 + 1e-9)
        return found

    def strangest(self, evidence: Evidence) -> NDArray[np.str_]:
        """(N,) the measure that lies furthest above what is usual."""
        names: NDArray[np.str_] = np.array(MEASURES)[self.measured(evidence).argmax(axis=1)]
        return names

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All but `rate` and `headers`, by name."""
        parts = {
            f"{name}.{part.name}": getattr(density, part.name)
            for name, density in self.densities.items()
            for part in fields(density)
        }
        own = {"medians": self.medians, "units": self.units, "reference": self.reference}
        return {**own, **parts}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], rate: float, headers: Headers
    ) -> AnomalyGate:
        """Undo `to_arrays`. Raises KeyError where an array is missing, ValueError where one is
        of another shape.
        """
        densities: Densities = {
            name: Density(**{part.name: arrays[f"{name}.{part.name}"] for part in fields(Density)})
            for name in MEASURES
        }
        medians, units = arrays["medians"], arrays["units"]
        reference: Doubles = arrays["reference"].astype(np.float64)
        if not medians.shape == units.shape == (len(MEASURES),) or not reference.size:
            raise ValueError("arrays of a gate do not fit each other")
        return cls(densities, medians, units, reference, rate, headers)

    def _shares(self, joint: Doubles) -> Doubles:
        """(1 + number of ordinary scans at least as strange) / (M + 1)."""
        at_least = len(self.reference) - np.searchsorted(self.reference, joint, "left")
        found: Doubles = (1 + at_least) / (len(self.reference) + 1)
        return found

    def _tail(self) -> float:
        """The mean excess of ordinary scans over their median: the scale of the tail.

        At least a half: a few scans that happen to be alike say little of how far others lie.
        """
        middle = np.median(self.reference)
        upper = self.reference[self.reference >= middle]
        return max(0.5, float((upper - middle).mean()))


def default_rate(n_ordinary: int) -> float:
    """Share of ordinary scans that may be stopped, unless another is asked for.

    2 %; with fewer than 249 scans as much as puts the limit at the fifth strangest of them, so that
    no few odd ones decide, but at most 5 %.

    Examples
    --------
    >>> [round(default_rate(count), 3) for count in (40, 99, 149, 249, 1000)]
    [0.05, 0.05, 0.033, 0.02, 0.02]
    """
    return min(GREATEST_RATE, max(LEAST_RATE, _DECIDING / (n_ordinary + 1)))


def joined(measured: Doubles) -> Doubles:
    """One value (N,) of what five measures (N, 5) say: see `AnomalyGate`."""
    weights = [WEIGHTS[name] for name in MEASURES]
    found: Doubles = np.sqrt((np.maximum(measured, 0) ** 2) @ weights)
    return found


def _densities(evidence: Evidence) -> Densities:
    return {name: Density.fit(evidence[name]) for name in MEASURES}


def _held_out(train: Evidence, patients: NDArray[Any], seed: int) -> Doubles:
    """(N, 5) distances of training scans to densities of other patients."""
    names = numpy_generator(seed, "gate folds").permutation(np.unique(patients))
    place = {name: number % _FOLDS for number, name in enumerate(names.tolist())}
    folds = np.array([place[name] for name in patients.tolist()])
    count = min(_FOLDS, len(names))
    if count < 2:
        return _distances(_densities(train), train)
    found = np.empty((len(patients), len(MEASURES)))
    for fold in range(count):
        densities = _densities({name: train[name][folds != fold] for name in MEASURES})
        held = {name: train[name][folds == fold] for name in MEASURES}
        found[folds == fold] = _distances(densities, held)
    return found


def _distances(densities: Densities, evidence: Evidence) -> Doubles:
    return np.stack([densities[name](evidence[name]) for name in MEASURES], axis=1)
