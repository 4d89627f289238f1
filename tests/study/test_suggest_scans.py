"""`suggest_scans`: what is never looked at or suggested, what is kept, and the table to fill in."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentdx.autoencoder.family import build
from latentdx.collection.split import HELD_OUT_PARTS, Split, split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import StopError
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.suggest import STRATEGIES
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
from latentdx.study.embeddings import kept_embeddings
from latentdx.study.encoder import load_encoder, save_encoder
from latentdx.study.reporter import Silent
from latentdx.study.suggest import SuggestSettings, suggest_scans
from latentdx.study.suggest_parts import suggest_parts

SIDE = 16
ALL = SuggestSettings(n=1000, by_patient=False)


def scan(number: int, label: str | None, **more: object) -> ScanRow:
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    pixels = np.random.default_rng(number).uniform(0, 1, (1, SIDE, SIDE)).astype(np.float32)
    told = {"patient": f"p{number // 2}", "label": label, "native_shape": (SIDE, SIDE), **more}
    return ScanRow(digest[:16], f"{number:03}.png", pixels, digest, **told)


def labelled_half(number: int) -> ScanRow:
    """Every patient has two scans; of the first thirty patients the first scan has a label."""
    is_told = number < 60 and number % 2 == 0
    return scan(number, ("no", "yes")[number // 2 % 2] if is_told else None)


def given_parts(number: int) -> ScanRow:
    part = ("train", "tune", "calibrate", "test", "train")[number // 2 % 5]
    label = ("no", "yes")[number // 2 % 2] if number % 4 < 2 or part != "train" else None
    return scan(number, label, given_part=part)


def write(path: Path, row: Callable[[int], ScanRow], count: int = 100) -> Path:
    collection = Collection.create(path, SIDE, 1)
    collection.append([row(number) for number in range(count)])
    collection.mark_complete({})
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained: nothing here depends on what it has learned."""
    path = tmp_path_factory.mktemp("suggest") / "encoder"
    network = build("invariant", {"channels": 1, "size": SIDE, "widths": (4, 8)})
    collection = Collection.open(write(path.with_name("before"), labelled_half, 2))
    table = collection.metadata()
    save_encoder(path, network, table, Split.for_pretraining(table))
    return path


def suggested(path: Path, encoder: Path, tmp_path: Path, settings: SuggestSettings = ALL) -> list:
    out = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
    return suggest_scans(path, encoder, out, settings, Silent())["suggestions"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_scan_of_a_held_out_patient_is_suggested(encoder, tmp_path, strategy):
    path = write(tmp_path / "c", labelled_half)
    table = Collection.open(path).metadata()
    split = split_by_patient(table, seed=derive_seed(0, "split"))
    held_out = set(table.patient[np.isin(split.parts, HELD_OUT_PARTS)])
    found = suggested(path, encoder, tmp_path, replace(ALL, strategy=strategy))
    paths = {item["path"] for item in found}
    rows = np.isin(table.path, list(paths))
    assert len(held_out) == 12
    assert not held_out & set(table.patient[rows])
    assert not table.is_labelled[rows].any()
    assert len(paths) == len(found) == 40 + 18  # the other patients', and the second scans of train
    assert [item["rank"] for item in found] == list(range(1, 59))


def test_labels_of_held_out_parts_are_not_looked_at(encoder, tmp_path):
    def other(number: int) -> ScanRow:
        row = given_parts(number)
        swapped = {"no": "yes", "yes": "no"}.get(row.label or "")
        return row if row.given_part == "train" else replace(row, label=swapped)

    one, two = (write(tmp_path / name, row) for name, row in (("a", given_parts), ("b", other)))
    settings = SuggestSettings(n=10, strategy="uncertainty")
    found = [suggested(path, encoder, tmp_path, settings) for path in (one, two)]
    assert len(found[0]) == 10
    assert found[0] == found[1]


def test_what_the_source_holds_out_is_not_suggested_without_any_label(encoder, tmp_path):
    def row(number: int) -> ScanRow:
        return scan(number, None, given_part="test" if number % 10 == 0 else None)

    found = suggested(write(tmp_path / "c", row), encoder, tmp_path)
    numbers = {int(item["path"][:3]) for item in found}
    assert numbers == {number for number in range(100) if number % 10 > 1}  # both of a patient


def test_scans_given_for_pretraining_only_are_not_suggested(encoder, tmp_path):
    def row(number: int) -> ScanRow:
        return scan(number, None, pretrain_only=number >= 20)

    assert len(suggested(write(tmp_path / "c", row), encoder, tmp_path)) == 20


def test_a_pool_without_an_open_scan_is_refused(encoder, tmp_path):
    path = write(tmp_path / "c", lambda number: scan(number, "no"))
    with pytest.raises(StopError, match="E_LABELLED"):
        suggested(path, encoder, tmp_path)


def test_pictures_of_two_patients_that_are_the_same_are_suggested_once(encoder, tmp_path):
    twin = scan(0, None).pixels

    def row(number: int) -> ScanRow:
        made = scan(number, None)
        same = {"pixels": twin, "content_hash": "f" * 64} if number % 10 == 0 else {}
        return replace(made, **same)

    found = suggested(write(tmp_path / "c", row), encoder, tmp_path)
    assert len([item for item in found if int(item["path"][:3]) % 10 == 0]) == 1


def test_embeddings_are_computed_once_and_only_for_new_scans(encoder, tmp_path):
    for kept in encoder.glob("embeddings-*.safetensors"):  # of the tests before
        kept.unlink()
    asked: list[tuple[int, int]] = []

    def embeddings(path: Path) -> np.ndarray:
        asked.clear()
        collection = Collection.open(path)
        rows = np.arange(len(collection))
        tell = lambda done, total: asked.append((done, total))  # noqa: E731
        return kept_embeddings(load_encoder(encoder), collection, rows, progress=tell)

    first = embeddings(write(tmp_path / "few", lambda number: scan(number, None), 60))
    embeddings(tmp_path / "few")
    assert not asked
    # more scans, and labels that came later
    more = embeddings(write(tmp_path / "more", lambda number: scan(number, "yes"), 80))
    assert asked[-1] == (20, 20)
    np.testing.assert_array_equal(more[:60], first)
    [place] = encoder.glob("embeddings-*.safetensors")
    place.write_bytes(place.read_bytes()[:1000])
    again = embeddings(tmp_path / "more")
    assert asked[-1] == (80, 80)
    np.testing.assert_allclose(again, more, rtol=1e-5)


def read(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def test_the_table_to_fill_in_keeps_labels_columns_and_parts(encoder, tmp_path):
    path = write(tmp_path / "c", labelled_half)
    table = Collection.open(path).metadata()
    before = tmp_path / "labels.csv"
    rows = [f"{number:03}.png,{labelled_half(number).label},{number}" for number in range(0, 60, 2)]
    # "061.png" is told of without a label, and may be asked for
    before.write_text("\n".join(["path,label,age", *rows, "061.png,,61", ""]))
    out = tmp_path / "next.csv"
    told = suggest_scans(path, encoder, out, SuggestSettings(n=200), Silent(), labels=before)
    found = read(Path(told["table"]))
    parts = suggest_parts(table, seed=0).parts
    for name, part, label in zip(table.path, parts, table.label, strict=True):
        if label:
            assert found[name] == {"path": name, "label": label, "age": str(int(name[:3])),
                                   "part": part}  # fmt: skip
    asked = {item["path"] for item in told["suggestions"]}
    assert {name for name, row in found.items() if not row["label"]} == asked | {"061.png"}
    assert all(found[name]["part"] == "train" for name in asked)
    assert found["061.png"]["age"] == "61"


def test_a_table_that_was_filled_in_is_not_overwritten(encoder, tmp_path):
    path = write(tmp_path / "c", labelled_half)
    out, table = tmp_path / "next.csv", tmp_path / "next-to-label.csv"
    call = lambda **more: suggest_scans(path, encoder, out, SuggestSettings(5), Silent(), **more)  # noqa: E731
    call()
    call()  # the same again
    filled = table.read_text().replace(",,train", ",yes,train")
    table.write_text(filled)
    with pytest.raises(StopError, match="E_DESTINATION"):
        call()
    assert table.read_text() == filled
    call(labels=table)  # it is taken up
    assert table.read_text() == filled


def test_too_few_labels_for_a_split_are_told_of(encoder, tmp_path):
    path = write(tmp_path / "c", lambda number: scan(number, "no" if number < 2 else None))
    told = suggest_scans(path, encoder, tmp_path / "o.csv", SuggestSettings(3), Silent())
    assert any("held-out" in note for note in told["notes"])
    assert told["n_labelled"] == 2
    assert {row["part"] for row in read(tmp_path / "o-to-label.csv").values()} == {""}


@pytest.mark.parametrize("kind", ["latent", "multi-scale", "second-order"])
def test_each_kind_of_features_is_kept_by_itself(
    kind: FeatureKind, encoder: Path, tmp_path: Path
) -> None:
    collection = Collection.open(write(tmp_path / "c", labelled_half, 20))
    own = load_encoder(shutil.copytree(encoder, tmp_path / "encoder"))
    rows = np.arange(12)
    first, plain = (
        kept_embeddings(own, collection, rows, kind),
        kept_embeddings(own, collection, rows),
    )
    assert first.shape[1] != plain.shape[1]
    np.testing.assert_array_equal(kept_embeddings(own, collection, rows, kind), first)
    np.testing.assert_array_equal(embed(own.network, collection.pixels(rows), kind), first)
