"""What `latentdx predict --sr` writes: DICOM structured reports on answers about DICOM files."""

from __future__ import annotations

import importlib.util
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentdx.cli.errors import NOT_IMAGE
from latentdx.core.errors import InputError, StopError

if TYPE_CHECKING:  # importing highdicom takes more than a second
    from latentdx.diagnosis.diagnoses import Diagnosis
    from latentdx.report.sr_content import Answered, Author
    from latentdx.scans.source_header import SourceHeader

Headers = Mapping[str, "SourceHeader | InputError"]
Members = Mapping[str, tuple[str, ...]]
"""The files of a series, or the one file, by the name that its diagnosis has."""

_SHOWN = 3


@dataclass(frozen=True)
class About:
    """A diagnosis that can be reported, the files it is about, and which part of them."""

    diagnosis: Diagnosis
    files: tuple[str, ...]
    part: str = ""


def require_reports(folder: Path, paths: Iterable[str]) -> None:
    """Refuse before anything is diagnosed what could not be reported; make the folder.

    Raises `StopError`: ``E_EXTRA`` without highdicom, ``E_SR`` where no file is DICOM, ``E_IO``
    where the folder cannot be written.
    """
    if importlib.util.find_spec("highdicom") is None:
        fix = "pip install 'latentdx[sr]'"
        raise StopError("E_EXTRA", "--sr needs highdicom, which is not installed", fix=fix)
    if not any(map(is_dicom, paths)):
        fix = "give the DICOM files, or leave --sr out: --json and --csv tell the same"
        raise StopError("E_SR", "none of the files is DICOM: a report refers to its image", fix=fix)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "give another folder to --sr"
        raise StopError(
            "E_IO", f"cannot be written: {error.strerror}", fix=fix, path=folder
        ) from None


def is_dicom(path: str) -> bool:
    """By its first bytes; what cannot be read is not."""
    from latentdx.scans.sniff import HEAD_BYTES, open_regular, sniff

    try:
        with open_regular(Path(path)) as file:
            return sniff(file.read(HEAD_BYTES)) == "dicom"
    except (InputError, OSError):
        return False


def write_reports(
    folder: Path, found: Sequence[Diagnosis], members: Members, model: Any, workers: int | None
) -> str:
    """A report a file or series, or a study of each case; returns what was done, in words.

    What is not DICOM, and what could not be read, is left out and counted.
    """
    from latentdx.core.files import write_atomic
    from latentdx.report.sr import report_of

    usable = [each for each in found if each.status != "quarantined"]
    told = [_about(each, members) for each in usable]
    files = list(dict.fromkeys(file for about in told for file in about.files))
    headers = _headers([file for file in files if is_dicom(file)], workers)
    author, written = author_of(model), set()
    for answers in documents(told, headers, by_case=model.decide_by != "scan"):
        uid, data = report_of(answers, author)
        write_atomic(folder / f"{uid}.dcm", data)
        written.add(uid)
    refused = [each for each in found if each.status == "quarantined"]
    n_imageless = sum(each.reason is not None and each.reason.code == NOT_IMAGE for each in refused)
    counts = {
        "not DICOM": len(files) - len(headers),
        "not readable": len(refused) - n_imageless,
        "no images": n_imageless,
    }
    return "; ".join(
        (
            f"{folder}: {len(written)} structured reports written",
            *(f"{count} inputs left out: {what}" for what, count in counts.items() if count),
            *_refused(headers),
        )
    )


def author_of(model: Any) -> Author:
    """The model, as a report tells of it."""
    from latentdx.diagnosis.findings_model import FindingsModel
    from latentdx.report.sr_content import Author

    if isinstance(model, FindingsModel):
        names = model.findings.names
        return Author(model.bundle, model.coverage, names, model.findings.terms)
    return Author(model.bundle, model.sets.coverage, (), getattr(model, "terms", {}))


def documents(told: Iterable[About], headers: Headers, *, by_case: bool) -> list[list[Answered]]:
    """The answers of each report, on what of their files is DICOM.

    A series that has an image to which nothing can refer gets no report.
    """
    found: dict[tuple[str, ...], list[Answered]] = defaultdict(list)
    for number, about in enumerate(told):
        sources = [headers[file] for file in about.files if file in headers]
        good = [each for each in sources if not isinstance(each, InputError)]
        if by_case:
            for study, answer in _by_study(about, good):
                found[str(number), study].append(answer)
        elif good and len(good) == len(sources):
            found[about.files].append(_answered(about, good))
    return list(found.values())


def _about(diagnosis: Diagnosis, members: Members) -> About:
    if diagnosis.paths is not None:
        names = diagnosis.paths or diagnosis.left_out or ()
        files = (file for name in names for file in members[_file_of(name, members)])
        return About(diagnosis, tuple(dict.fromkeys(files)))
    file = _file_of(diagnosis.path, members)
    return About(diagnosis, members[file], diagnosis.path[len(file) + 1 :])


def _file_of(name: str, members: Members) -> str:
    """A diagnosis is named by its file and, behind a #, which frame or slice of it."""
    return name if name in members else name.rpartition("#")[0]


def _headers(files: Sequence[str], workers: int | None) -> Headers:
    from latentdx.scans.sandbox import Sandbox

    with Sandbox(workers) as sandbox:
        return dict(zip(files, sandbox.headers(files), strict=True))


def _answered(about: About, sources: list[SourceHeader]) -> Answered:
    from latentdx.report.sr_content import Answered

    kind, _, number = about.part.partition("/")
    frames = (int(number) + 1,) if kind == "frame" else ()
    return Answered(about.diagnosis, tuple(sources), frames, about.part.replace("/", " "))


def _by_study(about: About, sources: list[SourceHeader]) -> Iterable[tuple[str, Answered]]:
    from latentdx.report.sr_content import Answered

    studies: dict[str, list[SourceHeader]] = defaultdict(list)
    for source in sources:
        studies[source.study].append(source)
    n_all = len(about.files)
    for study, of_study in studies.items():
        text = f"{len(of_study)} of {n_all} images that were decided together"
        yield study, Answered(about.diagnosis, tuple(of_study), about=text if n_all > 1 else "")


def _refused(headers: Headers) -> list[str]:
    """Images to which nothing can refer: the first few, and how many there are of each kind."""
    errors = [each for each in headers.values() if isinstance(each, InputError)]
    told = [str(error) for error in errors[:_SHOWN]]
    counts = Counter(error.code for error in errors[_SHOWN:])
    return [*told, *(f"{count} more {code}" for code, count in counts.items())]
