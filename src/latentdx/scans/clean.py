"""`CleanFile`: a DICOM file as it may leave the house."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from latentdx.core.errors import InputError
from latentdx.scans.dicom_frames import read_frames
from latentdx.scans.intensity import PERCENTILES
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scans, read_bytes, refusals
from latentdx.scans.policy import Policy
from latentdx.scans.profile_file import deidentify_file
from latentdx.scans.request import Request
from latentdx.scans.sniff import HEAD_BYTES, sniff


@dataclass(frozen=True)
class CleanFile:
    """The bytes of a de-identified file, and the pseudonym of its patient (``""`` for none)."""

    data: bytes
    patient: str = ""


def clean_file(path: str | Path, request: Request, limits: Limits) -> CleanFile:
    """De-identify one DICOM image by ``request.profile``; what is no image is not written.

    Its pixels are decoded and searched for text, frame by frame, in more than one window, since the
    file keeps all of its values: where text is found the file is refused, unless
    ``request.policy.burned_in`` is ``keep``. Raises what `open_scan` and `deidentify_file` raise,
    ``E_FORMAT`` for other files than DICOM, and ``E_BURNED_IN``.
    """
    with refusals(path):
        data = read_bytes(Path(path), limits)
        if sniff(data[:HEAD_BYTES]) != "dicom":
            fix = "only DICOM files are written; ingest reads the others"
            raise InputError("E_FORMAT", "not a DICOM file", fix=fix)
        policy = replace(request.policy, dims=2, every=None, frames="each", gate=False)
        windows = _windows(data, limits, request.key, policy)
    patient = ""
    for window in windows:
        patient = _searched(path, replace(policy, window=window), request, limits)
    with refusals(path):
        clean = deidentify_file(data, request.profile, request.key, limits=limits)
        return CleanFile(clean, patient)


def _windows(
    data: bytes, limits: Limits, key: bytes, policy: Policy
) -> list[tuple[float, float] | None]:
    """The file's own display; of grey images also all of their values, and nearly all."""
    try:
        values = read_frames(data, limits, key=key, policy=policy).values
    except InputError as error:
        if error.code != "E_NDIM":
            raise
        return [None]
    ends = np.percentile(values, [0, 100, *PERCENTILES])
    pairs = ((ends[0], ends[1]), (ends[2], ends[3]))
    full = ((float(low + high) / 2, float(high - low)) for low, high in pairs if high > low)
    return [None, *full]


def _searched(path: str | Path, policy: Policy, request: Request, limits: Limits) -> str:
    """The patient's pseudonym; `InputError` where a frame, so displayed, holds text."""
    looked = replace(request, size=None, channels=None, policy=policy)
    patient = ""
    for scan in open_scans([path], key=request.key, limits=limits, policy=policy):
        found = looked.deliver(scan)
        if isinstance(found, InputError):
            raise InputError(found.code, found.found, fix=found.fix, path=path)
        patient = scan.patient or ""
    return patient
