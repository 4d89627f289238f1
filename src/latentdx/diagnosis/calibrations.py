"""Calibrations by name: what they have in common, and how a bundle's arrays become one again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, Protocol, get_args

from numpy.typing import NDArray

from latentdx.diagnosis.calibrate import Floats, Scores, SigmoidCalibration
from latentdx.diagnosis.calibration_beta import BetaCalibration
from latentdx.diagnosis.calibration_cumulative import CumulativeCalibration
from latentdx.diagnosis.calibration_isotonic import IsotonicCalibration
from latentdx.diagnosis.calibration_temperature import TemperatureCalibration
from latentdx.diagnosis.machines_cumulative import by_part

CalibrationName = Literal["sigmoid", "temperature", "beta", "isotonic"]
CalibrationChoice = Literal["sigmoid", "temperature", "beta", "isotonic", "auto"]

_Kind = (
    type[TemperatureCalibration]
    | type[SigmoidCalibration]
    | type[BetaCalibration]
    | type[IsotonicCalibration]
)


class Calibration(Protocol):
    """From scores (N, Q) to probabilities (N, K)."""

    def probabilities(self, scores: Scores) -> Floats:
        """Rows that sum to 1; in each question a higher score is likelier."""
        ...


CALIBRATIONS: dict[CalibrationName, _Kind] = {
    "sigmoid": SigmoidCalibration,
    "temperature": TemperatureCalibration,
    "beta": BetaCalibration,
    "isotonic": IsotonicCalibration,
}
"""By name, in the order in which they are preferred: the default, then the simpler first."""
assert tuple(CALIBRATIONS) == get_args(CalibrationName)
assert {*CALIBRATIONS, "auto"} == set(get_args(CalibrationChoice))


def name_of(calibration: Calibration) -> CalibrationName:
    """The name of a fitted calibration; of grades, that of their steps.

    Examples
    --------
    >>> import numpy as np
    >>> name_of(SigmoidCalibration(np.ones(1), np.zeros(1)))
    'sigmoid'
    """
    if isinstance(calibration, CumulativeCalibration):
        calibration = calibration.parts["0"]
    return next(name for name, kind in CALIBRATIONS.items() if isinstance(calibration, kind))


def calibration_from(
    name: CalibrationName, arrays: Mapping[str, NDArray[Any]], *, ordered: bool = False
) -> Calibration:
    """A calibration of its arrays by field. Raises KeyError where one is missing.

    Those of `ordered` classes have the number of their step before theirs: ``0.slopes``.
    """
    if ordered:
        steps = by_part(arrays).items()
        return CumulativeCalibration({k: calibration_from(name, held) for k, held in steps})
    kind = CALIBRATIONS[name]
    return kind(**{field.name: arrays[field.name] for field in fields(kind)})
