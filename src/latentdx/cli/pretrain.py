"""``latentdx pretrain``: an encoder from scans without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import (
    network_options,
    options,
    private_options,
    training_options,
    transfer_options,
)

HELP = """Train an autoencoder on a collection, without labels.

Scans of held-out patients are left out, by the split that `latentdx fit` makes with the same seed.
A training that was stopped goes on with --resume, to the same weights. The folder holds the
weights and report.html, which shows how it learned.

Examples:

  latentdx pretrain collection --to encoder

  latentdx pretrain collection --to encoder --autoencoder residual --network attention=both

  latentdx pretrain collection --to encoder --objective latent-prediction --minutes 30

  latentdx pretrain collection --to encoder --processes 4 --track tensorboard

  latentdx pretrain collection --to encoder --objective deep-coral --domain site

  latentdx pretrain collection --to encoder --from other_encoder --freeze 1 --epochs 5
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="pretrain", help=HELP)(pretrain)


def pretrain(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the encoder.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML of settings, as `latentdx search` writes best.toml."),
    ] = None,
    autoencoder: options.AutoencoderOption = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", help="Setting of the network, KEY=VALUE: 'widths=[32,64]'."),
    ] = None,
    objective: network_options.ObjectiveOption = None,
    domain: network_options.DomainOption = None,
    focus: network_options.FocusOption = None,
    latent_dim: options.LatentOption = None,
    start: transfer_options.FromOption = None,
    freeze: transfer_options.FreezeOption = None,
    low_rank: transfer_options.LowRankOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training.")
    ] = False,
    modality: options.ModalityOption = None,
    views: network_options.ViewsOption = None,
    flip: training_options.FlipOption = None,
    augment: training_options.AugmentFlag = False,
    epochs: transfer_options.PassesOption = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="Wall time that may be used; epochs are fitted to it."),
    ] = None,
    batch_size: training_options.BatchSizeOption = None,
    accumulate: training_options.AccumulateOption = None,
    learning_rate: training_options.LearningRateOption = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", help="cosine (default), constant, schedule-free.")
    ] = None,
    ema: Annotated[
        float | None, typer.Option("--ema", help="Keep averaged weights, of this decay a step.")
    ] = None,
    precision: options.PrecisionOption = None,
    epsilon: private_options.EpsilonOption = None,
    delta: private_options.DeltaOption = None,
    deterministic: training_options.DeterministicFlag = False,
    processes: Annotated[
        int, typer.Option("--processes", help="Train in so many processes (GPUs) here.", min=1)
    ] = 1,
    sharding: Annotated[
        str | None, typer.Option("--sharding", help="Between processes: none (default) or full.")
    ] = None,
    track: Annotated[
        list[str] | None,
        typer.Option("--track", help="tensorboard or mlflow, into TO/tracking. Repeatable."),
    ] = None,
    seed: options.SeedOption | None = None,
) -> None:
    """See `HELP`."""
    if processes > 1:
        from latentdx.cli.processes import run_in_processes

        raise typer.Exit(run_in_processes(processes))
    given: dict[str, Any] = {
        **{"autoencoder": autoencoder, "network": network_options.network(network) or None},
        **{"objectives": network_options.objectives(objective) or None, "latent_dim": latent_dim},
        **{"focus": focus, "domain": domain},
        "views": options.names(views),
        **{"modality": modality, "flip": flip, "epochs": epochs, "minutes": minutes},
        **{"batch_size": batch_size, "accumulate": accumulate, "learning_rate": learning_rate},
        **{"schedule": schedule, "ema": ema, "precision": precision, "sharding": sharding},
        **{"deterministic": deterministic or None, "track": tuple(track) if track else None},
        **{
            "seed": seed,
            "augment": augment or None,
            "start": start,
            "freeze": freeze,
            "low_rank": low_rank,
        },
        **{"epsilon": epsilon, "delta": delta},
    }
    _train(collection, to, config, given, resume=resume)


def _train(
    collection: Path,
    to: Path,
    config: Path | None,
    given: dict[str, Any],
    *,
    resume: bool,
) -> None:
    from latentdx.autoencoder.engine.processes import is_first
    from latentdx.cli.console import ConsoleReporter
    from latentdx.study.reporter import Silent
    from latentdx.study.separate import pretrain_collection
    from latentdx.study.settings import settings_with

    settings = settings_with(config, {**given, "source": str(collection)})
    if not is_first():
        pretrain_collection(collection, to, settings, Silent(), resume=resume)
        return
    with ConsoleReporter() as reporter:
        n_scans, loss = pretrain_collection(collection, to, settings, reporter, resume=resume)
    how = "taken over as it is" if loss is None else f"loss {loss:.4f}"
    typer.echo(f"{n_scans} scans, {how}: {to}")
