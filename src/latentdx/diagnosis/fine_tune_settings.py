"""`FineTuneSettings`: how an encoder goes on learning, from labels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from latentdx.collection.augment import GEOMETRIC, AugmentSettings
from latentdx.diagnosis.fine_tune_blocks import FineTune
from latentdx.diagnosis.label_losses import LabelLoss
from latentdx.diagnosis.sampling import Sampling


@dataclass(frozen=True)
class FineTuneSettings:
    """How an encoder goes on learning, from labels.

    Attributes
    ----------
    which: ``head`` trains a linear layer on the frozen encoder's pooled features, ``last`` the
        encoder's last block with it, ``all`` the whole encoder.
    loss, sampling: what is minimised, and how often each class is shown.
    flip: scans are mirrored, too, when shown, and scores averaged over mirror images.
    consistency: weight of what unlabelled scans are to agree with (see `consistency`), 0 for none.
    epochs: the most there are. choose: how many is chosen within the training part, by patients
        held out there, which takes three further trainings; else all of them are done.
    fewest_views: of an epoch; few scans are shown several times in one.
    batch_size: scans a step; of few scans, a quarter of them.
    head_rate, rate: the highest learning rates of the linear layer and of the encoder.
    warmup: share of the steps in which rates rise.
    weight_decay: of AdamW. average: decay a step of the averaged weights that are kept.
    """

    which: FineTune = "last"
    loss: LabelLoss = field(default_factory=LabelLoss)
    sampling: Sampling = "natural"
    flip: bool = True
    consistency: float = 0.0
    epochs: int = 8
    choose: bool = True
    fewest_views: int = 256
    batch_size: int = 64
    head_rate: float = 1e-3
    rate: float = 1e-3
    warmup: float = 0.1
    weight_decay: float = 0.01
    average: float = 0.98

    def views(self) -> AugmentSettings:
        """How scans that are shown are moved, turned and enlarged: as the classifier's copies."""
        return GEOMETRIC if self.flip else replace(GEOMETRIC, flip=0.0)

    def n_steps(self, n_scans: int) -> int:
        """Steps of an epoch."""
        return -(-max(n_scans, self.fewest_views) // self.n_batch(n_scans))

    def n_batch(self, n_scans: int) -> int:
        """Scans a step."""
        return max(8, min(self.batch_size, n_scans // 4))
