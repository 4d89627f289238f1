"""``latentdx search``: which autoencoder, with which settings?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Search the autoencoder and its settings that serve few labels best; write best.toml.

Family, objective beside reconstruction, width, latent size and learning rate are varied. Each trial
is judged on tune by classifiers fitted on few labels of train; calibrate and test stay closed. A
search that was stopped is continued by the same command; more --minutes or --trials prolong it.

Examples:

  latentdx search collection --to search --minutes 60

  latentdx search collection --to search --trials 40 --families invariant,masked --epochs 6
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="search", help=HELP)(search)


def search(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the results.")],
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", help="Over all calls. Default: 30, unless --trials is given.", min=0.01
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="At most so many trials, over all calls.", min=1)
    ] = None,
    families: Annotated[
        str | None, typer.Option("--families", help="Names with commas between. Default: all.")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option("--objectives", help="Names with commas between, or none. Default: all."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", help="Of each trial. Default: a run's, or what fits the time.", min=1
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

    from latentdx.cli.choices import search_summary
    from latentdx.cli.console import ConsoleReporter
    from latentdx.study.search import SearchSettings
    from latentdx.study.search import search as run_search
    from latentdx.study.search_result import Budget
    from latentdx.study.search_space import space_of
    from latentdx.study.settings import settings_from

    space = space_of(options.names(families) or (), options.names(objectives))
    values = {"source": str(collection), "seed": seed, "overlap": overlap, "epochs": epochs,
              "modality": modality, "flip": flip}  # fmt: skip
    base = settings_from({name: value for name, value in values.items() if value is not None})
    if minutes is None and trials is None:
        minutes = 30.0
    with ConsoleReporter() as reporter:
        settings = SearchSettings(base, space, labelled)
        found = run_search(collection, to, settings, Budget(minutes, trials), reporter)
    if as_json:
        typer.echo(json.dumps(found))
        return
    typer.echo(search_summary(found))
    typer.echo(f"Run it: latentdx run --config {to / 'best.toml'} --out study")
