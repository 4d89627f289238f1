"""`IngestJob`: one ingest at work, from the plan to the report."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from latentdx.collection.forgotten import forgotten_notes
from latentdx.collection.listing import entry_path, item_of
from latentdx.collection.masks import keeps_masks, masks_of
from latentdx.collection.patients import patient_error
from latentdx.collection.plan import IngestSettings, Plan, Planned
from latentdx.collection.proof import write_proof
from latentdx.collection.resume import Quarantined, Stored, key_id
from latentdx.collection.rows import DECLARED, declare, make_row, row_path
from latentdx.collection.shape import choose_shape
from latentdx.collection.sources import Reading, read_scans
from latentdx.collection.store import Collection
from latentdx.collection.summary import summarise
from latentdx.collection.table import ScanRow, scan_id
from latentdx.core.errors import InputError, StopError
from latentdx.scans.identity_map import IdentityMap
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Found, Sandbox

Progress = Callable[[int, int], None]
_NOT_IMAGE = "N_NOT_IMAGE"
_WRITE_BYTES = 4 << 20
_WRITE_SECONDS = 10.0
_SHOWN = 5


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    n_scans, n_labelled, n_patients: in the collection (a scan without patient counts as one).
    n_reused: scans that were stored already, and not decoded again.
    n_updated: stored scans of which something new was declared (a label that came later, say).
    n_skipped: files that are no scans by name or kind.
    size, channels, dims: of the stored pixels.
    warnings: number of scans with each warning of the readers and the quality gate.
    quarantine: what could not be used.
    not_images: files of a right format that hold no image (reports, plans, indexes).
    notes: what was converted or assumed, in words.
    """

    path: Path
    n_scans: int
    n_labelled: int
    n_patients: int
    n_reused: int
    n_updated: int
    n_skipped: int
    size: int
    channels: int
    dims: int = 2
    warnings: dict[str, int] = field(default_factory=dict)
    quarantine: tuple[Quarantined, ...] = ()
    not_images: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()


class IngestJob:
    """One ingest at work."""

    def __init__(
        self, destination: Path, plan: Plan, settings: IngestSettings, sandbox: Sandbox
    ) -> None:
        self._destination, self._plan, self._settings = destination, plan, settings
        self._sandbox = sandbox
        stored = Stored.find(destination, plan, settings)
        self._stored = stored
        self._collection = stored.collection
        self._stale = set(stored.stale)
        self._aside = list(stored.aside)
        self._ids: set[str] = set()  # only where a path may come twice: of several sources
        self._rows: list[ScanRow] = []
        self._sealed: list[str] = []
        self._n_bytes = 0
        self._written = time.monotonic()

    def run(self, progress: Progress) -> IngestReport:
        """Do what is left to do."""
        for error in self._plan.errors:
            self._refuse(error)
        self._tidy()
        self._redeclare()
        self._copy_twins()
        pending = self._pending()
        total = len(self._plan.scans)
        done = total - len(pending)
        progress(done, total)
        if pending:
            self._open()
            for scan, outcome in self._outcomes(pending):
                self._take(scan, outcome)
                done += 1
                progress(done, total)
        self._write()
        return self._finish()

    def _pending(self) -> list[Planned]:
        aside = {(item.source, entry_path(item.path)) for item in self._aside}
        settled = self._stored.kept.keys() | self._stored.twins.keys() | aside
        return [scan for scan in self._plan.scans if (scan.source, scan.path) not in settled]

    def _tidy(self) -> None:
        """What no longer holds is removed now if the collection is unfinished, else at the end."""
        if self._collection is None:
            return
        self._ids = {row.scan_id for row in self._collection.stored()}
        if self._stale and not self._collection.is_complete:
            self._collection.delete(sorted(self._stale))
            self._ids -= self._stale
            self._stale = set()

    def _redeclare(self) -> None:
        """Write what is newly said of stored scans, without reading their files again."""
        if self._collection is None or not self._stored.redeclared:
            return
        old = {row.scan_id: scan for scan, rows in self._stored.redeclared for row in rows}
        new = [declare(row, old[row.scan_id]) for row in self._collection.rows(list(old))]
        columns = {name: [getattr(row, name) for row in new] for name in DECLARED}
        self._require_patients(new)
        self._collection.update([row.scan_id for row in new], columns)

    def _copy_twins(self) -> None:
        """The same bytes under a new path: the stored pixels are copied."""
        if self._collection is None:
            return
        planned = {(scan.source, scan.path): scan for scan in self._plan.scans}
        for place, rows in self._stored.twins.items():
            scan = planned[place]
            for row in self._collection.rows([row.scan_id for row in rows]):
                item = item_of(row.path)
                identity = self._new_id(scan, f"{scan.path}{item}", row.content_hash)
                copy = replace(row, scan_id=identity, path=f"{scan.path}{item}", stamp=scan.stamp)
                self._add(declare(replace(copy, source=scan.source), scan))

    def _open(self) -> None:
        if self._collection is None:
            self._shape = choose_shape(self._plan, self._settings, self._sandbox)
        else:
            self._shape = (self._collection.size, 3 if self._collection.channels == 3 else 1)

    def _outcomes(self, pending: Sequence[Planned]) -> Iterator[tuple[Planned, Found]]:
        size, channels = self._shape
        request = Request(size, channels, self._settings.secret(), self._settings.policy)
        for source, group in groupby(pending, key=lambda scan: scan.source):
            scans = list(group)
            listing = self._plan.listings[source]
            reading = Reading(request, self._sandbox, masks_of(scans, listing.root))
            paths = (scan.paths for scan in scans)
            found = read_scans(listing, paths, reading)
            yield from zip(scans, found, strict=True)

    def _take(self, planned: Planned, outcome: Found) -> None:
        if isinstance(outcome, InputError):
            self._refuse(outcome, planned)
            return
        for item in outcome:
            if isinstance(item, InputError):
                self._refuse(item, planned)
            else:
                self._sealed += [item.sealed_identity] if item.sealed_identity else []
                path = row_path(planned, item)
                identity = self._new_id(planned, path, item.content_hash)
                self._add(make_row(identity, planned, item))
        if self._n_bytes >= _WRITE_BYTES or time.monotonic() - self._written >= _WRITE_SECONDS:
            self._write()

    def _add(self, row: ScanRow) -> None:
        self._rows.append(row)
        self._n_bytes += row.pixels.nbytes // 2

    def _refuse(self, error: InputError, planned: Planned | None = None) -> None:
        if self._settings.strict and error.code != _NOT_IMAGE:
            raise StopError(error.code, error.found, fix=error.fix, path=error.path)
        text = f"{error.found}; {error.fix}" if error.fix else error.found
        if planned is None:
            self._aside.append(Quarantined(error.path or "", error.code, text))
            return
        path = f"{planned.path}{item_of(error.path or '')}"
        self._aside.append(Quarantined(path, error.code, text, planned.source, planned.stamp))

    def _new_id(self, planned: Planned, path: str, content_hash: str) -> str:
        found = scan_id(path, content_hash)
        if found in self._ids:  # the same file under the same path in two sources
            found = scan_id(path, content_hash, str(planned.source))
        if len(self._plan.listings) > 1:
            self._ids.add(found)
        return found

    def _require_patients(self, rows: Sequence[ScanRow]) -> None:
        missing = [row.path for row in rows if row.label is not None and row.patient is None]
        if missing:
            n_labelled = sum(scan.label is not None for scan in self._plan.scans)
            pattern = self._settings.patient_pattern
            raise patient_error(
                missing, self._plan.listings, n_labelled=n_labelled, pattern=pattern
            )

    def _write(self) -> None:
        """One version with what has come since the last."""
        self._require_patients(self._rows)
        if self._rows and self._collection is None:
            self._collection = Collection.create(
                *(self._destination, *self._shape),
                dims=self._settings.policy.dims,
                complete=False,
                masks=keeps_masks(self._plan.listings, self._settings),
            )
        if self._rows and self._collection is not None:
            # What is read again takes its old place in the same version: all or nothing.
            self._collection.append(self._rows, replacing=bool(self._stale))
        if self._sealed:
            IdentityMap(self._settings.secret()).add(dict.fromkeys(self._sealed))
        self._rows, self._sealed, self._n_bytes = [], [], 0
        self._written = time.monotonic()

    def _finish(self) -> IngestReport:
        collection = self._collection
        if collection is None or not len(collection):
            raise self._nothing_usable()
        if self._stale:
            collection.delete(sorted(self._stale))
        info: dict[str, Any] = {
            "sources": [listing.root.name for listing in self._plan.listings],
            "notes": list(self._plan.notes),
            "key": key_id(self._settings),
            "policy": self._policy(),
            "aside": [asdict(item) for item in self._aside],
            **({} if self._settings.task == "auto" else {"task": self._settings.task}),
        }
        if not collection.is_complete or json.dumps(collection.info) != json.dumps(info):
            collection.mark_complete(info)
            self._prove(collection)
        return self._report(collection)

    def _prove(self, collection: Collection) -> None:
        """Leave the proof of de-identification in the collection's folder."""
        codes = Counter(item.code for item in self._aside)
        policy = self._settings.policy
        write_proof(
            self._destination,
            present=collection.tags_present(),
            n_scans=len(collection),
            key=self._settings.secret(),
            more={
                "burned_in_text": policy.burned_in,
                "identity_map": policy.identity_map,
                "refused": dict(sorted(codes.items())),
            },
        )

    def _policy(self) -> dict[str, Any]:
        """How the files were read: where the source is a collection, as it was made."""
        first = self._plan.listings[0]
        if first.kind == "collection":
            made: dict[str, Any] = Collection.open(first.root).info.get("policy", {})
            return made
        return asdict(self._settings.policy)

    def _report(self, collection: Collection) -> IngestReport:
        aside = self._aside
        return IngestReport(
            self._destination,
            **vars(summarise(collection)),
            n_reused=sum(self._stored.kept.values()) + sum(map(len, self._stored.twins.values())),
            n_updated=sum(len(rows) for _, rows in self._stored.redeclared),
            n_skipped=self._plan.n_skipped,
            size=collection.size,
            channels=collection.channels,
            dims=collection.dims,
            quarantine=tuple(item for item in aside if item.code != _NOT_IMAGE),
            not_images=tuple(item for item in aside if item.code == _NOT_IMAGE),
            notes=(*self._plan.notes, *forgotten_notes(self._destination)),
        )

    def _nothing_usable(self) -> StopError:
        counts = Counter((item.code, item.text) for item in self._aside)
        example = {(item.code, item.text): item.path for item in reversed(self._aside)}
        reasons = "; ".join(
            f"{count} times {code} {text} ({example[code, text]})"
            for (code, text), count in counts.most_common(_SHOWN)
        )
        return StopError(
            "E_NOTHING_USABLE",
            f"none of {len(self._plan.scans)} files can be used: {reasons}",
            fix="see what each file needs with `latentdx doctor`",
        )
