"""`rewrite_without`: a collection written anew without some scans, its earlier versions gone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latentdx.collection.near_kept import KEPT_NAME
from latentdx.collection.person import Person
from latentdx.collection.proof import PROOF_NAME, renew_proof
from latentdx.collection.store import Collection
from latentdx.collection.store_errors import writing
from latentdx.core.errors import IntegrityError
from latentdx.core.files import sync_folder

_KEY = "latentdx"
_LANCE = {"data", "_versions", "_transactions", "_deletions", "_indices", "_latest.manifest"}
_MADE = {*_LANCE, KEPT_NAME, PROOF_NAME}
_BATCH = 256


def rewrite_without(
    path: Path, person: Person, record: Callable[[Path], None] = lambda folder: None
) -> int:
    """Write the collection anew without a patient's scans; returns how many there were.

    Deleting rows would leave them in earlier versions, in the list of transactions and behind a
    mark of deletion: a new dataset takes the place of the old one, in one step. What was set aside
    and is the patient's is dropped, near-duplicates are to be looked for again, and the proof of
    de-identification is counted anew. `record` is called with the new folder before it is in place.

    Raises `StopError` ``E_IO`` and `IntegrityError` ``E_COLLECTION``; the old one is there then.
    """
    path = path.resolve()
    collection = Collection.open(path, incomplete=True)
    before = len(collection)
    n_own = len(set(collection.metadata().scan_id.tolist()) & person.scan_ids)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with writing(path):
            _write(path, temporary, person, without_person(collection.info, person))
            found = Collection.open(temporary, incomplete=True)
            if len(found) != before - n_own:
                text = "another number of scans was written than was to be kept"
                raise IntegrityError("E_COLLECTION", text, path=path)
            _beside(path, temporary, found)
            record(temporary)
            _replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return n_own


def without_person(info: dict[str, Any], person: Person) -> dict[str, Any]:
    """What a writer noted of a collection, without what it says of a patient's files."""
    aside = [item for item in info.get("aside", ()) if not person.owns(item["path"])]
    names = {word for path in person.paths for word in (path, path.rpartition("/")[2])}
    notes = [note for note in info.get("notes", ()) if not any(name in note for name in names)]
    kept = {"aside": aside, "notes": notes}
    return {**info, **{name: value for name, value in kept.items() if name in info}}


def recover(path: Path) -> None:
    """Undo what a call that was killed left beside `path`: the old one is there, or the new one."""
    for old in path.parent.glob(f".{path.name}.*.old"):
        if path.exists():
            shutil.rmtree(old)
        else:
            old.rename(path)
    for half in path.parent.glob(f".{path.name}.*.tmp"):
        shutil.rmtree(half, ignore_errors=True)


def _write(path: Path, temporary: Path, person: Person, info: dict[str, Any]) -> None:
    import lance

    dataset = lance.dataset(path)
    head = json.loads(dataset.schema.metadata[_KEY.encode()])
    schema = dataset.schema.with_metadata({_KEY: json.dumps({**head, "info": info})})
    names = ", ".join(f"'{identity}'" for identity in sorted(person.scan_ids))
    few = {"batch_size": _BATCH, "batch_readahead": 1, "fragment_readahead": 1}
    kept = dataset.scanner(filter=f"scan_id NOT IN ({names})", scan_in_order=True, **few)
    lance.write_dataset(kept.to_batches(), temporary, schema, mode="create")


def _beside(path: Path, temporary: Path, collection: Collection) -> None:
    """The proof, with numbers of what is stored now."""
    if (path / PROOF_NAME).is_file():
        refused = [item["code"] for item in collection.info.get("aside", ())]
        present, n_scans = collection.tags_present(), len(collection)
        proof = renew_proof(path / PROOF_NAME, present=present, n_scans=n_scans, refused=refused)
        (temporary / PROOF_NAME).write_text(proof, encoding="utf-8")


def _replace(temporary: Path, path: Path) -> None:
    """Put the new one in place of the old one; files of the user's own come along."""
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.rename(old)
    try:
        temporary.rename(path)
    except OSError:
        old.rename(path)
        raise
    for item in old.iterdir():
        if item.name not in _MADE and not (path / item.name).exists():
            item.rename(path / item.name)
    sync_folder(path.parent)
    shutil.rmtree(old)
