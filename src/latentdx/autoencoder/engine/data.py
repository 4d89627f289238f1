"""Where the engine's batches come from: an array (in memory or on the GPU), or a stored stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

from latentdx.collection.batches import stream
from latentdx.collection.store import Collection

Rows = NDArray[np.int64]

_READ = 256


class Source(ABC):
    """Scans to learn from, handed out in any order.

    Attributes
    ----------
    shape: (C, *spatial) of a scan.
    """

    shape: tuple[int, ...]

    @abstractmethod
    def __len__(self) -> int:
        """Number of scans."""

    @abstractmethod
    def batches(self, batches: list[Rows], device: torch.device) -> Iterator[Tensor]:
        """For each group of rows the pixels (B, C, *spatial), float32 in 0..1, on `device`."""

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (C,) over all scans and pixels."""
        rows = np.arange(len(self))
        groups = [rows[start : start + _READ] for start in range(0, len(rows), _READ)]
        axes = (0, *range(2, len(self.shape) + 1))
        count = 0
        total = squares = torch.zeros(self.shape[0], dtype=torch.float64)
        for pixels in self.batches(groups, torch.device("cpu")):
            exact = pixels.double()
            count += exact[:, 0].numel()
            total, squares = total + exact.sum(axes), squares + exact.square().sum(axes)
        mean = total / count
        variance = (squares / count - mean**2).clamp(min=0)
        return mean.float(), variance.sqrt().float()


@final
class ArraySource(Source):
    """An array (N, C, *spatial) of float32 in 0..1, or of uint8 or uint16 levels.

    On a GPU the whole array is kept there where it takes no more than a third of what is free.
    """

    def __init__(self, levels: NDArray[Any]) -> None:
        self.levels = levels
        self.shape = tuple(levels.shape[1:])
        self._held: dict[torch.device, Tensor] = {}

    @override
    def __len__(self) -> int:
        return len(self.levels)

    @override
    def batches(self, batches: list[Rows], device: torch.device) -> Iterator[Tensor]:
        whole = self._on(device)
        for rows in batches:
            if whole is None:
                taken = torch.from_numpy(np.take(self.levels, rows, axis=0)).pin_memory()
                yield _unit(taken.to(device, non_blocking=True))
            else:
                yield _unit(whole[torch.from_numpy(rows).to(device)])

    def _on(self, device: torch.device) -> Tensor | None:
        if device not in self._held:
            if device.type == "cuda" and 3 * self.levels.nbytes > torch.cuda.mem_get_info()[0]:
                return None
            self._held[device] = torch.from_numpy(self.levels).to(device)
        return self._held[device]


@final
class StreamSource(Source):
    """Rows of a stored collection, read ahead: for those that do not fit into memory."""

    def __init__(self, collection: Collection, rows: Rows) -> None:
        self.collection = collection
        self.rows = rows
        self.shape = collection.shape

    @override
    def __len__(self) -> int:
        return len(self.rows)

    @override
    def batches(self, batches: list[Rows], device: torch.device) -> Iterator[Tensor]:
        if not batches:
            return
        order = self.rows[np.concatenate(batches)]
        # all groups but the last are of one length
        for levels in stream(self.collection, order, len(batches[0])):
            yield _unit(torch.from_numpy(levels).to(device))


def as_source(scans: Source | NDArray[Any]) -> Source:
    """An array is a source, too."""
    return scans if isinstance(scans, Source) else ArraySource(scans)


def _unit(levels: Tensor) -> Tensor:
    if levels.dtype == torch.float32:
        return levels
    if levels.dtype == torch.uint8:  # by way of 16 bits: both kinds then round alike everywhere
        levels = levels.to(torch.int32) * 257
    return levels.float() / 65535
