"""`frozen`: a module whose weights are constants, so that one backward pass serves two players.

An adversarial member sums the terms of both sides and is trained by one optimizer in one backward
pass. Each side's gradient stays its own:

    own term of D:        D(x.detach())      reaches D, not what made x
    term of what made x:  frozen(D)(x)       reaches x through D, not D
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.func import functional_call


def frozen(module: nn.Module) -> Callable[..., Any]:
    """A function that computes as `module` does now, with weights that get no gradient.

    Gradients flow through it to its inputs. Buffers that the module updates as it computes
    (running statistics, say) are copies, dropped after each call: a call leaves no trace, and two
    calls with equal inputs are equal.

    Examples
    --------
    >>> import torch
    >>> module, inputs = nn.Linear(3, 1), torch.ones(2, 3, requires_grad=True)
    >>> frozen(module)(inputs).sum().backward()
    >>> inputs.grad is None, module.weight.grad is None
    (False, True)
    """

    def call(*inputs: Any) -> Any:
        weights = {name: weight.detach() for name, weight in module.named_parameters()}
        buffers = {name: buffer.detach().clone() for name, buffer in module.named_buffers()}
        return functional_call(module, {**weights, **buffers}, inputs)

    return call
