"""``latentdx compare``: autoencoders by name, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Train several autoencoders and compare what few labels make of their features.

A NAME is a member of the family, or one with an objective: masked+vicreg. Beside them stand the
same members untrained, plain pixels and edge histograms. All are judged alike on tune; calibrate
and test stay closed. What is finished is kept: the same command goes on, and takes further names.

Examples:

  latentdx compare collection invariant convolutional masked --to comparison

  latentdx compare collection convolutional convolutional+vicreg --to comparison --seeds 3
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="compare", help=HELP)(compare)


def compare(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Who is compared.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the results.")],
    seeds: Annotated[
        int, typer.Option("--seeds", help="Trainings of each, with other weights.", min=1)
    ] = 1,
    epochs: options.EpochsOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", help="Of each training, in place of --epochs: equal time.", min=0.01
        ),
    ] = None,
    labelled: options.ProbedOption = 50,
    modality: options.ModalityOption = None,
    flip: options.FlipOption = True,
    overlap: options.OverlapOption = "stop",
    seed: options.SeedOption = 0,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.choices import compare_summary
    from latentdx.cli.console import ConsoleReporter
    from latentdx.core.errors import StopError
    from latentdx.study.compare import CompareSettings, recipe_of
    from latentdx.study.compare import compare as run_comparison
    from latentdx.study.settings import settings_from

    if epochs is not None and minutes is not None:
        raise StopError("E_OPTION", "both --epochs and --minutes", fix="give one of them")
    recipes = tuple(recipe_of(name) for name in names)
    values = {"source": str(collection), "seed": seed, "overlap": overlap, "epochs": epochs,
              "modality": modality, "flip": flip}  # fmt: skip
    base = settings_from({name: value for name, value in values.items() if value is not None})
    settings = CompareSettings(base, recipes, seeds, minutes, labelled)
    with ConsoleReporter() as reporter:
        found = run_comparison(collection, to, settings, reporter)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(compare_summary(found))
    typer.echo(f"Page: {to / 'compare.html'}")
