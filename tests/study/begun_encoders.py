"""What the tests of beginnings have in common: small settings, and the same scans as others'."""

from __future__ import annotations

from pathlib import Path

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.hashing import hash_bytes
from latentdx.study.reporter import Silent
from latentdx.study.separate import pretrain_collection
from latentdx.study.settings import RunSettings, settings_from

NETWORK = {"widths": [8, 16]}


def settings(source: Path, **more: object) -> RunSettings:
    return settings_from({"source": str(source), "network": NETWORK, "fine_tune": "none", **more})


def bare(path: Path, *, of: Path, others: str = "") -> Path:
    """The same scans without labels and parts; with `others`, as if of other patients."""
    first = Collection.open(of)
    collection = Collection.create(path, 16, 1)
    table, rows = first.metadata(), []
    for number, pixels in enumerate(first.pixels()):
        content, patient = str(table.content_hash[number]), str(table.patient[number])
        if others:
            pixels, patient = 1 - pixels, f"{others} {patient}"
            content = hash_bytes(patient.encode(), content.encode())
        rows.append(ScanRow(f"{number:016x}", f"{number}.png", pixels, content, patient=patient))
    collection.append(rows)
    return path


def encoder_elsewhere(root: Path, scans: Path) -> Path:
    """An encoder of other patients' scans."""
    source = bare(root / "c", of=scans, others="other")
    pretrain_collection(source, root / "e", settings(source, epochs=1), Silent())
    return root / "e"
