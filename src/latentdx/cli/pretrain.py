"""``latentdx pretrain``: an encoder from scans without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Train an autoencoder on a collection, without labels.

Scans of held-out patients are left out, by the split that `latentdx fit` makes with the same seed.

Example:

  latentdx pretrain collection --to encoder
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="pretrain", help=HELP)(pretrain)


def pretrain(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the encoder.")],
    autoencoder: options.AutoencoderOption = "invariant",
    start: Annotated[
        Path | None, typer.Option("--from", help="Begin with the weights of this encoder.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    modality: options.ModalityOption = None,
    flip: options.FlipOption = True,
    epochs: options.EpochsOption = None,
    seed: options.SeedOption = 0,
    minutes: Annotated[float | None, typer.Option("--minutes", help="End after so long.")] = None,
) -> None:
    """See `HELP`."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.study.separate import pretrain_collection
    from latentdx.study.settings import settings_from

    values = {"source": str(collection), "autoencoder": autoencoder, "epochs": epochs,
              "modality": modality, "flip": flip, "seed": seed, "minutes": minutes}  # fmt: skip
    settings = settings_from({name: value for name, value in values.items() if value is not None})
    with ConsoleReporter() as reporter:
        n_scans, loss = pretrain_collection(
            collection, to, settings, reporter, start=start, resume=resume
        )
    typer.echo(f"{n_scans} scans, loss {loss:.4f}: {to}")
