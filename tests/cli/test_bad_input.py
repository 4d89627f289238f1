"""What `run` refuses: exit code 2, a code and the file's name on stderr, and nothing written."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, class_folders, latentdx, png

Call = Callable[..., Ended]

PATIENTS = ("--patient-pattern", r"p\d+")


@pytest.fixture(params=["new", "empty"])
def refused(request: pytest.FixtureRequest, here: Call, tmp_path: Path) -> Callable[..., str]:
    """The message of a run that must not leave anything, in a new folder or in an empty one."""
    out = tmp_path / "out"
    if request.param == "empty":
        out.mkdir()

    def run(code: str, *args: object) -> str:
        before = contents(tmp_path)
        ended = here("run", *args, "--out", out)
        assert contents(tmp_path) == before
        assert (ended.code, ended.out) == (2, "")
        message = ended.err.strip().splitlines()[-1]
        assert message.startswith(f"latentdx: {code}"), ended.err
        return message

    return run


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def csv_file(path: Path, *rows: Sequence[str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "scans", 6)


def test_no_source(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "does not exist" in refused("E_SOURCE", tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in refused("E_SOURCE", tmp_path / "nowhere")
    assert "latentdx run SOURCE" in refused("E_SOURCE")


def test_an_empty_folder(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    assert "holds no scans" in refused("E_SOURCE", tmp_path / "void")


def test_a_table_of_missing_files(refused: Callable[..., str], tmp_path: Path, scans: Path) -> None:
    labels = csv_file(tmp_path / "t.csv", ("path", "label"), ("a.png", "no"), ("b.png", "yes"))
    message = refused("E_CSV", scans, "--labels", labels, *PATIENTS)
    assert "t.csv" in message
    assert "a.png" in message


def test_a_table_that_is_not_there(
    refused: Callable[..., str], tmp_path: Path, scans: Path
) -> None:
    assert "gone.csv" in refused("E_CSV", scans, "--labels", tmp_path / "gone.csv")


def test_a_misspelt_label(refused: Callable[..., str], scans: Path) -> None:
    png(scans / "Yes" / "p900.png", 900)
    message = refused("E_LABEL_TYPO", scans, *PATIENTS)
    assert "'Yes'" in message
    assert "--label-map 'Yes'='yes'" in message


def test_one_class_only(refused: Callable[..., str], tmp_path: Path) -> None:
    for index in range(6):
        png(tmp_path / "one" / "yes" / f"p{index}.png", index)
    assert "'yes'" in refused("E_ONE_CLASS", tmp_path / "one", *PATIENTS)


def test_a_class_of_too_few_patients(refused: Callable[..., str], tmp_path: Path) -> None:
    class_folders(tmp_path / "few", 6)
    for index in range(3):
        png(tmp_path / "few" / "rare" / f"p{index + 50}.png", index)
    message = refused("E_CLASS_SIZE", tmp_path / "few", *PATIENTS)
    assert "'rare' has 3 patients" in message


def test_a_class_that_the_given_parts_lack(refused: Callable[..., str], tmp_path: Path) -> None:
    """Found only after the scans were stored: what was stored is removed again."""
    class_folders(tmp_path / "parts", 6, part="train")
    for index in range(4):
        png(tmp_path / "parts" / "test" / "no" / f"p{index + 50}.png", index + 50)
    message = refused("E_CLASS_SIZE", tmp_path / "parts", *PATIENTS)
    assert "none is left for test" in message


def test_no_patients(refused: Callable[..., str], scans: Path) -> None:
    message = refused("E_PATIENT", scans)
    assert "no/p000.png" in message
    for way_out in ("--labels", "--patient-pattern", "--one-scan-per-patient"):
        assert way_out in message


def test_no_file_that_can_be_used(refused: Callable[..., str], tmp_path: Path) -> None:
    for index in range(12):
        path = tmp_path / "bad" / ("no", "yes")[index % 2] / f"p{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    message = refused("E_NOTHING_USABLE", tmp_path / "bad", *PATIENTS)
    assert "12 times E_EMPTY" in message


def test_one_bad_file_where_strict(refused: Callable[..., str], scans: Path) -> None:
    (scans / "no" / "p000.png").write_bytes(b"")
    assert "no/p000.png" in refused("E_EMPTY", scans, *PATIENTS, "--strict")


@pytest.mark.parametrize(
    ("option", "value", "choices"),
    [
        ("--autoencoder", "diffusion", "'invariant', 'convolutional'"),
        ("--classifier", "random-forest", "'forest', 'mlp'"),
        ("--features", "deep", "'fine-grid', 'grid', 'pooled'"),
        ("--overlap", "ignore", "'stop', 'drop' or 'allow'"),
        ("--labelled", "1", "greater than or equal to 2"),
        ("--minutes", "0", "greater than 0"),
    ],
)
def test_a_choice_that_is_none(
    refused: Callable[..., str], scans: Path, option: str, value: str, choices: str
) -> None:
    message = refused("E_CONFIG", scans, *PATIENTS, option, value)
    assert option.removeprefix("--") in message
    assert choices in message


def test_a_positive_class_that_is_none(refused: Callable[..., str], scans: Path) -> None:
    assert "'yes'" in refused("E_POSITIVE", scans, *PATIENTS, "--positive", "yess")


def test_fewer_labels_than_classes(refused: Callable[..., str], tmp_path: Path) -> None:
    class_folders(tmp_path / "three", 6)
    for index in range(6):
        png(tmp_path / "three" / "perhaps" / f"p{index + 50}.png", index + 50)
    assert "3 classes" in refused("E_LABELLED", tmp_path / "three", *PATIENTS, "--labelled", "2")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("source = ", "not TOML"),
        ("colour = 1", "there is no setting 'colour'; the settings are source, labels"),
        ("epohcs = 1", "there is no setting 'epohcs'; did you mean 'epochs'?"),
        ("epochs = 'two'", "epochs: input should be a valid integer"),
        ("seed = -1", "seed: input should be greater than or equal to 0"),
    ],
)
def test_a_settings_file(
    refused: Callable[..., str], tmp_path: Path, scans: Path, text: str, found: str
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    message = refused("E_CONFIG", scans, "--config", path)
    assert str(path) in message
    assert found in message


def test_a_settings_file_that_is_not_there(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "none.toml" in refused("E_CONFIG", "--config", tmp_path / "none.toml")


@pytest.mark.parametrize("name", ["notes.txt", "report.html", "bundle", "audit.json", "x.tmp"])
def test_a_folder_of_other_things(here: Call, tmp_path: Path, scans: Path, name: str) -> None:
    """Even where they bear the names of results: without the settings beside them they are not."""
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    before = contents(tmp_path)
    ended = here("run", scans, "--out", out, *PATIENTS)
    assert ended.code == 2
    assert "E_DESTINATION" in ended.err
    assert name in ended.err
    assert contents(tmp_path) == before


def test_a_place_that_cannot_be_written(here: Call, tmp_path: Path, scans: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        ended = here("run", scans, "--out", out, *PATIENTS)
        assert ended.code == 2
        assert str(tmp_path / "file") in ended.err


def leaking(root: Path) -> Path:
    """Given parts, one patient in both."""
    class_folders(root, 16, part="train")
    class_folders(root, 8, part="test", first=100)
    png(root / "test" / "no" / "p000_again.png", 999)
    return root


def test_leaking_parts_stop_and_show_the_leak(here: Call, tmp_path: Path) -> None:
    source, out = leaking(tmp_path / "scans"), tmp_path / "out"
    ended = here("run", source, "--out", out, *PATIENTS)
    assert (ended.code, ended.out) == (2, "")
    assert "E_LEAKAGE" in ended.err
    assert "test/no/p000_again.png and train/no/p000.png" in ended.err
    assert "--overlap drop" in ended.err
    # The evidence stays, and what was decoded, for the command that goes on.
    assert {path.name for path in out.iterdir()} == {
        *("audit.json", "collection", "quarantine.csv", ".work")
    }
    audit = here("audit", out / "collection", "--json")
    assert audit.code == 2
    assert audit.json["valid"] is False


@pytest.mark.slow
@pytest.mark.parametrize(("overlap", "valid"), [("drop", True), ("allow", False)])
def test_leaking_parts_go_on_where_told(
    here: Call, tmp_path: Path, overlap: str, valid: bool
) -> None:
    source, out = leaking(tmp_path / "scans"), tmp_path / "out"
    assert here("run", source, "--out", out, *PATIENTS).code == 2
    ended = here("run", source, "--out", out, *PATIENTS, *QUICK, "--overlap", overlap, "--json")
    assert ended.code == 0, ended.err
    written = {path.name: path.read_text() for path in out.iterdir() if path.suffix}
    assert ('"valid": true' in written["audit.json"]) == valid
    assert ("INVALID" not in written["report.html"]) == valid
    assert ("INVALID" not in written["metrics.json"]) == valid
    assert ("INVALID" not in (out / "bundle" / "README.md").read_text()) == valid
    assert any(text.startswith("INVALID") for text in ended.json["warnings"]) != valid
    # The bundle's own collection: the same test scans, and the same verdict on their worth.
    again = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "e", "--json")
    assert again.json["test"]["auroc"]["n_scans"] == ended.json["test"]["auroc"]["n_scans"]
    assert any(text.startswith("INVALID") for text in again.json["warnings"]) != valid
    for name in ("report.html", "metrics.json"):
        told = (tmp_path / "e" / name).read_text()
        assert ("INVALID" not in told) == valid
        assert ("1 patients have scans in test and in another part" not in told) == valid


@pytest.mark.slow
def test_refusals_as_a_shell_sees_them(tmp_path: Path, scans: Path) -> None:
    """Two of the above in a process of their own, and a usage error."""
    ended = latentdx("run", tmp_path / "nowhere", "--out", tmp_path / "o", "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("nowhere: does not exist; give a folder of scans or an .npz\n")
    ended = latentdx("run", scans, "--out", tmp_path / "o", "--seed", "-1")
    assert (ended.code, ended.out) == (2, "")
    assert "--seed" in ended.err
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_a_control_that_finds_the_labels_is_a_warning(
    here: Call, tmp_path: Path, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that leak through the shuffling are found, and the reader is told."""
    from latentdx.report import controls

    class_folders(scans, 30, first=100)
    monkeypatch.setattr(controls, "_permuted", lambda scans, seed: scans.labels)
    ended = here("run", scans, "--out", tmp_path / "out", *PATIENTS, *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["controls"]["shuffled-labels"]["auroc"]["value"] > 0.9
    told = [text for text in ended.json["warnings"] if "look for a leak" in text]
    assert len(told) == 1
    assert told[0].split(",")[0] in (tmp_path / "out" / "report.html").read_text()
