"""The classic recipe in plain PyTorch, as tutorials write it: fp32, NCHW, a DataLoader, Adam."""

from __future__ import annotations

import time

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


class Encoder(nn.Module):
    """[conv 3x3 -> ReLU -> max-pool] x (32, 64, 128), dense 32."""

    def __init__(self, side: int, channels: int = 1) -> None:
        super().__init__()
        deepest = side
        for _ in range(3):
            deepest = -(-deepest // 2)
        pairs = ((channels, 32), (32, 64), (64, 128))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.dense = nn.Linear(128 * deepest**2, 32)

    def forward(self, x: Tensor) -> Tensor:
        for convolution in self.convolutions:
            x = functional.max_pool2d(torch.relu(convolution(x)), 2, ceil_mode=True)
        return self.dense(x.flatten(1))


class Decoder(nn.Module):
    """Dense, [upsample -> conv 3x3 -> ReLU] x (64, 32, 32), conv 3x3 -> sigmoid."""

    def __init__(self, side: int, channels: int = 1) -> None:
        super().__init__()
        self.sides = [side]
        for _ in range(3):
            self.sides.append(-(-self.sides[-1] // 2))
        self.dense = nn.Linear(32, 128 * self.sides[-1] ** 2)
        pairs = ((128, 64), (64, 32), (32, 32))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.last = nn.Conv2d(32, channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.dense(z)).unflatten(1, (128, self.sides[-1], self.sides[-1]))
        for convolution, side in zip(self.convolutions, self.sides[-2::-1], strict=True):
            x = torch.relu(convolution(functional.interpolate(x, size=(side, side))))
        return torch.sigmoid(self.last(x))


def speeds(pixels: NDArray[np.float32], batch: int, epochs: int) -> list[float]:
    """Images a second of each epoch."""
    network = nn.Sequential(Encoder(pixels.shape[-1]), Decoder(pixels.shape[-1]))
    optimizer = torch.optim.Adam(network.parameters())
    loader = DataLoader(TensorDataset(torch.from_numpy(pixels)), batch, shuffle=True)
    found = []
    for _ in range(epochs):
        began = time.perf_counter()
        for (scans,) in loader:
            loss = functional.mse_loss(network(scans), scans)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append(len(pixels) / (time.perf_counter() - began))
    return found
