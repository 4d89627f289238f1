"""`CodePrior`: which codes follow which, so that maps of codes can be drawn: a gated PixelCNN.

    p(codes) = prod over positions p, in raster order, of softmax(logits_p(codes before p))

Stack i (of 2 for images, 3 for volumes) sees what lies before p along axis i and, of the axes after
i, everything: the first the rows above, the last what is left in p's own row. Each feeds the next,
and the last one gives the logits. No stack ever sees p or what comes after: its input is shifted by
one along its axis, and its convolutions look back only. That is what masked kernels do, without
the weights that a mask throws away, and without a blind spot.

    layer:  u_i = conv_i(h_i) + link_i(u_{i-1}),  (a, b) = halves of u_i
            h_i <- h_i + mix_i(tanh(a) * sigmoid(b)),  mix only in the last stack

van den Oord et al., "Conditional image generation with PixelCNN decoders", NeurIPS 2016; shifts
instead of masks: Salimans, Karpathy, Chen & Kingma, "PixelCNN++", ICLR 2017.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

Codes = Int64[Tensor, "batch *spatial"]
Logits = Float[Tensor, "batch code *spatial"]

_ALL = slice(None)
_CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}


@final
class CodePrior(nn.Module):
    """A distribution of maps of codes (N, *size).

    Parameters
    ----------
    n_codes: K; codes are 0..K-1.
    size: of a map, two or three sides.
    width: channels of each stack; layers: gated layers of each stack.

    Examples
    --------
    >>> prior = CodePrior(n_codes=16, size=(4, 4), width=8, layers=2)
    >>> codes = prior.sample(3, torch.Generator().manual_seed(0))
    >>> codes.shape, prior(codes).shape
    (torch.Size([3, 4, 4]), torch.Size([3, 16, 4, 4]))
    """

    def __init__(
        self, *, n_codes: int, size: Sequence[int], width: int = 64, layers: int = 5
    ) -> None:
        super().__init__()
        self.size = tuple(size)
        dims = len(self.size)
        self.embedding = nn.Embedding(n_codes, width)
        # scans are framed alike: what is usual depends on the place
        self.place = nn.Parameter(torch.zeros(1, width, *self.size))
        self.layers = nn.ModuleList(_GatedLayer(dims, width) for _ in range(layers))
        self.to_logits = _CONVOLUTION[dims](width, n_codes, 1)

    def forward(self, codes: Codes) -> Logits:
        """Logits (N, K, *size) of each position, from the positions before it."""
        return self._along_rows(codes, self._before_rows(codes), self.place)

    def loss(self, codes: Codes) -> Tensor:
        """Mean cross-entropy a position in nats (a scalar); log K for a prior that knows nothing.

        The gradient reaches the prior alone: codes are integers.
        """
        return functional.cross_entropy(self(codes).float(), codes)

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Codes:
        """Draw maps (count, *size), position by position."""
        device = self.place.device
        codes = torch.zeros(count, *self.size, dtype=torch.long, device=device)
        for row in itertools.product(*map(range, self.size[:-1])):
            at = tuple(slice(index, index + 1) for index in row)
            first = max(0, row[0] - len(self.layers) - 1)  # nothing looks further back
            told = self._before_rows(codes[:, first : row[0] + 1])
            told = [held[(_ALL, _ALL, slice(-1, None), *at[1:])] for held in told]
            line, place = codes[(_ALL, *at)], self.place[(_ALL, _ALL, *at)]
            for column in range(self.size[-1]):
                logits = self._along_rows(line, told, place)[..., column].flatten(1)
                shares = torch.softmax(logits.float().cpu(), dim=1)
                drawn = torch.multinomial(shares, 1, generator=generator).to(device)
                line[..., column] = drawn.reshape(line.shape[:-1])  # a view: into `codes`
        return codes

    def _before_rows(self, codes: Codes) -> list[Tensor]:
        """What the earlier stacks tell each layer of the last: of the rows before, not of its own.

        One run of it serves all positions of a row.
        """
        embedded = self.embedding(codes).movedim(-1, 1)
        stacks = [_shifted(embedded, axis) for axis in range(2, embedded.ndim - 1)]
        told = []
        for layer in self.layers:
            stacks, heard = layer.before_rows(stacks)  # type: ignore[operator]
            told.append(heard)
        return told

    def _along_rows(self, codes: Codes, told: list[Tensor], place: Tensor) -> Logits:
        """The last stack, which looks back along each row."""
        embedded = self.embedding(codes).movedim(-1, 1)
        hidden = _shifted(embedded, embedded.ndim - 1) + place
        for layer, heard in zip(self.layers, told, strict=True):
            hidden = layer.along_rows(hidden, heard)  # type: ignore[operator]
        logits: Tensor = self.to_logits(torch.relu(hidden))
        return logits


class _GatedLayer(nn.Module):
    """One gated layer of every stack."""

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        plain = _CONVOLUTION[dims]
        self.convolutions = nn.ModuleList(
            _BackwardConvolution(dims, axis, width) for axis in range(dims)
        )
        self.links = nn.ModuleList(plain(2 * width, 2 * width, 1) for _ in range(dims - 1))
        self.mix = plain(width, width, 1)

    def before_rows(self, stacks: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        """All stacks but the last, and what they tell it."""
        found = []
        told: Tensor | None = None
        earlier = self.convolutions[:-1]
        for hidden, convolution, link in zip(stacks, earlier, self.links, strict=True):
            raw = convolution(hidden) if told is None else convolution(hidden) + told
            found.append(hidden + _gated(raw))
            told = link(raw)
        assert told is not None
        return found, told

    def along_rows(self, hidden: Tensor, told: Tensor) -> Tensor:
        """The last stack."""
        found: Tensor = hidden + self.mix(_gated(self.convolutions[-1](hidden) + told))
        return found


def _gated(raw: Tensor) -> Tensor:
    value, gate = raw.chunk(2, dim=1)
    return torch.tanh(value) * torch.sigmoid(gate)


class _BackwardConvolution(nn.Module):
    """Of stack `axis`: this place and the one before along `axis`, 3 along the axes after it."""

    def __init__(self, dims: int, axis: int, width: int) -> None:
        super().__init__()
        kernel = [1] * axis + [2] + [3] * (dims - axis - 1)
        self.ends = [end for side in reversed(kernel) for end in _ENDS[side]]
        self.convolution = _CONVOLUTION[dims](width, 2 * width, kernel)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        found: Tensor = self.convolution(functional.pad(maps, self.ends))
        return found


_ENDS = {1: (0, 0), 2: (1, 0), 3: (1, 1)}
"""Zeros before and after, by the kernel's side."""


def _shifted(maps: Tensor, axis: int) -> Tensor:
    """Each place has what was one before it along `axis`; zeros come in."""
    kept = maps.narrow(axis, 0, maps.shape[axis] - 1)
    return torch.cat([torch.zeros_like(maps.narrow(axis, 0, 1)), kept], dim=axis)
