"""What a DICOM header gives a scan besides its pixels."""

from __future__ import annotations

from typing import Any

from latentdx.scans import dicom_tags
from latentdx.scans.burned_in import risk_of
from latentdx.scans.dicom_told import Told
from latentdx.scans.identity_map import seal_identity
from latentdx.scans.policy import Policy


def scan_fields(ds: Told, key: bytes, policy: Policy) -> dict[str, Any]:
    """Fields of `Scan` by name: pseudonyms, covariates, what is said of text in the pixels."""
    risk = risk_of(ds.ds)
    fields = {
        **dicom_tags.identity(ds.ds, key),
        "text_risk": "" if risk.level == "low" else risk.level,
        "has_face": risk.has_face,
        "present": ds.present,
    }
    if policy.identity_map:
        fields["sealed_identity"] = _sealed(ds, key)
    return fields


def _sealed(ds: Told, key: bytes) -> str:
    named = {"patient": "PatientID", "study": "StudyInstanceUID", "series": "SeriesInstanceUID"}
    told = {kind: ds.get(keyword) for kind, keyword in named.items()}
    return seal_identity({kind: str(value) for kind, value in told.items() if value}, key)
