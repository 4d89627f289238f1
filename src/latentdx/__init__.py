"""latentdx: diagnosis from medical images with few labels.

    from latentdx import open_scan, Collection, split_by_patient
    from latentdx import AutoencoderFeatures, LatentClassifier, RunSettings, run_study, load_bundle

Names are imported when first used: ``import latentdx`` itself takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentdx.bundle.load import load_bundle
    from latentdx.collection.split import split_by_patient
    from latentdx.collection.store import Collection
    from latentdx.diagnosis.estimator import LatentClassifier
    from latentdx.features.transformer import AutoencoderFeatures
    from latentdx.scans.open import open_scan, open_scans
    from latentdx.scans.policy import Policy
    from latentdx.study.run import run_study
    from latentdx.study.settings import RunSettings

__all__ = [
    "AutoencoderFeatures",
    "Collection",
    "LatentClassifier",
    "Policy",
    "RunSettings",
    "load_bundle",
    "open_scan",
    "open_scans",
    "run_study",
    "split_by_patient",
]

_HOMES = {
    "AutoencoderFeatures": "latentdx.features.transformer",
    "Collection": "latentdx.collection.store",
    "LatentClassifier": "latentdx.diagnosis.estimator",
    "Policy": "latentdx.scans.policy",
    "RunSettings": "latentdx.study.settings",
    "load_bundle": "latentdx.bundle.load",
    "open_scan": "latentdx.scans.open",
    "open_scans": "latentdx.scans.open",
    "run_study": "latentdx.study.run",
    "split_by_patient": "latentdx.collection.split",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'latentdx' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
