"""``latentdx ingest``: scans into a collection."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options, reading_options
from latentdx.cli.errors import QUARANTINED

HELP = """Read scans into a collection: de-identified, in one size, resumable.

Examples:

  latentdx ingest scans --labels labels.csv --to collection

  latentdx ingest ct --dims 3 --spacing 2 --crop --window lung --size 96 --to volumes

  latentdx ingest ct --dims 3 --preset ct-chest --to chests

  latentdx ingest medmnist:pneumoniamnist@64 --one-scan-per-patient --to collection

The same call after an interruption goes on. Called again with new files or labels it adds them;
nothing is decoded twice.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="ingest", help=HELP)(ingest)


def ingest(
    sources: Annotated[list[Path], typer.Argument(help="Folders, .npz files or collections.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the collection.")],
    labels: options.LabelsOption = None,
    label_map: options.LabelMapOption = None,
    task: options.TaskOption = None,
    patient_pattern: options.PatternOption = None,
    one_scan_per_patient: options.OneScanFlag = False,
    size: options.SizeOption = None,
    dims: reading_options.DimsOption = None,
    slices: options.SlicesOption = None,
    frames: options.FramesOption = None,
    volume_index: options.VolumeIndexOption = None,
    window: options.WindowOption = None,
    nan: options.NanOption = "refuse",
    spacing: options.SpacingOption = None,
    crop: options.CropFlag = False,
    preset: reading_options.PresetOption = None,
    region: reading_options.RegionOption = None,
    bias_field: reading_options.BiasFieldOption = None,
    scale: reading_options.ScaleOption = None,
    masks: reading_options.MasksFlag = False,
    measures: reading_options.MeasuresFlag = False,
    burned_in: options.BurnedInOption = "quarantine",
    identity_map: options.IdentityMapFlag = False,
    strict: options.StrictFlag = False,
    workers: options.WorkersOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.collection.ingest import ingest as store
    from latentdx.collection.plan import IngestSettings

    policy = options.policy(
        dims=reading_options.dims_of(dims, sources, slices),
        slices_text=slices,
        frames=frames,
        volume_index=volume_index,
        window_text=None,
        nan=nan,
        spacing=spacing,
        crop=crop,
        burned_in=burned_in,
        identity_map=identity_map,
    )
    told = reading_options.values(preset, window, region, bias_field, scale)
    policy = replace(policy, **told, measures=measures)
    settings = IngestSettings(
        labels=labels,
        label_map=options.label_map(label_map),
        task=options.choice("--task", task, options.TASKS) or "auto",
        patient_pattern=patient_pattern,
        one_scan_per_patient=one_scan_per_patient,
        size=size,
        policy=policy,
        masks=masks,
        may_update=True,
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
        f"{' x '.join([str(report.size)] * report.dims)} pixels, {report.channels} channel(s)"
    )
    typer.echo(f"{len(report.quarantine)} set aside, {report.n_skipped} other files skipped")
    for item in report.quarantine[:20]:
        typer.echo(f"  {item.code} {item.path}: {item.text}")
    if report.n_reused or report.n_updated:
        typer.echo(f"{report.n_reused} were stored already, {report.n_updated} of them newly told")
    for code, count in sorted(report.warnings.items()):
        typer.echo(f"warning: {code}: {count} scans")
    for note in report.notes:
        typer.echo(f"note: {note}")
