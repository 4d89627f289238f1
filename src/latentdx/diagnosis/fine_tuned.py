"""`FineTuned`: a copy of the encoder that went on learning from labels, with its own last layer.

The encoder as it was stays beside it: it rebuilds scans, tells foreign ones, and feeds the
classifier. The network's scores are further columns of a model's embeddings, and its score is

    s = c / a + z / b

c the classifier's score on the encoder's features, z the log-odds of the fine-tuned network, a and
b their standard deviations over the scans of ``calibrate`` (whose labels are not looked at): both
have the same say, and 0 still says that classes are alike likely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.diagnosis.fine_tune_blocks import FineTune
from latentdx.diagnosis.label_losses import ClassWeights
from latentdx.diagnosis.machines_linear import Linear
from latentdx.diagnosis.sampling import Sampling
from latentdx.features.extract import embed
from latentdx.features.whiten import Standardiser

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FineTuneFacts:
    """How a network was fine-tuned, for the card and the bundle.

    `which` blocks; `epochs`, which were `chosen` within ``train`` or fixed beforehand; `loss` in
    the words of `parse_loss`; `consistency`: whether unlabelled scans took part.
    """

    which: FineTune
    epochs: int
    loss: str = "cross-entropy"
    class_weights: ClassWeights = "balanced"
    sampling: Sampling = "natural"
    consistency: bool = False
    chosen: bool = True


@dataclass(frozen=True)
class FineTuned:
    """An encoder and its last layer, both trained on labels.

    Attributes
    ----------
    encoder: whose weights `names` differ from those of the model's encoder.
    standardiser, linear: of its pooled features; `linear` has a row a class.
    facts: how they were trained.
    """

    encoder: Autoencoder
    names: tuple[str, ...]
    standardiser: Standardiser
    linear: Linear
    facts: FineTuneFacts

    def scores(self, pixels: Floats) -> Floats:
        """Log-odds (N, Q) of pixels (N, C, *spatial)."""
        return log_odds(
            self.linear.scores(self.standardiser(embed(self.encoder, pixels, "pooled")))
        )


def log_odds(logits: Floats) -> Floats:
    """Log-odds (N, Q) of logits (N, K): of two classes of the second, else of each to the others.

    Examples
    --------
    >>> log_odds(np.array([[0, 1]], np.float32)).tolist()
    [[1.0]]
    >>> np.exp(log_odds(np.zeros((1, 3), np.float32))).round(3).tolist()
    [[0.5, 0.5, 0.5]]
    """
    if logits.shape[1] == 2:
        return logits[:, 1:] - logits[:, :1]
    wide = logits.astype(np.float64)
    columns = []
    for k in range(wide.shape[1]):
        others = np.delete(wide, k, axis=1)
        columns.append(wide[:, k] - np.logaddexp.reduce(others, axis=1))
    return np.stack(columns, axis=1).astype(np.float32)


def spreads(scores: Floats) -> Floats:
    """Standard deviations (Q,) of scores (N, Q), 1 where there is none."""
    found = scores.std(axis=0, dtype=np.float64)
    return np.where(found > 1e-6, found, 1.0).astype(np.float32)
