"""`ingest`: from files to a collection; what cannot be read is set aside, and it can be resumed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.collection.patients import patient_error
from latentdx.collection.plan import IngestSettings, Plan, Planned, make_plan
from latentdx.collection.resume import Quarantined, Stored
from latentdx.collection.shape import choose_shape
from latentdx.collection.sources import Reading, read_scans
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow, scan_id
from latentdx.core.errors import InputError, StopError
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Progress = Callable[[int, int], None]

_NOT_IMAGE = "N_NOT_IMAGE"
_WRITE_BYTES = 64 << 20
_WRITE_SECONDS = 10.0
_SHOWN = 5


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes
    ----------
    n_scans, n_labelled, n_patients: in the collection (a scan without patient counts as one).
    n_reused: scans that were stored already.
    n_skipped: files that are no scans by name or kind.
    size, channels: of the stored pixels.
    quarantine: what could not be used.
    not_images: files of a right format that hold no image (reports, plans, indexes).
    notes: what was converted or assumed, in words.
    """

    path: Path
    n_scans: int
    n_labelled: int
    n_patients: int
    n_reused: int
    n_skipped: int
    size: int
    channels: int
    quarantine: tuple[Quarantined, ...] = ()
    not_images: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()


def ingest(
    sources: Sequence[Path],
    destination: Path,
    settings: IngestSettings | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Store the scans of `sources` at `destination`, de-identified, in one size.

    Labels and patients are checked before anything is decoded or written. Scans that cannot be
    used are set aside and the others go on. The same call after an interruption goes on without
    decoding again what is stored; files that were added since are added. `progress` is called
    with the numbers of scans done and to be done.

    Raises `StopError`: those of `make_plan`; ``E_DESTINATION`` (other things lie there),
    ``E_NOTHING_USABLE``, ``E_IO``, ``E_PATIENT`` (DICOM files that name no patient), with
    `strict` the first scan's own code; `IntegrityError` ``E_COLLECTION``.

    Examples
    --------
    >>> settings = IngestSettings(labels=Path("labels.csv"))
    >>> report = ingest([Path("scans")], Path("collection"), settings)  # doctest: +SKIP
    >>> report.n_scans, len(report.quarantine)  # doctest: +SKIP
    (998, 2)
    """
    settings = settings or IngestSettings()
    if not sources:
        raise StopError("E_SOURCE", "no source was given", fix="give a folder of scans or an .npz")
    plan = make_plan(sources, settings)
    stored = Stored.find(destination, plan, settings)
    job = _Job(destination, plan, settings, stored)
    return job.run(progress or (lambda done, total: None))


class _Job:
    """One ingest at work."""

    def __init__(
        self, destination: Path, plan: Plan, settings: IngestSettings, stored: Stored
    ) -> None:
        self._destination, self._plan, self._settings = destination, plan, settings
        self._stored = stored
        self._collection = stored.collection
        self._aside = list(stored.aside)
        self._ids = set(stored.kept.values())
        self._rows: list[ScanRow] = []
        self._written = time.monotonic()

    def run(self, progress: Progress) -> IngestReport:
        shown = {(item.source, item.path) for item in self._aside}
        pending = [
            scan
            for scan in self._plan.scans
            if (place := (scan.source, scan.path)) not in self._stored.kept and place not in shown
        ]
        for error in self._plan.errors:
            self._refuse(error)
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

    def _open(self) -> None:
        if self._collection is None:
            self._shape = choose_shape(self._plan, self._settings)
        else:
            self._shape = (self._collection.size, 3 if self._collection.channels == 3 else 1)

    def _outcomes(self, pending: Sequence[Planned]) -> Iterator[tuple[Planned, Scan | InputError]]:
        size, channels = self._shape
        request = Request(size, channels, self._settings.secret())
        reading = Reading(request, self._settings.workers, self._settings.limits)
        for source, group in groupby(pending, key=lambda scan: scan.source):
            scans = list(group)
            paths = [scan.path for scan in scans]
            found = read_scans(self._plan.listings[source], paths, reading)
            yield from zip(scans, found, strict=True)

    def _take(self, planned: Planned, outcome: Scan | InputError) -> None:
        if isinstance(outcome, InputError):
            self._refuse(outcome, planned)
            return
        self._rows.append(self._row(planned, outcome))
        n_bytes = len(self._rows) * outcome.pixels.nbytes // 2
        if n_bytes >= _WRITE_BYTES or time.monotonic() - self._written >= _WRITE_SECONDS:
            self._write()

    def _refuse(self, error: InputError, planned: Planned | None = None) -> None:
        if self._settings.strict and error.code != _NOT_IMAGE:
            raise StopError(error.code, error.found, fix=error.fix, path=error.path)
        text = f"{error.found}; {error.fix}" if error.fix else error.found
        if planned is None:
            self._aside.append(Quarantined(error.path or "", error.code, text))
        else:
            self._aside.append(
                Quarantined(planned.path, error.code, text, planned.source, planned.stamp)
            )

    def _row(self, planned: Planned, scan: Scan) -> ScanRow:
        return ScanRow(
            self._new_id(planned, scan),
            planned.path,
            scan.pixels,
            scan.content_hash,
            source=planned.source,
            patient=planned.patient or scan.patient,
            study=planned.study or scan.study,
            series=scan.series,
            site=planned.site or scan.site,
            modality=scan.modality,
            label=planned.label,
            given_part=planned.given_part,
            pretrain_only=planned.pretrain_only,
            covariates={**scan.covariates, **planned.covariates},
            conversions=scan.conversions,
            native_shape=scan.native_shape,
            spacing_mm=scan.spacing_mm,
            stamp=planned.stamp,
        )

    def _new_id(self, planned: Planned, scan: Scan) -> str:
        found = scan_id(planned.path, scan.content_hash)
        if found in self._ids:  # the same file under the same path in two sources
            found = scan_id(planned.path, scan.content_hash, str(planned.source))
        self._ids.add(found)
        return found

    def _write(self) -> None:
        """One version with what has come since the last."""
        missing = [row.path for row in self._rows if row.label is not None and row.patient is None]
        if missing:
            n_labelled = sum(scan.label is not None for scan in self._plan.scans)
            pattern = self._settings.patient_pattern
            raise patient_error(
                missing, self._plan.listings, n_labelled=n_labelled, pattern=pattern
            )
        if self._rows and self._collection is None:
            size, channels = self._shape
            self._collection = Collection.create(self._destination, size, channels, complete=False)
        if self._rows and self._collection is not None:
            self._collection.append(self._rows)
        self._rows = []
        self._written = time.monotonic()

    def _finish(self) -> IngestReport:
        collection = self._collection
        if collection is None or not len(collection):
            raise self._nothing_usable()
        info: dict[str, Any] = {
            "sources": [listing.root.name for listing in self._plan.listings],
            "notes": list(self._plan.notes),
            "aside": [asdict(item) for item in self._aside],
        }
        if not collection.is_complete or collection.info != info:
            collection.mark_complete(info)
        return self._report(collection)

    def _report(self, collection: Collection) -> IngestReport:
        table = collection.metadata()
        aside = self._aside
        return IngestReport(
            self._destination,
            n_scans=len(table),
            n_labelled=int(table.is_labelled.sum()),
            n_patients=len(np.unique(table.patient_or_scan())),
            n_reused=len(self._stored.kept),
            n_skipped=self._plan.n_skipped,
            size=collection.size,
            channels=collection.channels,
            quarantine=tuple(item for item in aside if item.code != _NOT_IMAGE),
            not_images=tuple(item for item in aside if item.code == _NOT_IMAGE),
            notes=self._plan.notes,
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
