"""`ingest`: from files to a collection; what cannot be read is set aside, and it can be resumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latentdx.collection.ingest_job import IngestJob, IngestReport, Progress
from latentdx.collection.plan import IngestSettings, make_plan
from latentdx.core.errors import StopError
from latentdx.scans.sandbox import Sandbox

__all__ = ["IngestReport", "Progress", "ingest"]


def ingest(
    sources: Sequence[Path],
    destination: Path,
    settings: IngestSettings | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Store the scans of `sources` at `destination`, de-identified, in one size.

    Labels and patients are checked before anything is decoded or written. Scans that cannot be
    used are set aside and the others go on. The same call after an interruption goes on without
    decoding again what is stored; files that were added since are added, under whatever name the
    same bytes are stored already. With `may_update` a finished collection takes new labels, and
    files that have changed are read again; every step is a version of its own
    (`Collection.versions`). `progress` is called with the numbers of files (or series) done and to
    be done.

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
    with Sandbox(settings.workers, settings.limits) as sandbox:
        plan = make_plan(sources, settings, sandbox)
        job = IngestJob(destination, plan, settings, sandbox)
        return job.run(progress or (lambda done, total: None))
