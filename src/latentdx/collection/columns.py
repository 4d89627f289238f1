"""Scans as Arrow columns: what is stored, in which type, and back again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable, ScanRow, table_from

_LEVELS = 65535
_TEXTS = ("scan_id", "path", "content_hash", "modality", "stamp", "covariates", "conversions")
_OPTIONAL_TEXTS = ("patient", "study", "series", "site", "label", "given_part")
_NUMBERS = {
    "source": pa.int32(),
    "pretrain_only": pa.bool_(),
    "native_height": pa.int32(),
    "native_width": pa.int32(),
    "spacing_row_mm": pa.float64(),
    "spacing_column_mm": pa.float64(),
}

METADATA_COLUMNS = [*_TEXTS, *_OPTIONAL_TEXTS, *_NUMBERS]
PIXEL_COLUMNS = ["pixels", "pixels_crc"]


def pixel_schema(n_values: int) -> Any:
    """The Arrow schema of scans with `n_values` = C * size * size values each."""
    return pa.schema(
        [
            *(pa.field(name, pa.string(), nullable=False) for name in _TEXTS),
            *(pa.field(name, pa.string()) for name in _OPTIONAL_TEXTS),
            *(pa.field(name, kind) for name, kind in _NUMBERS.items()),
            pa.field("pixels", pa.binary(2 * n_values), nullable=False),
            pa.field("pixels_crc", pa.uint32(), nullable=False),
        ]
    )


def to_arrow(rows: Sequence[ScanRow], schema: Any, shape: tuple[int, int, int]) -> Any:
    """An Arrow table of rows whose pixels all have `shape` (C, size, size)."""
    levels = [_to_levels(row.pixels, shape) for row in rows]
    values: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows]
        for name in (*_TEXTS, *_OPTIONAL_TEXTS, "source", "pretrain_only")
    }
    spacings = [row.spacing_mm or (None, None) for row in rows]
    values["covariates"] = [json.dumps(row.covariates, sort_keys=True) for row in rows]
    values["conversions"] = [json.dumps(row.conversions) for row in rows]
    values["native_height"] = [row.native_shape[0] for row in rows]
    values["native_width"] = [row.native_shape[1] for row in rows]
    values["spacing_row_mm"] = [spacing[0] for spacing in spacings]
    values["spacing_column_mm"] = [spacing[1] for spacing in spacings]
    values["pixels"] = levels
    values["pixels_crc"] = [zlib.crc32(data) for data in levels]
    return pa.Table.from_pydict(values, schema=schema)


def from_arrow(table: Any) -> CollectionTable:
    """The table of `METADATA_COLUMNS`."""
    columns = table.to_pydict()
    spacings = zip(columns["spacing_row_mm"], columns["spacing_column_mm"], strict=True)
    shapes = zip(columns["native_height"], columns["native_width"], strict=True)
    columns["spacing_mm"] = [None if pair[0] is None else pair for pair in spacings]
    columns["native_shape"] = list(shapes)
    columns["covariates"] = [json.loads(text) for text in columns["covariates"]]
    columns["conversions"] = [tuple(json.loads(text)) for text in columns["conversions"]]
    return table_from(columns)


def pixels_from(table: Any, shape: tuple[int, int, int]) -> NDArray[np.float32] | None:
    """float32 (N, C, size, size) of `PIXEL_COLUMNS`; None where a checksum does not fit."""
    column = table.column("pixels").combine_chunks()
    width = column.type.byte_width
    start = column.offset * width
    data = memoryview(column.buffers()[1])[start : start + len(column) * width]
    for index, expected in enumerate(table.column("pixels_crc").to_pylist()):
        if zlib.crc32(data[index * width : (index + 1) * width]) != expected:
            return None
    levels = np.frombuffer(data, "<u2").astype(np.float32)
    levels /= np.float32(_LEVELS)
    return levels.reshape(-1, *shape)


def as_stored(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels in 0..1 as they come back from a collection: rounded to its 65536 levels."""
    levels: NDArray[np.float32] = np.rint(pixels * np.float32(_LEVELS))
    return levels / np.float32(_LEVELS)


def _to_levels(pixels: NDArray[np.float32], shape: tuple[int, int, int]) -> bytes:
    assert pixels.shape == shape, f"pixels {pixels.shape} in a collection of {shape}"
    levels: NDArray[np.uint16] = np.rint(pixels * np.float32(_LEVELS)).astype("<u2")
    return levels.tobytes()
