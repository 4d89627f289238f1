"""`Draw`: all random numbers of one augmented batch, on record; and `Dice`, which draws them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from latentdx.collection.augment_settings import NoiseKind

_DTYPES = {"partner": torch.int64, "donor": torch.int64, "invert": torch.bool}


@dataclass(frozen=True)
class Draw:
    """The random numbers of one augmented batch of N; what is None is not done.

    Attributes
    ----------
    theta: (N, dims, dims + 1), from places in the result to places in the scan, in the axis order
        of `torch.nn.functional.grid_sample` (last axis first). Lengths count in half sides, angles
        are those of square pixels whatever the sides are.
    contrast, brightness, gamma: (N, 1, ..., 1); 1, 0 and 1 change nothing.
    noise: deviations (N, 1, ..., 1) of `noise_kind`; its pixels follow from `noise_seed`.
    bend: (N, dims, *control points), displacements as fractions of the side; axes as in `theta`.
    window: (N, 2), the display window's low end and width, where 0 and 1 are the stored one's.
    bias: (N, 1, *control points), logarithm of the gain.
    invert: bool (N,).
    blur: (N,), deviation in pixels, 0 for none; sharpen: (N,), amount of an unsharp mask of that
        deviation, 0 where the image is blurred instead.
    coarse: (N,), factor by which resolution is lost, 1 for none.
    cutout: (N, dims, 2), first and last place of a box along each axis as fractions of the side.
    partner, share: (N,), which scan of the batch is mixed in, and how much of the scan itself
        remains: what a loss on labels has to mix them by.
    donor, amplitude, style: (N,), which scan of the batch lends its looks, and what share of its
        amplitudes and of its grey levels is taken.
    """

    theta: Float[Tensor, "batch dims column"]
    contrast: Float[Tensor, "batch 1 *ones"]
    brightness: Float[Tensor, "batch 1 *ones"]
    gamma: Float[Tensor, "batch 1 *ones"]
    noise: Float[Tensor, "batch 1 *ones"] | None
    noise_seed: int
    noise_kind: NoiseKind = "gaussian"
    bend: Float[Tensor, "batch dims *points"] | None = None
    window: Float[Tensor, "batch 2"] | None = None
    bias: Float[Tensor, "batch 1 *points"] | None = None
    invert: Bool[Tensor, " batch"] | None = None
    blur: Float[Tensor, " batch"] | None = None
    sharpen: Float[Tensor, " batch"] | None = None
    coarse: Float[Tensor, " batch"] | None = None
    cutout: Float[Tensor, "batch dims 2"] | None = None
    partner: Int[Tensor, " batch"] | None = None
    share: Float[Tensor, " batch"] | None = None
    donor: Int[Tensor, " batch"] | None = None
    amplitude: Float[Tensor, " batch"] | None = None
    style: Float[Tensor, " batch"] | None = None

    def __len__(self) -> int:
        return len(self.theta)

    @property
    def dims(self) -> int:
        """2 for images, 3 for volumes."""
        return self.theta.shape[1]

    def as_record(self) -> dict[str, Any]:
        """Plain numbers, lists and words, fit for JSON; `from_record` gives an equal draw."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        return {
            name: value.tolist() if isinstance(value, Tensor) else value
            for name, value in found.items()
            if value is not None
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Draw:
        """The draw that `as_record` wrote down; ValueError for another kind of noise.

        Examples
        --------
        >>> from latentdx.collection.augment import VIEWS, draw
        >>> drawn = draw(2, VIEWS, torch.Generator().manual_seed(0))
        >>> torch.equal(Draw.from_record(drawn.as_record()).theta, drawn.theta)
        True
        """
        if record["noise_kind"] not in get_args(NoiseKind):
            raise ValueError(f"no kind of noise: {record['noise_kind']!r}")
        tensors = {
            name: torch.tensor(value, dtype=_DTYPES.get(name, torch.float32))
            for name, value in record.items()
            if isinstance(value, list)
        }
        return cls(**{"noise": None, **record, **tensors})


@dataclass(frozen=True)
class Dice:
    """Draws one number an image from a CPU generator."""

    count: int
    dims: int
    generator: torch.Generator

    def rand(self, *sides: int) -> Tensor:
        """(N, *sides), uniform in 0..1."""
        return torch.rand(self.count, *sides, generator=self.generator)

    def spread(self, limit: float, *sides: int) -> Tensor:
        """(N, *sides), uniform in -limit..limit."""
        return (self.rand(*sides) * 2 - 1) * limit

    def between(self, low: float, high: float) -> Tensor:
        """(N,), uniform in low..high."""
        return low + (high - low) * self.rand()

    def chance(self, share: float) -> Tensor:
        """Bool (N,), each True with this chance."""
        return self.rand() < share

    def mirror(self, share: float) -> Tensor:
        """(N,), each -1 with this chance, else 1."""
        return 1 - 2 * self.chance(share).float()

    def column(self, values: Tensor) -> Tensor:
        """(N,) as (N, 1, ..., 1), which scales scans."""
        return column(values, self.dims)


def column(values: Tensor, dims: int) -> Tensor:
    """(N,) as (N, 1, ..., 1), which scales scans (N, C, *spatial) of so many axes."""
    return values.reshape(-1, *(1,) * (dims + 1))
