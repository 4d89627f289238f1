"""`Quantiser`: a codebook that follows the vectors it stands for, without gradients.

    nearest:  k(v) = argmin_k |v - c_k|^2
    each step, for each code k, with n_k vectors of the batch nearest to it and s_k their sum:
              N_k <- g N_k + (1 - g) n_k,   S_k <- g S_k + (1 - g) s_k,   c_k <- S_k / N_k

A code that no vector was nearest to for `patience` steps is dead: it becomes a vector of the batch,
drawn by the generator. At first all codes are dead, so that the codebook begins with real vectors.

van den Oord, Vinyals & Kavukcuoglu, NeurIPS 2017, appendix A.1 (the moving averages); Razavi, van
den Oord & Vinyals, NeurIPS 2019; Dhariwal et al., "Jukebox", 2020 (the restarts of dead codes).
"""

from __future__ import annotations

from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, distributed, nn
from torch.nn import functional

Maps = Float[Tensor, "batch dim *spatial"]
Codes = Int64[Tensor, "batch *spatial"]
Vectors = Float[Tensor, "count dim"]

_SMALL = 1e-5


@final
class Quantiser(nn.Module):
    """Rounds each position of a map (N, D, *spatial) to the nearest of K codes, in 32 bits.

    Parameters
    ----------
    n_codes, dim: K and D.
    decay: g, how much of the averages stays in a step.
    patience: steps without a vector after which a code is dead.

    Attributes
    ----------
    codebook: (K, D). counts, sums: the averages N (K,) and S (K, D). unused: steps (K,) since a
        vector was nearest to the code. All are buffers: a checkpoint has the whole state.

    Examples
    --------
    >>> quantiser = Quantiser(n_codes=16, dim=4)
    >>> maps = torch.randn(2, 4, 7, 7, generator=torch.Generator().manual_seed(0))
    >>> quantiser.learn(maps, torch.Generator().manual_seed(0))
    >>> quantiser.nearest(maps).shape, quantiser(maps).shape
    (torch.Size([2, 7, 7]), torch.Size([2, 4, 7, 7]))
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor
    unused: Tensor

    def __init__(self, *, n_codes: int, dim: int, decay: float = 0.97, patience: int = 25) -> None:
        super().__init__()
        self.decay = decay
        self.patience = patience
        codebook = torch.randn(n_codes, dim)
        self.register_buffer("codebook", codebook)
        self.register_buffer("counts", torch.ones(n_codes))
        self.register_buffer("sums", codebook.clone())
        self.register_buffer("unused", torch.full((n_codes,), patience))

    def nearest(self, maps: Maps) -> Codes:
        """The code nearest to each position (the first of equally near ones)."""
        vectors = _rows(maps)
        with torch.autocast(maps.device.type, enabled=False):
            lengths = self.codebook.square().sum(dim=1)
            distances = torch.addmm(lengths, vectors, self.codebook.T, alpha=-2)
        return distances.argmin(dim=1).reshape(len(maps), *maps.shape[2:])

    def lookup(self, codes: Codes) -> Maps:
        """The vectors of codes, as a map."""
        return functional.embedding(codes, self.codebook).movedim(-1, 1)

    def forward(self, maps: Maps) -> Maps:
        """The nearest codes' vectors; the gradient passes straight through to `maps`.

        Bengio, Leonard & Courville, 2013 (straight-through).
        """
        maps = maps.float()
        # in this order the sum is the code to the bit: what is added is zero
        return self.lookup(self.nearest(maps)) + (maps - maps.detach())

    @torch.no_grad()
    def learn(self, maps: Maps, generator: torch.Generator) -> None:
        """One step: dead codes begin anew, and each code moves towards the vectors nearest to it.

        Processes that train together (`torch.distributed`) all come to the same codebook.
        """
        vectors = _rows(maps)
        self._revive(vectors, generator)
        codes = self.nearest(maps).flatten()
        counts, sums = torch.zeros_like(self.counts), torch.zeros_like(self.sums)
        counts.index_add_(0, codes, torch.ones_like(vectors[:, 0]))
        sums.index_add_(0, codes, vectors)
        if distributed.is_initialized():
            distributed.all_reduce(counts)
            distributed.all_reduce(sums)
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        self.codebook.copy_(self.sums / self.counts.clamp(min=_SMALL)[:, None])
        self.unused.add_(1).masked_fill_(counts > 0, 0)

    def _revive(self, vectors: Vectors, generator: torch.Generator) -> None:
        drawn = torch.randint(len(vectors), (len(self.codebook),), generator=generator)
        fresh = vectors[drawn.to(vectors.device)]
        if distributed.is_initialized():
            distributed.broadcast(fresh, src=0)
        dead = self.unused >= self.patience
        self.codebook.copy_(torch.where(dead[:, None], fresh, self.codebook))
        self.sums.copy_(torch.where(dead[:, None], fresh, self.sums))
        self.counts.masked_fill_(dead, 1.0)
        self.unused.masked_fill_(dead, 0)


def usage(codes: Codes, n_codes: int) -> dict[str, float]:
    """How much of the codebook a batch uses.

    ``perplexity``: exp of the entropy of the codes, 1 to K. ``codebook_use``: distinct codes, as a
    share of as many as there could be, the lesser of K and the positions.

    Examples
    --------
    >>> usage(torch.tensor([[0, 1], [2, 3]]), 64)
    {'perplexity': 4.0, 'codebook_use': 1.0}
    """
    counts = torch.bincount(codes.flatten().cpu(), minlength=n_codes).double()
    shares = counts[counts > 0] / counts.sum()
    perplexity = torch.exp(-(shares * shares.log()).sum())
    used = len(shares) / min(n_codes, codes.numel())
    return {"perplexity": round(float(perplexity), 6), "codebook_use": used}


def _rows(maps: Maps) -> Vectors:
    """(N, D, *spatial) to (N * positions, D), in 32 bits."""
    return maps.float().movedim(1, -1).flatten(0, -2)
