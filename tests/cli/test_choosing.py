"""`search` and `compare` on the command line: what they print, leave and refuse."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import Ended, class_folders, killed_when, visible

from latentdx.cli import choices
from latentdx.study.settings import read_toml, settings_from

Call = Callable[..., Ended]

ONE = ("--families", "convolutional", "--objectives", "none", "--epochs", "1", "--labelled", "8")


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory, _user: None) -> Path:
    from latentdx.collection.ingest import ingest
    from latentdx.collection.plan import IngestSettings

    root = tmp_path_factory.mktemp("choosing")
    scans = class_folders(root / "scans", 30)
    told = IngestSettings(patient_pattern=r"p\d+", workers=1)
    return ingest([scans], root / "collection", told).path


def test_the_examples_run() -> None:
    assert doctest.testmod(choices).failed == 0


@pytest.mark.slow
def test_search_in_words_and_json(here: Call, collection: Path, tmp_path: Path) -> None:
    call = ("search", collection, "--to", tmp_path / "s", "--trials", "2", *ONE)
    ended = here(*call)
    assert ended.code == 0, ended.err
    assert "2 trials, 0 of them given up" in ended.out
    assert "Best: convolutional" in ended.out
    assert "optimistic" in ended.out
    assert f"latentdx run --config {tmp_path / 's' / 'best.toml'}" in ended.out
    assert visible(tmp_path / "s") == {"best.toml", "search.html", "search.json"}
    again = here(*call, "--json").json
    assert again == json.loads((tmp_path / "s" / "search.json").read_text())
    assert again["budget"] == {"minutes": None, "trials": 2}
    path = tmp_path / "s" / "best.toml"
    assert settings_from(read_toml(path), path).autoencoder == "convolutional"


@pytest.mark.slow
def test_a_run_takes_what_a_search_found(here: Call, collection: Path, tmp_path: Path) -> None:
    here("search", collection, "--to", tmp_path / "s", "--trials", "2", *ONE)
    ended = here("run", "--config", tmp_path / "s" / "best.toml", "--out", tmp_path / "o", "--json")
    assert ended.code == 0, ended.err
    found = settings_from(read_toml(tmp_path / "o" / "config.toml"))
    assert found == settings_from(read_toml(tmp_path / "s" / "best.toml"))


@pytest.mark.slow
def test_a_search_that_was_killed_is_gone_on_with(
    here: Call, collection: Path, tmp_path: Path
) -> None:
    """SIGKILL in the second trial, as soon as it is on the disk."""
    call = ("search", collection, "--trials", "3", *ONE, "--to")
    journal = tmp_path / "b" / ".work" / "trials.jsonl"

    def in_the_second(_: str) -> bool:
        return journal.exists() and journal.read_text().count('"seconds"') == 3

    killed_when(in_the_second, tmp_path / "log", *call, tmp_path / "b")
    found = [here(*call, tmp_path / name, "--json").json for name in ("a", "b")]
    one, other = (
        [(trial["point"], trial["log_loss"], trial["values"]) for trial in result["trials"]]
        for result in found
    )
    assert one == other
    assert found[0]["best"]["number"] == found[1]["best"]["number"]


@pytest.mark.slow
def test_compare_in_words_and_json(here: Call, collection: Path, tmp_path: Path) -> None:
    call = ("compare", collection, "convolutional", "--to", tmp_path / "c", "--epochs", "1")
    ended = here(*call, "--labelled", "8")
    assert ended.code == 0, ended.err
    lines = {line.split("  ")[0]: line for line in ended.out.splitlines()}
    for name in ("convolutional", "convolutional untrained", "pixels", "hog", "class shares"):
        assert "0." in lines[name]
    assert "images/s" in lines["features"]
    assert visible(tmp_path / "c") == {"compare.html", "compare.json", "encoders"}
    again = here(*call, "--labelled", "8", "--json").json
    assert again == json.loads((tmp_path / "c" / "compare.json").read_text())
    fitted = here(
        *("fit", collection, "--encoder", tmp_path / "c" / "encoders" / "convolutional-0"),
        *("--to", tmp_path / "bundle"),
    )
    assert fitted.code == 0, fitted.err


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        (("search", "{c}", "--families", "invariont", "--to", "{t}"), "E_NAME", "invariant"),
        (("search", "{c}", "--objectives", "vigreg", "--to", "{t}"), "E_NAME", "vicreg"),
        (("compare", "{c}", "masked+vigreg", "--to", "{t}"), "E_NAME", "vicreg"),
        (("compare", "{c}", "masked+deep-coral", "--to", "{t}"), "E_OPTION", "pretrain"),
        (("search", "{c}", "--objectives", "deep-coral", "--to", "{t}"), "E_OPTION", "pretrain"),
        (
            ("compare", "{c}", "masked", "--to", "{t}", "--epochs", "1", "--minutes", "1"),
            *("E_OPTION", "both"),
        ),
        (("search", "{t}", "--to", "{t}/s", "--trials", "1"), "E_COLLECTION", "{t}"),
        (("compare", "{t}", "masked", "--to", "{t}/c"), "E_COLLECTION", "{t}"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_written(
    here: Call, collection: Path, tmp_path: Path, call: tuple[str, ...], code: str, said: str
) -> None:
    places = {"c": str(collection), "t": str(tmp_path / "there")}
    ended = here(*(word.format(**places) for word in call))
    assert (ended.code, ended.out) == (2, "")
    assert code in ended.err
    assert said.format(**places) in ended.err
    assert not (tmp_path / "there").exists()
