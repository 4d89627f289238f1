"""Randomness by name: every step derives its own generator from the one seed of the run."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the step called ``names``, independent of every other step's.

    Examples
    --------
    >>> derive_seed(0, "split") == derive_seed(0, "split")
    True
    >>> derive_seed(0, "split") == derive_seed(0, "pretrain")
    False
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy's generator for the step called ``names``."""
    return np.random.default_rng(derive_seed(seed, *names))
