"""NRRD and MetaImage by hand, line by line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from volume_files import ramp

SUFFIXES = {".nrrd": "nrrd", ".mha": "metaimage"}


def nrrd(values: np.ndarray = ramp((3, 4, 5)), **fields: str | None) -> bytes:  # noqa: B008
    """A NRRD by hand; fields replace lines (``_`` for a space) or leave them out."""
    lines = {
        "type": "short", "dimension": str(values.ndim), "endian": "little", "encoding": "raw",
        "sizes": " ".join(map(str, values.shape)),
        **{name.replace("_", " "): value for name, value in fields.items()},
    }  # fmt: skip
    text = "".join(f"{name}: {value}\n" for name, value in lines.items() if value is not None)
    return f"NRRD0004\n{text}\n".encode() + values.tobytes(order="F")


def mha(values: np.ndarray = ramp((3, 4, 5)), **fields: str | None) -> bytes:  # noqa: B008
    lines = {
        "ObjectType": "Image", "NDims": str(values.ndim), "BinaryData": "True",
        "DimSize": " ".join(map(str, values.shape)), "ElementType": "MET_SHORT",
        "ElementSpacing": "1 2 3", **fields,
        "ElementDataFile": fields.get("ElementDataFile", "LOCAL"),  # the last line of all
    }  # fmt: skip
    text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)
    return text.encode() + values.tobytes(order="F")


BY_HAND: dict[str, Callable[..., bytes]] = {"nrrd": nrrd, "metaimage": mha}
