"""The doctor's page: well formed, complete, escaped, self-contained; and its JSON."""

from __future__ import annotations

import base64
import io
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latentdx.report.doctor_advice import ADVICE, MEANING, OTHERWISE
from latentdx.report.doctor_content import DoctorContent, Example, evenly_drawn
from latentdx.report.doctor_page import ROWS_SHOWN, doctor_page
from latentdx.report.thumbnails import thumbnail

HOSTILE = '<script>alert("x")</script>&\'"><img src=x onerror=alert(1)>'
VOID = {"meta", "link", "img", "br"}
REPO = Path(__file__).resolve().parents[2]


class Elements(HTMLParser):
    """Elements, attributes and text; fails on a tag left open or closed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def words(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(read(page).text))


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def found(**changes: Any) -> dict[str, Any]:
    return {
        "n_scans": 1240, "n_patients": 880, "n_skipped": 3, "size": 64, "channels": 1,
        "labels": {"NORMAL": 700, "PNEUMONIA": 540}, "modalities": {"CR": 1000, "": 240},
        "sizes": {"224x224": 1200, "512x400": 40},
        "conversions": {"MONOCHROME1 inverted": 12, "colour to luminance": 4},
        "quarantine": [
            {"path": "a/empty.dcm", "code": "E_EMPTY", "text": "the file has no bytes"},
            {"path": "a/cut.png", "code": "E_TRUNCATED", "text": "ends after 12 of 900 bytes"},
            {"path": "b/empty.dcm", "code": "E_EMPTY", "text": "the file has no bytes"},
            {"path": "b/new.dcm", "code": "E_OF_LATER", "text": "something new"},
        ],
        "not_images": ["reports/sr.dcm"], "notes": ["aspect kept, padded with 0"],
        "n_converted": 16, "warnings": {"W_SATURATED": 2, "W_LATER": 1}, **changes,
    }  # fmt: skip


def finding(**changes: Any) -> dict[str, Any]:
    return {
        "code": "W_ODD_ONE", "severity": "warning", "count": 3,
        "text": "3 of 1240 scans are unlike all others",
        "examples": [["hand.png"], ["foot.png"], ["unseen.png"]], **changes,
    }  # fmt: skip


def content(**changes: Any) -> DoctorContent:
    options: dict[str, Any] = {
        "name": "scans",
        "found": found(),
        "findings": [finding()],
        "pictures": {"hand.png": pixels(1, 200, 100), "foot.png": pixels(1, 16, 16, 16)},
        "examples": [
            Example("train/1.png", pixels(1, 64, 64), "NORMAL"),
            Example("train/2.png", pixels(3, 64, 64), "PNEUMONIA"),
            Example("train/3.png", pixels(1, 64, 64)),
        ],
    }
    return DoctorContent(**{**options, **changes})


def test_the_page_is_well_formed_and_asks_nothing_of_a_network() -> None:
    page = doctor_page(content())
    elements = read(page)
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert "script" not in elements.tags
    for _, name, value in elements.attributes:
        if name in ("src", "href"):
            assert value.startswith(("data:", "#"))
    assert not re.search(r"https?:|@import|url\(", page)
    assert ("html", "lang", "en") in elements.attributes


def test_it_can_be_read_without_eyes() -> None:
    elements = read(doctor_page(content()))
    headings = [int(tag[1]) for tag in elements.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert max(np.diff(headings)) <= 1
    assert Counter(elements.tags)["img"] == sum(
        name == "alt" and value != "" for tag, name, value in elements.attributes if tag == "img"
    )
    assert ("img", "alt", "train/1.png, label NORMAL") in elements.attributes
    ids = [value for _, name, value in elements.attributes if name == "id"]
    aimed = [v[1:] for _, n, v in elements.attributes if n == "href" and v.startswith("#")]
    aimed += [value for _, name, value in elements.attributes if name == "aria-labelledby"]
    assert len(ids) == len(set(ids))
    assert set(aimed) <= set(ids)
    assert elements.tags.count("th") == sum(n == "scope" for _, n, _ in elements.attributes)


def test_everything_that_was_found_is_there() -> None:
    shown = words(doctor_page(content()))
    for text in (
        "1,240 would be read of 880 patients", "16 of them converted", "4 set aside",
        "1 hold no image", "3 skipped", "sides of 64 pixels, in grey", "NORMAL 700",
        "PNEUMONIA 540", "CR 1,000", "not known 240", "224x224 1,200", "MONOCHROME1 inverted 12",
        "aspect kept, padded with 0", "W_SATURATED " + MEANING["W_SATURATED"] + " 2", "W_LATER",
        "W_ODD_ONE", "3 of 1240 scans are unlike all others", "hand.png", "foot.png", "unseen.png",
        "E_EMPTY 2 files " + ADVICE["E_EMPTY"], "a/empty.dcm the file has no bytes",
        "E_TRUNCATED 1 file " + ADVICE["E_TRUNCATED"], "a/cut.png ends after 12 of 900 bytes",
        "E_OF_LATER 1 file " + OTHERWISE, "reports/sr.dcm", "3 of 1,240 scans as they would be",
        "PNEUMONIA train/2.png",
    ):  # fmt: skip
        assert text in shown, text
    assert shown.index("E_EMPTY") < shown.index("E_OF_LATER") < shown.index("E_TRUNCATED")


def test_a_source_without_findings_or_scans_has_a_page_too() -> None:
    nothing = {"n_scans": 0, "n_patients": 0, "n_skipped": 0, "quarantine": [], "not_images": []}
    shown = words(doctor_page(DoctorContent("empty", nothing)))
    for text in ("No scan can be read", "Nothing caught the eye", "Nothing: every scan can be used",
                 "There is nothing to show"):  # fmt: skip
        assert text in shown
    assert "would be read" in words(doctor_page(DoctorContent("emptier", {"n_scans": 1})))


def test_hostile_names_and_paths_stay_text() -> None:
    counts = {HOSTILE: 1}
    hostile = DoctorContent(
        HOSTILE,
        found(
            labels=counts, modalities=counts, sizes=counts, conversions=counts, warnings=counts,
            quarantine=[{"path": HOSTILE, "code": HOSTILE, "text": HOSTILE}],
            not_images=[HOSTILE], notes=[HOSTILE],
        ),
        [
            finding(
                code=HOSTILE, severity=HOSTILE, text=HOSTILE, examples=[[HOSTILE], [HOSTILE * 2]]
            )
        ],
        {HOSTILE: pixels(1, 8, 8)},
        [Example(HOSTILE, pixels(1, 8, 8), HOSTILE)],
    )  # fmt: skip
    page = doctor_page(hostile)
    elements = read(page)
    assert "script" not in elements.tags
    assert "<script" not in page
    assert not [name for _, name, _ in elements.attributes if name.startswith("on")]
    assert elements.tags.count("img") == 2
    assert sum(HOSTILE in text for text in elements.text) > 14
    assert ("img", "alt", f"{HOSTILE}, label {HOSTILE}") in elements.attributes
    classes = {value for tag, name, value in elements.attributes if name == "class"}
    assert not [name for name in classes if "<" in name]


def test_paths_that_are_no_text_do_not_stop_the_page() -> None:
    item = {"path": "scan-\udce9.png", "code": "E_EMPTY", "text": "none"}
    page = doctor_page(content(found=found(quarantine=[item]), name="\udce9"))
    assert "scan-?.png" in page
    page.encode("utf-8")


def test_long_lists_end_with_what_is_left_and_pictures_are_limited() -> None:
    items = [{"path": f"{i}.dcm", "code": "E_EMPTY", "text": "none"} for i in range(1000)]
    many = content(
        found=found(quarantine=items, sizes={f"{i}x9": 1 for i in range(500)}),
        examples=[Example(f"{i}.png", pixels(3, 300, 300), "x") for i in range(60)],
    )
    page = doctor_page(many)
    assert f"And {1000 - ROWS_SHOWN} more, in doctor.json." in words(page)
    assert "And 470 more, in doctor.json." in words(page)
    assert page.count('src="data:image/png') == 2 + 48
    assert len(page.encode()) < 3_000_000
    assert len(many.as_json()["quarantine"]) == 1000


def test_the_same_content_gives_the_same_page() -> None:
    assert doctor_page(content()) == doctor_page(content())


def test_the_json_holds_all_but_the_pictures() -> None:
    told = json.loads(json.dumps(content().as_json(), allow_nan=False))
    assert told["source"] == "scans"
    assert told["findings"] == [finding()]
    assert told["examples"][1] == {"path": "train/2.png", "label": "PNEUMONIA"}
    assert {key: told[key] for key in found()} == found()


@pytest.mark.parametrize(
    ("labels", "most", "rows"),
    [
        (["a"] * 10, 4, [0, 3, 6, 9]),
        (["b", "a", "b", "a", "b"], 2, [1, 0]),
        (["a", "", "a"], 48, [1, 0, 2]),
        ([], 48, []),
        (["a"] * 90 + ["b"] * 2, 10, None),
    ],
)
def test_examples_are_drawn_evenly_from_every_label(
    labels: list[str], most: int, rows: list[int] | None
) -> None:
    drawn = evenly_drawn(labels, most)
    assert len(drawn) == len(set(drawn)) == min(most, len(labels))
    if rows is not None:
        assert drawn == rows
    else:
        assert Counter(labels[row] for row in drawn) == {"a": 8, "b": 2}


@pytest.mark.parametrize(
    ("shape", "size", "mode"),
    [((1, 200, 100), (48, 96), "L"), ((3, 64, 64), (64, 64), "RGB"), ((2, 10, 12), (12, 10), "L"),
     ((1, 30, 40, 5), (30, 40), "L")],
)  # fmt: skip
def test_thumbnails_keep_their_aspect(
    shape: tuple[int, ...], size: tuple[int, int], mode: str
) -> None:
    image = Image.open(io.BytesIO(base64.b64decode(thumbnail(pixels(*shape)).split(",")[1])))
    assert (image.size, image.mode) == (size, mode)


def test_of_a_volume_front_is_up_and_the_patients_right_is_right_of_the_index() -> None:
    volume = np.zeros((1, 4, 6, 3), np.float32)
    volume[0, 3, 5, 1] = 1  # high x, high y: in RAS+ the right and the front
    image = Image.open(io.BytesIO(base64.b64decode(thumbnail(volume).split(",")[1])))
    assert np.argwhere(np.asarray(image) == 255).tolist() == [[0, 3]]


def test_values_beyond_the_scale_are_clipped() -> None:
    odd = np.array([[[np.nan, np.inf], [-1.0, 2.0]]], np.float32)
    image = Image.open(io.BytesIO(base64.b64decode(thumbnail(odd).split(",")[1])))
    assert np.asarray(image).tolist() == [[0, 255], [0, 255]]


def test_the_advice_is_that_of_the_page_of_errors() -> None:
    lines = (REPO / "docs" / "errors.md").read_text().splitlines()
    cells = [line.split("|") for line in lines if line.startswith("| `")]
    told = {
        cell[1].strip(" `"): cell[3].strip().replace("`", "") for cell in cells if len(cell) > 4
    }
    shared = told.keys() & ADVICE.keys()
    assert len(shared) > 10
    assert {code: ADVICE[code] for code in shared} == {code: told[code] for code in shared}
