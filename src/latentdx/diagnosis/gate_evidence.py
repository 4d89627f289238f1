"""What the gate looks at: latent, reconstruction and brightness of scans, as vectors."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.autoencoder.losses.structural import structural_similarity
from latentdx.features.extract import batches_of, embed

Floats = NDArray[np.float32]
Measure = Literal["features", "latent", "rebuilt", "brightness", "layout"]
Evidence = dict[Measure, Floats]

MEASURES: tuple[Measure, ...] = get_args(Measure)

_LEVELS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
_DARK, _BRIGHT = 0.05, 0.95
_MOST_LATENT = 4096
_LAYOUT = {2: 8, 3: 4}


def gather(
    network: Autoencoder, pixels: Floats, rebuilt: Floats, pooled: Floats | None = None
) -> Evidence:
    """Vectors (N, D) by measure of pixels (N, C, *spatial) and their reconstructions.

    ``features``: the encoder's pooled layers (`pooled` where they are at hand). ``latent``: the
    bottleneck with its places. ``rebuilt``: logarithms of three errors. ``brightness``: quantiles,
    border, centre, black and white, roughness. ``layout``: the scan in 8 x 8 (4 x 4 x 4) pixels.

    Examples
    --------
    >>> from latentdx.autoencoder.family import build
    >>> network = build("invariant", {"channels": 1, "size": 28, "widths": (8, 16)})
    >>> pixels = np.random.default_rng(0).random((2, 1, 28, 28), np.float32)
    >>> {name: found.shape[1] for name, found in gather(network, pixels, pixels).items()}
    {'features': 48, 'latent': 392, 'rebuilt': 3, 'brightness': 15, 'layout': 64}
    """
    return {
        "features": embed(network, pixels, "pooled") if pooled is None else pooled,
        "latent": _latents(network, pixels),
        "rebuilt": rebuilt_badly(pixels, rebuilt),
        "brightness": brightness(pixels),
        "layout": layout(pixels),
    }


def reconstruction_errors(pixels: Floats, reconstructions: Floats) -> Floats:
    """Mean absolute error (N,) of reconstructions of pixels (N, C, *spatial).

    Divided by each scan's own standard deviation: smooth scans are easier to rebuild.
    """
    axes = tuple(range(1, pixels.ndim))
    errors = np.abs(pixels - reconstructions).mean(axis=axes)
    found: Floats = errors / np.maximum(pixels.std(axis=axes), 0.02)
    return found


def rebuilt_badly(pixels: Floats, reconstructions: Floats) -> Floats:
    """Logarithms (N, 3) of three errors of reconstructions of pixels (N, C, *spatial).

    The mean absolute error in units of the scan's deviation, 1 - SSIM, and the error of neighbours'
    differences in units of the scan's own.
    """
    similar = [
        structural_similarity(
            torch.from_numpy(pixels[rows]), torch.from_numpy(reconstructions[rows])
        ).numpy()
        for rows in batches_of(pixels.shape)
    ]
    edges = roughness(pixels - reconstructions).sum(axis=1)
    own = np.maximum(roughness(pixels).sum(axis=1), 0.005)
    errors = (reconstruction_errors(pixels, reconstructions), 1 - np.concatenate(similar))
    found: Floats = np.log(np.stack([*errors, edges / own], axis=1).clip(1e-4))
    return found.astype(np.float32)


def brightness(pixels: Floats) -> Floats:
    """Plain facts (N, 13 + axes) of the grey values of pixels (N, C, *spatial), 0..1.

    Seven quantiles, deviation, border, centre, shares of black and of white, roughness along each
    axis; of colour scans also how far the channels differ (else the column is left out).
    """
    grey = pixels.mean(axis=1)
    axes = tuple(range(1, grey.ndim))
    quantiles = np.quantile(grey.reshape(len(grey), -1), _LEVELS, axis=1)
    frame = np.ones(grey.shape[1:], bool)
    frame[tuple(slice(max(1, n // 8), -max(1, n // 8)) for n in frame.shape)] = False
    middle = tuple(slice(n // 4, max(n // 4 + 1, n - n // 4)) for n in frame.shape)
    facts = [
        *quantiles,
        grey.std(axis=axes),
        grey[:, frame].mean(axis=1),
        grey[(slice(None), *middle)].mean(axis=axes),
        (grey < _DARK).mean(axis=axes),
        (grey > _BRIGHT).mean(axis=axes),
        *roughness(pixels).T,
    ]
    if pixels.shape[1] == 1:
        facts.append(grey.mean(axis=axes))
    else:
        facts.append(pixels.std(axis=1).mean(axis=axes))
    return np.stack(facts, axis=1).astype(np.float32)


def layout(pixels: Floats) -> Floats:
    """The scans averaged over a coarse grid, flattened: (N, C * 64) where they are large enough."""
    most = _LAYOUT[pixels.ndim - 2]
    sides = [min(most, side) for side in pixels.shape[2:]]
    return _on_grid(torch.from_numpy(pixels), sides).flatten(1).numpy()


def roughness(pixels: Floats) -> Floats:
    """Mean absolute difference of neighbours along each axis: (N, axes)."""
    axes = tuple(range(1, pixels.ndim))
    steps = [np.abs(np.diff(pixels, axis=axis)) for axis in range(2, pixels.ndim)]
    found: Floats = np.stack([step.mean(axis=axes) for step in steps], axis=1)
    return found


@torch.inference_mode()
def _latents(network: Autoencoder, pixels: Floats) -> Floats:
    """The bottleneck (N, L); a map is averaged over a coarser grid where it is large."""
    network.eval()
    device = next(network.parameters()).device
    found = []
    for rows in batches_of(pixels.shape):
        latent = network.encode(batch_laid_out(torch.from_numpy(pixels[rows]).to(device))).float()
        if latent.ndim > 2:
            latent = _on_grid(latent, _grid_of(tuple(latent.shape)))
        found.append(latent.flatten(1).cpu().numpy())
    return np.concatenate(found)


def _grid_of(shape: tuple[int, ...]) -> list[int]:
    """Sides that keep a latent (N, C, *spatial) within 4096 numbers; 1 each if need be."""
    sides = list(shape[2:])
    while shape[1] * math.prod(sides) > _MOST_LATENT and max(sides) > 1:
        sides = [(side + 1) // 2 for side in sides]
    return sides


def _on_grid(maps: torch.Tensor, sides: list[int]) -> torch.Tensor:
    if list(maps.shape[2:]) == sides:
        return maps
    pool = {
        1: torch.nn.functional.adaptive_avg_pool1d,
        2: torch.nn.functional.adaptive_avg_pool2d,
        3: torch.nn.functional.adaptive_avg_pool3d,
    }[len(sides)]
    found: torch.Tensor = pool(maps.contiguous(), sides)  # type: ignore[arg-type]
    return found
