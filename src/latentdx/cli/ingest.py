"""``latentdx ingest``: scans into a collection."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options
from latentdx.cli.errors import QUARANTINED

HELP = """Read scans into a collection: de-identified, in one size, resumable.

Example:

  latentdx ingest scans --labels labels.csv --to collection
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="ingest", help=HELP)(ingest)


def ingest(
    sources: Annotated[list[Path], typer.Argument(help="Folders, .npz files or collections.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the collection.")],
    labels: options.LabelsOption = None,
    label_map: options.LabelMapOption = None,
    patient_pattern: options.PatternOption = None,
    one_scan_per_patient: options.OneScanFlag = False,
    size: options.SizeOption = None,
    strict: options.StrictFlag = False,
    workers: options.WorkersOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.collection.ingest import ingest as store
    from latentdx.collection.plan import IngestSettings

    settings = IngestSettings(
        labels=labels,
        label_map=options.label_map(label_map),
        patient_pattern=patient_pattern,
        one_scan_per_patient=one_scan_per_patient,
        size=size,
        for_training=False,
        strict=strict,
        workers=workers,
    )
    with ConsoleReporter() as reporter:
        reporter.step("ingest", "Reading scans")
        report = store(sources, to, settings, lambda done, total: reporter.progress(done, total))
    print_report(report, as_json)
    if report.quarantine:
        raise typer.Exit(QUARANTINED)


def print_report(report: Any, as_json: bool) -> None:
    """What an ingest did, as JSON or in words."""
    import json

    if as_json:
        typer.echo(json.dumps({**asdict(report), "path": str(report.path)}))
        return
    typer.echo(
        f"{report.n_scans} scans of {report.n_patients} patients, {report.n_labelled} labelled, "
        f"{report.size} x {report.size} pixels, {report.channels} channel(s)"
    )
    typer.echo(f"{len(report.quarantine)} set aside, {report.n_skipped} other files skipped")
    for item in report.quarantine[:20]:
        typer.echo(f"  {item.code} {item.path}: {item.text}")
    for note in report.notes:
        typer.echo(f"note: {note}")
