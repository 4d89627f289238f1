"""``latentdx audit``: would a score on this collection be valid?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options
from latentdx.cli.errors import UNUSABLE

HELP = """Look for leakage, duplicates, contradictions, imbalance and odd scans in a collection.

Also for near-duplicates: scans of different patients that are copies, mirrored, cropped,
recompressed, resized or of other grey levels.

And for shortcuts: whether the label can be told from what is not anatomy, such as site, view, size,
the order of patients, borders, corners or burned-in letters (docs/audit.md).

Looks at the parts that the source gave; exit code 2 where a score would be invalid.

Example:

  latentdx audit collection --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="audit", help=HELP)(audit)


def audit(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    import numpy as np

    from latentdx.cli.console import ConsoleReporter
    from latentdx.collection.audit import NEAR, NEAR_ACROSS
    from latentdx.collection.audit import audit as look
    from latentdx.collection.near_kept import kept_near_duplicates
    from latentdx.collection.quality import review
    from latentdx.collection.store import Collection
    from latentdx.features.probe_region import region_known
    from latentdx.features.shortcut_findings import with_shortcuts
    from latentdx.features.shortcuts import find_shortcuts

    stored = Collection.open(collection)
    table = stored.metadata()
    with ConsoleReporter() as reporter:
        reporter.step("audit", "Looking for near-duplicates")
        near = kept_near_duplicates(stored, table, reporter.progress)
        reporter.step("audit", "Looking for shortcuts")
        labelled = np.flatnonzero(table.is_labelled)
        shortcuts = find_shortcuts(stored, table, labelled, region=region_known(stored))
    found, odd = with_shortcuts(look(table, near=near), shortcuts), review(stored)
    if as_json:
        told = found.as_json()
        told["findings"] += [item.as_json() for item in odd]
        told["shortcuts"] = shortcuts.as_json()
        typer.echo(json.dumps(told))
    else:
        typer.echo("valid" if found.valid else "INVALID: scores on test would mean nothing")
        for item in found.findings:
            typer.echo(f"{item.severity}: {item.code}: {item.text}")
            for group in item.examples[:3]:
                sign = " ~ " if item.code in (NEAR, NEAR_ACROSS) else " = "
                typer.echo(f"    {sign.join(group)}")
        for finding in odd:
            typer.echo(f"{finding.severity}: {finding.code}: {finding.text}")
            typer.echo(f"    {', '.join(finding.examples[:5])}")
    if not found.valid:
        raise typer.Exit(UNUSABLE)
