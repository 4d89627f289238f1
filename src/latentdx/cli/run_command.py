"""``latentdx run``: the whole study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import (
    decision_options,
    fine_tune_options,
    network_options,
    options,
    private_options,
    reading_options,
    transfer_options,
)
from latentdx.cli.errors import QUARANTINED

HELP = r"""Do the whole study: read, audit, split, pretrain, fit, evaluate, report, bundle.

SOURCE is a folder of DICOM, NIfTI, PNG, JPEG or TIFF (labels from --labels CSV, else from class
folders; top folders train, val, test are honoured), an .npz in MedMNIST's layout, the name of a
public set (medmnist:NAME), or a collection.
A run stopped at any moment is continued by the same command.

Examples:

  latentdx run scans --labels labels.csv --out study

  latentdx run xrays --patient-pattern 'person\d+' --unlabelled more_xrays --out study

  latentdx run scans --labels labels.csv --folds 5 --out study
  latentdx run scans --labels labels.csv --seeds 5 --out study
  latentdx run scans --labels labels.csv --from other_encoder --epochs 5 --out study
  latentdx run scans --labels labels.csv --leave-out site --out study

  latentdx run pneumoniamnist.npz --one-scan-per-patient --labelled 50 --out study
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="run", help=HELP)(run)


def run(
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")],
    source: Annotated[
        str | None, typer.Argument(help="Folder, .npz or collection.", show_default=False)
    ] = None,
    labels: options.LabelsOption = None,
    task: options.TaskOption = None,
    order: options.OrderOption = None,
    unit: options.UnitOption = None,
    unlabelled: Annotated[
        list[str] | None, typer.Option("--unlabelled", help="More scans, for pretraining only.")
    ] = None,
    labelled: Annotated[
        int | None,
        typer.Option("--labelled", help="Use only N labelled scans of train, drawn by patient."),
    ] = None,
    size: options.SizeOption = None,
    dims: reading_options.DimsOption = None,
    slices: options.SlicesOption = None,
    frames: options.FramesOption = None,
    volume_index: options.VolumeIndexOption = None,
    window: options.WindowOption = None,
    nan: Annotated[
        str | None, typer.Option("--nan", help="NaN or infinite values: refuse (default), impute.")
    ] = None,
    spacing: options.SpacingOption = None,
    crop: options.CropFlag = False,
    preset: reading_options.PresetOption = None,
    region: reading_options.RegionOption = None,
    bias_field: reading_options.BiasFieldOption = None,
    scale: reading_options.ScaleOption = None,
    measures: reading_options.MeasuresFlag = False,
    burned_in: Annotated[
        str | None,
        typer.Option("--burned-in", help="Burned-in text: quarantine (default), mask, or keep."),
    ] = None,
    identity_map: options.IdentityMapFlag = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed (default 0).", min=0)] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="End the pretraining early to take about so long."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML of settings; options given here win.")
    ] = None,
    patient_pattern: options.PatternOption = None,
    one_scan_per_patient: options.OneScanFlag = False,
    label_map: options.LabelMapOption = None,
    positive: Annotated[
        str | None, typer.Option("--positive", help="The class that is the disease.")
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option("--overlap", help="stop (default), drop or allow: see `latentdx audit`."),
    ] = None,
    folds: decision_options.FoldsOption = None,
    seeds: decision_options.SeedsOption = None,
    leave_out: decision_options.LeaveOutOption = None,
    adapt: decision_options.AdaptOption = None,
    strict: options.StrictFlag = False,
    autoencoder: options.AutoencoderOption = None,
    objective: network_options.ObjectiveOption = None,
    domain: network_options.DomainOption = None,
    focus: network_options.FocusOption = None,
    latent_dim: options.LatentOption = None,
    modality: options.ModalityOption = None,
    views: network_options.ViewsOption = None,
    start: transfer_options.FromOption = None,
    freeze: transfer_options.FreezeOption = None,
    low_rank: transfer_options.LowRankOption = None,
    epochs: transfer_options.PassesOption = None,
    precision: options.PrecisionOption = None,
    epsilon: private_options.EpsilonOption = None,
    delta: private_options.DeltaOption = None,
    classifier: Annotated[
        str | None, typer.Option("--classifier", help=options.CLASSIFIERS)
    ] = None,
    features: options.FeaturesChoiceOption = None,
    covariates: decision_options.CovariatesOption = None,
    flip: Annotated[
        bool | None, typer.Option("--flip/--no-flip", help="Use mirror images (default: yes).")
    ] = None,
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
    prevalence: decision_options.PrevalenceOption = None,
    gate_rate: decision_options.GateRateOption = None,
    rules: decision_options.RulesOption = None,
    terms: decision_options.TermsOption = None,
    cnn_from_scratch: Annotated[
        bool,
        typer.Option(
            "--cnn-from-scratch",
            help="Also train a CNN end to end on the labels alone, one more baseline of the "
            "report. It takes minutes. Classes only.",
        ),
    ] = False,
    language: decision_options.LanguageOption = None,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    given: dict[str, Any] = {
        "source": source,
        "labels": None if labels is None else str(labels),
        "unlabelled": tuple(unlabelled) if unlabelled else None,
        "label_map": options.label_map(label_map) or None,
        **{"task": task, "order": options.grades(order), "unit": unit},
        "one_scan_per_patient": one_scan_per_patient or None,
        "strict": strict or None,
        **{"dims": dims, "slices": options.slices(slices), "frames": frames, "nan": nan},
        "volume_index": volume_index,
        **reading_options.values(preset, window, region, bias_field, scale),
        **{"spacing_mm": spacing, "crop": crop or None, "burned_in": burned_in},
        "identity_map": identity_map or None,
        **{"labelled": labelled, "size": size, "seed": seed, "minutes": minutes},
        **{"patient_pattern": patient_pattern, "positive": positive, "overlap": overlap},
        **{"autoencoder": autoencoder, "latent_dim": latent_dim, "epochs": epochs},
        **{"calibration": calibration, "prediction_sets": prediction_sets, "coverage": coverage},
        **{"risk": risk, "target": target, "prevalence": prevalence, "language": language},
        **{"semi_supervised": semi_supervised, "folds": folds, "seeds": seeds},
        **{"start": start, "freeze": freeze, "low_rank": low_rank},
        **decision_options.adaptation(adapt, leave_out),
        "cnn_from_scratch": cnn_from_scratch or None,
        **{
            "gate_rate": gate_rate,
            "rules": decision_options.rules(rules),
            "terms": decision_options.terms(terms),
            "covariates": options.names(f"{covariates or ''},measures" if measures else covariates),
            "measures": measures or None,
            "decide_by": decide_by,
            "pool": pool,
        },
        **{"fine_tune": fine_tune, "loss": loss, "focus": focus, "domain": domain},
        **{"epsilon": epsilon, "delta": delta},
        **{"class_weights": class_weights, "sampling": sampling},
        "views": options.names(views),
        **{"modality": modality, "objectives": network_options.objectives(objective) or None},
        **{"precision": precision, "classifier": classifier, "features": features, "flip": flip},
    }
    execute(
        {name: value for name, value in given.items() if value is not None}, config, out, as_json
    )


def execute(given: dict[str, Any], config: Path | None, out: Path, as_json: bool) -> None:
    """Run the study and print its result; exit code 3 where files were set aside."""
    from latentdx.cli.console import ConsoleReporter
    from latentdx.core.errors import StopError
    from latentdx.study.run import run_study
    from latentdx.study.settings import read_toml, settings_from

    values = {**(read_toml(config) if config else {}), **given}
    if "source" not in values:
        raise StopError("E_SOURCE", "no source was given", fix="latentdx run SOURCE --out DIR")
    if values.get("dims") is None:
        sources = [Path(values["source"])]
        values["dims"] = reading_options.dims_of(None, sources, values.get("slices"))
    settings = settings_from(values, config)
    with ConsoleReporter() as reporter:
        result = run_study(settings, out, reporter)
    print_result(result, as_json)
    if result.n_quarantined:
        raise typer.Exit(QUARANTINED)


def print_result(result: Any, as_json: bool) -> None:
    """The metrics as JSON, or a summary and where to look."""
    import json

    from latentdx.cli.summary import summary

    if as_json:
        found = {"out": str(result.folder), "bundle": result.bundle, "verdict": result.verdict}
        typer.echo(json.dumps({**found, **result.metrics}))
        return
    typer.echo(summary(result.metrics, result.verdict))
    typer.echo(f"Report: {result.folder / 'report.html'}")
    typer.echo(f"Predict: latentdx predict {result.folder / 'bundle'} SCAN...")
