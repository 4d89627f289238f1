"""``latentdx doctor``: what would be read, converted, quarantined, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options, reading_options
from latentdx.cli.errors import QUARANTINED, UNUSABLE

HELP = """Tell what would be read, converted and set aside, and why. The source is left alone.

With --out a page with pictures (doctor.html) and the same as JSON (doctor.json) are written.
With --phi a folder of outputs (a collection, a run) is searched for names and identifiers instead;
exit code 2 where a name of --names is found.

Examples:

  latentdx doctor scans --labels labels.csv --out findings

  latentdx doctor ct --dims 3

  latentdx doctor --phi study --names patients.txt
"""

_SHOWN = 30


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="doctor", help=HELP)(doctor)


def doctor(
    source: Annotated[
        Path | None, typer.Argument(help="Folder, file, .npz or collection.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for doctor.html and doctor.json.")
    ] = None,
    phi: Annotated[
        Path | None, typer.Option("--phi", help="Search this folder of outputs for identifiers.")
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", help="Text file of names and identifiers to search, one a line."),
    ] = None,
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
    workers: options.WorkersOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.console import ConsoleReporter
    from latentdx.collection.plan import IngestSettings
    from latentdx.core.errors import StopError
    from latentdx.study.examine import examine, write_examination

    if phi is not None:
        search(phi, names, as_json)
        return
    if source is None:
        raise StopError("E_SOURCE", "no source was given", fix="latentdx doctor SOURCE")
    policy = options.policy(
        dims=reading_options.dims_of(dims, [source], slices),
        slices_text=slices,
        frames=frames,
        volume_index=volume_index,
        window_text=None,
        nan=nan,
        spacing=spacing,
        crop=crop,
        burned_in=burned_in,
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
        for_training=False,
        workers=workers,
    )
    with ConsoleReporter() as reporter:
        reporter.step("doctor", "Looking at every file")
        content = examine(source, settings, lambda done, total: reporter.progress(done, total))
    if out is not None:
        write_examination(content, out)
    found = content.as_json()
    typer.echo(json.dumps(found) if as_json else in_words(found))
    if out is not None and not as_json:
        typer.echo(f"Page: {out / 'doctor.html'}")
    if found["quarantine"]:
        raise typer.Exit(QUARANTINED)


def search(folder: Path, names: Path | None, as_json: bool) -> None:
    """Print where identifiers are, or may be, in a folder of outputs; never the identifiers."""
    import json
    from collections import Counter
    from dataclasses import asdict

    from latentdx.collection.phi import search_phi

    listed = options.lines_of(names) if names is not None else []
    findings = search_phi(folder, listed)
    if as_json:
        typer.echo(json.dumps({"n_names": len(listed), "findings": [*map(asdict, findings)]}))
    else:
        counts = Counter(item.severity for item in findings)
        typer.echo(
            f"{counts['error']} places with one of {len(listed)} names; "
            f"{counts['warning']} that look like identifiers"
        )
        for item in findings[:_SHOWN]:
            which = f" (name {item.name} of the list)" if item.name else ""
            typer.echo(f"  {item.severity}: {item.kind}{which}: {item.path}, {item.where}, "
                       f"at {item.offset}")  # fmt: skip
    if any(item.severity == "error" for item in findings):
        raise typer.Exit(UNUSABLE)


def in_full(text: str) -> str:
    """A name as it is; the code of a warning with its meaning."""
    from latentdx.report.doctor_advice import MEANING

    return f"{text}: {MEANING[text]}" if text in MEANING else text


def in_words(found: dict[str, Any]) -> str:
    """The same for people."""
    from latentdx.report.doctor_content import by_kind

    head = f"{found['n_scans']} scans of {found['n_patients']} patients would be read"
    lines = [f"{head}, as {' x '.join([str(found['size'])] * found['dims'])} pixels"]
    for name in ("labels", "modalities", "sizes", "conversions", "warnings"):
        counts = by_kind(found[name]) if name == "conversions" else found[name]
        common = sorted(counts.items(), key=lambda item: -item[1])
        lines += [f"{name}:" if common else f"{name}: none"]
        lines += [f"  {count:>7}  {in_full(text) or 'not known'}" for text, count in common[:8]]
        if len(common) > 8:
            lines.append(f"           and {len(common) - 8} more")
    lines += [f"{item['severity']}: {item['code']}: {item['text']}" for item in found["findings"]]
    lines.append(f"{len(found['quarantine'])} would be set aside:")
    lines += [f"  {i['code']} {i['path']}: {i['text']}" for i in found["quarantine"][:_SHOWN]]
    lines.append(
        f"{len(found['not_images'])} hold no image, {found['n_skipped']} other files skipped"
    )
    return "\n".join([*lines, *(f"note: {note}" for note in found["notes"])])
