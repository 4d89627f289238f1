"""`suggest_scans`: which scans of a collection to label next, as a table, a page and one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latentdx.collection.labels import order_classes
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.split import Overlap
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.suggest import Ranking, StrategyName, rank, scaled
from latentdx.diagnosis.suggest_pool import Pool
from latentdx.features.kinds import DEFAULT, FeatureKind
from latentdx.report.suggest_page import Proposal, SuggestContent, suggest_page
from latentdx.study.embeddings import kept_embeddings
from latentdx.study.encoder import Encoder, load_encoder
from latentdx.study.folder import write_csv
from latentdx.study.reporter import Clock, Reporter
from latentdx.study.suggest_parts import SuggestParts, suggest_parts
from latentdx.study.suggest_table import write_label_table

_COLUMNS = ("rank", "path", "scan_id", "guess", "confidence", "score", "why")


@dataclass(frozen=True)
class SuggestSettings:
    """How scans are suggested.

    Attributes
    ----------
    n: scans at most; strategy: see `latentdx.diagnosis.suggest`; by_patient: one a patient.
    seed, overlap: of the split, as in `run`; features: which of the encoder's.
    """

    n: int = 20
    strategy: StrategyName = "auto"
    by_patient: bool = True
    seed: int = 0
    overlap: Overlap = "stop"
    features: FeatureKind = DEFAULT


def suggest_scans(
    collection: Path,
    encoder: Path,
    out: Path,
    settings: SuggestSettings,
    reporter: Reporter,
    *,
    labels: Path | None = None,
) -> dict[str, Any]:
    """Rank unlabelled scans; write `out`, a page and a table to fill in beside it; tell all.

    Labels of tune, calibrate and test are not looked at, and no scan of theirs is suggested. `out`
    is a CSV; beside it lie ``<name>.html`` with pictures and ``<name>-to-label.csv`` (see
    `write_label_table`; `labels` is the table so far).

    Raises `StopError` ``E_SIZE`` where the encoder is for scans of another size, ``E_LABELLED``
    where no scan is left to suggest, and the errors of `suggest_parts` and `write_label_table`.
    """
    clock = Clock(reporter)
    clock.step("read", "Reading the collection")
    stored = Collection.open(collection)
    table = stored.metadata()
    near = kept_near_duplicates(stored, table, clock.progress).joining(len(table))
    parts = suggest_parts(table, seed=settings.seed, overlap=settings.overlap, near=near)
    found = load_encoder(encoder)
    _require_size(found, stored)
    rows = parts.visible(table)
    if not parts.open(table).any():
        fix = "add scans without labels with `latentdx ingest`"
        raise StopError("E_LABELLED", "no unlabelled scan is left", fix=fix, path=collection)
    clock.step("embed", "Embedding scans that were not seen before")
    embeddings = kept_embeddings(found, stored, rows, settings.features, clock.progress)
    clock.step("rank", "Ranking")
    pool = pool_of(table, parts, rows, embeddings)
    ranking = rank(
        pool,
        settings.n,
        settings.strategy,
        by_patient=settings.by_patient,
        seed=derive_seed(settings.seed, "suggest"),
    )
    notes = _notes(table, parts, ranking, settings)
    for note in notes:
        clock.note(note)
    clock.step("write", "Writing the suggestions")
    told: dict[str, Any] = {
        "collection": str(collection),
        "encoder": str(encoder),
        "strategy": ranking.strategy,
        "classes": list(pool.classes),
        "n_labelled": len(pool.labelled),
        "n_open": int(pool.open.sum()),
        "notes": notes,
        "suggestions": _as_json(table, rows, ranking, pool.classes),
        **_places(out),
    }
    chosen = rows[[item.row for item in ranking.suggestions]]
    write_label_table(Path(told["table"]), table, parts, chosen.tolist(), labels)
    _write(out, told, stored, chosen)
    return told


def pool_of(
    table: CollectionTable, parts: SuggestParts, rows: np.ndarray, embeddings: np.ndarray
) -> Pool:
    """The visible scans at `rows` with their embeddings (N, D), as `rank` takes them.

    Only labels of train are in it, and their classes: a class that only held-out scans have is not.
    """
    is_labelled = parts.labelled(table)[rows]
    classes = tuple(order_classes(set(table.label[rows][is_labelled].tolist())))
    index = {name: number for number, name in enumerate(classes)}
    labels = [
        index[name] if known else -1
        for name, known in zip(table.label[rows].tolist(), is_labelled.tolist(), strict=True)
    ]
    return Pool(
        scaled(embeddings),
        np.array(labels, np.int64),
        parts.units[rows],
        parts.open(table)[rows],
        classes,
    )


def _require_size(encoder: Encoder, stored: Collection) -> None:
    if encoder.network.shape != stored.shape:
        text = f"the encoder reads scans of shape {encoder.network.shape}, the collection "
        text += f"holds {stored.shape}"
        raise StopError("E_SIZE", text, fix="ingest again with --size", path=stored.path)


def _notes(
    table: CollectionTable, parts: SuggestParts, ranking: Ranking, settings: SuggestSettings
) -> list[str]:
    found = []
    if not parts.is_split:
        text = "labels are too few yet for held-out parts: "
        text += "label some scans drawn by lot for them first (--strategy random)"
        found.append(text)
    if ranking.strategy != settings.strategy != "auto":
        text = f"{settings.strategy} needs labels of two classes: {ranking.strategy} instead"
        found.append(text)
    if len(ranking.suggestions) < settings.n:
        of = "patients" if settings.by_patient else "scans"
        found.append(f"{len(ranking.suggestions)} of {settings.n}: no more {of} are left")
    return found


def _as_json(
    table: CollectionTable, rows: np.ndarray, ranking: Ranking, classes: Sequence[str]
) -> list[dict[str, Any]]:
    return [
        {
            "rank": number,
            "path": str(table.path[rows[item.row]]),
            "scan_id": str(table.scan_id[rows[item.row]]),
            "guess": classes[item.guess] if item.guess >= 0 else None,
            "confidence": None if item.confidence is None else round(item.confidence, 4),
            "score": round(item.score, 6),
            "why": item.why,
        }
        for number, item in enumerate(ranking.suggestions, start=1)
    ]


def _places(out: Path) -> dict[str, str]:
    return {
        "out": str(out),
        "page": str(out.with_suffix(".html")),
        "table": str(out.with_name(f"{out.stem}-to-label.csv")),
    }


def _write(out: Path, told: dict[str, Any], stored: Collection, chosen: np.ndarray) -> None:
    rows = [
        ["" if item[name] is None else item[name] for name in _COLUMNS]
        for item in told["suggestions"]
    ]
    write_csv(out, _COLUMNS, rows)
    proposals = [
        Proposal(item["rank"], item["path"], item["why"], item["guess"], item["confidence"], scan)
        for item, scan in zip(told["suggestions"], stored.pixels(chosen), strict=True)
    ]
    content = SuggestContent(stored.path.name, told["strategy"], told["n_labelled"], proposals)
    write_atomic(Path(told["page"]), suggest_page(content))
