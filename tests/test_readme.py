"""The READMEs and docs/usage.md: their example runs, and what they name is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from latentdx.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
USAGE = ROOT / "docs" / "usage.md"
PAGES = sorted([ENGLISH, CHINESE, ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page, of these languages or of all."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [code for language, code in found if not languages or language in languages]


def headings(page: Path) -> list[str]:
    """The marks (``#``, ``##``...) of a page's headings, in order."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return re.findall(r"^(#+) ", prose, re.MULTILINE)


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of each ``latentdx`` line, without what a shell takes for itself."""
    for code in blocks(page, "sh"):
        for line in code.splitlines():
            words = shlex.split(line.partition(" > ")[0], comments=True)
            if words[:1] == ["latentdx"]:
                yield words[1:]


def options_of(command: str) -> set[str]:
    parameters = COMMANDS[command].params
    return {name for item in parameters for name in (*item.opts, *item.secondary_opts)}


@pytest.mark.slow
def test_the_python_example_runs(tmp_path: Path) -> None:
    [code] = blocks(ENGLISH, "python")
    assert len(code.splitlines()) <= 15
    # One thread: others' work on the same cores then costs little.
    surroundings = {"OMP_NUM_THREADS": "1", "LATENTDX_KEY_FILE": str(tmp_path / "key")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()
    assert "'n_patients'" in shown[0]
    assert "strongest baseline" in shown[1]
    assert sum(line.startswith("cohort") and ".dcm" in line for line in shown) == 3
    assert (tmp_path / "study" / "report.html").exists()


def test_the_example_for_scikit_learn_runs() -> None:
    [code] = blocks(ROOT / "docs" / "features.md", "python")
    names: dict[str, object] = {}
    exec(code + "shown = model.predict_proba(scans[40:])", names)  # noqa: S102 - our own page
    assert names["shown"].shape == (20, 2)  # type: ignore[attr-defined]


def test_both_readmes_have_the_same_headings() -> None:
    assert headings(ENGLISH) == headings(CHINESE)


def test_both_readmes_have_the_same_code() -> None:
    assert blocks(ENGLISH) == blocks(CHINESE)


def test_both_readmes_have_tables_of_the_same_length() -> None:
    lengths = [
        len(re.findall(r"^\|", page.read_text(encoding="utf-8"), re.MULTILINE))
        for page in (ENGLISH, CHINESE)
    ]
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_make_targets_named_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)\b", ENGLISH.read_text(encoding="utf-8")))
    assert {"demo", "test", "check"} <= named
    assert [name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_usage_has_a_section_and_an_example_for_each_command() -> None:
    sections = re.findall(r"^### (\S+)$", USAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(COMMANDS)
    assert {words[0] for words in command_lines(USAGE)} == set(COMMANDS)


@pytest.mark.parametrize("page", [ENGLISH, USAGE], ids=lambda page: page.name)
def test_every_example_names_a_command_and_options_that_exist(page: Path) -> None:
    lines = list(command_lines(page))
    assert len(lines) > 5
    for command, *words in lines:
        given = {word for word in words if word.startswith("--")}
        assert given <= options_of(command), (command, given)


def test_the_options_that_usage_explains_are_those_of_run() -> None:
    explained = re.findall(r"^\| `(--[a-z-]+)", USAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert explained
    assert set(explained) <= options_of("run")


def test_the_figures_are_those_of_the_results() -> None:
    command = [sys.executable, "-m", "benchmarks.figures", "--check"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"run python -m benchmarks.figures: {done.stdout}{done.stderr}"


def test_all_pages_of_the_site_are_in_its_menu() -> None:
    docs = ROOT / "docs"
    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"(\S+\.md)$", menu, re.MULTILINE)) == pages
