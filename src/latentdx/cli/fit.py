"""``latentdx fit``: a diagnosis model from a collection and an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import decision_options, fine_tune_options, options

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
    task: options.TaskOption = None,
    order: options.OrderOption = None,
    unit: options.UnitOption = None,
    classifier: options.ClassifierOption = "svm",
    features: options.FeaturesChoiceOption = None,
    covariates: decision_options.CovariatesOption = None,
    flip: options.FlipOption = True,
    semi_supervised: options.SemiSupervisedOption = None,
    fine_tune: fine_tune_options.FineTuneOption = None,
    loss: fine_tune_options.LossOption = None,
    class_weights: fine_tune_options.ClassWeightsOption = None,
    sampling: fine_tune_options.SamplingOption = None,
    decide_by: decision_options.DecideByOption = None,
    pool: decision_options.PoolOption = None,
    calibration: decision_options.CalibrationOption = None,
    prediction_sets: decision_options.SetsOption = None,
    coverage: decision_options.CoverageOption = None,
    risk: decision_options.RiskOption = None,
    target: decision_options.TargetOption = None,
    gate_rate: decision_options.GateRateOption = None,
    rules: decision_options.RulesOption = None,
    terms: decision_options.TermsOption = None,
    seed: options.SeedOption = 0,
) -> None:
    """See `HELP`."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.study.separate import fit_collection
    from latentdx.study.settings import settings_from

    given: dict[str, Any] = {
        **{"classifier": classifier, "features": features, "flip": flip, "seed": seed},
        **{"calibration": calibration, "prediction_sets": prediction_sets, "coverage": coverage},
        **{"risk": risk, "target": target, "semi_supervised": semi_supervised},
        **{"covariates": options.names(covariates), "decide_by": decide_by, "pool": pool},
        "covariates": options.names(covariates),
        **{"fine_tune": fine_tune, "loss": loss},
        **{"class_weights": class_weights, "sampling": sampling},
        "rules": decision_options.rules(rules),
        "terms": decision_options.terms(terms),
        **{"gate_rate": gate_rate, "task": task, "order": options.grades(order), "unit": unit},
    }
    values = {name: value for name, value in given.items() if value is not None}
    settings = settings_from({"source": str(collection), **values})
    with ConsoleReporter() as reporter:
        digest = fit_collection(collection, encoder, to, settings, reporter)
    typer.echo(f"bundle {digest[:16]}: {to}")
