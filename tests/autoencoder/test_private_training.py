"""Private training: each patient's part is bounded, the noise is the accountant's, runs go on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.budget import plan_privacy, require_private
from latentdx.autoencoder.engine.checkpoint import CheckpointFolder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.private import _bounded
from latentdx.autoencoder.engine.settings import FitSettings, Privacy
from latentdx.autoencoder.family import build
from latentdx.core.errors import IntegrityError, StopError

SHAPE = (1, 8, 8)


def network() -> Autoencoder:
    return build("convolutional", {"channels": 1, "size": 8, "widths": [4, 8], "latent_dim": 4})


def scans(count: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    return np.asarray(generator.random((count, 1, 1, 1)) * ramp, np.float32)


def settings(epsilon: float, epochs: int = 2) -> FitSettings:
    return FitSettings(epochs=epochs, privacy=Privacy(epsilon))


def test_a_patients_part_is_shorter_than_one_however_many_scans_and_however_loud() -> None:
    generator = torch.Generator().manual_seed(0)
    loud = {
        "a": 1e6 * torch.randn(5, 3, 2, generator=generator),
        "b": 1e-3 * torch.randn(5, 4, generator=generator),
    }
    for units in ([0] * 5, [0, 0, 1, 1, 1]):
        found = _bounded(loud, torch.tensor(units))
        length = math.sqrt(sum(float(part.square().sum()) for part in found.values()))
        assert length < len(set(units)) + 1e-6
    one = _bounded({"a": loud["a"][:1]}, torch.tensor([0]))["a"]
    wanted = loud["a"][0] / (loud["a"][0].norm() + 0.01)
    assert torch.allclose(one, wanted)


def test_the_noise_is_what_the_accountant_asks_for() -> None:
    from opacus.accountants import RDPAccountant

    found = plan_privacy(settings(2.0, epochs=3), np.arange(2000) // 2, SHAPE)
    assert (found.n_units, found.rate, found.steps) == (1000, 0.25, 12)
    assert found.delta == pytest.approx(1e-5)
    accountant = RDPAccountant()
    accountant.history = [(found.noise, found.rate, found.steps)]
    assert 1.9 < accountant.get_epsilon(found.delta) <= 2.0
    more = plan_privacy(settings(8.0, epochs=3), np.arange(2000) // 2, SHAPE)
    assert more.noise < found.noise
    assert plan_privacy(settings(math.inf), np.arange(64), SHAPE).noise == 0


def test_it_learns_without_noise_and_does_not_repeat_to_the_bit_with_it() -> None:
    pool, held = scans(256), scans(32)
    plain = network()
    history = pretrain(plain, Pool(pool, held), settings(math.inf, 25), seed=0)
    assert history[-1].loss < 0.8 * history[0].loss
    first, second = network(), network()
    for each in (first, second):
        pretrain(each, Pool(pool, held), settings(8.0), seed=0)
    weights = [each.state_dict()["to_latent.weight"] for each in (first, second)]
    assert not torch.equal(*weights), "the noise is in the seed: anybody could take it away"
    assert not first.training


def test_it_goes_on_from_a_checkpoint_and_from_no_other_trainings(tmp_path: Path) -> None:
    pool = Pool(scans(64), scans(16))
    done = network()
    whole = pretrain(done, pool, settings(math.inf, 3), seed=0, checkpoints=tmp_path)
    kept = sorted(tmp_path.glob("step-*"))
    kept[-1].unlink()  # as if it had been stopped in the last epoch
    again = network()
    history = pretrain(again, pool, settings(math.inf, 3), seed=0, checkpoints=tmp_path)
    assert history[:2] == whole[:2]
    assert len(history) == 3
    assert CheckpointFolder(tmp_path).load() is not None
    with pytest.raises(IntegrityError, match="another training"):
        pretrain(network(), pool, settings(math.inf, 4), seed=0, checkpoints=tmp_path)


def test_what_joins_scans_is_refused() -> None:
    joins = build("invariant", {"channels": 1, "size": 16, "widths": [8, 16]})
    with pytest.raises(StopError, match="joins scans"):
        require_private(joins, settings(1.0))
    objective = FitSettings(objectives={"vicreg": 0.1}, privacy=Privacy(1.0))
    with pytest.raises(StopError, match="--objective"):
        require_private(network(), objective)
    with pytest.raises(StopError) as caught:
        plan_privacy(settings(1.0), np.arange(31), SHAPE)
    assert caught.value.code == "E_TOO_FEW"
