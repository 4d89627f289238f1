"""A user's own module is a member of the family, and is refused in words where it cannot be."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from own_modules import Dense, Halving, TwoParts, WithLosses
from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build, name_of, network_for, rebuild, untrained
from latentdx.autoencoder.own_module import OwnModule, fingerprint, take_weights
from latentdx.core.errors import StopError

Discs = Callable[..., NDArray[np.float32]]


def wrapped(module: nn.Module, **more: Any) -> OwnModule:
    return OwnModule(module=module, **{"channels": 1, "size": 16, **more})


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", [Halving, TwoParts, WithLosses])
def test_latent_layers_and_reconstruction_are_the_modules(kind: Any, discs: Discs) -> None:
    module = kind()
    network = wrapped(module).eval()
    pixels = torch.from_numpy(discs(3))
    with torch.no_grad():
        latent = Halving.encode(module, pixels)
        first = torch.nn.functional.conv2d(pixels, module.first.weight, module.first.bias, 2)
        assert torch.equal(network.encode(pixels), latent)
        assert torch.equal(network(pixels), Halving.decode(module, latent).clamp(0, 1))
        maps = network.layers(pixels)
    assert torch.equal(maps[0], first)
    expected = [(8, 8, 8)] if kind is WithLosses else [(8, 8, 8), (16, 4, 4)]  # not the latent's 3
    assert [tuple(held.shape[1:]) for held in maps] == expected
    assert not module.first._forward_hooks


def test_volumes_too(discs: Discs) -> None:
    network = wrapped(Halving(channels=2, dims=3), channels=2, size=(8, 12, 16)).eval()
    pixels = torch.from_numpy(discs(2, size=(8, 12, 16), channels=2))
    assert network(pixels).shape == pixels.shape
    assert [held.shape[1] for held in network.layers(pixels)] == [8, 16]


def test_without_maps_the_latent_is_the_layer(discs: Discs) -> None:
    pixels = torch.from_numpy(discs(3))
    network = wrapped(Dense()).eval()
    (only,) = network.layers(pixels)
    assert torch.equal(only[:, :, 0, 0], network.encode(pixels))


def test_reconstructions_lie_in_the_unit_range_in_use_alone(discs: Discs) -> None:
    pixels = torch.from_numpy(discs(4))
    module = Halving()
    torch.nn.init.constant_(module.to_pixels.bias, 2.0)  # type: ignore[arg-type]
    cut, soft = wrapped(module), wrapped(Halving(), output="sigmoid")
    assert cut.eval()(pixels).max() == 1
    assert cut.train()(pixels).max() > 1  # a clamp would stop the gradient
    raw = soft.module.decode(soft.encode(pixels))  # type: ignore[operator]
    for network in (soft.train(), soft.eval()):
        torch.testing.assert_close(network(pixels), torch.sigmoid(raw))


def test_sides_are_padded_where_asked_for(discs: Discs) -> None:
    network = wrapped(Halving(), size=(13, 15), multiple=4).eval()
    pixels = torch.from_numpy(discs(2, size=(13, 15)))
    assert network(pixels).shape == pixels.shape
    assert network.encode(pixels).shape == (2, 3, 4, 4)
    assert network.train().losses(pixels, seeded())["reconstruction"].isfinite()
    with pytest.raises(StopError, match="multiple") as caught:
        wrapped(Halving(), size=(13, 15))
    assert caught.value.code == "E_SHAPE"


def test_its_own_losses_are_used_where_it_has_them(discs: Discs) -> None:
    pixels = torch.from_numpy(discs(4))
    module = WithLosses()
    told = wrapped(module).losses(pixels, seeded(3))
    expected = module.losses(pixels, seeded(3))
    assert told.keys() == {"mine", "small"}
    assert torch.equal(told["mine"], expected["mine"])
    plain = wrapped(Halving(), reconstruction={"mse": 3.0}).train()
    error = (plain.decode(plain.encode(pixels)) - pixels).square().mean()
    torch.testing.assert_close(plain.losses(pixels, seeded())["reconstruction"], 3 * error)


@pytest.mark.parametrize("kind", [Halving, WithLosses, Dense])
def test_it_learns(kind: Any, discs: Discs) -> None:
    network = wrapped(kind())
    settings = FitSettings(epochs=8, learning_rate=3e-3)
    history = pretrain(network, Pool(discs(48), discs(16, seed=1)), settings, seed=0)
    assert history[-1].loss < 0.9 * history[0].loss
    assert history[-1].tune_loss < history[0].tune_loss


class Raises(Halving):
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("mat1 and mat2\nand more")


class Words(Halving):
    def encode(self, pixels: torch.Tensor) -> Any:
        return {"latent": pixels}


class Pooled(Halving):
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return super().encode(pixels).mean(dim=0, keepdim=True)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return super().decode(latent).expand(2, -1, -1, -1)


class OddLayers(Halving):
    def layers(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        return [pixels.flatten(1)]


class Weightless(nn.Module):
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels

    decode = encode


@pytest.mark.parametrize(
    ("module", "code", "words"),
    [
        (nn.Linear(2, 2), "E_CONFIG", "Linear: it has no encode and no decode"),
        (Weightless(), "E_CONFIG", "no weights"),
        ("Halving", "E_CONFIG", "str is no torch.nn.Module"),
        (Raises(), "E_SHAPE", "Raises: fails on a blank scan: mat1 and mat2;"),
        (Words(), "E_SHAPE", r"\(tensor, ...\) was expected, found dict"),
        (Pooled(), "E_SHAPE", "became"),
        (Halving(channels=3), "E_SHAPE", "Halving: fails on a blank scan"),
        (OddLayers(), "E_SHAPE", "its layers are"),
        (Dense(100), "E_SHAPE", "Dense: fails"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(module: Any, code: str, words: str) -> None:
    with pytest.raises(StopError, match=words) as caught:
        wrapped(module)
    assert caught.value.code == code


def test_the_check_changes_nothing() -> None:
    module = nn.Sequential()
    module.encode = nn.Sequential(nn.Conv2d(1, 4, 2, 2), nn.BatchNorm2d(4))
    module.decode = nn.ConvTranspose2d(4, 1, 2, 2)
    before = copy.deepcopy(module.state_dict())
    network = wrapped(module.train())
    assert network.training
    assert module.encode[1].training
    after = module.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_in_place_of_a_name_a_copy_of_the_module_is_taken() -> None:
    module = Halving()
    network = network_for(module, {"channels": 1, "size": (16, 20)})
    assert network.shape == (1, 16, 20)
    assert isinstance(network, OwnModule)
    assert network.module is not module
    assert name_of(network) == "own"
    with pytest.raises(StopError, match="latent_dim is set") as caught:
        network_for(module, {"channels": 1, "size": 16, "latent_dim": 3})
    assert caught.value.code == "E_CONFIG"
    with pytest.raises(StopError, match="int is neither a name nor") as caught:
        network_for(3, {"channels": 1, "size": 16})  # type: ignore[arg-type]
    assert caught.value.code == "E_CONFIG"


class Subclass(Autoencoder):
    """Not of the family, but an `Autoencoder`."""

    def __init__(self) -> None:
        super().__init__(channels=1, size=16)
        self.inner = Halving()

    def layers(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        return [self.inner.first(pixels), self.encode(pixels)]

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.inner.encode(pixels)

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.inner.decode(latent))

    def losses(self, pixels: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"error": (self(pixels) - pixels).square().mean()}

    def settings(self) -> dict[str, Any]:
        return {"channels": 1, "size": [16, 16]}


def test_an_autoencoder_of_ones_own_is_taken_as_it_is() -> None:
    network = network_for(Subclass(), {"channels": 1, "size": 16})
    assert type(network) is Subclass
    assert name_of(network) == "own"
    assert type(rebuild("own", network.settings(), Subclass())) is Subclass
    with pytest.raises(StopError) as caught:
        network_for(Subclass(), {"channels": 1, "size": 20})
    assert caught.value.code == "E_SHAPE"


def test_weights_come_back_into_the_module_given_again() -> None:
    trained: Autoencoder = wrapped(
        Halving(), output="sigmoid", reconstruction={"mse": 2.0}, multiple=4
    )
    trained = network_for(trained, {"channels": 1, "size": 16})
    told = trained.settings()
    assert told["module"] == "Halving"
    again = rebuild("own", told, Halving())
    take_weights(again, trained.state_dict())
    assert again.settings() == told
    pixels = torch.rand(2, 1, 16, 16, generator=seeded())
    assert torch.equal(again.eval()(pixels), trained.eval()(pixels))


def test_without_the_module_or_with_another_weights_are_not_loaded() -> None:
    trained = wrapped(Halving())
    with pytest.raises(StopError, match=r"\(Halving\), whose code is not saved") as caught:
        rebuild("own", trained.settings())
    assert caught.value.code == "E_CONFIG"
    with pytest.raises(StopError, match=r"\(TwoParts\) is not that of the weights") as caught:
        rebuild("own", trained.settings(), TwoParts())
    assert caught.value.code == "E_SHAPE"
    other = rebuild("own", trained.settings(), Halving(width=4))
    with pytest.raises(StopError) as caught:
        take_weights(other, trained.state_dict())
    assert caught.value.code == "E_SHAPE"
    with pytest.raises(StopError, match="'invariant', which is built by its name") as caught:
        rebuild("invariant", {"channels": 1, "size": 16}, Halving())
    assert caught.value.code == "E_CONFIG"
    with pytest.raises(StopError, match="autoencoder=module") as caught:
        build("own", {"channels": 1, "size": 16})
    assert caught.value.code == "E_CONFIG"


def test_untrained_has_learned_nothing_and_depends_on_the_seed_alone() -> None:
    network = wrapped(Dense())
    with torch.no_grad():
        network.module.down.weight.fill_(7.0)  # type: ignore[operator, union-attr]
    state = torch.get_rng_state()
    first, second, other = (untrained(network, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    kept = network.state_dict()
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
        if key.startswith("module."):
            assert not torch.equal(value, kept[key])
            assert not torch.equal(value, other.state_dict()[key])
    token = first.state_dict()["module.token"]
    assert torch.equal(token.sort()[0], kept["module.token"].sort()[0])
    assert (network.module.down.weight == 7).all()  # type: ignore[union-attr]


def test_a_fingerprint_is_of_layers_and_weights() -> None:
    module = Halving()
    assert fingerprint(module) == fingerprint(copy.deepcopy(module))
    assert fingerprint(module) != fingerprint(Halving(width=9))
    other = copy.deepcopy(module)
    with torch.no_grad():
        other.first.bias[0] += 1e-4
    assert fingerprint(module) != fingerprint(other)


def test_a_copy_of_the_network_works_with_its_own_weights(discs: Discs) -> None:
    network = wrapped(Halving()).eval()
    twin = copy.deepcopy(network)
    pixels = torch.from_numpy(discs(2))
    before = network(pixels)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    assert torch.equal(twin(pixels), before)
