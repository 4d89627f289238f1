"""Scans that nobody had taken: drawn from the prior of a trained autoencoder, or between two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder, GenerativeAutoencoder
from latentdx.autoencoder.engine.processes import best_device
from latentdx.autoencoder.family import FAMILY, name_of
from latentdx.bundle.load import load_bundle
from latentdx.bundle.schema import DESCRIPTION
from latentdx.collection.columns import as_stored
from latentdx.core.errors import InputError, StopError
from latentdx.core.seeds import derive_seed
from latentdx.scans.deidentify import user_key
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.sandbox import decode_files
from latentdx.study.encoder import load_encoder

Pixels = NDArray[np.float32]

_AT_ONCE = {2: 64, 3: 4}
"""Images, volumes drawn together."""


@dataclass(frozen=True)
class Generative:
    """A trained autoencoder with a prior, and how files are read for it.

    A bundle knows how the files of its scans were read, and reads others alike; an encoder does
    not, and reads them as `Policy` does by itself.
    """

    network: GenerativeAutoencoder
    policy: Policy

    @property
    def name(self) -> str:
        """The autoencoder's name in the family."""
        return name_of(self.network)

    @torch.inference_mode()
    def draw(self, count: int, *, seed: int = 0) -> Pixels:
        """Scans (count, C, *size) in 0..1, drawn from the prior; the same ones for a seed."""
        generator = torch.Generator().manual_seed(derive_seed(seed, "sample"))
        at_once = _AT_ONCE[self.network.dims]
        counts = [min(at_once, count - start) for start in range(0, count, at_once)]
        drawn = [self.network.sample(part, generator).float().cpu() for part in counts]
        return torch.cat(drawn).numpy()

    @torch.inference_mode()
    def between(self, first: Path, second: Path, steps: int) -> Pixels:
        """Decodings (steps, C, *size) on the line between the latents of two scans' files.

        Raises what `read` does.
        """
        start, end = torch.from_numpy(self.read([first, second])).to(self.network.mean.device)
        return self.network.interpolate(start[None], end[None], steps).float().cpu().numpy()

    def read(self, paths: Sequence[Path]) -> Pixels:
        """Scans of files (N, C, *size), as `latentdx predict` reads them, in killable workers.

        Raises the `InputError` of the first that cannot be used, and `StopError` ``E_SIZE`` where
        the network's scans are not squares or cubes.
        """
        sides = set(self.network.size)
        if len(sides) > 1:
            text = (
                f"the encoder reads scans of size {self.network.size}, files are fitted to squares"
            )
            raise StopError("E_SIZE", text, fix="use an encoder of square scans (or cubes)")
        policy = replace(self.policy, burned_in="keep", gate=False)
        request = Request(sides.pop(), 3 if self.network.channels == 3 else 1, user_key(), policy)
        pixels = []
        for place, scan in decode_files(paths, request=request, workers=len(paths)):
            if isinstance(scan, InputError):
                raise InputError(scan.code, scan.found, fix=scan.fix, path=paths[place])
            pixels.append(scan.pixels)
        return as_stored(np.stack(pixels))


def load_generative(path: Path) -> Generative:
    """The autoencoder of an encoder's folder, or of a bundle's.

    Raises `StopError` ``E_GENERATIVE`` where it has no prior, and the errors of `load_encoder` and
    `load_bundle`.
    """
    if (path / DESCRIPTION).exists():
        model = load_bundle(path)
        return Generative(_required(model.encoder, path), model.policy)
    network = load_encoder(path).network
    return Generative(_required(network, path), Policy(dims=2 if network.dims == 2 else 3))


def _required(network: Autoencoder, path: Path) -> GenerativeAutoencoder:
    if not isinstance(network, GenerativeAutoencoder):
        known = [name for name, kind in FAMILY.items() if issubclass(kind, GenerativeAutoencoder)]
        found = f"{name_of(network)!r} has no prior from which scans could be drawn"
        fix = f"pretrain one that has: {', '.join(known)}"
        raise StopError("E_GENERATIVE", found, fix=fix, path=path)
    return network.to(best_device()).eval()
