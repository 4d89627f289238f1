"""Ingests as tests call them: decoded in this process, and DICOM files of a named patient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pydicom
from pydicom.data import get_testdata_file

from latentdx.collection.plan import IngestSettings
from latentdx.core.errors import InputError
from latentdx.scans.open import open_scans
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Found, Sandbox

Settings = Callable[..., IngestSettings]
Png = Callable[..., Path]

ONE_EACH = {"one_scan_per_patient": True}
UPDATE = {"may_update": True, "for_training": False}


def read_here(
    sandbox: Sandbox, groups: Iterable[Sequence[str]], request: Request, masks: Any = None
) -> Iterator[Found]:
    """`Sandbox.read` without its processes, each of which takes most of a second to start."""
    for paths in groups:
        try:
            scans = open_scans(paths, key=request.key, policy=request.policy)
            yield tuple(request.deliver(scan) for scan in scans)
        except InputError as error:
            yield error


def dicom(path: Path, patient: str) -> Path:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
    dataset.PatientID = patient
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)
    return path
