"""`clean_folder`: DICOM files written again, de-identified, for those who need files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from latentdx.collection.folders import list_folder
from latentdx.collection.resume import Quarantined
from latentdx.core.errors import InputError, StopError
from latentdx.core.files import write_json
from latentdx.core.hashing import hash_bytes
from latentdx.scans.profile_options import METHOD
from latentdx.scans.profile_table import EDITION
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Sandbox

PROOF_NAME = "deidentification.json"


@dataclass(frozen=True)
class CleanReport:
    """What was written, and what was not: `quarantine` are files in which something is wrong."""

    path: Path
    n_written: int
    n_patients: int
    n_skipped: int
    quarantine: tuple[Quarantined, ...] = ()
    not_images: tuple[Quarantined, ...] = ()


def clean_folder(
    source: Path,
    destination: Path,
    request: Request,
    progress: Callable[[int, int], None],
    workers: int | None = None,
) -> CleanReport:
    """Write the DICOM images below `source` to `destination`, each by ``request.profile``.

    A file is named by its patient's pseudonym and a hash of its own bytes, never by anything that
    it holds; so the same call writes the same files again. ``deidentification.json`` says by which
    profile and options. Raises `StopError`: those of `list_folder`, ``E_IO``,
    ``E_NOTHING_USABLE``.

    Examples
    --------
    >>> request = Request(key=b"k" * 32)
    >>> report = clean_folder(Path("scans"), Path("clean"), request, print)  # doctest: +SKIP
    """
    listing = list_folder(source)
    paths = [entry.path for entry in listing.entries]
    aside = [Quarantined(error.path or "", error.code, error.found) for error in listing.errors]
    patients: Counter[str] = Counter()
    with Sandbox(workers) as sandbox:
        found = sandbox.clean((str(source / path) for path in paths), request)
        for number, (path, outcome) in enumerate(zip(paths, found, strict=True), start=1):
            if isinstance(outcome, InputError):
                text = f"{outcome.found}; {outcome.fix}" if outcome.fix else outcome.found
                aside.append(Quarantined(path, outcome.code, text))
            else:
                _write(destination, outcome.patient or "unknown", outcome.data)
                patients[outcome.patient or "unknown"] += 1
            progress(number, len(paths))
    if not patients:
        raise StopError(
            "E_NOTHING_USABLE",
            f"none of {len(paths)} files can be written de-identified",
            fix="see what each file needs with `latentdx doctor`",
            path=source,
        )
    told = {"profile": EDITION, "method": METHOD, "options": sorted(request.profile.active)}
    refused = dict(sorted(Counter(item.code for item in aside).items()))
    write_json(destination / PROOF_NAME, {**told, "n_files": patients.total(), "refused": refused})
    return CleanReport(
        destination,
        patients.total(),
        len(patients),
        listing.n_skipped,
        tuple(item for item in aside if item.code != "N_NOT_IMAGE"),
        tuple(item for item in aside if item.code == "N_NOT_IMAGE"),
    )


def _write(destination: Path, patient: str, data: bytes) -> None:
    folder = destination / patient
    path = folder / f"{hash_bytes(data)[:16]}.dcm"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        fix = "free space or choose another place; the same call goes on"
        raise StopError(
            "E_IO", f"cannot be written: {error.strerror}", fix=fix, path=path
        ) from None
