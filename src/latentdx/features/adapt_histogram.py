"""Grey levels of a site brought to the source's, before the encoder sees the scans."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.collection.grey_levels import landmarks, regraded
from latentdx.features.extract import batches_of

Floats = NDArray[np.float32]


def levels_of(pixels: Floats) -> Floats:
    """What grey levels scans (N, C, *spatial) in 0..1 have: (11,), the mean of their `landmarks`.

    Examples
    --------
    >>> levels_of(np.full((3, 1, 8, 8), 0.5, np.float32)).round(3).tolist()[:2]
    [0.5, 0.5]
    """
    found = [landmarks(torch.from_numpy(pixels[rows])) for rows in batches_of(pixels.shape)]
    mean: Floats = torch.cat(found).mean(dim=0).numpy()
    return mean


def histogram(source: Floats, pixels: Floats) -> Floats:
    """A site's scans (N, C, *spatial) in 0..1 with grey levels as the `source`'s (11,).

    One curve for all scans of the site, so that they differ among each other as they did: landmarks
    of Nyul and Udupa, Magnetic Resonance in Medicine 42, 1999, by site and not by scan.

    Examples
    --------
    >>> chance = np.random.default_rng(0)
    >>> there = chance.uniform(0.05, 0.45, (20, 1, 8, 8)).astype(np.float32)
    >>> source = levels_of(2 * there)
    >>> bool(np.allclose(levels_of(histogram(source, there)), source, atol=0.02))
    True
    """
    own, onto = (torch.from_numpy(each)[None] for each in (levels_of(pixels), source))
    found = np.empty_like(pixels)
    for rows in batches_of(pixels.shape):
        batch = torch.from_numpy(pixels[rows])
        shape = (len(batch), own.shape[1])
        found[rows] = regraded(batch, own.expand(shape), onto.expand(shape)).clamp(0, 1).numpy()
    return found
