"""What MONAI's networks share: made when they are needed, from JSON-able settings.

They need the extra `monai` (``pip install 'latentdx[monai]'``), which takes ten seconds to import
and is imported when one of them is built.
"""

from __future__ import annotations

import warnings
from abc import ABC
from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import nn
from typing_extensions import override

from latentdx.autoencoder.base import Size, spatial_size
from latentdx.autoencoder.wrapped import Output, WrappedAutoencoder
from latentdx.core.errors import StopError


def _made(make: Callable[[Any], nn.Module]) -> nn.Module:
    """What `make` makes of MONAI's networks. Raises `StopError` ``E_EXTRA`` and ``E_CONFIG``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(import_module("monai.networks.nets"))
    except ImportError as error:
        found = f"this autoencoder needs a package that is not installed ({error.name or 'einops'})"
        raise StopError("E_EXTRA", found, fix="pip install 'latentdx[monai]'") from None
    except (ValueError, AssertionError) as error:
        found = f"MONAI refuses these settings: {error}"
        raise StopError("E_CONFIG", found, fix="correct them") from None


def whole(size: Size, multiple: int) -> tuple[int, ...]:
    """Sides padded to multiples.

    Examples
    --------
    >>> whole((29, 32), 4)
    (32, 32)
    """
    return tuple(side + -side % multiple for side in spatial_size(size))


class MonaiNetwork(WrappedAutoencoder, ABC):
    """What MONAI's networks share: built from JSON-able settings, padded, in 0..1."""

    def __init__(
        self,
        make: Callable[[Any], nn.Module],
        told: dict[str, Any],
        *,
        multiple: int,
        output: Output = "sigmoid",
    ) -> None:
        super().__init__(
            channels=told["channels"],
            size=told["size"],
            module=_made(make),
            reconstruction=told["reconstruction"],
            output=output,
            multiple=multiple,
        )
        self.told = {**told, "size": list(self.size)}

    @override
    def settings(self) -> dict[str, Any]:
        return dict(self.told)
