"""Scans as Arrow columns: what is stored, in which type, and back again."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable, ScanRow, table_from
from latentdx.scans.own_mask import unpacked

_LEVELS = 65535
_TEXTS = ("scan_id", "path", "content_hash", "modality", "orientation", "stamp", "declared",
          "file_hash")  # fmt: skip
_JSON = ("covariates", "conversions", "warnings")
_OPTIONAL_TEXTS = ("patient", "study", "series", "site", "acquired", "label", "given_part")
_OTHERS = {
    "source": pa.int32(),
    "pretrain_only": pa.bool_(),
    "native_shape": pa.list_(pa.int32()),
    "spacing_mm": pa.list_(pa.float64()),
}
_PRESENT = pa.list_(pa.uint32())  # tags of the file's elements: for the proof, read by it alone

METADATA_COLUMNS = [*_TEXTS, *_JSON, *_OPTIONAL_TEXTS, *_OTHERS]
PIXEL_COLUMNS = ["pixels", "pixels_crc"]
MASK = "mask"
"""A column that is there only where masks of the user's own were read."""


def pixel_schema(n_values: int, *, masks: bool = False) -> Any:
    """The Arrow schema of scans with `n_values` values each, and with `masks` of a mask each."""
    return pa.schema(
        [
            *(pa.field(name, pa.string(), nullable=False) for name in (*_TEXTS, *_JSON)),
            *(pa.field(name, pa.string()) for name in _OPTIONAL_TEXTS),
            *(pa.field(name, kind) for name, kind in _OTHERS.items()),
            pa.field("present", _PRESENT),
            *((pa.field(MASK, pa.binary()),) if masks else ()),
            pa.field("pixels", pa.binary(2 * n_values), nullable=False),
            pa.field("pixels_crc", pa.uint32(), nullable=False),
        ]
    )


def to_arrow(rows: Sequence[ScanRow], schema: Any, shape: tuple[int, ...]) -> Any:
    """An Arrow table of rows whose pixels all have `shape` (C, *spatial)."""
    levels = [_to_levels(row.pixels, shape) for row in rows]
    values: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows]
        for name in (*_TEXTS, *_OPTIONAL_TEXTS, *_OTHERS, "present")
    }
    for name in _JSON:
        values[name] = [json.dumps(getattr(row, name), sort_keys=True) for row in rows]
    if MASK in schema.names:
        values[MASK] = [row.mask for row in rows]
    values["pixels"] = levels
    values["pixels_crc"] = [zlib.crc32(data) for data in levels]
    return pa.Table.from_pydict(values, schema=schema)


def from_arrow(table: Any, dims: int) -> CollectionTable:
    """The table of `METADATA_COLUMNS`."""
    return table_from(_decoded(table), dims)


def as_told(table: Any) -> Iterator[dict[str, Any]]:
    """The fields of each `ScanRow` of a table of `METADATA_COLUMNS`, pixels left out."""
    columns = _decoded(table)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _decoded(table: Any) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = table.to_pydict()
    columns["covariates"] = [json.loads(text) for text in columns["covariates"]]
    for name in ("conversions", "warnings"):
        columns[name] = [tuple(json.loads(text)) for text in columns[name]]
    for name in {"native_shape", "spacing_mm", "present"} & columns.keys():
        columns[name] = [None if value is None else tuple(value) for value in columns[name]]
    return columns


def levels_from(
    table: Any, shape: tuple[int, ...], *, verify: bool = True
) -> NDArray[np.uint16] | None:
    """uint16 (N, C, *spatial) of `PIXEL_COLUMNS`, a view; None where a checksum does not fit."""
    column = table.column("pixels")
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    width = column.type.byte_width
    start = column.offset * width
    data = memoryview(column.buffers()[1])[start : start + len(column) * width]
    checksums = table.column("pixels_crc").to_pylist() if verify else ()
    for index, expected in enumerate(checksums):
        if zlib.crc32(data[index * width : (index + 1) * width]) != expected:
            return None
    return np.frombuffer(data, "<u2").reshape(-1, *shape)


def masks_from(table: Any, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    """(*spatial) for each row with the column of masks; nowhere True where a scan has none."""
    nothing = np.zeros(shape, np.bool_)
    found = (unpacked(data, shape) for data in table.column(MASK).to_pylist())
    return [nothing if mask is None else mask for mask in found]


def to_unit_levels(levels: NDArray[np.uint16]) -> NDArray[np.float32]:
    """float32 in 0..1 of stored levels."""
    found = levels.astype(np.float32)
    found /= np.float32(_LEVELS)
    return found


def count_tags(piece: Any) -> Counter[int]:
    """How many rows of a batch with the column ``present`` hold each tag."""
    found = pc.value_counts(piece.column("present").flatten())
    return Counter(dict(zip(*(found.field(at).to_pylist() for at in (0, 1)), strict=True)))


def as_stored(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels in 0..1 as they come back from a collection: rounded to its 65536 levels."""
    levels: NDArray[np.float32] = np.rint(pixels * np.float32(_LEVELS))
    return levels / np.float32(_LEVELS)


def _to_levels(pixels: NDArray[np.float32], shape: tuple[int, ...]) -> bytes:
    assert pixels.shape == shape, f"pixels {pixels.shape} in a collection of {shape}"
    levels: NDArray[np.uint16] = np.rint(pixels * np.float32(_LEVELS)).astype("<u2")
    return levels.tobytes()
