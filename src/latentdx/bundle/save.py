"""`save_bundle`: a model as a folder of arrays and JSON; the folder appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import name_of
from latentdx.bundle.findings import describe_findings, findings_parts
from latentdx.bundle.fine_tuned import tuned_arrays
from latentdx.bundle.heads import describe_head, head_parts
from latentdx.bundle.schema import (
    CARD,
    CHECKSUMS,
    DESCRIPTION,
    ENCODER,
    HEAD,
    AnyDescription,
    Description,
    EncoderDescription,
    GateDescription,
    checksums,
)
from latentdx.bundle.values import describe_values, value_parts
from latentdx.core.errors import StopError
from latentdx.core.files import sync_folder, write_atomic
from latentdx.core.version import VERSION
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel

AnyModel: TypeAlias = DiagnosticModel | FindingsModel | RegressionModel
"""What a bundle can hold."""


def save_bundle(
    model: AnyModel,
    path: Path,
    *,
    card: str,
    split_hash: str,
    counts: Mapping[str, int],
    seed: int,
) -> str:
    """Write the bundle at `path` (an older bundle there is replaced); returns its SHA-256 (hex).

    `card` becomes README.md. Raises `StopError` ``E_IO`` where it cannot be written and
    ``E_DESTINATION`` where something else lies at `path`.
    """
    contents = _files(model, card, _describe(model, split_hash, counts, seed=seed))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        for name, data in contents.items():
            write_atomic(temporary / name, data)
        _replace(temporary, path)
    except OSError as error:
        fix = "free space or choose another place; an older bundle there stays"
        raise StopError(
            "E_IO", f"cannot be written ({error.strerror})", fix=fix, path=path
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return hashlib.sha256(contents[CHECKSUMS]).hexdigest()


def _files(model: AnyModel, card: str, description: AnyDescription) -> dict[str, bytes]:
    """The bundle's files by name."""
    contents = {
        DESCRIPTION: (description.model_dump_json(indent=2) + "\n").encode(),
        ENCODER: encoder_bytes(model.encoder),
        HEAD: save_arrays(_head_arrays(model)),
        CARD: card.encode(),
    }
    return {**contents, CHECKSUMS: checksums(contents)}


def encoder_bytes(network: Autoencoder) -> bytes:
    """The weights of a network as safetensors."""
    weights = network.state_dict().items()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights}
    return bytes(save_tensors(tensors))


def _describe(
    model: AnyModel, split_hash: str, counts: Mapping[str, int], *, seed: int
) -> AnyDescription:
    if isinstance(model, FindingsModel):
        return describe_findings(model, split_hash, counts, seed=seed)
    if isinstance(model, RegressionModel):
        return describe_values(model, split_hash, counts, seed=seed)
    return _describe_classes(model, split_hash, counts, seed=seed)


def _describe_classes(
    model: DiagnosticModel, split_hash: str, counts: Mapping[str, int], *, seed: int
) -> Description:
    return Description(
        made_by=f"latentdx {VERSION}",
        task="ordinal" if model.head.ordered else "classes",
        classes=list(model.classes),
        terms=dict(model.terms),
        encoder=EncoderDescription(name=name_of(model.encoder), settings=model.encoder.settings()),
        head=describe_head(model),
        gate=GateDescription(
            rate=model.gate.rate,
            modalities=list(model.gate.headers.modalities),
            proportions=list(model.gate.headers.proportions),
        ),
        reading=asdict(model.policy),
        rules=list(model.rules),
        split_hash=split_hash,
        counts=dict(counts),
        seed=seed,
    )


def _head_arrays(model: AnyModel) -> dict[str, NDArray[Any]]:
    arrays = _parts(model)
    if model.reference is not None:
        arrays["reference"] = model.reference.to_arrays()
    if model.seen is not None:
        arrays["seen"] = model.seen.to_arrays()
    return {
        f"{part}.{name}": np.asarray(array, order="C")
        for part, held in arrays.items()
        for name, array in held.items()
    }


def _parts(model: AnyModel) -> dict[str, dict[str, NDArray[Any]]]:
    if isinstance(model, FindingsModel):
        return findings_parts(model)
    return value_parts(model) if isinstance(model, RegressionModel) else _class_parts(model)


def _class_parts(model: DiagnosticModel) -> dict[str, dict[str, NDArray[Any]]]:
    found = {**head_parts(model.head), "gate": model.gate.to_arrays()}
    return found if model.tuned is None else {**found, "tuned": tuned_arrays(model.tuned)}


def _replace(temporary: Path, path: Path) -> None:
    """Put the old bundle aside first: whatever fails, it or the new one is whole."""
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    replaces = path.is_symlink() or path.exists()
    if replaces:
        if path.is_symlink() or not (path / DESCRIPTION).is_file():
            fix = "choose another place"
            raise StopError("E_DESTINATION", "other things lie there", fix=fix, path=path)
        path.rename(old)
    try:
        temporary.rename(path)
    except OSError:
        if replaces:
            old.rename(path)
        raise
    sync_folder(path.parent)
    shutil.rmtree(old, ignore_errors=True)
