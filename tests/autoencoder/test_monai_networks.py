"""MONAI's networks keep the family's laws; without MONAI they are refused in words."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from inspect import signature
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from latentdx.autoencoder import monai_base
from latentdx.autoencoder.adapters import Adapter, Quantised
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import BUILT_IN, FAMILY, build, name_of
from latentdx.autoencoder.own_module import OwnModule
from latentdx.autoencoder.wrapped import WrappedAutoencoder
from latentdx.core.errors import StopError

Discs = Callable[..., NDArray[np.float32]]

SMALL: dict[str, dict[str, Any]] = {
    "monai-autoencoder": {"widths": (8, 16), "latent_dim": 4},
    "monai-varautoencoder": {"widths": (8, 16), "latent_dim": 4},
    "monai-vqvae": {"widths": (8, 16), "latent_dim": 4, "codes": 16},
    "monai-autoencoderkl": {"widths": (8, 16), "latent_dim": 4},
    "monai-mae-vit": {
        **{"width": 24, "depth": 2, "decoder_width": 24, "decoder_depth": 1, "heads": 2}
    },
}


def has(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in packages)


def needs(name: str) -> Any:
    wanted = ("monai", "einops") if name == "monai-mae-vit" else ("monai",)
    skip = pytest.mark.skipif(not has(*wanted), reason=f"{' and '.join(wanted)}: not installed")
    return pytest.param(name, marks=[skip, pytest.mark.slow])


every_network = pytest.mark.parametrize("name", [needs(name) for name in SMALL])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(name: str, **more: Any) -> Autoencoder:
    return build(name, {"channels": 1, "size": 16, **SMALL[name], **more})


def test_the_family_names_them_and_imports_none() -> None:
    assert set(SMALL) == set(FAMILY) - set(BUILT_IN)
    code = "import sys, latentdx.autoencoder.family; sys.exit('monai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


@pytest.mark.parametrize("name", SMALL)
def test_without_the_package_the_message_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError("No module named 'monai'", name="monai")

    monkeypatch.setattr(monai_base, "import_module", missing)
    with pytest.raises(StopError, match=r"\(monai\); pip install 'latentdx\[monai\]'") as caught:
        small(name)
    assert caught.value.code == "E_EXTRA"


@pytest.mark.parametrize("name", SMALL)
def test_settings_tell_every_argument(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stub(torch.nn.Module):
        pass

    monkeypatch.setattr(monai_base, "_made", lambda make: Stub())
    monkeypatch.setattr("latentdx.autoencoder.monai_networks._weigh", lambda *_: None)
    network = small(name)
    assert network.settings().keys() == signature(FAMILY[name]).parameters.keys()  # type: ignore[index]
    told = json.loads(json.dumps(network.settings()))
    assert {**told, **SMALL[name]} | {"widths": 0} == {**told, "widths": 0}


@every_network
@pytest.mark.parametrize(
    ("channels", "size"), [(1, (28, 28)), (3, (29, 31)), (2, (13, 14, 15)), (1, (8, 8))], ids=str
)
def test_the_laws_of_shape_gradient_and_use(
    name: str, channels: int, size: tuple[int, ...], discs: Discs
) -> None:
    network = small(name, channels=channels, size=size).train()
    pixels = torch.from_numpy(discs(8, size=size, channels=channels))
    torch.stack(list(network.losses(pixels, seeded()).values())).sum().backward()
    learned = {key: held for key, held in network.named_parameters() if held.requires_grad}
    grads = {key: held.grad for key, held in learned.items()}
    assert [key for key, g in grads.items() if g is None or not g.isfinite().all()] == []
    assert [key for key, g in grads.items() if key.endswith("weight") and not g.any()] == []  # type: ignore[union-attr]
    network.eval()
    with torch.no_grad():
        latent, rebuilt, maps = network.encode(pixels), network(pixels), network.layers(pixels)
        assert rebuilt.shape == pixels.shape
        assert 0 <= rebuilt.min() < rebuilt.max() <= 1
        assert torch.equal(rebuilt, network.decode(latent))
        alone = torch.cat([network.encode(one) for one in pixels.split(1)])
    torch.testing.assert_close(alone, latent, atol=1e-3, rtol=0)
    assert len(maps) > 1
    for a, b in pairwise(maps):
        assert a.shape[1] <= b.shape[1]
        assert all(i >= o for i, o in zip(a.shape[2:], b.shape[2:], strict=True))


@every_network
def test_random_numbers_are_the_generators_alone(name: str, discs: Discs) -> None:
    network = small(name).eval()
    pixels = torch.from_numpy(discs(8))
    state = torch.get_rng_state()
    with torch.no_grad():
        first, second = (network.losses(pixels, seeded(3)) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_network
def test_it_learns_and_is_built_again(name: str, discs: Discs) -> None:
    network = small(name)
    settings = FitSettings(epochs=8, learning_rate=2e-3)
    history = pretrain(network, Pool(discs(64), discs(16, seed=1)), settings, seed=0)
    assert history[-1].loss < 0.85 * history[0].loss
    other = build(name, json.loads(json.dumps(network.settings())), seed=9)
    other.load_state_dict(network.state_dict())
    assert name_of(other) == name
    pixels = torch.from_numpy(discs(4, seed=2))
    with torch.no_grad():
        assert torch.equal(other.eval()(pixels), network.eval()(pixels))


@pytest.mark.slow
@pytest.mark.skipif(not has("monai"), reason="monai: not installed")
def test_monais_own_objects_are_taken_as_modules_and_adapted(discs: Discs) -> None:
    from monai.networks.nets import VQVAE, AutoEncoder, AutoencoderKL, VarAutoEncoder

    pixels = torch.from_numpy(discs(4))
    plain = AutoEncoder(
        **{"spatial_dims": 2, "in_channels": 1, "out_channels": 1},
        **{"channels": (4, 8), "strides": (2, 2), "inter_channels": [8]},
    )
    varied = VarAutoEncoder(
        **{"spatial_dims": 2, "in_shape": (1, 16, 16), "out_channels": 1, "latent_size": 3},
        **{"channels": (4, 8), "strides": (2, 2), "use_mean_at_inference": True},
    )
    latent = AutoencoderKL(
        **{"spatial_dims": 2, "channels": (8, 8), "num_res_blocks": 1, "norm_num_groups": 4},
        **{"attention_levels": (False, False), "latent_channels": 3},
        **{"with_encoder_nonlocal_attn": False, "with_decoder_nonlocal_attn": False},
    )
    codes = VQVAE(
        **{"spatial_dims": 2, "in_channels": 1, "out_channels": 1, "channels": (4, 8)},
        **{"num_res_layers": 1, "num_res_channels": (4, 8), "embedding_dim": 4},
        **{
            "downsample_parameters": ((2, 4, 1, 1),) * 2,
            "upsample_parameters": ((2, 4, 1, 1, 0),) * 2,
        },
    )
    expected = {
        plain: (lambda: plain(pixels), {"reconstruction"}),
        varied: (lambda: varied(pixels)[0], {"reconstruction", "kl"}),
        latent: (lambda: latent.reconstruct(pixels), {"reconstruction", "kl"}),
        codes: (lambda: codes(pixels)[0], {"reconstruction", "commitment"}),
    }
    for module, (call, terms) in expected.items():
        network = OwnModule(module=module, channels=1, size=16).eval()
        with torch.no_grad():
            torch.testing.assert_close(network(pixels), call().clamp(0, 1))
        assert network.train().losses(pixels, seeded()).keys() == terms


@pytest.mark.slow
@pytest.mark.skipif(not has("monai"), reason="monai: not installed")
def test_a_codebook_moves_in_training_alone(discs: Discs) -> None:
    network = small("monai-vqvae").train()
    assert isinstance(network, WrappedAutoencoder)
    assert isinstance(network.adapter, Quantised)
    pixels = torch.from_numpy(discs(8))

    def codebook() -> torch.Tensor:
        return network.state_dict()["module.quantizer.quantizer.embedding.weight"].clone()

    before = codebook()
    network.encode(pixels)
    network.layers(pixels)
    assert torch.equal(codebook(), before)
    network.losses(pixels, seeded())
    after = codebook()
    assert not torch.equal(after, before)
    network.eval().losses(pixels, seeded())
    assert torch.equal(codebook(), after)
    assert 0 < network.measures(pixels)["codebook_use"] <= 1
    assert network.measures(pixels)["perplexity"] >= 1


@pytest.mark.slow
@pytest.mark.skipif(not has("monai"), reason="monai: not installed")
def test_settings_that_monai_refuses_are_refused() -> None:
    with pytest.raises(StopError, match="MONAI refuses") as caught:
        small("monai-mae-vit", width=25)
    assert caught.value.code == "E_CONFIG"


def test_a_plain_module_has_the_plain_adapter() -> None:
    from latentdx.autoencoder.wrapped import adapter_for

    class VQVAE(torch.nn.Module):
        """Named like MONAI's, but somebody else's."""

    assert type(adapter_for(VQVAE())) is Adapter
