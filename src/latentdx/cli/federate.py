"""``latentdx federate``: one encoder from several sites that share no scans."""

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

HELP = """Train one encoder with other sites, without labels; scans never leave a site.

Every site runs this command on its own collection. Each round all train from the same weights, put
what they have learned into the exchange, wait for the others, and average the weights by scans
(FedAvg). The exchange is a folder: a shared mount, or one that any tool you trust keeps the same at
all sites. Weights, moments of pixels, counts and hashes lie in it; no scan, no name. Weights can
give away something of the scans all the same: see docs/privacy.md, and --epsilon.

All sites give the same --sites, --rounds, --seed and settings of the training, and collections of
the same --size. A call that was stopped, or waited in vain, is called again and goes on.

Examples:

  latentdx federate collection --exchange /mnt/common --site north --sites 2 --to encoder

  latentdx federate collection --exchange common --site south --sites 2 --rounds 20 --epochs 2
  --proximal 0.01 --to encoder

  latentdx federate collection --exchange common --site east --sites 3 --to encoder
  --autoencoder convolutional --epsilon 8

Then, at each site:

  latentdx fit collection --encoder encoder --to bundle
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="federate", help=HELP)(federate)


def federate(
    collection: Annotated[Path, typer.Argument(help="Folder of this site's collection.")],
    exchange: Annotated[Path, typer.Option("--exchange", help="Folder that all sites see.")],
    site: Annotated[
        str, typer.Option("--site", help="Name of this site: a-z, 0-9, - and _; another each.")
    ],
    sites: Annotated[int, typer.Option("--sites", help="How many sites take part.", min=2)],
    to: Annotated[Path, typer.Option("--to", help="Folder of the encoder, at this site.")],
    rounds: Annotated[
        int, typer.Option("--rounds", help="How often weights are averaged.", min=1)
    ] = 10,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", help="Passes over the scans a round (default: 1).", min=1),
    ] = None,
    proximal: Annotated[
        float,
        typer.Option(
            "--proximal",
            help="Hold weights near the common ones within a round, so strongly (FedProx).",
            min=0,
        ),
    ] = 0.0,
    wait: Annotated[
        float, typer.Option("--wait", help="Minutes to wait for the other sites.", min=0)
    ] = 1440.0,
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
    modality: options.ModalityOption = None,
    views: network_options.ViewsOption = None,
    flip: training_options.FlipOption = None,
    augment: training_options.AugmentFlag = False,
    batch_size: training_options.BatchSizeOption = None,
    accumulate: training_options.AccumulateOption = None,
    learning_rate: training_options.LearningRateOption = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", help="Over all rounds: cosine (default), constant.")
    ] = None,
    precision: options.PrecisionOption = None,
    epsilon: private_options.EpsilonOption = None,
    delta: private_options.DeltaOption = None,
    deterministic: training_options.DeterministicFlag = False,
    seed: options.SeedOption | None = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.console import ConsoleReporter
    from latentdx.study.federated import federate_collection
    from latentdx.study.federated_settings import FederatedSettings
    from latentdx.study.settings import settings_with

    given: dict[str, Any] = {
        **{"autoencoder": autoencoder, "network": network_options.network(network) or None},
        **{"objectives": network_options.objectives(objective) or None, "domain": domain},
        "views": options.names(views),
        **{"focus": focus, "latent_dim": latent_dim, "start": start, "freeze": freeze},
        **{"modality": modality, "flip": flip, "augment": augment or None, "epochs": epochs},
        **{"batch_size": batch_size, "accumulate": accumulate, "learning_rate": learning_rate},
        **{"schedule": schedule, "precision": precision, "epsilon": epsilon, "delta": delta},
        **{"deterministic": deterministic or None, "seed": seed},
    }
    settings = settings_with(config, {**given, "source": str(collection)})
    how = FederatedSettings(exchange, site, sites, rounds, proximal, wait)
    with ConsoleReporter() as reporter:
        found = federate_collection(collection, to, settings, how, reporter)
    if as_json:
        typer.echo(json.dumps(found))
        return
    n_scans = ", ".join(f"{name} {count}" for name, count in found["sites"].items())
    typer.echo(f"{rounds} rounds of {sites} sites ({n_scans} scans): {to}")
    typer.echo(f"SHA-256, the same at all sites: {found['sha256']}")
