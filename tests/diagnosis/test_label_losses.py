"""Losses against their formulas by hand, their limits, and what they do to a rare class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from latentdx.core.errors import StopError
from latentdx.diagnosis.label_losses import LabelLoss, parse_loss
from latentdx.diagnosis.loss_balanced_softmax import balanced_softmax
from latentdx.diagnosis.loss_focal import focal
from latentdx.diagnosis.loss_logit_adjusted import logit_adjusted

LOGITS = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(50) % 3
SHARES = torch.tensor([0.7, 0.2, 0.1])
NAMES = ("cross-entropy", "focal", "logit-adjusted", "balanced-softmax")


def test_focal_is_cross_entropy_times_a_power_of_what_is_missing() -> None:
    plain = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    torch.testing.assert_close(focal(LOGITS, LABELS, 0.0), plain)
    p = LOGITS.softmax(dim=1)[torch.arange(50), LABELS]
    torch.testing.assert_close(focal(LOGITS, LABELS, 2.0), (1 - p) ** 2 * plain)


def test_logit_adjustment_adds_the_margin_of_the_paper() -> None:
    """log(1 + sum over k != y of (pi_k / pi_y)^t exp(z_k - z_y)): equation 11."""
    found = logit_adjusted(LOGITS, LABELS, SHARES, 1.5)
    for row in range(50):
        y = int(LABELS[row])
        odds = [
            float((SHARES[k] / SHARES[y]) ** 1.5 * (LOGITS[row, k] - LOGITS[row, y]).exp())
            for k in range(3)
            if k != y
        ]
        assert float(found[row]) == pytest.approx(np.log1p(sum(odds)), rel=1e-5)


def test_balanced_softmax_weighs_by_counts() -> None:
    table = SHARES * LOGITS.exp()
    p = (table / table.sum(dim=1, keepdim=True))[torch.arange(50), LABELS]
    torch.testing.assert_close(balanced_softmax(LOGITS, LABELS, SHARES), -p.log())


@pytest.mark.parametrize(
    ("name", "weights"),
    [(name, "balanced") for name in NAMES] + [("cross-entropy", "none")],
)
def test_a_constant_classifier_ends_between_two_classes_of_unlike_size(
    name: str, weights: str
) -> None:
    """Features that say nothing: after `balancing` the score is 0, whatever the loss is."""
    loss = parse_loss(name, weights)  # type: ignore[arg-type]
    labels = torch.tensor([0] * 45 + [1] * 5)
    shares = torch.tensor([0.9, 0.1])
    logits = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=1.0)
    for _ in range(400):
        optimizer.zero_grad()
        loss(logits.expand(50, 2), labels, shares).backward()
        optimizer.step()
    score = (logits.detach() - loss.balancing(shares)).diff()
    assert abs(float(score)) < 0.02


def test_a_loss_comes_back_from_its_words() -> None:
    for words in (*NAMES, "focal=0.5", "logit-adjusted=2", "focal=0"):
        loss = parse_loss(words)
        assert loss.words == words
        assert parse_loss(loss.words) == loss
    assert parse_loss("focal=2") == parse_loss("focal") == LabelLoss("focal", 2.0)


@pytest.mark.parametrize(
    "words", ["", "hinge", "focal=", "focal=x", "focal=-1", "focal=nan", "cross-entropy=2"]
)
def test_what_is_no_loss_is_refused_with_those_that_are(words: str) -> None:
    with pytest.raises(StopError, match="balanced-softmax") as caught:
        parse_loss(words)
    assert caught.value.code == "E_OPTION"
