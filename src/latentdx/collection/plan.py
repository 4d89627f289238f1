"""What an ingest would do: every scan with all that is declared of it, checked, nothing decoded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from latentdx.collection.finding_labels import check_findings
from latentdx.collection.join import label_of, read_manifests, row_errors, row_of, with_rows
from latentdx.collection.labels import check_labels, check_spelling
from latentdx.collection.listing import Entry, SourceListing
from latentdx.collection.manifest import Manifest
from latentdx.collection.masks import mask_notes, require_masks, with_masks, without_masks
from latentdx.collection.patients import (
    PatientRule,
    compile_pattern,
    may_tell_patient,
    patient_error,
)
from latentdx.collection.series import group_series
from latentdx.collection.sources import Reading, list_source, source_kind
from latentdx.collection.tasks import TaskChoice, resolve_task
from latentdx.collection.values import check_values
from latentdx.core.errors import InputError
from latentdx.core.hashing import hash_json
from latentdx.scans.deidentify import pseudonym, user_key
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Sandbox


@dataclass(frozen=True)
class IngestSettings:
    """What the user says of the sources.

    Attributes
    ----------
    labels: the CSV (see `read_manifest`), or None for class folders.
    label_map: names to be read as others.
    task: what the labels are, or ``auto`` (see `resolve_task`).
    patient_pattern, one_scan_per_patient: see `PatientRule`.
    unlabelled: more sources, for pretraining only; their labels and parts are not looked at.
    size: side in pixels, or None for the data's own (see `choose_shape`).
    channels: 1 or 3, or None for the data's own.
    policy: how files are read: images or volumes, frames, windows (see `Policy`).
    masks: the masks that the table names are kept with their scans, though no scan is cropped to
        its own; where it is, they are kept in any case.
    may_update: a finished collection takes new labels and re-reads files that have changed; without
        it such a collection is left alone (``E_DESTINATION``).
    for_training: stop where labels are too few for a classifier; misspellings stop always.
    strict: stop at the first scan that cannot be used.
    workers, limits: see `Sandbox`.
    key: secret of the pseudonyms, or None for the user's own.
    """

    labels: Path | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    task: TaskChoice = "auto"
    patient_pattern: str | None = None
    one_scan_per_patient: bool = False
    unlabelled: tuple[Path, ...] = ()
    size: int | None = None
    channels: Literal[1, 3] | None = None
    policy: Policy = field(default_factory=lambda: Policy(burned_in="quarantine", gate=True))
    masks: bool = False
    may_update: bool = False
    for_training: bool = True
    strict: bool = False
    workers: int | None = None
    limits: Limits | None = None
    key: bytes | None = field(default=None, repr=False)

    @property
    def takes_masks(self) -> bool:
        """Whether masks are read at all."""
        return self.masks or self.policy.region == "mask"

    def secret(self) -> bytes:
        """The key to use."""
        return user_key() if self.key is None else self.key


_NOTHING: Mapping[str, str] = {}  # one for all: a plan may be of a million files


@dataclass(frozen=True, slots=True)
class Planned:
    """One entry to be read. `patient` is a pseudonym, or None where only the file may tell.

    `mask` is the file of its mask, where masks are read.
    """

    source: int
    path: str
    label: str | None
    patient: str | None
    given_part: str | None
    pretrain_only: bool
    study: str | None = None
    site: str | None = None
    covariates: Mapping[str, str] = field(default_factory=dict)
    stamp: str = ""
    members: tuple[str, ...] = ()
    mask: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All files of it."""
        return self.members or (self.path,)

    @property
    def declared(self) -> str:
        """All that is said of it outside its files, as JSON; what is not said is left out."""
        told = {
            **{"label": self.label, "patient": self.patient, "given_part": self.given_part},
            **{"study": self.study, "site": self.site, "covariates": dict(self.covariates)},
            "pretrain_only": self.pretrain_only,
        }
        return json.dumps({name: value for name, value in told.items() if value}, sort_keys=True)


@dataclass(frozen=True)
class Plan:
    """All scans of all sources, source after source; rows that lead nowhere; what to tell."""

    listings: tuple[SourceListing, ...]
    scans: tuple[Planned, ...]
    errors: tuple[InputError, ...]
    notes: tuple[str, ...]

    @property
    def n_skipped(self) -> int:
        """Files that are no scans by their name or kind."""
        return sum(listing.n_skipped for listing in self.listings)


def make_plan(sources: Sequence[Path], settings: IngestSettings, sandbox: Sandbox) -> Plan:
    """List the sources, join the table, check labels and patients; `sandbox` tells series apart.

    Raises `StopError`: those of `list_source`, `read_manifest`, `resolve_task`, `check_labels`,
    `check_findings`;
    ``E_PATTERN``; ``E_MASK`` where masks are to be read and no scan has one;
    ``E_PATIENT`` where labelled scans have no patient and no file to tell it.
    """
    rule = PatientRule(
        settings.secret(), compile_pattern(settings.patient_pattern), settings.one_scan_per_patient
    )
    labelled = [_listing(source, settings, sandbox) for source in sources]
    manifests = read_manifests(labelled, settings.labels)
    labelled = without_masks(labelled, manifests)
    listings = [
        *(
            with_rows(listing, manifest)
            for listing, manifest in zip(labelled, manifests, strict=True)
        ),
        *(_listing(source, settings, sandbox) for source in settings.unlabelled),
    ]
    scans: list[Planned] = []
    for number, listing in enumerate(listings):
        manifest = manifests[number] if number < len(manifests) else None
        is_labelled = number < len(labelled)
        made = _planned(number, listing, rule, manifest=manifest, is_labelled=is_labelled)
        scans += with_masks(made, manifest, settings)
    scans = _with_labels(scans, settings)
    _check_patients(scans, listings, settings)
    require_masks(scans, listings, settings)
    return Plan(
        tuple(replace(listing, entries=()) for listing in listings),
        tuple(scans),
        (*row_errors(manifests), *(error for listing in listings for error in listing.errors)),
        (
            *dict.fromkeys(_notes(listings, manifests, settings)),
            *mask_notes(scans, settings),
        ),
    )


def _listing(source: Path, settings: IngestSettings, sandbox: Sandbox) -> SourceListing:
    if source_kind(source) == "folder":
        sandbox.warm()  # they get ready while the folder is listed
    listing = list_source(Path(source), settings.policy.dims)
    if listing.kind != "folder" or not settings.policy.takes_volumes:
        return listing
    request = Request(key=settings.secret(), policy=settings.policy)
    return group_series(listing, Reading(request, sandbox))


def _planned(
    number: int,
    listing: SourceListing,
    rule: PatientRule,
    *,
    manifest: Manifest | None,
    is_labelled: bool,
) -> Iterator[Planned]:
    for entry in listing.entries:
        row = row_of(entry, manifest)
        label = label_of(entry, row, manifest)
        part = row.part if row and manifest and manifest.has_parts else entry.part
        declared = row.patient if row else None
        yield Planned(
            number,
            entry.path,
            label=label if is_labelled else None,
            patient=rule.patient(entry.path, source=number, declared=declared),
            given_part=part if is_labelled else None,
            pretrain_only=not is_labelled,
            study=pseudonym(row.study, rule.key, "study") if row else None,
            site=row.site if row else None,
            covariates=row.covariates if row else _NOTHING,
            stamp=_stamp(entry, listing),
            members=entry.members,
        )


def _with_labels(scans: list[Planned], settings: IngestSettings) -> list[Planned]:
    labels = [scan.label for scan in scans]
    task = resolve_task(labels, settings.task)
    if task == "multi-label":
        mapped = check_findings(
            labels, label_map=settings.label_map, for_training=settings.for_training
        )
    elif task == "regression":
        mapped = check_values(
            labels, label_map=settings.label_map, patients=_known_patients(scans, settings)
        )
    elif not settings.for_training:
        mapped = check_spelling(labels, label_map=settings.label_map)
    else:
        mapped = check_labels(
            labels, label_map=settings.label_map, patients=_known_patients(scans, settings)
        )
    return [
        scan if scan.label == label else replace(scan, label=label)
        for scan, label in zip(scans, mapped, strict=True)
    ]


def _known_patients(scans: Sequence[Planned], settings: IngestSettings) -> list[str | None] | None:
    """The patients, where there must be enough, and all are known before a file is read."""
    is_known = all(scan.patient for scan in scans if scan.label is not None)
    return [scan.patient for scan in scans] if is_known and settings.for_training else None


def _check_patients(
    scans: Sequence[Planned], listings: Sequence[SourceListing], settings: IngestSettings
) -> None:
    labelled = [scan for scan in scans if scan.label is not None]
    missing = [
        scan.path
        for scan in labelled
        if scan.patient is None and not may_tell_patient(listings[scan.source], scan.path)
    ]
    if missing:
        raise patient_error(
            missing, listings, n_labelled=len(labelled), pattern=settings.patient_pattern
        )


def _stamp(entry: Entry, listing: SourceListing) -> str:
    """Its files' sizes and times: ``<bytes>-<more>``; ``""`` where they cannot be asked."""
    paths = entry.members or (entry.path,)
    place = {"npz": ("",), "collection": ("_versions",)}.get(listing.kind, paths)
    try:
        found = [(listing.root / name if name else listing.root).stat() for name in place]
    except OSError:
        return ""
    size = sum(status.st_size for status in found)
    times = [status.st_mtime_ns for status in found]
    told = times[0] if len(times) == 1 else hash_json([*paths, *times])[:16]
    return f"{size}-{told}"


def _notes(
    listings: Sequence[SourceListing],
    manifests: Sequence[Manifest | None],
    settings: IngestSettings,
) -> Iterator[str]:
    for listing in listings:
        yield from listing.notes
    for listing, manifest in zip(listings, manifests, strict=False):
        if manifest is None:
            continue
        yield from manifest.notes
        n_absent = sum(row_of(entry, manifest) is None for entry in listing.entries)
        if n_absent and settings.labels:
            yield f"{n_absent} scans are not in {settings.labels.name}"
    if settings.one_scan_per_patient:
        yield "declared: every scan without a known patient is a patient of its own"
    if settings.label_map:
        pairs = ", ".join(f"{name!r} as {other!r}" for name, other in settings.label_map.items())
        yield f"labels read: {pairs}"
