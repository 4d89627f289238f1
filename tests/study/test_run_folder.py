"""The folder of a run: what may lie there, and what is cleared away."""

import csv

import pytest

from latentdx.core.errors import StopError
from latentdx.study.folder import RunFolder, write_csv
from latentdx.study.settings import RunSettings

SETTINGS = RunSettings(source="scans", seed=3)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.fixture
def used(folder):
    """One that holds a run with `SETTINGS`."""
    for name in ("collection", "bundle", ".work"):
        (folder.root / name).mkdir(parents=True)
    folder.config.write_text(SETTINGS.to_toml())
    for name in ("report.html", "metrics.json", "predictions.csv"):
        (folder.root / name).write_text("")
    return folder


def refusal(folder, settings=SETTINGS):
    with pytest.raises(StopError) as caught:
        folder.check(settings)
    assert caught.value.code == "E_DESTINATION"
    assert caught.value.path == str(folder.root)
    return caught.value.found


def test_a_new_and_an_empty_folder_are_taken(folder):
    folder.check(SETTINGS)
    folder.root.mkdir()
    folder.check(SETTINGS)


def test_a_run_goes_on_with_its_own_settings(used):
    used.check(SETTINGS)
    used.check(SETTINGS.model_copy(update={"minutes": 5.0}))


def test_other_settings_are_refused_by_name(used):
    other = SETTINGS.model_copy(update={"seed": 4, "features": "latent"})
    assert refusal(used, other) == "a run with other settings lies there (features, seed)"


def test_strange_things_are_refused(used):
    (used.root / "thesis.docx").write_text("")
    assert "thesis.docx" in refusal(used)


@pytest.mark.parametrize("name", ["report.html", "metrics.json", "bundle", "audit.json"])
def test_results_without_their_settings_are_strange(folder, name):
    folder.root.mkdir()
    (folder.root / name).write_text("someone else's")
    assert name in refusal(folder)


def test_an_ingest_that_was_interrupted_is_gone_on_with(folder):
    for name in ("collection", ".work"):
        (folder.root / name).mkdir(parents=True)
    for name in ("quarantine.csv", "audit.json"):
        (folder.root / name).write_text("")
    folder.check(SETTINGS)


def test_a_file_is_no_folder(folder):
    folder.root.write_text("")
    assert refusal(folder) == "is a file"


def test_what_a_killed_run_was_writing_is_swept_away(used):
    (used.root / ".bundle.4711.tmp").mkdir()
    (used.root / ".bundle.4711.tmp" / "bundle.json").write_text("{")
    (used.root / ".metrics.json.4711.tmp").write_text("{")
    before = used.names()
    used.check(SETTINGS)
    used.sweep()
    assert before - used.names() == {".bundle.4711.tmp", ".metrics.json.4711.tmp"}


def test_no_other_temporary_file_is_swept_away(used):
    (used.root / "mine.tmp").write_text("")
    assert "mine.tmp" in refusal(used)
    used.sweep()
    assert (used.root / "mine.tmp").exists()


def test_restore(folder, tmp_path):
    folder.restore(None)
    folder.root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "kept").write_text("")
    (folder.root / "collection").mkdir()
    before = folder.names()
    (folder.root / "quarantine.csv").write_text("")
    (folder.root / "link").symlink_to(tmp_path / "elsewhere")
    folder.restore(before)
    assert folder.names() == {"collection"}
    folder.restore(None)
    assert not folder.root.exists()
    assert (tmp_path / "elsewhere" / "kept").exists()


def test_csv_cells_run_in_no_spreadsheet_and_are_always_utf8(tmp_path):
    path = tmp_path / "t.csv"
    rows = [
        ("=1+1", -1.5),
        ("@a", "-b"),
        ("+c", "\td"),
        ("caf\udce9", 'say "hi"\nthere'),
        ("e", ""),
    ]
    write_csv(path, ("name", "value"), rows)
    with path.open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert found[1:] == [
        *(["'=1+1", "-1.5"], ["'@a", "'-b"], ["'+c", "'\td"]),
        *(["caf\\udce9", 'say "hi"\nthere'], ["e", ""]),
    ]
