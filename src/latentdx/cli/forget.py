"""``latentdx forget``: a patient out of everything that was made from their scans."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentdx.cli import options

if TYPE_CHECKING:
    from latentdx.study.forget import Forgetting

LEFT = 3
HELP = """Remove a patient from runs, collections, encoders and evaluations.

PATIENT is the pseudonym in predictions.csv, your own identifier (of which the pseudonym is made
with your key), or the path of one of the scans; - reads it from standard input, so that it stands
in no history of commands.

Removed are the scans with all earlier versions, embeddings, predictions, examples, pages that may
show them, the identity map's lines, and a run's model that learned from them. That somebody was
forgotten is noted in the collection, without who. What must be trained again, and files that only
you can remove, are named: exit code 3 where there are any.

Give all folders in one call. It cannot be undone: look first with --dry-run.

Examples:

  latentdx forget MRN-4711 study --dry-run

  latentdx forget - study collection encoder < patient.txt
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="forget", help=HELP)(forget)


def forget(
    patient: Annotated[
        str, typer.Argument(help="Pseudonym, own identifier, path of a scan, or -.")
    ],
    places: Annotated[list[Path], typer.Argument(help="Folders of runs, collections, encoders.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.study.forget import forget as remove

    name = sys.stdin.readline() if patient == "-" else patient
    found = remove(name, places, dry_run=dry_run)
    told = found.as_json(done=not dry_run)
    typer.echo(json.dumps(told) if as_json else _summary(found, dry_run=dry_run))
    if not dry_run and (found.retrain or found.left):
        raise typer.Exit(LEFT)


def _summary(found: Forgetting, *, dry_run: bool) -> str:
    verb = "Would be changed" if dry_run else "Changed"
    lines = [f"{verb}, for {found.n_scans} scans of one patient:"]
    lines += [f"  {change.path}: {change.what} ({change.count})" for change in found.changes]
    if found.retrain:
        lines.append("Train again, by the same command as before:")
        lines += [f"  {item.path}: {item.what}: {item.why}" for item in found.retrain]
    if found.left:
        lines.append("Left to you:")
        lines += [f"  {item.path}: {item.what}: {item.why}" for item in found.left]
    return "\n".join(lines)
