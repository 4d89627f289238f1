"""What sites that train together have to agree on, and what of it is each site's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_json
from latentdx.study.exchange import SITE
from latentdx.study.settings import RunSettings

_SHARED = (
    *("autoencoder", "latent_dim", "focus", "network", "objectives", "augment", "modality"),
    "views",
    *("flip", "freeze", "epochs", "batch_size", "accumulate", "learning_rate", "schedule", "ema"),
    *("epsilon", "delta", "seed"),
)
_SHOWN = 16


@dataclass(frozen=True)
class FederatedSettings:
    """How sites train together.

    Attributes
    ----------
    exchange: the folder that all of them see. site: this one's name. sites: how many there are.
    rounds: how often weights are averaged, each time after `RunSettings.epochs` epochs.
    proximal: see `FitSettings`. wait: minutes that are waited for the others.
    """

    exchange: Path
    site: str
    sites: int
    rounds: int = 10
    proximal: float = 0.0
    wait: float = 1440.0


def check_federated(settings: RunSettings, how: FederatedSettings) -> None:
    """Raise `StopError` ``E_OPTION`` before anything is read."""
    if not SITE.fullmatch(how.site):
        found = f"--site {how.site!r} is no name of a site"
        fix = "use at most 32 of a-z, 0-9, - and _, a letter or digit first; not a person's name"
        raise StopError("E_OPTION", found, fix=fix)
    unable = {
        "--low-rank": settings.low_rank is not None,
        "--minutes": settings.minutes is not None,
        "--epochs 0": settings.epochs == 0,
        "--schedule schedule-free": settings.schedule == "schedule-free",
        "--sharding full": settings.sharding == "full",
    }
    for name, asked in unable.items():
        if asked:
            found = f"{name} does not go with training at several sites"
            raise StopError("E_OPTION", found, fix="leave it out")
    if how.proximal and settings.epsilon is not None:
        found = "--proximal does not go with --epsilon"
        raise StopError("E_OPTION", found, fix="leave one of them out")


def shared_hashes(
    settings: RunSettings, how: FederatedSettings, shape: tuple[int, ...]
) -> dict[str, str]:
    """A short hash for each setting that all sites have to share, by its name."""
    held = settings.model_dump(mode="json")
    values: dict[str, Any] = {name: held[name] for name in _SHARED}
    values |= {"sites": how.sites, "rounds": how.rounds, "proximal": how.proximal}
    values["shape of scans"] = list(shape)
    return {name: hash_json(value)[:_SHOWN] for name, value in values.items()}
