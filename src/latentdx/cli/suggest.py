"""``latentdx suggest``: which scans to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options

HELP = """Rank the unlabelled scans: those that would teach the most with a label come first.

Labels of tune, calibrate and test are not looked at, and no scan of theirs is suggested. Beside
--out lie a page with pictures (.html) and a table to fill in (-to-label.csv), which `latentdx
ingest --labels` takes. Without any label the most typical scans are suggested.

Examples:

  latentdx suggest collection --encoder encoder --n 20 --out next.csv

  latentdx suggest collection --encoder encoder --labels labels.csv --out next.csv

  latentdx suggest collection --encoder encoder --strategy random --n 60 --out first.csv
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="suggest", help=HELP)(suggest)


def suggest(
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    encoder: Annotated[Path, typer.Option("--encoder", help="Folder of the encoder.")],
    n: Annotated[int, typer.Option("--n", help="How many.", min=1, max=10_000)] = 20,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            help="auto (default: typical while labels are very few, then diversity), typical, "
            "coverage, uncertainty, diversity or random.",
        ),
    ] = "auto",
    out: Annotated[Path, typer.Option("--out", help="The suggestions, a .csv; replaced.")] = Path(
        "suggestions.csv"
    ),
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Your table so far: its columns stay in -to-label.csv."),
    ] = None,
    batch_by_patient: Annotated[
        bool,
        typer.Option(
            "--batch-by-patient/--any-scan",
            help="At most one scan a patient, new patients first (default); or any scan.",
        ),
    ] = True,
    features: options.FeaturesOption = "fine-grid",
    overlap: options.OverlapOption = "stop",
    seed: options.SeedOption = 0,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.console import ConsoleReporter
    from latentdx.diagnosis.suggest import STRATEGIES
    from latentdx.study.suggest import SuggestSettings, suggest_scans

    _check(out, labels)
    settings = SuggestSettings(
        n=n,
        strategy=options.choice("--strategy", strategy, STRATEGIES),
        by_patient=batch_by_patient,
        seed=seed,
        overlap=options.choice("--overlap", overlap, ("stop", "drop", "allow")),
        features=options.choice("--features", features, options.FEATURE_KINDS),
    )
    with ConsoleReporter() as reporter:
        found = suggest_scans(collection, encoder, out, settings, reporter, labels=labels)
    typer.echo(json.dumps(found) if as_json else _summary(found))


def _check(out: Path, labels: Path | None) -> None:
    """Refuse a destination that is none. Raises `StopError`."""
    from latentdx.core.errors import StopError

    if out.suffix.lower() != ".csv":
        raise StopError("E_OPTION", f"--out {out} is no .csv", fix="give a name that ends in .csv")
    if out.is_dir() or not out.parent.is_dir():
        found = "is a folder" if out.is_dir() else "lies in a folder that does not exist"
        raise StopError("E_DESTINATION", found, fix="choose another --out", path=out)
    if labels is not None and labels.absolute() == out.absolute():
        raise StopError("E_DESTINATION", "is the table of labels", fix="choose another", path=out)


def _summary(found: dict[str, Any]) -> str:
    """The suggestions as lines, and where to look."""
    from latentdx.cli.choices import aligned

    rows = [
        (f"{item['rank']}  {item['path']}", item["guess"] or "", item["why"])
        for item in found["suggestions"]
    ]
    head = f"{len(rows)} scans to label, by {found['strategy']}; {found['n_labelled']} are labelled"
    table = aligned(("scan", "guess", "why"), rows)
    told = [f"Look: {found['page']}", f"Fill in: {found['table']}"]
    return "\n".join([head, *table, *told])
