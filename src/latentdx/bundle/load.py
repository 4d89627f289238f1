"""`load_bundle`: a model from its folder, every byte checked first; nothing in it is run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.torch import load as load_tensors
from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import OWN, rebuild
from latentdx.autoencoder.own_module import take_weights
from latentdx.bundle.findings import findings_model
from latentdx.bundle.fine_tuned import tuned_from
from latentdx.bundle.heads import covariates_from, head_from, part_of, sets_from
from latentdx.bundle.save import AnyModel
from latentdx.bundle.schema import (
    CHECKSUMS,
    DESCRIPTION,
    ENCODER,
    HASHED,
    HEAD,
    AnyDescription,
    Description,
    FindingsDescription,
    ValueDescription,
    checksums,
    read_description,
)
from latentdx.bundle.values import value_model
from latentdx.collection.seen_record import SeenRecord
from latentdx.core.errors import IntegrityError, StopError
from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.drift_reference import Reference
from latentdx.diagnosis.findings_model import FindingsModel
from latentdx.diagnosis.fine_tuned import FineTuneFacts
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.regression_model import RegressionModel
from latentdx.scans.policy import Policy

_LARGEST = 4 << 30
_FIX = "copy the bundle again from its source"


def load_bundle(path: str | Path, *, autoencoder: nn.Module | None = None) -> AnyModel:
    """A model ready to predict: a `DiagnosticModel`, of several findings a `FindingsModel`, or of
    numbers a `RegressionModel`.

    `autoencoder`: the user's own module that it was trained with, whose weights, but not whose
    code, are in the bundle. `StopError` ``E_CONFIG`` where it is missing, ``E_SHAPE`` where it is
    another one, ``E_EXTRA`` where the network needs a package that is not installed.

    Raises `IntegrityError`: ``E_MODEL_INTEGRITY`` where a file is missing, changed or does not
    fit the others, ``E_MODEL_VERSION`` where the bundle is of another
    version than this program reads.

    Examples
    --------
    >>> model = load_bundle("run/bundle")  # doctest: +SKIP
    >>> [diagnosis.label for diagnosis in model.predict(["a.dcm", "b.dcm"])]  # doctest: +SKIP
    ['healthy', 'diseased']
    """
    path = Path(path)
    contents = _checked_files(path)
    description = read_description(contents[DESCRIPTION].decode(errors="replace"), path)
    try:
        network = _network(description, contents[ENCODER], autoencoder)
        arrays = load_arrays(contents[HEAD])
        model = _model(description, network, arrays)
        if kept := part_of(arrays, "reference"):
            model = replace(model, reference=Reference.from_arrays(kept))
        if kept := part_of(arrays, "seen"):
            model = replace(model, seen=SeenRecord.from_arrays(kept))
        _try(model)
    except StopError as error:
        raise StopError(error.code, error.found, fix=error.fix, path=path) from None
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        found = f"its parts do not fit each other ({type(error).__name__})"
        raise IntegrityError("E_MODEL_INTEGRITY", found, fix=_FIX, path=path) from None
    model = replace(model, rules=tuple(description.rules))
    return replace(model, bundle=hashlib.sha256(contents[CHECKSUMS]).hexdigest())


def read_seen(path: Path) -> SeenRecord | None:
    """What a bundle notes of the scans that it has seen; None of older bundles.

    Raises `IntegrityError` as `load_bundle` does; the model itself is not made.
    """
    contents = _checked_files(path)
    try:
        kept = part_of(load_arrays(contents[HEAD]), "seen")
        return SeenRecord.from_arrays(kept) if kept else None
    except (SafetensorError, LookupError, ValueError) as error:
        found = f"its parts do not fit each other ({type(error).__name__})"
        raise IntegrityError("E_MODEL_INTEGRITY", found, fix=_FIX, path=path) from None


def _checked_files(path: Path) -> dict[str, bytes]:
    if not path.is_dir():
        found = "there is no bundle here"
        raise IntegrityError("E_MODEL_INTEGRITY", found, fix="give a bundle's folder", path=path)
    contents = {name: _read(path, name) for name in (*HASHED, CHECKSUMS)}
    if contents[CHECKSUMS] != checksums(contents):
        raise IntegrityError("E_MODEL_INTEGRITY", _what_changed(contents), fix=_FIX, path=path)
    return contents


def _what_changed(contents: dict[str, bytes]) -> str:
    try:
        told = json.loads(contents[CHECKSUMS])
        found = json.loads(checksums(contents))
        changed = [name for name in HASHED if told[name] != found[name]]
    except (ValueError, LookupError, TypeError, RecursionError):
        changed = []
    if not changed:
        return f"{CHECKSUMS} is damaged"
    return f"{' and '.join(changed)}: changed since the bundle was made"


def _read(path: Path, name: str) -> bytes:
    file = path / name
    try:
        if file.is_symlink() or file.stat().st_size > _LARGEST:
            raise IntegrityError("E_MODEL_INTEGRITY", f"{name} is no plain file", path=path)
        return file.read_bytes()
    except OSError as error:
        found = f"{name} cannot be read: {error.strerror}"
        raise IntegrityError("E_MODEL_INTEGRITY", found, fix=_FIX, path=path) from None


def _network(description: AnyDescription, data: bytes, module: nn.Module | None) -> Autoencoder:
    told = description.encoder
    network = rebuild(told.name, told.settings, module)
    if told.name == OWN:
        take_weights(network, load_tensors(data))
    else:
        network.load_state_dict(load_tensors(data))
    network.eval()
    return network


def _model(
    description: AnyDescription, network: Autoencoder, arrays: dict[str, NDArray[Any]]
) -> AnyModel:
    if isinstance(description, FindingsDescription):
        return findings_model(description, network, arrays)
    if isinstance(description, ValueDescription):
        return value_model(description, network, arrays)
    return _class_model(description, network, arrays)


def _class_model(
    description: Description, network: Autoencoder, arrays: dict[str, NDArray[Any]]
) -> DiagnosticModel:
    told, gate = description.head, description.gate
    headers = Headers(tuple(gate.modalities), tuple(gate.proportions))
    return DiagnosticModel(
        network,
        head_from(told, arrays, ordered=description.task == "ordinal"),
        tuple(description.classes),
        told.features,
        told.flip,
        sets_from(told),
        AnomalyGate.from_arrays(part_of(arrays, "gate"), gate.rate, headers),
        policy=Policy.from_json(description.reading),
        risk=None if told.risk is None else RiskControl(**told.risk.model_dump()),
        covariates=covariates_from(told.covariates),
        tuned=None
        if told.fine_tune is None
        else tuned_from(
            network, part_of(arrays, "tuned"), FineTuneFacts(**told.fine_tune.model_dump())
        ),
        decide_by=told.decide_by,
        terms=description.terms,
    )


def _try(model: AnyModel) -> None:
    """Let a blank scan through: parts that do not fit each other fail now and not in use."""
    blank = np.zeros((1, *model.encoder.shape), np.float32)
    if isinstance(model, RegressionModel):
        if model.compute(blank).values.shape != (1,):
            raise ValueError
        return
    models = model.models if isinstance(model, FindingsModel) else (model,)
    look = models[0].look(blank)
    if any(one.judge(look).probabilities.shape != (1, len(one.classes)) for one in models):
        raise ValueError
