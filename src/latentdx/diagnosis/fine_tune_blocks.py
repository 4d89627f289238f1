"""Which weights of an encoder are trained on labels: none, those of the last block, or all.

Blocks are found by gradients, so that any network has them, a user's own too: the last block is
what reaches the deepest of `Autoencoder.layers` and no layer before it.
"""

from __future__ import annotations

from typing import Literal

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.reaching import reaching

FineTune = Literal["none", "head", "last", "all"]
FineTuneChoice = Literal["auto", FineTune]


def tuned_names(network: Autoencoder, which: FineTune) -> tuple[str, ...]:
    """Names of the parameters that are trained, in the network's order.

    Where the network has one layer, that is its last block.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 16, "widths": (8, 16)})
    >>> tuned_names(network, "last")[0], len(tuned_names(network, "all"))
    ('down.stages.1.0.0.weight', 12)
    """
    if which in ("none", "head"):
        return ()
    by_layer = reaching(network)
    before = set().union(*by_layer[:-1]) if which == "last" else set()
    wanted = set().union(*by_layer) - before
    return tuple(name for name, _ in network.named_parameters() if name in wanted)
