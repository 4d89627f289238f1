"""``latentdx fit``: a diagnosis model from a collection and an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Fit features, classifier, calibration and prediction sets; write a bundle.

Only train, tune and calibrate are used: the test part stays closed until `latentdx evaluate`.

Example:

  latentdx fit collection --encoder encoder --to bundle
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="fit", help=HELP)(fit)


def fit(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    encoder: Annotated[Path, typer.Option("--encoder", help="Folder of the encoder.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the bundle.")],
    classifier: options.ClassifierOption = "svm",
    features: options.FeaturesOption = "pooled",
    flip: options.FlipOption = True,
    seed: options.SeedOption = 0,
) -> None:
    """See `HELP`."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.study.separate import fit_collection
    from latentdx.study.settings import settings_from

    values = {"source": str(collection), "classifier": classifier, "features": features,
              "flip": flip, "seed": seed}  # fmt: skip
    with ConsoleReporter() as reporter:
        digest = fit_collection(collection, encoder, to, settings_from(values), reporter)
    typer.echo(f"bundle {digest[:16]}: {to}")
