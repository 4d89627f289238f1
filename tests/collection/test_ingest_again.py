"""The same ingest again: nothing written in vain, nothing lost, nothing decoded twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ingest_calls import ONE_EACH, UPDATE, Png, Settings
from PIL import Image

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError

pytestmark = pytest.mark.usefixtures("quick_decoding")


def test_the_same_call_again_decodes_nothing(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str]
) -> None:
    (folder / "no" / "bad.png").write_bytes(b"words")
    first = run(folder, **ONE_EACH)
    version = Collection.open(first.path)._dataset.version
    decoded.clear()
    again = run(folder, **ONE_EACH)
    assert decoded == []
    assert (again.n_reused, again.quarantine) == (12, first.quarantine)
    assert Collection.open(first.path)._dataset.version == version


def test_new_files_are_added_and_changed_ones_refused(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str], png: Png
) -> None:
    run(folder, **ONE_EACH)
    decoded.clear()
    png(folder / "no" / "new.png", 50)
    assert (run(folder, **ONE_EACH).n_scans, decoded) == (13, ["new.png"])
    png(folder / "no" / "new.png", 51, size=(30, 30))
    with pytest.raises(StopError, match=r"E_DESTINATION.*1 of its 13"):
        run(folder, **ONE_EACH)
    with pytest.raises(StopError, match="E_DESTINATION"):
        run(folder, size=40, **ONE_EACH)


def test_labels_can_be_added_later(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str]
) -> None:
    csv = folder.parent / "t.csv"
    names = [f"{('no', 'yes')[i % 2]}/p{i:02}.png,{i}" for i in range(12)]
    csv.write_text("\n".join(["path,patient_id", *names]))
    first = run(folder, labels=csv, **UPDATE)
    before = Collection.open(first.path)
    decoded.clear()
    rows = [f"{name},{('ill', 'well')[i % 2]},{i}" for i, name in enumerate(names[:10])]
    rows += [f"{name},," for name in names[10:]]
    csv.write_text("\n".join(["path,patient_id,label,age", *rows]))
    second = run(folder, labels=csv, **UPDATE)
    assert decoded == []
    assert (second.n_reused, second.n_updated, second.n_labelled) == (12, 12, 10)
    table = Collection.open(first.path).metadata()
    labels = dict(zip(table.path.tolist(), table.label.tolist(), strict=True))
    assert (labels["no/p00.png"], labels["yes/p01.png"], labels["yes/p11.png"]) == (
        "ill",
        "well",
        "",
    )
    ages = dict(zip(table.path.tolist(), table.covariates, strict=True))
    assert ages["no/p08.png"] == {"age": "8"}
    old = Collection.open(first.path, version=before._dataset.version).metadata()
    assert set(old.label.tolist()) == {"no", "yes"}
    assert run(folder, labels=csv, **UPDATE).n_updated == 0


def test_patients_that_a_table_no_longer_names_are_asked_of_the_files(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str]
) -> None:
    run(folder, patient_pattern=r"p\d+", **UPDATE)
    decoded.clear()
    report = run(folder, one_scan_per_patient=True, **UPDATE)
    assert (len(decoded), report.n_updated) == (0, 12)
    with pytest.raises(StopError, match="E_PATIENT"):
        run(folder, **UPDATE)


def test_changed_files_are_read_again_where_asked(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str], png: Png
) -> None:
    run(folder, **ONE_EACH, **UPDATE)
    decoded.clear()
    png(folder / "no" / "p04.png", 51, size=(24, 24))
    report = run(folder, **ONE_EACH, **UPDATE)
    assert (decoded, report.n_scans, report.n_reused) == (["p04.png"], 12, 11)
    collection = Collection.open(report.path)
    row = collection.metadata().path.tolist().index("no/p04.png")
    picture = np.asarray(Image.open(folder / "no" / "p04.png"), np.float32) / np.float32(255)
    np.testing.assert_array_equal(collection.pixels([row])[0, 0], picture)


def test_the_same_content_is_not_read_twice(
    folder: Path, run: Callable[..., IngestReport], decoded: list[str], png: Png
) -> None:
    first = run(folder, **ONE_EACH, **UPDATE)
    before = Collection.open(first.path).metadata()
    (folder / "no" / "p04.png").rename(folder / "no" / "moved.png")
    shutil.copy(folder / "no" / "p06.png", folder / "yes" / "copy.png")
    decoded.clear()
    report = run(folder, **ONE_EACH, **UPDATE)
    assert (decoded, report.n_scans, report.n_reused) == ([], 13, 13)
    collection = Collection.open(report.path)
    table = collection.metadata()
    rows = {path: index for index, path in enumerate(table.path.tolist())}
    assert "no/p04.png" not in rows
    assert (table.label[rows["yes/copy.png"]], table.label[rows["no/moved.png"]]) == ("yes", "no")
    old = before.path.tolist().index("no/p04.png")
    assert table.content_hash[rows["no/moved.png"]] == before.content_hash[old]
    picture = np.asarray(Image.open(folder / "no" / "p06.png"), np.float32) / np.float32(255)
    found = collection.pixels([rows["yes/copy.png"]])[0, 0]
    np.testing.assert_array_equal(found[2:22], picture)


def test_a_finished_collection_never_loses_scans(
    folder: Path, run: Callable[..., IngestReport], tmp_path: Path, png: Png
) -> None:
    run(folder, **ONE_EACH, **UPDATE)
    png(tmp_path / "other" / "no" / "a.png", 70)
    with pytest.raises(StopError, match=r"E_DESTINATION.*12 of its 12 .* not in these sources"):
        run(tmp_path / "other", **ONE_EACH, **UPDATE)
    with pytest.raises(StopError, match=r"E_DESTINATION.*another key"):
        run(folder, key=b"z" * 32, **ONE_EACH, **UPDATE)
    assert len(Collection.open(tmp_path / "c")) == 12


def test_other_things_at_the_destination_are_left_alone(
    folder: Path, tmp_path: Path, run: Callable[..., IngestReport]
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").write_text("precious")
    with pytest.raises(StopError, match="E_DESTINATION"):
        run(folder, **ONE_EACH)
    assert (tmp_path / "c" / "mine.txt").read_text() == "precious"


def test_a_destination_inside_the_source(folder: Path, settings: Settings) -> None:
    for _ in range(2):
        report = ingest([folder], folder / "stored", settings(**ONE_EACH))
        assert (report.n_scans, report.quarantine) == (12, ())
