"""Inversion: what an embedding holds is painted again, and what it does not hold is not."""

from __future__ import annotations

import numpy as np

from latentdx.features.invert import invert


def test_what_an_embedding_keeps_is_painted_and_what_it_drops_is_the_mean() -> None:
    generator = np.random.default_rng(0)
    pictures = generator.random((300, 1, 4, 4)).astype(np.float32)
    flat = pictures.reshape(300, 16)
    known = flat[:, :8] @ generator.normal(size=(8, 30)).astype(np.float32)  # the upper half
    found = invert(known[:250], pictures[:250], known[250:])
    errors = np.abs(found.painted - pictures[250:]).mean(axis=(0, 1))
    assert errors[:2].max() < 0.05
    assert errors[2:].min() > 0.2
    assert np.allclose(found.mean[0], pictures[:250].mean(axis=0))
