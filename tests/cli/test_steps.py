"""The steps one by one: pretrain, fit, evaluate, predict."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, class_folders, latentdx, metrics, png, table
from phantom_hospital import Study
from PIL import Image

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]

FIELDS = {
    *("path", "scan_id", "status", "label", "probabilities", "prediction_set"),
    *("anomaly_score", "reason", "bundle"),
}


@dataclass(frozen=True)
class Steps:
    """What the steps left: a collection, an encoder, a bundle."""

    collection: Path
    encoder: Path
    bundle: Path
    said: Ended


@pytest.fixture(scope="session")
def steps(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    root, collection = tmp_path_factory.mktemp("steps"), study.out / "collection"
    made = latentdx("pretrain", collection, "--to", root / "encoder", "--epochs", "2")
    assert made.code == 0, made.err
    given = ("fit", collection, "--encoder", root / "encoder", "--to", root / "bundle")
    fitted = latentdx(*given, *QUICK[-2:])
    assert fitted.code == 0, fitted.err
    return Steps(collection, root / "encoder", root / "bundle", fitted)


def test_apart_they_come_to_the_same_as_together(
    steps: Steps, study: Study, here: Call, tmp_path: Path
) -> None:
    """Same seed, same collection: the same split, and the same answers."""
    own, whole = (
        json.loads((bundle / "bundle.json").read_text())
        for bundle in (steps.bundle, study.out / "bundle")
    )
    assert own["split_hash"] == whole["split_hash"]
    assert own["counts"] == whole["counts"]
    ended = here("evaluate", steps.bundle, steps.collection, "--out", tmp_path / "o", "--json")
    assert ended.code == 0, ended.err
    found, before = ended.json["test"], metrics(study.out)["test"]
    assert found["auroc"]["n_scans"] == before["auroc"]["n_scans"]
    assert found["brier"]["value"] == pytest.approx(before["brier"]["value"], abs=1e-4)
    assert "the bundle was made from" in (tmp_path / "o" / "report.html").read_text()


def test_a_bundle_made_apart_says_that_it_was_not_evaluated(steps: Steps) -> None:
    assert str(steps.bundle) in steps.said.out
    assert "Not evaluated yet" in (steps.bundle / "README.md").read_text()


def test_pretraining_is_not_overwritten(steps: Steps, here: Call) -> None:
    before = (steps.encoder / "encoder.safetensors").read_bytes()
    ended = here("pretrain", steps.collection, "--to", steps.encoder)
    assert ended.code == 2
    assert "E_DESTINATION" in ended.err
    assert "--resume" in ended.err
    again = here("pretrain", steps.collection, "--to", steps.encoder, "--resume", "--epochs", "2")
    assert again.code == 0, again.err
    assert (steps.encoder / "encoder.safetensors").read_bytes() == before


def test_an_encoder_that_saw_held_out_patients_is_refused(
    steps: Steps, here: Call, tmp_path: Path
) -> None:
    """With another seed other patients are held out: some of those it was trained on."""
    to = tmp_path / "b"
    ended = here(*("fit", steps.collection, "--encoder", steps.encoder, "--to", to, "--seed", "1"))
    assert ended.code == 2
    assert "E_SEEN" in ended.err
    assert str(steps.encoder) in ended.err
    assert not to.exists()


def test_a_damaged_encoder_is_refused(steps: Steps, here: Call, tmp_path: Path) -> None:
    shutil.copytree(steps.encoder, tmp_path / "e")
    weights = tmp_path / "e" / "encoder.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    ended = here("fit", steps.collection, "--encoder", tmp_path / "e", "--to", tmp_path / "b")
    assert ended.code == 2
    assert f"E_ENCODER {tmp_path / 'e'}" in ended.err


def test_another_hospital_is_tested_whole(
    study: Study, elsewhere: Path, here: Call, tmp_path: Path
) -> None:
    out = tmp_path / "o"
    ended = here("evaluate", study.out / "bundle", elsewhere, "--out", out, "--json")
    assert ended.code == 0, ended.err
    assert {path.name for path in out.iterdir()} == {
        *("report.html", "metrics.json", "predictions.csv")
    }
    labelled = len(table(elsewhere.parent / "labels.csv"))
    assert len(table(out / "predictions.csv")) == labelled
    assert ended.json["test"]["auroc"]["n_scans"] == labelled
    assert "External validation" in (out / "report.html").read_text()
    again = here("evaluate", study.out / "bundle", elsewhere, "--out", out)
    assert again.code == 0
    assert "baselines" not in again.out


def test_an_evaluation_does_not_overwrite_a_study(
    study: Study, elsewhere: Path, here: Call
) -> None:
    before = (study.out / "metrics.json").read_bytes()
    ended = here("evaluate", study.out / "bundle", elsewhere, "--out", study.out)
    assert ended.code == 2
    assert "E_DESTINATION" in ended.err
    assert (study.out / "metrics.json").read_bytes() == before


def test_scans_of_another_size_or_label_are_refused(
    study: Study, steps: Steps, here: Call, tmp_path: Path
) -> None:
    class_folders(tmp_path / "s", 5, first=0)
    collection = tmp_path / "c"
    here("ingest", tmp_path / "s", "--to", collection, "--one-scan-per-patient", "--size", "24")
    ended = here("fit", collection, "--encoder", steps.encoder, "--to", tmp_path / "b")
    assert ended.code == 2
    assert "E_SIZE" in ended.err
    assert "(1, 16, 16)" in ended.err
    bundle, out = study.out / "bundle", tmp_path / "o"
    ended = here("evaluate", bundle, collection, "--out", out)
    assert "E_CLASSES" in ended.err
    renamed = ("--label-map", "no=healthy", "--label-map", "yes=diseased")
    here("ingest", tmp_path / "s", "--to", tmp_path / "c2", "--one-scan-per-patient", *renamed,
         "--size", "24")  # fmt: skip
    ended = here("evaluate", bundle, tmp_path / "c2", "--out", out)
    assert (ended.code, out.exists()) == (2, False)
    assert "E_SIZE" in ended.err
    assert "--size 16" in ended.err


@pytest.fixture
def bad_scans(study: Study, tmp_path: Path) -> list[Path]:
    """A letter, half a file, nothing."""
    whole = next(study.cohort.scans.glob("=0*.dcm")).read_bytes()
    (tmp_path / "letter.dcm").write_text("Dear colleague")
    (tmp_path / "half.dcm").write_bytes(whole[: len(whole) // 2])
    return [tmp_path / "letter.dcm", tmp_path / "half.dcm", tmp_path / "missing.dcm"]


def test_predict_answers_for_every_scan_in_order(
    study: Study, bad_scans: list[Path], tmp_path: Path
) -> None:
    """In a process of its own: as many lines as scans, and nothing else on stdout."""
    good = sorted(study.cohort.scans.glob("=0*.dcm"))[:3]
    scans = [good[0], bad_scans[0], good[1], bad_scans[1], bad_scans[2], good[2]]
    answers = tmp_path / "answers.csv"
    ended = latentdx("predict", study.out / "bundle", *scans, "--json", "--csv", answers)
    assert ended.code == 3, ended.err
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert [line["path"] for line in lines] == [str(path) for path in scans]
    assert all(set(line) == FIELDS for line in lines)
    assert [line["status"] == "quarantined" for line in lines] == [
        *(False, True, False, True, True, False)
    ]
    codes = [line["reason"]["code"] for line in lines if line["status"] == "quarantined"]
    assert codes == ["E_FORMAT", "E_TRUNCATED", "E_IO"]
    for line in lines:
        if line["status"] == "ok":
            assert line["label"] in ("healthy", "diseased")
            assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            assert 0 <= line["anomaly_score"] <= 1
            assert line["bundle"] == study.ended.json["bundle"]
            assert line["reason"] is None
    rows = table(answers)
    assert [row["status"] for row in rows] == [line["status"] for line in lines]
    assert [row["path"] for row in rows] == [str(path) for path in scans]


def test_predict_agrees_with_the_study(study: Study, here: Call) -> None:
    row = table(study.out / "predictions.csv")[0]
    path = study.cohort.scans / row["path"].removeprefix("'")
    line = here("predict", study.out / "bundle", path, "--json").json
    told = float(row["probability:diseased"])
    if line["status"] == "ok":
        assert line["label"] == row["decision"]
        assert line["probabilities"]["diseased"] == pytest.approx(told, abs=1e-5)
    assert line["anomaly_score"] == pytest.approx(float(row["anomaly_score"]), abs=1e-5)


def test_predict_exit_codes(
    study: Study, bad_scans: list[Path], here: Call, tmp_path: Path
) -> None:
    bundle, good = study.out / "bundle", next(study.cohort.scans.glob("=0*.dcm"))
    assert here("predict", bundle, good, "--json").code == 0
    ended = here("predict", bundle, good, bad_scans[0])
    assert ended.code == 3
    assert f"{bad_scans[0]}: quarantined" in ended.out
    ended = here("predict", bundle, *bad_scans, "--json")
    assert ended.code == 2
    assert len(ended.out.splitlines()) == 3
    (tmp_path / "void").mkdir()
    ended = here("predict", bundle, tmp_path / "void", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert "void" in ended.err


def test_predict_of_a_folder_tells_what_it_skipped(
    study: Study, here: Call, tmp_path: Path
) -> None:
    good = next(study.cohort.scans.glob("=0*.dcm"))
    (tmp_path / "f").mkdir()
    shutil.copy(good, tmp_path / "f" / "a.dcm")
    (tmp_path / "f" / "notes.txt").write_text("hello")
    ended = here("predict", study.out / "bundle", tmp_path / "f", "--json")
    assert ended.code == 0
    assert ended.json["path"] == str(tmp_path / "f" / "a.dcm")
    assert "1 other files skipped" in ended.err


def test_predict_says_from_where_on_a_scan_is_positive(study: Study, here: Call) -> None:
    """A label may differ from the likelier class: people are told why, and JSON is left alone."""
    scan = next(study.cohort.scans.glob("=0*.dcm"))
    told = here("predict", study.out / "bundle", scan)
    [line] = [line for line in told.err.splitlines() if "threshold" in line]
    written = json.loads((study.out / "bundle" / "bundle.json").read_text())["head"]
    assert f"{written['threshold']:.3f}" in line
    assert "threshold" not in here("predict", study.out / "bundle", scan, "--json").err


def test_predict_advises_nothing_that_it_cannot_do(
    study: Study, here: Call, tmp_path: Path
) -> None:
    pages = [Image.new("L", (32, 32), level) for level in (10, 200)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    ended = here("predict", study.out / "bundle", tmp_path / "two.tif", "--json")
    assert ended.code == 2
    reason = ended.json["reason"]
    assert reason["code"] == "E_NDIM"
    assert reason["text"].endswith("convert the file, or make another model with --frames each")


def test_predict_reads_a_folder_of_any_names(study: Study, here: Call, tmp_path: Path) -> None:
    scan = next(study.cohort.scans.glob("=0*.dcm"))
    (tmp_path / os.fsdecode(b"r\xf6ntgen.dcm")).write_bytes(scan.read_bytes())
    ended = here("predict", study.out / "bundle", tmp_path, "--json")
    assert (ended.code, ended.json["status"]) == (0, "ok")


def test_predict_on_what_is_no_chest(study: Study, here: Call, tmp_path: Path) -> None:
    """A constant image gets no label; any other picture gets an answer of a known status."""
    Image.new("L", (32, 32), 128).save(tmp_path / "grey.png")
    noise = png(tmp_path / "noise.png", 1)
    ended = here("predict", study.out / "bundle", tmp_path / "grey.png", noise, "--json")
    grey, other = (json.loads(line) for line in ended.out.splitlines())
    assert (grey["status"], grey["label"]) == ("not_evaluated", None)
    assert grey["reason"]["code"] == "A_CONSTANT"
    assert other["status"] in ("ok", "not_evaluated")
    assert ended.code == 0


def test_a_bundle_that_was_touched_is_refused(study: Study, here: Call, tmp_path: Path) -> None:
    shutil.copytree(study.out / "bundle", tmp_path / "b")
    card = tmp_path / "b" / "README.md"
    card.write_text(card.read_text() + "\nApproved for clinical use.\n")
    good = next(study.cohort.scans.glob("=0*.dcm"))
    ended = here("predict", tmp_path / "b", good, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert f"E_MODEL_INTEGRITY {tmp_path / 'b'}" in ended.err
    assert "README.md" in ended.err
