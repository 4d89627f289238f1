"""``latentdx deidentify``: DICOM files written again without what identifies."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from latentdx.cli import options
from latentdx.cli.errors import QUARANTINED

HELP = """Write DICOM files again, de-identified: for those who need files, not a collection.

By the Basic profile of DICOM PS3.15, at every depth. Age, sex and shifted dates stay unless
--basic; --retain keeps more. Files with text in their pixels are set aside. Ingest de-identifies
by itself: nothing need be written before it.

Examples:

  latentdx deidentify scans --to clean

  latentdx deidentify scans --to clean --basic --retain device
"""

RETAINED = (
    *("safe-private", "uids", "device", "institution", "patient"),
    *("descriptors", "structured", "graphics", "modified-dates", "full-dates"),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="deidentify", help=HELP)(deidentify)


def deidentify(
    source: Annotated[Path, typer.Argument(help="Folder of DICOM files.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the clean files.")],
    basic: Annotated[
        bool, typer.Option("--basic", help="The Basic profile alone: no age, no sex, no dates.")
    ] = False,
    retain: Annotated[
        list[str] | None,
        typer.Option("--retain", help=f"Also keep: {', '.join(RETAINED)}. Repeatable."),
    ] = None,
    burned_in: Annotated[
        str,
        typer.Option("--burned-in", help="Text in the pixels: quarantine (default) or keep."),
    ] = "quarantine",
    workers: options.WorkersOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.console import ConsoleReporter
    from latentdx.collection.clean_folder import clean_folder
    from latentdx.scans.deidentify import user_key
    from latentdx.scans.policy import Policy
    from latentdx.scans.request import Request

    policy = Policy(burned_in=options.choice("--burned-in", burned_in, ("quarantine", "keep")))
    request = Request(key=user_key(), policy=policy, profile=profile(retain or [], basic=basic))
    with ConsoleReporter() as reporter:
        reporter.step("deidentify", "Writing clean files")
        report = clean_folder(
            source, to, request, lambda done, total: reporter.progress(done, total), workers
        )
    if as_json:
        typer.echo(json.dumps({**asdict(report), "path": str(report.path)}))
    else:
        typer.echo(
            f"{report.n_written} files of {report.n_patients} patients written, "
            f"{len(report.quarantine)} set aside, {len(report.not_images)} hold no image, "
            f"{report.n_skipped} other files skipped"
        )
        for item in report.quarantine[:20]:
            typer.echo(f"  {item.code} {item.path}: {item.text}")
    if report.quarantine:
        raise typer.Exit(QUARANTINED)


def profile(retain: list[str], *, basic: bool) -> Any:
    """The options of the profile. Raises `StopError` ``E_OPTION``."""
    from latentdx.scans.profile_options import ProfileOptions

    names = {options.choice("--retain", name, RETAINED) for name in retain}
    dates: Literal["remove", "shift", "keep"] = "remove" if basic else "shift"
    if "modified-dates" in names:
        dates = "shift"
    if "full-dates" in names:
        dates = "keep"
    flags = {name.replace("-", "_") for name in names if not name.endswith("-dates")}
    flags |= set() if basic else {"patient"}
    return ProfileOptions(dates=dates, **dict.fromkeys(flags, True))
