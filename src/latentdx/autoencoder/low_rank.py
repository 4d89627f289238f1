"""Low-rank adapters: kernels of an encoder that learn by a change of small rank alone.

    W' = W + B A,   A (r, inputs x places) drawn, B (outputs, r) zero at first

W stays as it was; B A is put into it at the end, so that what is kept is a plain network again. A
few numbers move far fewer directions of a kernel than it has: less is forgotten, and less can be
learned. Norms, biases, decoder, projections and what is no kernel learn as ever.

Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import laid_out
from latentdx.autoencoder.reaching import reaching
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed

_KERNEL = "weight"


class LowRank(nn.Module):
    """A kernel (outputs, ...) plus a product of two thin matrices.

    Examples
    --------
    >>> kernel = torch.ones(6, 4, 3, 3)
    >>> torch.equal(LowRank(kernel, 2, torch.Generator().manual_seed(0))(kernel), kernel)
    True
    """

    def __init__(self, kernel: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = len(kernel), kernel[0].numel()
        drawn = torch.randn(rank, inputs, generator=generator) / inputs**0.5
        self.inwards = nn.Parameter(drawn.to(kernel.device))
        self.outwards = nn.Parameter(torch.zeros(outputs, rank, device=kernel.device))

    def forward(self, kernel: Tensor) -> Tensor:
        """The kernel as it is used."""
        change: Tensor = (self.outwards @ self.inwards).view(kernel.shape)
        return kernel + change


@contextmanager
def low_rank(network: Autoencoder, rank: int | None, *, seed: int) -> Iterator[None]:
    """Within, kernels of the encoder learn by a change of `rank`; after it they hold that change.

    Kernels that do not learn (see `kept`) stay so; None changes nothing. Raises `StopError`
    ``E_OPTION`` where no kernel of the encoder is large enough for that rank.
    """
    if rank is None:
        yield
        return
    kernels = _kernels(network, rank)
    if not kernels:
        found = f"--low-rank {rank}: no kernel of the encoder has a larger rank"
        raise StopError("E_OPTION", found, fix="give a smaller one, or leave it out")
    generator = torch.Generator().manual_seed(derive_seed(seed, "low rank"))
    with ExitStack() as after:
        for part in kernels:
            after.callback(_merge, part)
            _adapt(part, rank, generator)
        yield
    laid_out(network)


def _kernels(network: Autoencoder, rank: int) -> list[nn.Module]:
    """Parts of the encoder whose kernel learns, and is of a rank that may exceed `rank`."""
    learned = set().union(*reaching(network))
    found = []
    for name, part in network.named_modules():
        kernel = getattr(part, _KERNEL, None)
        if not isinstance(kernel, Tensor) or f"{name}.{_KERNEL}" not in learned:
            continue
        if kernel.ndim > 1 and min(len(kernel), kernel[0].numel()) > rank:
            found.append(part)
    return found


def _adapt(part: nn.Module, rank: int, generator: torch.Generator) -> None:
    kernel = part.get_parameter(_KERNEL)
    kernel.requires_grad_(False)
    parametrize.register_parametrization(part, _KERNEL, LowRank(kernel, rank, generator))


def _merge(part: nn.Module) -> None:
    """Put the change into the kernel, which learns again."""
    if parametrize.is_parametrized(part, _KERNEL):
        parametrize.remove_parametrizations(part, _KERNEL, leave_parametrized=True)
    part.get_parameter(_KERNEL).requires_grad_(True)
