"""The pages as a reader meets them: in Chromium, on a phone and a laptop, by keyboard, on paper."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from every_page import every_page

HERE = Path(__file__).parents[1] / "browser"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
KINDS = (
    *("classes", "findings", "values", "training"),
    *("doctor", "suggest", "compare", "chinese"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (
            shutil.which("node")
            and Path(CHROMIUM).exists()
            and (HERE / "node_modules" / "axe-core").is_dir()
        ),
        reason="no browser: make test installs it on Debian",
    ),
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `look.mjs` saw of each page."""
    folder = tmp_path_factory.mktemp("pages")
    pages = {kind: every_page()[kind] for kind in KINDS}
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page)
    command = ["node", str(HERE / "look.mjs"), str(folder)]
    command += [str(folder / f"{name}.html") for name in pages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {told["page"]: told for told in json.loads(done.stdout)}


@pytest.mark.parametrize("kind", KINDS)
def test_no_request_leaves_the_page_and_nothing_is_blocked(seen: dict[str, Any], kind: str) -> None:
    assert seen[kind]["asked"] == []
    assert seen[kind]["faults"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_fits_a_phone_and_a_laptop(seen: dict[str, Any], kind: str) -> None:
    for view in seen[kind]["views"].values():
        assert view["width"] <= view["most"], view["wide"]


@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_no_grave_fault(seen: dict[str, Any], kind: str) -> None:
    views = seen[kind]["views"]
    assert {view["rules"] > 20 for view in views.values()} == {True}, "axe did not look"
    found = [fault for view in views.values() for fault in view["axe"]]
    assert [fault for fault in found if fault["impact"] != "minor"] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_dark_page_is_dark_and_paper_is_white(seen: dict[str, Any], kind: str) -> None:
    views = seen[kind]["views"]
    assert views["laptop light"]["paper"] > 0.95
    assert views["phone dark"]["paper"] < 0.15
    assert views["phone dark"]["ink"] > 0.6
    assert seen[kind]["printed"]["paper"] > 0.95
    assert seen[kind]["printed"]["ink"] < 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_paper_shows_what_is_folded(seen: dict[str, Any], kind: str) -> None:
    assert seen[kind]["printed"]["hidden"] == 0
    assert seen[kind]["printed"]["bytes"] > 5000


@pytest.mark.parametrize("kind", KINDS)
def test_a_keyboard_reaches_all_and_the_focus_is_seen(seen: dict[str, Any], kind: str) -> None:
    found = seen[kind]
    assert found["skip"] == {"link": "#main", "target": "main"}
    assert len(found["stops"]) >= found["stoppable"] > 0
    unseen = [stop for stop in found["stops"] if not (stop["ring"] and stop["inside"])]
    assert unseen == []
    assert all(found["unfolds"])


def test_pages_with_something_folded_were_among_them(seen: dict[str, Any]) -> None:
    assert len(seen["classes"]["unfolds"]) >= 2
