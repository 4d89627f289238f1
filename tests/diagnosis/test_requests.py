"""What a model asks of scans follows from its encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from latentdx.autoencoder.family import build
from latentdx.diagnosis.gate_evidence import reconstruction_errors
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.scans.policy import Policy


@pytest.mark.parametrize("size", [[12, 12], [12, 12, 12]])
def test_images_or_volumes_are_asked_for_whatever_the_policy_was(size: list[int]) -> None:
    """A collection that a program has made tells no policy."""
    encoder = build("convolutional", {"channels": 1, "size": size, "widths": (4, 8)})
    nothing: Any = None
    model = DiagnosticModel(
        encoder, nothing, ("a", "b"), "pooled", True, sets=nothing, gate=nothing, policy=Policy()
    )
    request = model.request(b"key")
    assert (request.size, request.channels, request.policy.dims) == (12, 1, len(size))


@pytest.mark.parametrize("shape", [(9, 11), (6, 7, 8)])
def test_errors_are_in_units_of_each_scan_s_own_spread(shape: tuple[int, ...]) -> None:
    scans = np.random.default_rng(0).random((3, 2, *shape)).astype(np.float32)
    found = reconstruction_errors(scans, scans + np.float32(0.1))
    assert found == pytest.approx([0.1 / scan.std() for scan in scans], rel=1e-4)
