"""The classic recipe trained by pythae; ``python pythae_classic.py ARRAY.npy BATCH EPOCHS``.

pythae has to be importable (``pip install --no-deps --target FOLDER pythae``, and FOLDER on
PYTHONPATH). Prints images a second over all epochs, the set-up left out, as JSON.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time

import numpy as np
import torch
from pythae.data.datasets import BaseDataset
from pythae.models import AE, AEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor

from benchmarks.peers.torch_plain import Decoder, Encoder


class PythaeEncoder(BaseEncoder):
    """The classic encoder behind pythae's interface."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.body = Encoder(side)

    def forward(self, x: Tensor) -> ModelOutput:
        return ModelOutput(embedding=self.body(x))


class PythaeDecoder(BaseDecoder):
    """The classic decoder behind pythae's interface."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.body = Decoder(side)

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.body(z))


def main(path: str, batch: int, epochs: int) -> None:
    logging.disable(logging.WARNING)
    pixels = torch.from_numpy(np.load(path))
    side = pixels.shape[-1]
    config = AEConfig(input_dim=(1, side, side), latent_dim=32)
    model = AE(config, encoder=PythaeEncoder(side), decoder=PythaeDecoder(side))
    with tempfile.TemporaryDirectory() as folder:
        told = BaseTrainerConfig(
            output_dir=folder, num_epochs=epochs, per_device_train_batch_size=batch,
            learning_rate=1e-3, optimizer_cls="Adam",
        )  # fmt: skip
        trainer = BaseTrainer(
            model=model,
            train_dataset=BaseDataset(pixels, torch.ones(len(pixels))),
            training_config=told,
        )
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    print(json.dumps({"images_per_second": [epochs * len(pixels) / seconds]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
