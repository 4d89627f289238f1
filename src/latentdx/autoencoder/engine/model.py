"""`TrainingModel`: a network and its objectives as one module, which processes can wrap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.beside import Beside
from latentdx.autoencoder.engine.health import measure
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.objectives.base import Objective
from latentdx.autoencoder.objectives.domains import DomainObjective
from latentdx.autoencoder.objectives.names import build_domain_objective, build_objective
from latentdx.collection.augment import apply, carried, draw


class TrainingModel(nn.Module):
    """Pixels to weighted loss terms: the member's own, then those of the objectives.

    `n_domains`: how many there are, for objectives that need them.
    """

    def __init__(
        self, network: Autoencoder, settings: FitSettings, *, seed: int, n_domains: int = 0
    ) -> None:
        super().__init__()
        self.network = network
        self.network.views = settings.views
        self.augment = settings.augment
        self.weights: Mapping[str, float] = settings.objectives
        aligned = {
            name: objective
            for name in settings.objectives
            if (objective := build_domain_objective(name, network, n_domains, seed=seed))
        }
        self.objectives = nn.ModuleDict(
            {
                name: build_objective(name, network, seed=seed)
                for name in settings.objectives
                if name not in aligned
            }
        ).to(network.mean.device)
        self.aligned = nn.ModuleDict(aligned).to(network.mean.device)

    def forward(
        self,
        pixels: Tensor,
        generator: torch.Generator | None = None,
        beside: Beside | None = None,
    ) -> dict[str, Any]:
        """Terms to be summed; without a generator the measures of health instead."""
        beside = beside or Beside()
        if generator is None:
            return measure(self.network, pixels)
        if self.augment is not None:
            drawn = draw(len(pixels), self.augment, generator, dims=self.network.dims)
            pixels = apply(pixels, drawn)
            if beside.inside is not None:
                beside = beside._replace(inside=carried(beside.inside, drawn))
        terms = self._own_terms(pixels, generator, beside)
        for name, objective in self._asked():
            found = objective.losses(self.network, pixels, generator)
            terms |= {key: self.weights[name] * term for key, term in found.items()}
        domains = beside.domains
        if domains is None:
            domains = torch.full((len(pixels),), -1, device=pixels.device)
        for name, aligning in self.aligned.items():
            assert isinstance(aligning, DomainObjective)
            found = aligning.losses(self.network, pixels, domains)
            terms |= {key: self.weights[name] * term for key, term in found.items()}
        return terms

    def _own_terms(
        self, pixels: Tensor, generator: torch.Generator, beside: Beside
    ) -> dict[str, Any]:
        self.network.inside = beside.inside
        try:
            return dict(self.network.losses(pixels, generator))
        finally:
            self.network.inside = None

    def after_step(self) -> None:
        """Let the objectives' teachers follow."""
        for _, objective in self._asked():
            objective.after_step(self.network)

    def _asked(self) -> Iterator[tuple[str, Objective]]:
        for name, held in self.objectives.items():
            assert isinstance(held, Objective)
            yield name, held
