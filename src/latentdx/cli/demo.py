"""``latentdx demo``: the whole study on a phantom cohort, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Write a phantom cohort as DICOM files and run the whole study on it.

Synthetic chest X-rays of several sites, most of them unlabelled, lesions with masks; offline.

Example:

  latentdx demo --out demo
"""


_EPOCHS = 16  # ends within three minutes on two cores, with room to spare


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="demo", help=HELP)(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("demo"),
    patients: Annotated[int, typer.Option("--patients", help="Phantom patients.", min=40)] = 400,
    seed: options.SeedOption = 0,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.cli.run_command import print_result
    from latentdx.collection.phantoms import PhantomSettings, write_phantoms
    from latentdx.study.folder import RunFolder
    from latentdx.study.run import run_study
    from latentdx.study.settings import RunSettings

    cohort = out / "cohort"
    settings = RunSettings(
        source=str(cohort / "scans"), labels=str(cohort / "labels.csv"), seed=seed, epochs=_EPOCHS
    )
    RunFolder(out).check(settings)
    with ConsoleReporter() as reporter:
        reporter.step("phantoms", "Drawing the phantom cohort")
        write_phantoms(
            cohort,
            PhantomSettings(patients=patients, seed=seed),
            lambda done, total: reporter.progress(done, total, "patients"),
        )
        result = run_study(settings, out, reporter)
    print_result(result, as_json)
    if not as_json:
        first = next(iter(sorted((cohort / "scans").rglob("*.dcm"))))
        typer.echo(f"For example: latentdx predict {out / 'bundle'} {first}")
