"""A user's own `torch.nn.Module`, accepted wherever the name of an autoencoder is.

It needs `encode(pixels)` and `decode(latent)`; `layers(pixels)` and `losses(pixels, generator)`
are used where it has them. MONAI's networks are taken as they are (see `adapters`). Weights are
saved like those of any member, but the module's code is not: who loads them gives it again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor, nn
from typing_extensions import override

from latentdx.autoencoder.base import Autoencoder, Size
from latentdx.autoencoder.losses.reconstruction import Reconstruction
from latentdx.autoencoder.wrapped import Output, WrappedAutoencoder, known_adapter
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_bytes, hash_json
from latentdx.core.seeds import derive_seed

_CHECKED = 2  # blank scans let through


@final
class OwnModule(WrappedAutoencoder):
    """A module with `encode` and `decode` as member of the family.

    Parameters
    ----------
    module: sees pixels (N, C, *size) in 0..1. `encode` returns the latent, or a tuple whose first
        entry it is ((mean, log variance), say); `decode` returns pixels or such a tuple. With
        `layers` it tells its feature maps, from shallow to deep; without, the widest map of each
        resolution that `encode` makes is taken, and where it makes none the latent itself. With
        `losses` it tells the weighted terms of its loss; else it learns by reconstruction.
    channels, size: of the scans, (C, *size).
    reconstruction: the reconstruction loss by name, or weights by name.
    output: ``clamp`` cuts reconstructions to 0..1 in use, ``sigmoid`` puts one behind `decode`.
    multiple: sides are padded to multiples of it, for modules that halve and double.

    Raises `StopError` ``E_CONFIG`` where it is no such module and ``E_SHAPE`` where a blank scan
    does not come back in its own shape.

    Examples
    --------
    >>> class Mine(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.encode, self.decode = nn.Conv2d(1, 4, 2, 2), nn.ConvTranspose2d(4, 1, 2, 2)
    >>> network = OwnModule(module=Mine(), channels=1, size=28)
    >>> network.encode(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 4, 14, 14])
    """

    def __init__(
        self,
        *,
        module: nn.Module,
        channels: int,
        size: Size,
        reconstruction: Reconstruction = "mse",
        output: Output = "clamp",
        multiple: int = 1,
    ) -> None:
        _check_kind(module)
        try:
            super().__init__(
                channels=channels,
                size=size,
                module=module,
                reconstruction=reconstruction,
                output=output,
                multiple=multiple,
            )
        except ValueError as error:
            raise _refused("E_CONFIG", module, str(error), fix="correct it") from None
        _check_shapes(self)

    @override
    def settings(self) -> dict[str, Any]:
        return {
            "module": type(self.module).__name__,
            "channels": self.channels,
            "size": list(self.size),
            "reconstruction": self.reconstruction,
            "output": self.output,
            "multiple": self.multiple,
        }


def as_network(given: object, shape: tuple[int, ...]) -> Autoencoder:
    """A copy of a module or an `Autoencoder` for scans of `shape` (C, *size).

    Raises `StopError` ``E_CONFIG`` and ``E_SHAPE``.
    """
    if not isinstance(given, nn.Module):
        found = f"{type(given).__name__} is neither a name nor a torch.nn.Module"
        raise StopError("E_CONFIG", found, fix="give a module with encode and decode")
    module = copy.deepcopy(given)
    if not isinstance(module, Autoencoder):
        return OwnModule(module=module, channels=shape[0], size=shape[1:])
    if module.shape != tuple(shape):
        found = f"the autoencoder reads scans of shape {module.shape}, these are {tuple(shape)}"
        raise StopError("E_SHAPE", found, fix="make it for scans of this shape")
    return module


def restored(told: Mapping[str, Any], given: object) -> Autoencoder:
    """A copy of the module that weights were trained with, ready to take them.

    Raises `StopError` ``E_CONFIG`` where it is missing and ``E_SHAPE`` where it is another.
    """
    name = told.get("module", "Autoencoder")
    if given is None:
        found = f"these are weights of a module of your own ({name}), whose code is not saved"
        raise StopError("E_CONFIG", found, fix="give it again, in Python: autoencoder=module")
    _check_kind(given)
    if isinstance(given, Autoencoder):
        network: Autoencoder = copy.deepcopy(given)
    else:
        values = {key: value for key, value in told.items() if key != "module"}
        network = OwnModule(module=copy.deepcopy(given), **values)  # type: ignore[arg-type]
    if network.settings() != dict(told):
        found = f"the module given ({type(given).__name__}) is not that of the weights ({name})"
        raise StopError("E_SHAPE", found, fix="give the module that was trained")
    return network


def take_weights(network: Autoencoder, weights: Mapping[str, Tensor]) -> None:
    """Load saved weights. Raises `StopError` ``E_SHAPE`` where names or shapes differ."""
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        found = f"the weights do not fit the module given ({type(network).__name__})"
        raise StopError("E_SHAPE", found, fix="give the module that was trained") from None


def fingerprint(module: nn.Module) -> str:
    """SHA-256 (hex) of a module's layers and weights: another one, another training."""
    held = [
        [name, list(value.shape), hash_bytes(value.detach().cpu().double().numpy().tobytes())]
        for name, value in module.state_dict().items()
    ]
    return hash_json([repr(module), held])


@torch.no_grad()
def redrawn(network: Autoencoder, *, seed: int) -> Autoencoder:
    """A copy that has learned nothing: parts draw their weights anew, others are shuffled.

    Layers of torch know how they are drawn (`reset_parameters`). What a module holds beside them,
    as a token, keeps its values in another order, and with them its scale.
    """
    fresh = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights", "own"))
        for part in fresh.modules():
            draw = getattr(part, "reset_parameters", None)
            if callable(draw):
                draw()
                continue
            for weight in part.parameters(recurse=False):
                order = torch.randperm(weight.numel()).to(weight.device)
                weight.copy_(weight.flatten()[order].reshape(weight.shape))
    return fresh


def _check_kind(module: object) -> None:
    if not isinstance(module, nn.Module):
        found = f"{type(module).__name__} is no torch.nn.Module"
        raise StopError("E_CONFIG", found, fix="give a module with encode and decode")
    missing = [name for name in ("encode", "decode") if not hasattr(module, name)]
    if missing and known_adapter(module) is None:
        found = f"it has no {' and no '.join(missing)}"
        raise _refused("E_CONFIG", module, found, fix="give a module with encode and decode")
    if next(module.parameters(), None) is None:
        raise _refused("E_CONFIG", module, "it has no weights", fix="give one that can learn")


@torch.no_grad()
def _check_shapes(network: OwnModule) -> None:
    """Let blank scans through: what does not fit fails now and not after an hour."""
    module, shape = network.module, (_CHECKED, *network.shape)
    was_training = network.training
    blank = torch.zeros(shape, device=next(module.parameters()).device)
    fix = f"it has to take pixels {shape} and give them back; `multiple` pads them"
    try:
        latent = network.eval().encode(blank)
        rebuilt, maps = network.decode(latent), network.layers(blank)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        said = str(error).strip().split("\n")[0]
        raise _refused("E_SHAPE", module, f"fails on a blank scan: {said}", fix=fix) from None
    finally:
        network.train(was_training)
    if len(latent) != _CHECKED or rebuilt.shape != shape:
        found = f"{shape} became {tuple(latent.shape)} and {tuple(rebuilt.shape)}"
        raise _refused("E_SHAPE", module, found, fix=fix)
    if not maps or any(held.ndim != len(shape) or len(held) != _CHECKED for held in maps):
        found = f"its layers are {[tuple(held.shape) for held in maps]}"
        raise _refused("E_SHAPE", module, found, fix="give maps (N, C, *spatial), shallow to deep")


def _refused(code: str, module: object, found: str, *, fix: str) -> StopError:
    return StopError(code, f"{type(module).__name__}: {found}", fix=fix)
