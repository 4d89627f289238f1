"""Private training in a study: what is asked for, refused, and told of it."""

from __future__ import annotations

import torch

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.budget import Spent, plan_privacy, require_private
from latentdx.autoencoder.engine.data import as_source
from latentdx.autoencoder.engine.fit import Pool
from latentdx.autoencoder.engine.settings import FitSettings, Privacy
from latentdx.core.errors import StopError
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings

_USUAL = (0.5, 0.25)  # mean and standard deviation of pixels
_MEMBER = "convolutional"


def privacy_of(settings: RunSettings) -> Privacy | None:
    """What the training is to guarantee, where anything was asked for."""
    if settings.epsilon is None:
        return None
    return Privacy(settings.epsilon, settings.delta)


def check_private(settings: RunSettings) -> None:
    """Raise `StopError` ``E_OPTION`` before scans are read; `require_private` looks at the rest."""
    if settings.epsilon is None:
        if settings.delta is not None:
            raise StopError("E_OPTION", "--delta without --epsilon", fix="give --epsilon, too")
        return
    if settings.start is not None or settings.focus is not None:
        # what other weights tell of the same patients no later noise takes back
        name = "--from" if settings.start is not None else "--focus"
        found = f"{name} does not go with --epsilon"
        raise StopError("E_OPTION", found, fix="leave one of them out")
    if settings.views:
        found = "--views does not go with --epsilon: scans would borrow from each other"
        raise StopError("E_OPTION", found, fix="leave one of them out")
    if settings.autoencoder != _MEMBER:
        found = f"--epsilon learns from each scan by itself; {settings.autoencoder} joins scans"
        raise StopError("E_OPTION", found, fix=f"add --autoencoder {_MEMBER}")


def budget_of(pool: Pool, fit: FitSettings, network: Autoencoder, clock: Clock) -> Spent | None:
    """What the training will spend, told; None of one that is not private."""
    if fit.privacy is None:
        return None
    assert pool.units is not None
    require_private(network, fit)
    spent = plan_privacy(fit, pool.units, as_source(pool.train).shape)
    clock.note(f"differential privacy: {spent.words}")
    return spent


def set_usual_normalisation(network: Autoencoder) -> None:
    """Usual moments in place of the scans' own, which would tell of patients."""
    network.set_normalisation(*(torch.full((network.channels,), value) for value in _USUAL))
