"""Masks of one's own from the command line: a study cropped by them, and scans with and without."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import QUICK, Ended, class_folders, metrics, png, table
from PIL import Image

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]


def with_masks(root: Path) -> Path:
    """Class folders with a table that names a mask around the middle of each but two scans."""
    scans = class_folders(root / "scans", 24)
    mask = np.zeros((16, 16), np.uint8)
    mask[2:14, 3:13] = 255
    (root / "masks").mkdir()
    Image.fromarray(mask).save(root / "masks" / "m.png")
    Image.fromarray(mask[:9]).save(root / "masks" / "small.png")
    rows = []
    for number, path in enumerate(sorted(scans.rglob("*.png"), key=lambda path: path.stem)):
        name = ("masks/small.png", "")[number] if number < 2 else "masks/m.png"
        rows.append((str(path.relative_to(scans)), path.parent.name, path.stem, name))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "patient_id", "mask"), *rows])
    return scans


def test_a_study_cropped_to_masks(here: Call, tmp_path: Path) -> None:
    scans, out = with_masks(tmp_path), tmp_path / "out"
    given = ("--labels", tmp_path / "labels.csv", "--region", "mask", *QUICK)
    run = here("run", scans, "--out", out, *given, "--classifier", "logistic", "--measures")
    assert run.code == 3, run.err
    assert "1 of 48 scans have no mask, and stay whole" in " ".join(run.err.split())
    [refused] = table(out / "quarantine.csv")
    assert (refused["code"], "9 x 16 pixels" in refused["text"]) == ("E_MASK", True)
    asked = {each["name"] for each in metrics(out)["shortcuts"]["pixels"]}
    assert "outside the mask" in asked
    again = here("run", "--config", out / "config.toml", "--out", out)
    assert "nothing has changed" in again.err

    [one] = [scans / row["path"] for row in table(out / "predictions.csv")][:1]
    beside = tmp_path / "new.csv"
    beside.write_text(f"path,mask\n{one.name},{tmp_path / 'masks' / 'm.png'}\n")
    bundle = out / "bundle"
    cropped = here("predict", bundle, one, "--table", beside, "--json").json
    whole = here("predict", bundle, one, "--json")
    assert "warnings" not in cropped
    assert (whole.json["warnings"], "1 read whole" in whole.err) == (["W_NO_MASK"], True)
    assert whole.json["scan_id"] != cropped["scan_id"]
    beside.write_text(f"path,mask\n{one.name},{tmp_path / 'masks' / 'small.png'}\n")
    refused = here("predict", bundle, one, "--table", beside, "--json")
    assert (refused.code, refused.json["reason"]["code"]) == (2, "E_MASK")


def test_a_focus_on_masks_from_the_scans_to_the_model(here: Call, tmp_path: Path) -> None:
    scans, out = with_masks(tmp_path), tmp_path / "out"
    given = ("--labels", tmp_path / "labels.csv")
    run = here("run", scans, "--out", out, *given, "--focus", "mask", *QUICK)
    assert run.code == 3, run.err
    told = " ".join(run.err.split())
    assert "47 of 48 scans have a mask" in told
    counts = metrics(out)["focus"]
    assert f"focus: {counts['with_mask']} of {counts['scans']} scans have a mask" in told
    assert 0 < counts["with_mask"] < 48
    assert [row["code"] for row in table(out / "quarantine.csv")] == ["E_MASK"]
    one = scans / table(out / "predictions.csv")[0]["path"]
    alone = here("predict", out / "bundle", one, "--json")
    assert (alone.code, "warnings" in alone.json) == (0, False), "no mask is needed to predict"


def test_a_collection_with_masks_is_asked_what_lies_outside(here: Call, tmp_path: Path) -> None:
    scans, stored = with_masks(tmp_path), tmp_path / "c"
    given = ("--labels", tmp_path / "labels.csv", "--size", "16")
    found = here("doctor", scans, *given, "--masks", "--json").json
    assert "47 of 48 scans have a mask" in found["notes"]
    assert not found["warnings"]
    assert here("ingest", scans, "--to", stored, *given, "--masks").code == 3
    asked = here("audit", stored, "--json").json["shortcuts"]["pixels"]
    assert "outside the mask" in {each["name"] for each in asked}
    trained = here("pretrain", stored, "--to", tmp_path / "e", "--focus", "mask", "--epochs", "1")
    assert trained.code == 0, trained.err
    assert "scans have a mask" in " ".join(trained.err.split())
    plain = tmp_path / "plain"
    assert here("ingest", scans, "--to", plain, *given).code == 0
    refused = here("pretrain", plain, "--to", tmp_path / "f", "--focus", "mask")
    assert (refused.code, "ingest with --masks" in " ".join(refused.err.split())) == (2, True)


def test_masks_among_the_scans_are_not_diagnosed(here: Call, tmp_path: Path) -> None:
    scans, out = with_masks(tmp_path), tmp_path / "out"
    given = ("--labels", tmp_path / "labels.csv", "--region", "mask", *QUICK)
    assert here("ingest", scans, "--to", tmp_path / "c", *given[:4], "--size", "16").code == 3
    assert here("pretrain", tmp_path / "c", "--to", tmp_path / "e", "--epochs", "1").code == 0
    made = here(
        "fit", tmp_path / "c", "--encoder", tmp_path / "e", "--to", out, "--fine-tune", "none"
    )
    assert made.code == 0, made.err
    folder = tmp_path / "new"
    png(folder / "a.png", 3)
    (folder / "a-mask.png").write_bytes((tmp_path / "masks" / "m.png").read_bytes())
    (folder / "t.csv").write_text("path,mask\na.png,a-mask.png\n")
    told = here("predict", out, folder, "--table", folder / "t.csv", "--json")
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [(Path(line["path"]).name, "warnings" in line) for line in lines] == [("a.png", False)]
