"""`forget`: a patient out of all folders that latentdx makes, and what is then left.

Rows, pictures and examples are removed. A model that learned from the patient cannot be made to
forget: its bundle holds rows of those it learned from (support vectors, the reference for drift),
so it is removed with its report, and named as what must be trained again. Of who was forgotten
nothing is kept, only that somebody was.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from latentdx.bundle.schema import CHECKSUMS, DESCRIPTION
from latentdx.collection.forgotten import FORGOTTEN
from latentdx.collection.person import Person
from latentdx.collection.rewrite import recover, rewrite_without, without_person
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.hashing import hash_file
from latentdx.core.version import VERSION
from latentdx.scans.deidentify import user_key
from latentdx.scans.identity_map import IdentityMap
from latentdx.study.folder import RunFolder
from latentdx.study.forget_choice import choice_changes
from latentdx.study.forget_files import (
    Change,
    audit_change,
    encoder_changes,
    metrics_change,
    table_change,
)
from latentdx.study.forget_left import (
    Left,
    learned_from,
    left_elsewhere,
    names_person,
    sources_of,
)
from latentdx.study.forget_place import Place, place_at
from latentdx.study.forget_whom import whom

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>latentdx: report removed</title></head>
<body><p>This report was removed on {date}: a patient was forgotten, and it may have shown their
scans. Run the same command again to make it anew from the scans that are left.</p></body></html>
"""


@dataclass
class Forgetting:
    """What is to be done, and what will be left to others.

    Attributes
    ----------
    n_scans: of the patient, in all places.
    changes: in the order in which they are made: who the patient is, is known until the last.
    retrain: models that learned from the patient. left: what only others can remove.
    """

    n_scans: int = 0
    changes: list[Change] = field(default_factory=list)
    retrain: list[Left] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def as_json(self, *, done: bool) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "done": done,
            "n_scans": self.n_scans,
            "changes": [change.as_json() for change in self.changes],
            "retrain": [item.as_json() for item in self.retrain],
            "left": [item.as_json() for item in self.left],
        }


def forget(name: str, places: Sequence[Path], *, dry_run: bool = False) -> Forgetting:
    """Remove a patient from folders of latentdx; with `dry_run` only say what would be done.

    `name`: the pseudonym, an identifier from which it was made with this user's key, or the path
    or id of one of the scans. `places`: runs, collections, encoders, bundles, evaluations, folders
    of `compare` and `search`; give them all in one call, for an encoder knows pictures only by the
    hashes that a collection holds.

    A call that was interrupted is finished by the same call. Raises `StopError` ``E_FORGET``
    (nobody of that name, or a folder of another kind), ``E_IO``; `IntegrityError`
    ``E_COLLECTION``, ``E_IDENTITY_MAP``.

    Examples
    --------
    >>> found = forget("MRN-4711", [Path("study")], dry_run=True)  # doctest: +SKIP
    >>> [change.path.name for change in found.changes]  # doctest: +SKIP
    ['bundle', 'report.html', 'predictions.csv', 'collection']
    """
    found = [place_at(path) for path in places]
    for place in found:
        if place.collection is not None:
            recover(place.collection)
    collections = {place.collection for place in found if place.collection is not None}
    tables = {path: Collection.open(path, incomplete=True).metadata() for path in collections}
    key = user_key()
    person = whom(name, key, found, list(tables.values()))
    plan = Forgetting(n_scans=len(person.scan_ids))
    for place in found:
        _plan_place(place, person, tables, plan)
    _plan_map(person, key, plan)
    for path in sorted(collections):
        _plan_collection(path, person, tables[path], plan)
    if not dry_run:
        for change in plan.changes:
            change.do()
    for place in found:
        plan.left += sources_of(place, person, tables)
        plan.left += left_elsewhere(place)
    return plan


def _plan_place(
    place: Place, person: Person, tables: dict[Path, CollectionTable], plan: Forgetting
) -> None:
    if place.kind == "encoder":
        made = encoder_changes(place.path, person, list(tables.values()))
        if made:
            plan.retrain.append(Left(place.path, "encoder", "its weights were learned from them"))
            made += [*_page(place.path), *_remove(place.path / ".work")]
            plan.changes += made
    elif place.kind == "bundle":
        plan.changes += _bundle(place.path, person, plan)
    elif place.kind in ("comparison", "search"):
        _plan_choice(place, person, tables, plan)
    elif place.kind in ("run", "evaluation"):
        plan.changes += _results(place, person, tables, plan)


def _results(
    place: Place, person: Person, tables: dict[Path, CollectionTable], plan: Forgetting
) -> list[Change]:
    root, made = place.path, list[Change]()
    table = None if place.collection is None else tables[place.collection]
    is_in = table is not None and bool(set(table.scan_id.tolist()) & person.scan_ids)
    if place.kind == "run":
        made += _learned(place, person, plan, is_in=is_in)
    if place.kind == "run" and (is_in or made):
        made += _remove(root / ".work")
    # Every table: of predictions, of folds, of places left out, of what was set aside.
    tables_of = sorted(root.glob("*.csv"))
    rows = [change for path in tables_of for change in table_change(path, person)]
    if rows or is_in or made:
        made += _page(root)
        made += metrics_change(root / "metrics.json")
    made += rows
    return [*made, *audit_change(root / "audit.json", person)]


def _learned(place: Place, person: Person, plan: Forgetting, *, is_in: bool) -> list[Change]:
    """The bundle goes where it learned from the patient, or where that cannot be told."""
    bundle = RunFolder(place.path).bundle
    if not (bundle / DESCRIPTION).is_file():
        return []
    parts = learned_from(place, person) if is_in else ()
    if parts is not None and not parts:
        return _bundle(bundle, person, plan)
    where = "of parts that cannot be told any more" if parts is None else f"of {', '.join(parts)}"
    # Scans of calibrate choose no weights of the encoder.
    what = "classifier" if parts == ("calibrate",) else "encoder and classifier"
    return _withdrawn(bundle, what, f"learned from scans {where}", plan)


def _bundle(bundle: Path, person: Person, plan: Forgetting) -> list[Change]:
    """A bundle goes where its own record names the patient, as what it began from did."""
    if not names_person(bundle, person):
        return []
    why = "it notes that it, or what its encoder began from, has seen them"
    return _withdrawn(bundle, "encoder and classifier", why, plan)


def _withdrawn(bundle: Path, what: str, why: str, plan: Forgetting) -> list[Change]:
    name = hash_file(bundle / CHECKSUMS)
    plan.retrain.append(Left(bundle, what, f"{why}; withdraw copies of the bundle {name}"))
    return _remove(bundle)


def _plan_choice(
    place: Place, person: Person, tables: dict[Path, CollectionTable], plan: Forgetting
) -> None:
    found = choice_changes(place, person, tables)
    plan.changes += found.changes
    plan.retrain += found.retrain
    plan.left += found.left


def _plan_collection(path: Path, person: Person, table: CollectionTable, plan: Forgetting) -> None:
    n_own = len(set(table.scan_id.tolist()) & person.scan_ids)
    info = Collection.open(path, incomplete=True).info
    if not n_own and without_person(info, person) == info:
        return

    def do() -> None:
        # The record comes with the new collection: one is not there without the other.
        rewrite_without(path, person, lambda new: _append_record(path, new, n_own))

    plan.changes.append(Change(path, "scans removed", n_own, do))


def _plan_map(person: Person, key: bytes, plan: Forgetting) -> None:
    known = IdentityMap(key)
    if count := known.lines_of(person.patient):

        def do() -> None:
            known.forget(person.patient)

        plan.changes.append(Change(known.path, "identities removed", count, do))


def _page(root: Path) -> list[Change]:
    """The page of results shows pictures, and points of figures: another takes its place."""
    page = root / "report.html"
    if not page.is_file():
        return []
    text = _PAGE.format(date=_today())
    return [Change(page, "page removed", 1, lambda: write_atomic(page, text))]


def _remove(folder: Path) -> list[Change]:
    if not folder.is_dir():
        return []
    count = sum(path.is_file() for path in folder.rglob("*"))
    return [Change(folder, "folder removed", count, lambda: shutil.rmtree(folder))]


def _append_record(before: Path, folder: Path, n_scans: int) -> None:
    """That somebody was forgotten, when, and by which program: never who."""
    path = before / FORGOTTEN
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        told = []
    except ValueError:
        raise StopError("E_FORGET", "the record is damaged", fix="remove it", path=path) from None
    told.append({"date": _today(), "latentdx": VERSION, "n_patients": 1, "n_scans": n_scans})
    write_json(folder / FORGOTTEN, told)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
