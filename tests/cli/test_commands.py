"""`doctor`, `ingest`, `audit`: what they print, their exit codes, and what they refuse."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import Ended, class_folders, png
from PIL import Image

from latentdx.cli import errors
from latentdx.core.errors import StopError

Call = Callable[..., Ended]

PATIENTS = ("--patient-pattern", r"p\d+")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Eight scans, one of them empty."""
    class_folders(tmp_path / "scans", 4)
    (tmp_path / "scans" / "no" / "p000.png").write_bytes(b"")
    return tmp_path / "scans"


def test_doctor_tells_and_writes_nothing(
    here: Call, tmp_path: Path, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(tmp_path.rglob("*"))
    ended = here("doctor", scans, *PATIENTS, "--json")
    assert sorted(tmp_path.rglob("*")) == before
    found = ended.json
    assert ended.code == 3
    assert (found["n_scans"], found["n_patients"], found["size"]) == (7, 7, 16)
    assert found["labels"] == {"no": 3, "yes": 4}
    assert found["sizes"] == {"16x16": 7}
    [refused] = found["quarantine"]
    assert (refused["path"], refused["code"]) == ("no/p000.png", "E_EMPTY")


def test_doctor_in_words(here: Call, scans: Path) -> None:
    ended = here("doctor", scans, *PATIENTS)
    assert "7 scans of 7 patients would be read, as 16 x 16 pixels" in ended.out
    assert "E_EMPTY no/p000.png" in ended.out
    (scans / "no" / "p000.png").unlink()
    assert here("doctor", scans, *PATIENTS).code == 0


def test_doctor_does_not_send_to_the_doctor(here: Call, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "letter.dcm").write_text("Dear colleague")
    ended = here("doctor", tmp_path / "bad")
    assert ended.code == 2
    assert "E_NOTHING_USABLE" in ended.err
    assert "letter.dcm" in ended.err
    assert "latentdx doctor" not in ended.err


def labels_csv(folder: Path, scans: Path, values: list[str]) -> Path:
    files = sorted(str(path.relative_to(scans)) for path in scans.rglob("*.png"))
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = [(path, value, path) for path, value in zip(files, values, strict=True)]
        csv.writer(file).writerows([("path", "label", "patient_id"), *rows])
    return folder / "labels.csv"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (["no"] * 8, "E_ONE_CLASS"),
        (["no", "yes", "yes", "yes"] * 2, "E_CLASS_SIZE"),
        (["no"] * 4 + ["yes"] * 4, ""),
        ([""] * 8, ""),
    ],
)
def test_doctor_tells_what_run_would_refuse(
    here: Call, tmp_path: Path, values: list[str], code: str
) -> None:
    table = labels_csv(tmp_path, class_folders(tmp_path / "whole", 4), values)
    notes = here("doctor", tmp_path / "whole", "--labels", table, "--json").json["notes"]
    assert [note.split(": ")[1].split()[0] for note in notes if "run would" in note] == (
        [code] if code else []
    )


def test_doctor_looks_at_numbers_where_told_so(here: Call, tmp_path: Path) -> None:
    scans = class_folders(tmp_path / "ages", 11)
    table = labels_csv(tmp_path, scans, [str(40 + age) for age in range(22)])
    refused = here("doctor", scans, "--labels", table)
    assert (refused.code, "--task regression" in refused.err) == (2, True)
    assert here("doctor", scans, "--labels", table, "--task", "regression").code == 0


def test_doctor_tells_of_many_sizes_in_one_line(here: Call, tmp_path: Path) -> None:
    for side in range(20, 32):
        Image.effect_noise((side, 2 * side), 40).save(tmp_path / f"p{side}.png")
    told = here("doctor", tmp_path, *PATIENTS, "--size", "16").out.splitlines()
    assert [line.split() for line in told if "resized" in line] == [["12", "resized"]]


def test_doctor_says_what_its_codes_mean(here: Call, tmp_path: Path) -> None:
    class_folders(tmp_path / "some", 4)
    mask = Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 12, 12))
    mask.save(tmp_path / "some" / "no" / "p900.png")
    told = here("doctor", tmp_path / "some", *PATIENTS).out
    assert "W_BINARY: Nearly all pixels are at one of two levels" in told
    assert "modalities:" in told


def test_ingest_stores_and_goes_on(here: Call, tmp_path: Path, scans: Path) -> None:
    call = ("ingest", scans, "--to", tmp_path / "c", *PATIENTS, "--json")
    first, again = here(*call), here(*call)
    assert (first.code, again.code) == (3, 3)
    assert first.json["n_scans"] == again.json["n_scans"] == 7
    assert (first.json["n_reused"], again.json["n_reused"]) == (0, 7)
    assert first.json["path"] == str(tmp_path / "c")
    assert [item["path"] for item in again.json["quarantine"]] == ["no/p000.png"]


def test_ingest_in_words(here: Call, tmp_path: Path, scans: Path) -> None:
    (scans / "no" / "p000.png").unlink()
    ended = here("ingest", scans, "--to", tmp_path / "c", *PATIENTS)
    assert ended.code == 0
    assert "7 scans of 7 patients, 7 labelled, 16 x 16 pixels, 1 channel(s)" in ended.out


def test_ingest_with_a_table_one_row_of_which_leads_nowhere(
    here: Call, tmp_path: Path, scans: Path
) -> None:
    rows = [("path", "label", "patient_id"), ("yes/p001.png", "a", "1"), ("gone.png", "b", "2")]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    ended = here("ingest", scans, "--to", tmp_path / "c", "--labels", tmp_path / "t.csv", "--json")
    assert ended.code == 3
    codes = {item["path"]: item["code"] for item in ended.json["quarantine"]}
    assert codes == {"gone.png": "E_MISSING_FILE", "no/p000.png": "E_EMPTY"}


def test_ingest_refuses(here: Call, tmp_path: Path, scans: Path) -> None:
    ended = here("ingest", scans, "--to", tmp_path / "c", *PATIENTS, "--strict")
    assert ended.code == 2
    assert "E_EMPTY" in ended.err
    assert "p000.png" in ended.err
    ended = here("ingest", scans, "--to", tmp_path / "c", *PATIENTS, "--label-map", "no")
    assert "E_LABEL_MAP: 'no' is no pair" in ended.err
    assert not (tmp_path / "c").exists()


def test_audit_of_a_sound_collection(here: Call, tmp_path: Path, scans: Path) -> None:
    here("ingest", scans, "--to", tmp_path / "c", *PATIENTS)
    ended = here("audit", tmp_path / "c", "--json")
    assert ended.code == 0
    assert ended.json["valid"] is True
    assert all(
        set(item) == {"code", "severity", "count", "text", "examples"}
        for item in ended.json["findings"]
    )
    assert set(ended.json["shortcuts"]) == {"metadata", "pixels"}
    assert here("audit", tmp_path / "c").out.startswith("valid\n")


def test_audit_of_classes_from_two_scanners(here: Call, tmp_path: Path) -> None:
    class_folders(tmp_path / "s", 25)
    for path in (tmp_path / "s" / "yes").iterdir():
        with Image.open(path) as picture:
            picture.resize((40, 24)).save(path)
    here("ingest", tmp_path / "s", "--to", tmp_path / "c", *PATIENTS, "--size", "24")
    ended = here("audit", tmp_path / "c", "--json")
    assert ended.code == 0
    told = [item["text"] for item in ended.json["findings"]]
    assert any("the column 'width' alone tells the label: AUROC 1.000" in text for text in told)
    assert any(each["name"] == "corners" for each in ended.json["shortcuts"]["pixels"])


def test_audit_of_parts_that_share_patients_and_pictures(here: Call, tmp_path: Path) -> None:
    class_folders(tmp_path / "s", 4, part="train")
    png(tmp_path / "s" / "test" / "no" / "p000b.png", 999)
    png(tmp_path / "s" / "test" / "yes" / "p777.png", 1, bright=True)
    here("ingest", tmp_path / "s", "--to", tmp_path / "c", *PATIENTS)
    ended = here("audit", tmp_path / "c", "--json")
    assert ended.code == 2
    found = {item["code"]: item for item in ended.json["findings"]}
    patients, pictures = found["patient-across-parts"], found["duplicate-across-parts"]
    assert (patients["severity"], patients["count"]) == ("error", 1)
    assert sorted(patients["examples"][0]) == ["test/no/p000b.png", "train/no/p000.png"]
    assert sorted(pictures["examples"][0]) == ["test/yes/p777.png", "train/yes/p001.png"]
    in_words = here("audit", tmp_path / "c")
    assert in_words.code == 2
    assert [line.split("] ")[1] for line in in_words.err.splitlines()] == [
        "Looking for near-duplicates",
        "Looking for shortcuts",
    ]
    assert in_words.out.startswith("INVALID")
    assert "test/no/p000b.png" in in_words.out


@pytest.mark.parametrize(
    "call",
    [
        ("audit", "{}"),
        ("pretrain", "{}", "--to", "{}/e"),
        ("fit", "{}", "--encoder", "{}/e", "--to", "{}/b"),
        ("evaluate", "{}/b", "{}", "--out", "{}/o"),
        ("predict", "{}/b", "{}/scan.dcm"),
    ],
)
def test_what_is_not_there_is_named_and_nothing_is_written(
    here: Call, tmp_path: Path, call: tuple[str, ...]
) -> None:
    nowhere = tmp_path / "nowhere"
    ended = here(*(word.format(nowhere) for word in call))
    assert (ended.code, ended.out) == (2, "")
    assert f"{nowhere}" in ended.err
    assert not nowhere.exists()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StopError("E_CSV", "bad", fix="mend", path="t"), 2, "latentdx: E_CSV t: bad; mend\n"),
        (OSError(28, "No space left on device", "out/x"), 2, "E_IO out/x: No space left on"),
        (ValueError("Jane Doe"), 1, "a bug (ValueError); please report it"),
        (OSError("Jane Doe"), 1, "a bug (OSError)"),
    ],
)
def test_exit_codes(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, said: str
) -> None:
    """A library's message may quote a patient: of a bug only the place and the kind are shown."""
    assert errors.exit_code_of(error) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert "Jane" not in shown.err
    assert shown.out == ""


def test_json_of_a_folder_with_an_odd_name_is_json(here: Call, tmp_path: Path) -> None:
    class_folders(tmp_path / 'od"d\n', 2)
    ended = here("ingest", tmp_path / 'od"d\n', "--to", tmp_path / "c", *PATIENTS, "--json")
    assert json.loads(ended.out)["n_scans"] == 4
