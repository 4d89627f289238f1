"""What is known of scans beside their pixels: where each is from, and its own mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentdx.autoencoder.engine.domains import Domains
from latentdx.collection.stored_masks import StoredMasks


class Masks(NamedTuple):
    """The masks of the scans of train (N of them) and of tune (M).

    They go by row, beside the pixels, as domains do: any source serves, any process.
    """

    train: StoredMasks
    tune: StoredMasks


class Beside(NamedTuple):
    """Of the scans of a batch.

    domains: (B,), as numbers, -1 where not known; inside: (B, 1, *spatial) in 0..1, see `Inside`.
    None where nothing is asked of it.
    """

    domains: Tensor | None = None
    inside: Tensor | None = None

    def chunk(self, count: int) -> list[Beside]:
        """Cut as `torch.chunk` cuts the batch, into `count` parts."""
        domains = [None] * count if self.domains is None else self.domains.chunk(count)
        inside = [None] * count if self.inside is None else self.inside.chunk(count)
        return [Beside(*pair) for pair in zip(domains, inside, strict=True)]


class Known(NamedTuple):
    """Of all scans of a part, by row: what a `Beside` is made from."""

    domains: NDArray[np.int64] | None = None
    masks: StoredMasks | None = None

    def of(self, rows: NDArray[np.int64], device: torch.device) -> Beside:
        """What is known of some rows, on `device`.

        Examples
        --------
        >>> Known(np.array([0, 1, 1])).of(np.array([2, 0]), torch.device("cpu")).domains
        tensor([1, 0])
        """
        domains = None if self.domains is None else torch.from_numpy(self.domains[rows]).to(device)
        if self.masks is None:
            return Beside(domains)
        return Beside(domains, torch.from_numpy(self.masks.inside(rows)).to(device).float())


def known_of(domains: Domains | None, masks: Masks | None) -> tuple[Known, Known]:
    """What is known of the scans of train, and of those of tune."""
    return (
        Known(domains and domains.train, masks and masks.train),
        Known(domains and domains.tune, masks and masks.tune),
    )
