"""Encoders on the Hugging Face Hub: data files alone are fetched, into the hub's own cache.

What was fetched before is found without a network where ``HF_HUB_OFFLINE=1`` is set.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from latentdx.core.errors import StopError

HUB = "hf:"
_FILES = ["encoder.json", "*.safetensors", "README.md"]


@cache
def fetched(source: str) -> Path:
    """The folder of ``hf:owner/name`` or ``hf:owner/name@revision``, fetched at its first use.

    Raises `StopError` ``E_EXTRA`` where the package huggingface_hub is not installed, ``E_OPTION``
    for a name that can be none, and ``E_NETWORK`` where the repository cannot be had.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError:
        found = f"{source} asks for the package huggingface_hub, which is not installed"
        raise StopError("E_EXTRA", found, fix="pip install 'latentdx[hub]'") from None
    name, _, revision = source.removeprefix(HUB).partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=_FILES))
    except HFValidationError:
        found = f"{source!r} names no repository"
        raise StopError(
            "E_OPTION", found, fix="write hf:owner/name or hf:owner/name@revision"
        ) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        found = f"{source} cannot be fetched ({type(error).__name__})"
        fix = "look at the name and the network, or download it elsewhere and give its folder"
        raise StopError("E_NETWORK", found, fix=fix) from None
