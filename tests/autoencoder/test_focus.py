"""A focus of the reconstruction loss: errors outside count less, by name and from the settings."""

from __future__ import annotations

import pytest
import torch

from latentdx.autoencoder.family import build
from latentdx.autoencoder.losses.focus import OUTSIDE, inside
from latentdx.autoencoder.losses.reconstruction import reconstruction_loss
from latentdx.core.errors import StopError
from latentdx.study.beginning import network_settings
from latentdx.study.settings import RunSettings


def chest(dims: int = 2) -> torch.Tensor:
    """A bright body with two dark lungs in 32 pixels a side."""
    scan = torch.zeros(1, 1, *(32,) * dims)
    scan[:, :, 4:28, 4:28] = 0.8
    scan[:, :, 10:22, 8:13] = scan[:, :, 10:22, 19:24] = 0.3
    return scan


@pytest.mark.parametrize("dims", [2, 3])
def test_where_body_and_lungs_lie(dims: int) -> None:
    scan = chest(dims)
    body, lung = inside(scan, "body"), inside(scan, "lung")
    assert body.shape == lung.shape == scan.shape
    assert torch.equal(body, (scan > 0))
    middle = lung if dims == 2 else lung[..., 8:24]
    assert middle[:, :, 12:20, 9:12].all()
    assert not lung[:, :, 12:20, 15:17].any()
    assert not (lung & ~body).any()


def test_errors_outside_count_less_for_every_loss() -> None:
    scan = chest()
    for name in ("mse", "l1", "ssim", "gradient", "ssim-gradient"):
        focused, plain = reconstruction_loss(f"body:{name}"), reconstruction_loss(name)
        within, without = scan.clone(), scan.clone()
        within[:, :, 14:18, 14:18] -= 0.3
        without[:, :, 0:3, 0:3] += 0.3
        torch.testing.assert_close(focused(within, scan), plain(within, scan))
        assert focused(without, scan) < 0.8 * plain(without, scan)
    squared = reconstruction_loss("body:mse")(without, scan) / reconstruction_loss("mse")(
        without, scan
    )
    assert float(squared) == pytest.approx(OUTSIDE**2, rel=1e-4)


def test_the_gradient_reaches_what_lies_outside_weaker() -> None:
    scan = chest()
    rebuilt = (scan + 0.1).requires_grad_()
    reconstruction_loss("body:mse")(rebuilt, scan).backward()
    inner, outer = rebuilt.grad[0, 0, 16, 16], rebuilt.grad[0, 0, 1, 1]
    assert 0 < outer < 0.1 * inner


def test_settings_put_it_on_the_member_s_own_loss() -> None:
    settings = RunSettings(source="s", focus="lung")
    found = network_settings(settings, (1, 32, 32))
    assert found["reconstruction"] == "lung:ssim-gradient"
    network = build("invariant", {**found, "widths": (4, 8)})
    losses = network.losses(torch.rand(8, 1, 32, 32), torch.Generator().manual_seed(0))
    assert torch.isfinite(losses["reconstruction"])
    given = settings.model_copy(update={"network": {"reconstruction": {"mse": 2.0, "l1": 1.0}}})
    weights = {"lung:mse": 2.0, "lung:l1": 1.0}
    assert network_settings(given, (1, 32, 32))["reconstruction"] == weights


@pytest.mark.parametrize("name", ["lung:nothing", "heart:mse", ":mse", "body:lung:mse", "mask:"])
def test_names_that_there_are_not(name: str) -> None:
    with pytest.raises(StopError, match="body, lung or mask:NAME"):
        reconstruction_loss(name)


def test_a_member_without_such_a_loss_is_refused() -> None:
    settings = RunSettings(source="s", focus="body", autoencoder="own")
    with pytest.raises(StopError, match="--focus") as caught:
        network_settings(settings, (1, 32, 32))
    assert caught.value.code == "E_OPTION"
