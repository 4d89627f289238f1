"""``latentdx evaluate``: external validation of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import decision_options, options

HELP = """Evaluate a bundle on the labelled scans of a collection.

Of the collection that it was made from only the test part is used; of any other, all scans. What
of these the bundle has seen is told: without labels by the encoder, or with them.
The scans are compared with those that the bundle was made from (drift). Without labels that is all
that is told, with the accuracy to be expected where the drift is small.

Example:

  latentdx evaluate study/bundle other_hospital --out validation

  latentdx evaluate study/bundle other_hospital --prevalence 0.02 --out validation

  latentdx evaluate study/bundle other_hospital --adapt standardise --out validation

  latentdx evaluate study/bundle other_hospital --label-shift --out validation

  latentdx evaluate study/bundle grown_collection --overlap drop --out validation

  latentdx evaluate study/bundle other_hospital --language zh --out validation
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="evaluate", help=HELP)(evaluate)


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    collection: Annotated[Path, typer.Argument(help="Folder of the collection.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    prevalence: decision_options.PrevalenceOption = None,
    adapt: decision_options.AdaptToOption = None,
    label_shift: decision_options.LabelShiftFlag = False,
    overlap: decision_options.SeenOverlapOption = "stop",
    language: decision_options.LanguageOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.cli.console import ConsoleReporter
    from latentdx.cli.summary import summary
    from latentdx.core.errors import StopError
    from latentdx.report.language import language_of
    from latentdx.study.external import evaluate_bundle
    from latentdx.study.external_wanted import Wanted

    if prevalence is not None and not 0 < prevalence < 1:
        raise StopError(
            "E_OPTION", f"--prevalence {prevalence:g}", fix="give a share, such as 0.02"
        )
    method: Any = options.choice("--adapt", adapt, decision_options.ADAPTED_BY) or "none"
    kept: Any = options.choice("--overlap", overlap, ("stop", "drop", "allow"))
    wanted = Wanted(prevalence, language_of(language), method, label_shift, kept)
    with ConsoleReporter() as reporter:
        metrics, sentence = evaluate_bundle(bundle, collection, out, reporter, wanted=wanted)
    typer.echo(json.dumps(metrics) if as_json else summary(metrics, sentence))
