"""`Collection`: scans in a Lance dataset, one row each; versions are atomic."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from latentdx.collection.columns import (
    MASK,
    METADATA_COLUMNS,
    PIXEL_COLUMNS,
    as_told,
    count_tags,
    from_arrow,
    levels_from,
    masks_from,
    pixel_schema,
    to_arrow,
    to_unit_levels,
)
from latentdx.collection.store_errors import damaged, reading, writing
from latentdx.collection.table import CollectionTable, ScanRow
from latentdx.core.errors import IntegrityError
from latentdx.core.hashing import hash_json

SCHEMA_VERSION = 2

_KEY = b"latentdx"
_READ_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class StoredRow:
    """Enough of a row to tell whether its file, and what is declared of it, still hold."""

    scan_id: str
    source: int
    path: str
    stamp: str
    declared: str
    file_hash: str


class Collection:
    """Scans of one size, images or volumes, as rows of a Lance dataset.

    Pixels are kept as uint16, value x 65535, so images of 8 bits come back exactly. `size`,
    `channels`, `dims` (2 or 3), the version of the schema and `info` (what the writer noted, JSON)
    live in the dataset's metadata.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> row = ScanRow("id1", "a.png", np.zeros((1, 8, 8), np.float32), "0" * 64, label="no")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     collection = Collection.create(Path(folder) / "scans", size=8, channels=1)
    ...     collection.append([row])
    ...     print(len(collection), collection.pixels().shape, collection.metadata().label)
    1 (1, 1, 8, 8) ['no']
    """

    def __init__(self, path: Path, dataset: Any) -> None:
        """Use `open` or `create`."""
        self.path = path
        self._dataset = dataset
        head = json.loads(dataset.schema.metadata[_KEY])
        self.size = int(head["size"])
        self.channels = int(head["channels"])
        self.dims = int(head["dims"])
        self.is_complete = bool(head["complete"])
        self.info: dict[str, Any] = head["info"]

    @classmethod
    def create(
        cls,
        path: str | Path,
        size: int,
        channels: int,
        *,
        dims: int = 2,
        complete: bool = True,
        masks: bool = False,
    ) -> Collection:
        """A new, empty collection of images (or, with `dims` 3, of cubes), with `masks` of theirs.

        A collection that lies at `path` is replaced. `complete=False` keeps `open` from taking it
        before `mark_complete` is called.
        Raises `StopError` ``E_IO`` where it cannot be written.
        """
        import lance  # half a second that a prediction need not wait for

        path = Path(path)
        head = {"version": SCHEMA_VERSION, "size": size, "channels": channels, "dims": dims}
        text = json.dumps({**head, "complete": complete, "info": {}})
        schema = pixel_schema(channels * size**dims, masks=masks).with_metadata({_KEY: text})
        mode = "overwrite" if (path / "_versions").is_dir() else "create"
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            dataset = lance.write_dataset(schema.empty_table(), path, schema, mode=mode)
        return cls(path, dataset)

    @classmethod
    def open(
        cls, path: str | Path, *, incomplete: bool = False, version: int | None = None
    ) -> Collection:
        """A collection that is there, as it is now or as it was in an earlier `version`.

        Raises `IntegrityError` ``E_COLLECTION`` where it is missing, damaged, of a newer schema,
        or not finished (unless `incomplete`).
        """
        import lance

        path = Path(path)
        with reading(path):
            dataset = lance.dataset(path, version=version)
        head = _head(dataset, path)
        if not head["complete"] and not incomplete:
            fix = "run the same command again: it goes on where it stopped"
            raise IntegrityError("E_COLLECTION", "it is not finished", fix=fix, path=path)
        return cls(path, dataset)

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, size, size) or (C, size, size, size) of each scan."""
        return (self.channels, *(self.size,) * self.dims)

    @property
    def has_masks(self) -> bool:
        """Whether masks are kept with the scans."""
        return MASK in self._dataset.schema.names

    def __len__(self) -> int:
        return int(self._dataset.count_rows())

    def append(self, rows: Sequence[ScanRow], *, replacing: bool = False) -> None:
        """Add rows in one atomic version. Raises `StopError` ``E_IO`` (a full disk, say).

        With `replacing` a row takes the place of the one with its source and path.
        """
        if not rows:
            return
        with writing(self.path):
            table = to_arrow(rows, self._dataset.schema, self.shape)
            if not replacing:
                self._dataset.insert(table)
                return
            merge = self._dataset.merge_insert(["source", "path"]).when_matched_update_all()
            merge.when_not_matched_insert_all().execute(table)
            self._dataset.checkout_latest()

    def delete(self, scan_ids: Sequence[str]) -> None:
        """Remove rows by id in one atomic version."""
        with writing(self.path):
            names = ", ".join(f"'{identity}'" for identity in scan_ids)
            self._dataset.delete(f"scan_id IN ({names})")

    def mark_complete(self, info: dict[str, Any]) -> None:
        """Finish: `info` is kept, and from now on `open` takes the collection."""
        head = {**_head(self._dataset, self.path), "complete": True, "info": info}
        with writing(self.path):
            self._dataset.update_schema_metadata({_KEY.decode(): json.dumps(head)})
        self.is_complete, self.info = True, info

    def metadata(self) -> CollectionTable:
        """Everything but the pixels, in the order of the rows."""
        with reading(self.path):
            return from_arrow(self._dataset.to_table(columns=METADATA_COLUMNS), self.dims)

    def columns(self, *names: str) -> Any:
        """Some columns of all rows as an Arrow table, for what needs no more."""
        with reading(self.path):
            return self._dataset.to_table(columns=list(names))

    def stored(self) -> list[StoredRow]:
        """What an ingest needs to know of each row, in their order."""
        names = [item.name for item in fields(StoredRow)]
        with reading(self.path):
            columns = self._dataset.to_table(columns=names).to_pydict()
        return [StoredRow(*row) for row in zip(*(columns[name] for name in names), strict=True)]

    def rows(self, scan_ids: Sequence[str]) -> list[ScanRow]:
        """Whole rows, pixels and all, of the scans with these ids."""
        table = self.metadata()
        places = {name: index for index, name in enumerate(table.scan_id.tolist())}
        indices = np.array([places[name] for name in scan_ids], np.int64)
        names = [*METADATA_COLUMNS, "present", *[MASK][: self.has_masks]]
        with reading(self.path):
            columns = self._dataset.take(indices, columns=names)
        pixels = self.pixels(indices)
        return [
            ScanRow(pixels=image, **told)
            for image, told in zip(pixels, as_told(columns), strict=True)
        ]

    def masks(self, indices: NDArray[Any]) -> list[NDArray[np.bool_]]:
        """(*spatial) of each row at `indices`, of a collection that has masks: where they lie."""
        with reading(self.path):
            return masks_from(self._dataset.take(indices, columns=[MASK]), self.shape[1:])

    def tags_present(self) -> Counter[int]:
        """In how many scans' DICOM files each element was, by tag (group << 16 | element)."""
        with reading(self.path):
            # Read ahead, all of it would lie in memory at once.
            few = {"batch_size": 1024, "batch_readahead": 1, "fragment_readahead": 1}
            pieces = self._dataset.to_batches(columns=["present"], **few)
            return sum(map(count_tags, pieces), Counter())

    def update(self, scan_ids: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> None:
        """Write new values into `columns` of the rows with these ids, in one atomic version.

        Updated rows may move behind the others. Covariates are given as a dictionary.
        """
        schema = self._dataset.schema
        told = {"scan_id": list(scan_ids), **{name: list(new) for name, new in columns.items()}}
        if "covariates" in told:
            told["covariates"] = [json.dumps(new, sort_keys=True) for new in told["covariates"]]
        table = pa.table(told, schema=pa.schema([schema.field(name) for name in told]))
        with writing(self.path):
            self._dataset.merge_insert("scan_id").when_matched_update_all().execute(table)
            self._dataset.checkout_latest()

    def versions(self) -> list[dict[str, Any]]:
        """Every version that is kept: its number and when it was written, oldest first."""
        with reading(self.path):
            found = self._dataset.versions()
        told = ((item["version"], item["timestamp"].isoformat()) for item in found)
        return [{"version": version, "time": time} for version, time in told]

    def pixels(self, indices: Sequence[int] | NDArray[Any] | None = None) -> NDArray[np.float32]:
        """float32 (N, C, *spatial) in 0..1 of all rows, or of those at `indices` in that order.

        Raises `IntegrityError` ``E_COLLECTION`` where stored pixels have changed.
        """
        chosen = np.arange(len(self)) if indices is None else np.asarray(indices, np.int64)
        found = np.empty((len(chosen), *self.shape), np.float32)
        start = 0
        for batch in self.batches(chosen):
            found[start : start + len(batch)] = batch
            start += len(batch)
        return found

    def batches(self, indices: NDArray[Any]) -> Iterator[NDArray[np.float32]]:
        """The same pixels in pieces of some 64 MB."""
        step = max(1, _READ_BYTES // (2 * math.prod(self.shape)))
        for start in range(0, len(indices), step):
            yield to_unit_levels(self.levels(indices[start : start + step]))

    def levels(self, indices: NDArray[Any]) -> NDArray[np.uint16]:
        """uint16 (N, C, *spatial), value x 65535, of the rows at `indices`; read-only."""
        with reading(self.path):
            table = self._dataset.take(indices, columns=PIXEL_COLUMNS)
        return self._checked(table)

    def scan_levels(self, *, verify: bool = True) -> Iterator[NDArray[np.uint16]]:
        """The levels of all rows in their order, piece by piece, as fast as the disk gives them.

        Without `verify` the checksums are not looked at: for a second pass over the same rows.
        """
        with reading(self.path):
            pieces = self._dataset.to_batches(columns=PIXEL_COLUMNS, batch_readahead=4)
        while True:
            with reading(self.path):
                piece = next(pieces, None)
            if piece is None:
                return
            yield self._checked(piece, verify=verify)

    def _checked(self, table: Any, *, verify: bool = True) -> NDArray[np.uint16]:
        levels = levels_from(table, self.shape, verify=verify)
        if levels is None:
            raise damaged(self.path, "stored pixels have changed")
        return levels

    def fingerprint(self) -> str:
        """SHA-256 (hex) of shape and contents; the same for every key and order of rows."""
        head = [SCHEMA_VERSION, self.size, self.channels, self.dims]
        return hash_json([*head, self.metadata().fingerprint()])


def _head(dataset: Any, path: Path) -> dict[str, Any]:
    text = (dataset.schema.metadata or {}).get(_KEY)
    if text is None:
        raise IntegrityError("E_COLLECTION", "not a collection of latentdx", path=path)
    with reading(path):
        head: dict[str, Any] = json.loads(text)
    if head["version"] != SCHEMA_VERSION:
        found = f"its schema is {head['version']}, this program knows {SCHEMA_VERSION}"
        newer = head["version"] > SCHEMA_VERSION
        fix = "update latentdx" if newer else "make it again with `latentdx ingest`"
        raise IntegrityError("E_COLLECTION", found, fix=fix, path=path)
    return head
