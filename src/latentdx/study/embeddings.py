"""Embeddings kept beside their encoder, so that asking again costs a read instead of a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as save_arrays

from latentdx.bundle.save import encoder_bytes
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic
from latentdx.core.hashing import hash_bytes, hash_json
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
from latentdx.study.encoder import Encoder

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_BATCH = 1024
_DIGEST = 16  # bytes by which a scan is known again
_DAMAGED = (OSError, ValueError, KeyError, SafetensorError)


def kept_embeddings(
    encoder: Encoder,
    collection: Collection,
    rows: Rows,
    kind: FeatureKind = "pooled",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Floats:
    """Embeddings (N, D) of the collection's scans at `rows`; those not kept yet are computed.

    They are kept in ``embeddings-<hash>.safetensors`` in the encoder's folder: the name is of the
    encoder's weights, the kind of features, and how the collection was read; within it a scan is
    known by its id and pixels. A damaged file is made anew. Labels and parts are not in it. Raises
    `StopError` ``E_IO`` where it cannot be written.
    """
    table = collection.metadata()
    place = encoder.path / f"embeddings-{_name(encoder, collection, kind)[:16]}.safetensors"
    names, known = _load(place)
    wanted = scan_digests(table, rows)
    where = {name: number for number, name in enumerate(names)}
    missing = np.flatnonzero([name not in where for name in wanted])
    if len(missing):
        progress(0, len(missing))
        found = []
        for start in range(0, len(missing), _BATCH):
            part = rows[missing[start : start + _BATCH]]
            found.append(embed(encoder.network, collection.pixels(part), kind))
            progress(start + len(part), len(missing))
        fresh = np.concatenate(found)
        known = np.concatenate([known, fresh]) if len(known) else fresh
        names += [wanted[number] for number in missing.tolist()]
        where = {name: number for number, name in enumerate(names)}
        _save(place, names, known)
    return known[[where[name] for name in wanted]]


def _name(encoder: Encoder, collection: Collection, kind: FeatureKind) -> str:
    """The hash of all that embeddings depend on beside the scans."""
    told = {"policy": collection.info.get("policy", {}), "shape": list(collection.shape)}
    settings = encoder.network.settings()
    return hash_json([hash_bytes(encoder_bytes(encoder.network)), settings, kind, told])


def scan_digests(table: CollectionTable, rows: Rows) -> list[bytes]:
    """By what each scan is known again: of its id and its pixels."""
    pairs = zip(table.scan_id[rows].tolist(), table.content_hash[rows].tolist(), strict=True)
    hashed = (hash_bytes(name.encode(), content.encode()) for name, content in pairs)
    return [bytes.fromhex(digest)[:_DIGEST] for digest in hashed]


def _load(place: Path) -> tuple[list[bytes], Floats]:
    try:
        arrays = load_file(place)
        names, known = arrays["scans"], arrays["embeddings"]
        if len(names) != len(known) or known.ndim != 2 or names.shape[1:] != (_DIGEST,):
            raise ValueError
        return [name.tobytes() for name in names], known
    except _DAMAGED:
        return [], np.empty((0, 0), np.float32)


def _save(place: Path, names: list[bytes], known: Floats) -> None:
    scans = np.frombuffer(b"".join(names), np.uint8).reshape(len(names), _DIGEST)
    try:
        write_atomic(place, save_arrays({"scans": scans, "embeddings": known}))
    except OSError as error:
        found = f"the embeddings cannot be kept ({error.strerror})"
        raise StopError("E_IO", found, fix="free space, or make it writable", path=place) from None
