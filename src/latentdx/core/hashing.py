"""Content hashes: what an artefact was made from, told by its bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def hash_bytes(*parts: bytes | memoryview) -> str:
    """SHA-256 (hex) of byte strings, each prefixed by its length so that joins cannot collide."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def hash_array(array: NDArray[Any]) -> str:
    """SHA-256 (hex) of an array's dtype, shape and values."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return hash_bytes(head, np.ascontiguousarray(array).data.cast("B"))


def hash_json(value: Any) -> str:
    """SHA-256 (hex) of a JSON-able value in canonical form (sorted keys, no spaces)."""
    return hash_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes, as ``sha256sum`` prints it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
