"""Balanced softmax: the softmax that a classifier of balanced classes has on unbalanced ones.

    L = -log( n_y exp(z_y) / sum_k n_k exp(z_k) ),   n_k scans of class k

By Bayes' rule exp(z) are the odds where every class is as frequent. It is logit adjustment with
t = 1, found from another side. Ren, Yu, Sheng, Ma, Zhao, Yi & Li, "Balanced meta-softmax for
long-tailed visual recognition", NeurIPS 2020 (without its meta sampler).
"""

from __future__ import annotations

from torch import Tensor


def balanced_softmax(logits: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
    """Losses (B,) of logits (B, K), labels (B,) and shares n_k / n (K,) of the classes.

    Examples
    --------
    >>> import torch
    >>> from latentdx.diagnosis.loss_logit_adjusted import logit_adjusted
    >>> logits, labels, shares = torch.eye(2), torch.tensor([1, 1]), torch.tensor([0.9, 0.1])
    >>> found = balanced_softmax(logits, labels, shares)
    >>> torch.allclose(found, logit_adjusted(logits, labels, shares, 1.0))
    True
    """
    log_total = (logits + shares.log()).logsumexp(dim=1)
    own = logits.gather(1, labels[:, None])[:, 0] + shares.log()[labels]
    return log_total - own
