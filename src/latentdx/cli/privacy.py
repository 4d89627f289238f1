"""``latentdx privacy``: what a run's model gives away of its patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Attack a finished run: what do its model and its embeddings give away of patients?

Whom it learned from (membership inference: LiRA on the classifier, the model's confidence, the
autoencoder's errors), which scans are of one patient, what can be painted from embeddings, and
whether scans drawn from a generative autoencoder are copies. The test part is not opened.

Writes privacy.html and privacy.json. Shadow models take a minute or several.

Example:

  latentdx privacy study --out privacy
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="privacy", help=HELP)(privacy)


def privacy(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    shadows: Annotated[
        int, typer.Option("--shadows", help="Shadow models of the classifier, an even number.")
    ] = 32,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.console import ConsoleReporter
    from latentdx.report.privacy_page import CAUTION, sentences
    from latentdx.study.privacy import look_at_privacy

    with ConsoleReporter() as reporter:
        found = look_at_privacy(run, out, shadows=shadows, reporter=reporter)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo("\n".join([*sentences(found), CAUTION, f"Page: {out / 'privacy.html'}"]))
