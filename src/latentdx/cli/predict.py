"""``latentdx predict``: a diagnosis for each scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from latentdx.cli import options
from latentdx.cli.errors import NOT_IMAGE, QUARANTINED, UNUSABLE

HELP = """Diagnose scans: files or folders of DICOM, PNG, JPEG, TIFF, NIfTI, NRRD, MetaImage.

A bundle that was made from volumes reads volumes; DICOM files of one series are put together. One
that decides by study or patient gives one diagnosis for all scans of each.

Examples:

  latentdx predict study/bundle scan.dcm

  latentdx predict study/bundle folder --json > diagnoses.jsonl

  latentdx predict study/bundle folder --table patients.csv

  latentdx predict study/bundle folder --sr reports

Reports of --sr carry the patient's name and ID as they stand in the images, by DICOM's rules: they
go back to the archive that the images came from, and are as confidential as these.
"""

_BATCH = 64


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="predict", help=HELP)(predict)


def predict(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    scans: Annotated[list[Path], typer.Argument(help="Files, or folders of files.")],
    as_json: options.JsonFlag = False,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write a CSV.")] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            help="CSV with the column path (or file) and the covariates that the model reads; what "
            "it does not say, a DICOM file says itself. The column mask has masks of your own.",
        ),
    ] = None,
    sr: Annotated[
        Path | None,
        typer.Option(
            "--sr",
            metavar="DIR",
            help="Also write a DICOM structured report (TID 1500) on each DICOM file or series "
            "into this folder. The reports name the patient.",
        ),
    ] = None,
    abstain: Annotated[
        bool,
        typer.Option("--abstain", help="Give no label where the model is not sure."),
    ] = False,
    workers: options.WorkersOption = None,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.bundle.load import load_bundle
    from latentdx.cli.predict_reports import require_reports, write_reports
    from latentdx.cli.predict_table import write_table, write_values
    from latentdx.cli.predict_words import in_words
    from latentdx.diagnosis.findings_model import FindingsModel
    from latentdx.diagnosis.regression_model import RegressionModel

    model = load_bundle(bundle)
    several = isinstance(model, FindingsModel)
    coverage = model.coverage if isinstance(model, FindingsModel) else model.sets.coverage
    paths = files_of(scans)
    beside = None if table is None else _beside(table, scans)
    if beside is not None:
        paths = beside.without_masks(paths)
    if sr is not None:
        require_reports(sr, paths)
    found = []
    answers = Answers(model, abstain=abstain)
    for diagnosis in diagnoses(answers, paths, workers=workers, beside=beside):
        found.append(diagnosis)
        typer.echo(
            json.dumps(diagnosis.as_json())
            if as_json
            else in_words(diagnosis, coverage, several=several)
        )
    tell_more(model, found, as_json=as_json)
    if csv is not None:
        if isinstance(model, RegressionModel):
            write_values(csv, found, model)
        else:
            write_table(csv, found, model)
    if sr is not None:
        typer.echo(write_reports(sr, found, answers.members, model, workers), err=True)
    _end(found)


def _end(found: list[Any]) -> None:
    """The exit code: objects that are no images are left out, and no fault.

    Raises `typer.Exit` where nothing could be used, or some files were refused.
    """
    refused = [item.reason.code for item in found if item.status == "quarantined"]
    n_imageless = refused.count(NOT_IMAGE)
    if n_imageless:
        typer.echo(f"{n_imageless} hold no image (reports, plans, directories): left out", err=True)
    if len(refused) == len(found):
        raise typer.Exit(UNUSABLE)
    if len(refused) > n_imageless:
        raise typer.Exit(QUARANTINED)


def tell_more(model: Any, found: list[Any], *, as_json: bool) -> None:
    """What concerns all scans, on stderr."""
    from latentdx.cli.predict_words import decided_from

    if not as_json and (threshold := decided_from(model)) is not None:
        typer.echo(threshold, err=True)
    if n_whole := sum(item.warnings is not None for item in found):
        typer.echo(f"{n_whole} read whole: the model knows scans cropped to masks", err=True)


def _beside(table: Path, scans: list[Path]) -> Any:
    """The table, with what of it leads nowhere told on stderr."""
    from latentdx.collection.beside import read_beside

    found = read_beside(table, scans)
    if found.n_astray:
        typer.echo(f"{table}: {found.n_astray} rows name no file", err=True)
    return found


def files_of(scans: list[Path]) -> list[str]:
    """The files named, and those in the folders named. Raises `StopError` ``E_SOURCE``.

    A folder within that cannot be read is named as if it were a file, so that it is quarantined;
    what is no scan by its name is counted on stderr.
    """
    from latentdx.collection.folders import list_folder

    found: list[str] = []
    for path in scans:
        if path.is_dir():
            listing = list_folder(path, any_name=True)
            found += [str(path / entry.path) for entry in listing.entries]
            found += [str(error.path) for error in listing.errors]
            if listing.n_skipped:
                typer.echo(f"{path}: {listing.n_skipped} other files skipped", err=True)
        else:
            found.append(str(path))
    return found


class Answers:
    """What a model says of scans as they come; of studies and patients, once all have come.

    `members` are the files that were read together, by the name that answers have.
    """

    def __init__(self, model: Any, *, abstain: bool) -> None:
        self.model, self.abstain = model, abstain
        self.seen: list[Any] = []
        self.members: dict[str, tuple[str, ...]] = {}

    def of(self, good: list[tuple[str, Any]]) -> list[Any]:
        """Diagnoses of decoded scans; none yet where cases are decided."""
        paths, scans = [path for path, _ in good], [scan for _, scan in good]
        if not good:
            return []
        if self.model.decide_by == "scan":
            found: list[Any] = self.model.diagnose(paths, scans, abstain=self.abstain)
            return found
        from latentdx.diagnosis.case_diagnoses import glances

        self.seen += glances(self.model, paths, scans)
        return []

    def rest(self) -> list[Any]:
        """Those of the cases."""
        from latentdx.diagnosis.case_diagnoses import decide_cases

        return decide_cases(self.model, self.seen, abstain=self.abstain) if self.seen else []


def diagnoses(
    answers: Answers, paths: list[str], *, workers: int | None, beside: Any = None
) -> Any:
    """Decode in killable workers and diagnose in batches, in the order of the paths.

    `beside` is a `TableBeside` or None. Cases come after all files have been read.
    """
    from latentdx.core.errors import InputError
    from latentdx.scans.deidentify import user_key
    from latentdx.scans.sandbox import Sandbox

    held: list[Any] = []
    model = answers.model

    def flush() -> Any:
        good = [(path, item) for path, item in held if not isinstance(item, InputError)]
        made = iter(answers.of(good))
        for path, item in held:
            if isinstance(item, InputError):
                yield model.quarantined(path, item)
            elif model.decide_by == "scan":
                yield next(made)
        held.clear()

    request = model.request(user_key())
    with Sandbox(workers) as sandbox:
        groups = _groups(paths, request, sandbox)
        answers.members = {group[0]: group for group in groups}
        read = sandbox.read(groups, request, _masks(groups, request, beside))
        for group, outcome in zip(groups, read, strict=True):
            items = (outcome,) if isinstance(outcome, InputError) else outcome
            if beside is not None:
                items = tuple(_told(beside, group, item, request.key) for item in items)
            held += [(_path_of(group[0], item), item) for item in items]
            if len(held) >= _BATCH:
                yield from flush()
    yield from flush()
    yield from answers.rest()


def _masks(groups: list[tuple[str, ...]], request: Any, beside: Any) -> dict[str, str]:
    """Files of masks by the first file of each scan, where scans are cropped to masks."""
    if beside is None or request.policy.region != "mask":
        return {}
    found = {group[0]: beside.mask_of(group) for group in groups}
    return {path: mask for path, mask in found.items() if mask}


def _told(beside: Any, group: tuple[str, ...], item: Any, key: bytes) -> Any:
    """A scan with what the table says of it; why one cannot be read stays as it is."""
    from latentdx.scans.scan import Scan

    return beside.told(group, item, key) if isinstance(item, Scan) else item


def _groups(paths: list[str], request: Any, sandbox: Any) -> list[tuple[str, ...]]:
    """The paths one by one; where volumes are read, the DICOM files of a series together.

    A series is named by the first of its files, and answered for in its place.
    """
    from latentdx.collection.listing import Entry, SourceListing
    from latentdx.collection.series import group_series
    from latentdx.collection.sources import Reading

    if not request.policy.takes_volumes:
        return [(path,) for path in paths]
    listing = SourceListing(Path(), "folder", tuple(Entry(path) for path in paths))
    entries = group_series(listing, Reading(request, sandbox)).entries
    places = {path: place for place, path in enumerate(paths)}
    groups = [entry.members or (entry.path,) for entry in entries]
    return sorted(groups, key=lambda group: places[group[0]])


def _path_of(path: str, item: Any) -> str:
    """The file, and which frame or slice of it."""
    frame = getattr(item, "frame", "")
    if not frame:
        return getattr(item, "path", None) or path
    return f"{path}#{frame}" if frame else path
