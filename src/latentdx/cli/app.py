"""The command line: one function a command, each in its own file; heavy imports stay inside."""

from __future__ import annotations

import os
import sys

import typer

from latentdx.cli import (
    audit,
    compare,
    deidentify,
    demo,
    diff,
    doctor,
    evaluate,
    federate,
    fit,
    forget,
    ingest,
    predict,
    pretrain,
    privacy,
    run_command,
    sample,
    search,
    suggest,
)
from latentdx.cli.errors import exit_code_of

app = typer.Typer(
    name="latentdx",
    help="Diagnosis from medical images with few labels: an autoencoder learns from all scans, a "
    "classifier from the labelled ones, and the result is evaluated honestly.\n\n"
    "Start with: latentdx demo --out demo. For research use; not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
BEFORE = (demo, run_command, doctor, deidentify, ingest)
STUDY = (audit, pretrain, federate, fit, evaluate)
for command in (*BEFORE, *STUDY, diff, suggest, search, compare, predict, sample, forget, privacy):
    command.register(app)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        from latentdx.core.version import VERSION

        typer.echo(VERSION)
        raise typer.Exit(0)


def run() -> None:
    """Run, and turn what latentdx refuses into one line and an exit code.

    OpenMP's threads soon fall asleep where they wait: threads that spin for long bring training to
    a crawl where other programs want the cores, and threads that never spin cost it a tenth where
    none does. Read when torch is loaded.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    try:
        app()
    except Exception as error:
        code = exit_code_of(error)
        sys.exit(code)
