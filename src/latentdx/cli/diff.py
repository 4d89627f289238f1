"""``latentdx diff``: two runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options

HELP = """Compare two finished runs on the same test scans, metric by metric.

Each RUN is the folder of `latentdx run` or `latentdx evaluate`. Differences are the second less the
first, with 95 % intervals over the same resamples of patients. Beside them stand the settings and
the warnings that differ. Where the test parts differ, the scans of both are compared, if they are
at least half.

Example:

  latentdx diff study another_study --out difference
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="diff", help=HELP)(diff)


def diff(
    first: Annotated[Path, typer.Argument(help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(help="Folder of another.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for diff.html and diff.json.")
    ] = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.study.diff import diff_runs

    found = diff_runs(first, second, out)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(diff_summary(found))
    if out is not None:
        typer.echo(f"Page: {out / 'diff.html'}")


def diff_summary(found: Mapping[str, Any]) -> str:
    """The comparison for the terminal."""
    from latentdx.cli.choices import aligned
    from latentdx.report.diff_page import CAUTION, diff_header, diff_rows, lead, place_rows

    lines = [lead(found), *found["notes"], *aligned(diff_header(found), diff_rows(found))]
    if rows := place_rows(found):
        lines.append("At places that the models had never seen:")
        lines += aligned(("AUROC at", *diff_header(found)[1:]), rows)
    if found["settings"]:
        lines.append("Settings that differ:")
        lines += [f"  {name}: {one} | {two}" for name, (one, two) in found["settings"].items()]
    for run in ("first", "second"):
        if found["warnings"][run]:
            lines.append(f"Warnings of the {run} alone ({found[run]}):")
            lines += [f"  {text}" for text in found["warnings"][run]]
    return "\n".join([*lines, CAUTION])
