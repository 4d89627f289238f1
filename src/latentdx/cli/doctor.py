"""``latentdx doctor``: what would be read, converted, quarantined, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options
from latentdx.cli.errors import QUARANTINED

HELP = """Tell what would be read, converted and set aside, and why. Nothing is written.

Example:

  latentdx doctor scans --labels labels.csv
"""

_SHOWN = 30


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="doctor", help=HELP)(doctor)


def doctor(
    source: Annotated[Path, typer.Argument(help="Folder, .npz or collection.")],
    labels: options.LabelsOption = None,
    label_map: options.LabelMapOption = None,
    patient_pattern: options.PatternOption = None,
    one_scan_per_patient: options.OneScanFlag = False,
    size: options.SizeOption = None,
    dims: options.DimsOption = 2,
    slices: options.SlicesOption = None,
    frames: options.FramesOption = None,
    volume_index: options.VolumeIndexOption = None,
    window: options.WindowOption = None,
    nan: options.NanOption = "refuse",
    spacing: options.SpacingOption = None,
    crop: options.CropFlag = False,
    burned_in: options.BurnedInOption = "quarantine",
    workers: options.WorkersOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json
    import tempfile

    from latentdx.cli.console import ConsoleReporter
    from latentdx.collection.ingest import ingest
    from latentdx.collection.plan import IngestSettings
    from latentdx.collection.store import Collection
    from latentdx.core.errors import StopError

    policy = options.policy(
        dims=dims,
        slices_text=slices,
        frames=frames,
        volume_index=volume_index,
        window_text=window,
        nan=nan,
        spacing=spacing,
        crop=crop,
        burned_in=burned_in,
    )
    settings = IngestSettings(
        labels=labels,
        label_map=options.label_map(label_map),
        patient_pattern=patient_pattern,
        one_scan_per_patient=one_scan_per_patient,
        size=size,
        policy=policy,
        for_training=False,
        workers=workers,
    )
    with tempfile.TemporaryDirectory() as folder, ConsoleReporter() as reporter:
        reporter.step("doctor", "Looking at every file")
        try:
            report = ingest(
                [source],
                Path(folder) / "collection",
                settings,
                lambda done, total: reporter.progress(done, total),
            )
        except StopError as error:
            if error.code != "E_NOTHING_USABLE":
                raise
            # Its advice is to call this very command.
            raise StopError(error.code, error.found, path=source) from None
        found = describe(report, Collection.open(Path(folder) / "collection").metadata())
    typer.echo(json.dumps(found) if as_json else in_words(found))
    if report.quarantine:
        raise typer.Exit(QUARANTINED)


def describe(report: Any, table: Any) -> dict[str, Any]:
    """What an ingest found, as plain values."""
    from collections import Counter

    return {
        "n_scans": report.n_scans,
        "n_patients": report.n_patients,
        "n_skipped": report.n_skipped,
        "size": report.size,
        "channels": report.channels,
        "labels": dict(Counter(table.label[table.is_labelled].tolist())),
        "modalities": dict(Counter(table.modality.tolist())),
        "sizes": dict(Counter(f"{height}x{width}" for height, width in table.native_shape)),
        "conversions": dict(Counter(text for done in table.conversions for text in done)),
        "quarantine": [
            {"path": item.path, "code": item.code, "text": item.text} for item in report.quarantine
        ],
        "not_images": [item.path for item in report.not_images],
        "notes": list(report.notes),
    }


def in_words(found: dict[str, Any]) -> str:
    """The same for people."""
    head = f"{found['n_scans']} scans of {found['n_patients']} patients would be read"
    lines = [f"{head}, as {found['size']} x {found['size']} pixels"]
    for name in ("labels", "modalities", "sizes", "conversions"):
        common = sorted(found[name].items(), key=lambda item: -item[1])
        lines += [f"{name}:"] + [
            f"  {count:>7}  {text or 'not known'}" for text, count in common[:8]
        ]
        if len(common) > 8:
            lines.append(f"           and {len(common) - 8} more")
    lines.append(f"{len(found['quarantine'])} would be set aside:")
    lines += [f"  {i['code']} {i['path']}: {i['text']}" for i in found["quarantine"][:_SHOWN]]
    lines.append(
        f"{len(found['not_images'])} hold no image, {found['n_skipped']} other files skipped"
    )
    return "\n".join([*lines, *(f"note: {note}" for note in found["notes"])])
