"""Options of `run` and `fit`: what is read, and how scores become decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

CalibrationOption = Annotated[
    str | None,
    typer.Option(
        "--calibration",
        help="How scores become probabilities: sigmoid (default), temperature, beta, isotonic, or "
        "auto (by cross-validation within the part for it).",
    ),
]
DecideByOption = Annotated[
    str | None,
    typer.Option(
        "--decide-by",
        help="What is decided: each scan (default), or all scans of a study or patient together.",
    ),
]
PoolOption = Annotated[
    str | None,
    typer.Option(
        "--pool",
        help="With --decide-by: how the scores of a study's scans are joined: mean (default), or "
        "attention (a small network learns which scans count).",
    ),
]
SetsOption = Annotated[
    str | None,
    typer.Option(
        "--prediction-sets",
        help="Where their coverage is to hold: over all scans (marginal, default), within each "
        "class (class-conditional), within each group (mondrian:COLUMN, such as mondrian:site).",
    ),
]
CoverageOption = Annotated[
    float | None,
    typer.Option(
        "--coverage", help="Share of prediction sets that are to hold the label. Default: 0.9."
    ),
]
RiskOption = Annotated[
    float | None,
    typer.Option(
        "--risk",
        help="Abstain so that, with 90 % confidence, at most this share of answers is wrong.",
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="What the threshold is for: balanced (default), 'sensitivity>=0.95', "
        "'specificity>=0.9', or 'cost:FN/FP=5' (a miss costs 5 false alarms). Two classes only.",
    ),
]
PrevalenceOption = Annotated[
    float | None,
    typer.Option(
        "--prevalence",
        help="Share of the positive class, such as 0.02, for which predictive values are told "
        "beside those of the test part. Two classes only. Default: that of the test part.",
    ),
]
FoldsOption = Annotated[
    int | None,
    typer.Option(
        "--folds",
        help="Test every labelled scan once, too: the whole study (autoencoder, features, "
        "classifier, threshold, probabilities) is made anew for each of so many folds of patients. "
        "Takes about one run more for each. Classes and grades; the bundle is that of one split.",
        min=2,
        max=20,
    ),
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        "--seeds",
        help="Train everything with so many seeds in all, on the same parts, and show how far the "
        "scores move by chance in training. Takes about one run more for each. Classes and grades; "
        "the bundle is that of the first.",
        min=1,
        max=20,
    ),
]
LeaveOutOption = Annotated[
    str | None,
    typer.Option(
        "--leave-out",
        help="Test each value of this column, such as site, by a model made anew without any scan "
        "of it: what to expect at a place that the model has never seen. Any column of the table. "
        "Takes about one run more for each. Classes and grades.",
    ),
]
ADAPTED_BY = (
    *("standardise", "combat", "coral", "transport", "subspace"),
    *("histogram", "batch-norm"),
)
AdaptOption = Annotated[
    str | None,
    typer.Option(
        "--adapt",
        help="With --leave-out: also adapt the model to the scans of the place left out, without "
        f"their labels, and tell whether it helped: {', '.join(ADAPTED_BY)}; or auto (which of "
        "the first five helps between the other places, if any). METHOD:COLUMN leaves COLUMN out.",
    ),
]
AdaptToOption = Annotated[
    str | None,
    typer.Option(
        "--adapt",
        help="Also adapt the model to these scans, without their labels, and tell whether it "
        f"helped: {', '.join(ADAPTED_BY)}. What is decided stays the bundle's own.",
    ),
]
SeenOverlapOption = Annotated[
    str,
    typer.Option(
        "--overlap",
        help="Where labels of some scans, or of their patients, served to make the bundle: stop; "
        "drop those scans; or allow (every score is marked INVALID).",
    ),
]
LabelShiftFlag = Annotated[
    bool,
    typer.Option(
        "--label-shift",
        help="Also estimate without labels how common each class is among these scans and, where "
        "nothing shows that more than that has changed, correct the probabilities for it. Classes "
        "and grades. What is decided stays the bundle's own.",
    ),
]


def adaptation(text: str | None, leave_out: str | None) -> dict[str, str | None]:
    """``METHOD[:COLUMN]`` and the column left out as settings; the column is ``site`` by default.

    Raises `StopError` ``E_OPTION``.
    """
    from latentdx.cli.options import choice

    if text is None:
        return {"leave_out": leave_out}
    method, _, column = text.partition(":")
    choice("--adapt", method, ("none", "auto", *ADAPTED_BY))
    return {"adapt": method, "leave_out": leave_out or column or "site"}


LanguageOption = Annotated[
    str | None,
    typer.Option("--language", help="Of the report: en (default) or zh. Files of data stay as is."),
]
CovariatesOption = Annotated[
    str | None,
    typer.Option(
        "--covariates",
        help="Columns that the classifier reads beside the picture, such as age,sex,view: of the "
        "table, or of DICOM headers.",
    ),
]
RulesOption = Annotated[
    Path | None,
    typer.Option(
        "--rules",
        help="TOML of rules by which scans get no label, whatever the model says: under one year, "
        "of another view, of another site. They stay in the bundle.",
    ),
]
TermsOption = Annotated[
    Path | None,
    typer.Option(
        "--terms",
        help="TOML of labels: what each is a kind of (a scan with the one has the other, with "
        "several findings a scan), and codes of ICD-10, SNOMED CT and RadLex for the card.",
    ),
]
GateRateOption = Annotated[
    float | None,
    typer.Option(
        "--gate-rate",
        help="Share of ordinary scans that may be refused as foreign, for the refusal of foreign "
        "ones. Default: 0.02, up to 0.05 where few scans are there to calibrate it.",
    ),
]


def rules(path: Path | None) -> list[dict[str, Any]] | None:
    """The rules of a file; None where there is none. Raises `StopError` ``E_RULES``."""
    if path is None:
        return None
    from latentdx.diagnosis.rules_file import read_rules

    return read_rules(path)


def terms(path: Path | None) -> dict[str, dict[str, Any]] | None:
    """The terms of a file; None where there is none. Raises `StopError` ``E_TERMS``."""
    if path is None:
        return None
    from latentdx.collection.terms import read_terms

    return read_terms(path)
