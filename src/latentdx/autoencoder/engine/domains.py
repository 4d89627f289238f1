"""`Domains`: which place each scan is from, for objectives that need to know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.objectives.names import DOMAIN_OBJECTIVES
from latentdx.core.errors import StopError

UNKNOWN = -1


class Domains(NamedTuple):
    """The names of the domains, and of each scan of train (N,) and tune (M,) the number of its own.

    -1 where it is not known. They go by row, beside the pixels: any source serves, any process.
    """

    names: tuple[str, ...]
    train: NDArray[np.int64]
    tune: NDArray[np.int64]


def require_domains(objectives: Mapping[str, float], domains: Domains | None) -> None:
    """Raise `StopError` ``E_OPTION`` for an objective of domains where there are not two."""
    asked = sorted(objectives.keys() & DOMAIN_OBJECTIVES.keys())
    if asked and (domains is None or len(domains.names) < 2):
        found = f"the objective {asked[0]} needs the domain of each scan, and two of them"
        raise StopError("E_OPTION", found, fix="give it up, or scans of which the site is known")
