"""What a private training may tell of a patient, and by how much noise that is kept.

sigma is the least noise for which the accountant allows (epsilon, delta) over all steps: whoever
sees the weights cannot tell by more than a factor exp(epsilon), but for a probability delta,
whether a patient took part. The accountant is Opacus' of Renyi differential privacy with Poisson
sampling (Mironov, Talwar & Zhang, "Renyi differential privacy of the sampled Gaussian mechanism",
2019).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.convolutional import ConvolutionalAutoencoder
from latentdx.autoencoder.engine.settings import FitSettings, Privacy, choose_epochs
from latentdx.core.errors import StopError

_LEAST_BATCH = 256  # patients a step: the noise is shared by all of them
_FEWEST = 32


@dataclass(frozen=True)
class Spent:
    """What is guaranteed, and by which noise.

    `epsilon`, `delta` hold for the weights of the autoencoder and a patient's whole part in it;
    `noise` is sigma, `rate` q, over so many `steps`, of `n_units` patients.
    """

    epsilon: float
    delta: float
    noise: float
    rate: float
    steps: int
    n_units: int
    unit: str = "patient"
    covers: str = "autoencoder"

    def as_json(self) -> dict[str, Any]:
        """For metrics and encoders."""
        return asdict(self)

    @property
    def words(self) -> str:
        """For a card."""
        return (
            f"epsilon {self.epsilon:g}, delta {self.delta:g} for each patient; of the weights of "
            "the autoencoder alone: classifier, calibration and report are not covered"
        )


def require_private(network: Autoencoder, settings: FitSettings, n_processes: int = 1) -> None:
    """Raise `StopError` ``E_OPTION`` for what private training cannot do, or has not been made to.

    Only the convolutional member: the others normalise by the batch, compare its scans, or draw.
    """
    if type(network) is not ConvolutionalAutoencoder:
        found = "--epsilon learns from each scan by itself, and this autoencoder joins scans"
        raise StopError("E_OPTION", found, fix="add --autoencoder convolutional")
    asked = {
        "--objective": bool(settings.objectives),
        "--augment": settings.augment is not None,
        "--ema": settings.ema is not None,
        "--minutes": settings.minutes is not None,
        "--processes": n_processes > 1,
        "--proximal": settings.proximal > 0,
        "--schedule schedule-free": settings.schedule == "schedule-free",
    }
    for name, is_asked in asked.items():
        if is_asked:
            found = f"{name} does not go with --epsilon"
            raise StopError("E_OPTION", found, fix="leave one of them out")


def plan_privacy(settings: FitSettings, units: NDArray[np.int64], shape: tuple[int, ...]) -> Spent:
    """How a training spends its budget.

    units: (N,), the patient of each scan, 0..P-1; shape: (C, *spatial) of a scan. Of several rounds
    (`FitSettings.round_of`) it is the budget of all, each of which takes an equal share of the
    steps. Raises
    `StopError` ``E_EXTRA`` (no Opacus), ``E_TOO_FEW``.
    """
    asked = settings.privacy
    assert asked is not None
    n_units = int(units.max(initial=-1)) + 1
    if n_units < _FEWEST:
        found = f"{n_units} patients to learn from: noise would be all that is learned"
        raise StopError("E_TOO_FEW", found, fix="add scans, or leave --epsilon out")
    rate = min(max(settings.batch_size, _LEAST_BATCH), n_units // 4) / n_units
    steps = choose_epochs(settings, len(units), math.prod(shape[1:])) * math.ceil(1 / rate)
    steps *= settings.round_of[1]
    delta = asked.delta or min(1e-5, 0.1 / n_units)
    return Spent(asked.epsilon, delta, _noise(asked, delta, rate, steps), rate, steps, n_units)


def _noise(asked: Privacy, delta: float, rate: float, steps: int) -> float:
    if math.isinf(asked.epsilon):
        return 0.0
    try:
        from opacus.accountants.utils import get_noise_multiplier
    except ImportError:
        fix = "install it: pip install 'latentdx[privacy]'"
        raise StopError("E_EXTRA", "--epsilon needs the package opacus", fix=fix) from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a bound could be tighter still
        found: float = get_noise_multiplier(
            target_epsilon=asked.epsilon,
            target_delta=delta,
            sample_rate=rate,
            steps=steps,
            accountant="rdp",
        )
    return found
