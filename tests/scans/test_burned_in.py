"""Text burned into pixels: found where it was drawn, not found where nothing was."""

from __future__ import annotations

import hashlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from planted_text import LINES, anatomy, draw
from pydicom import Dataset

from latentdx.core.errors import InputError
from latentdx.scans.burned_in import FACE, RISKY, Risk, guard, mask_text, risk_of, text_in
from latentdx.scans.policy import BurnedIn
from latentdx.scans.text_likeness import SMALLEST, Box, find_text


def _covers(boxes: list[Box], place: tuple[int, int, int, int]) -> bool:
    """Whether the boxes together cover half of the line's length at its height."""
    top, left, bottom, right = place
    columns = np.zeros(right, bool)
    for box in boxes:
        if min(box.bottom, bottom) - max(box.top, top) > 0.4 * (bottom - top):
            columns[max(left, box.left) : min(right, box.right)] = True
    return bool(columns[left:].mean() > 0.5)


@pytest.mark.parametrize(
    ("size", "height"),
    [(256, 9), (256, 12), (256, 16), (512, 9), (512, 24), (768, 12), (768, 32), (1024, 48)],
)
@pytest.mark.parametrize("style", ["whitebox", "blackbox"])
def test_every_line_in_a_box_is_found(size: int, height: int, style: str) -> None:
    tried = 0
    for text, at in product(LINES, [(8, 8), (size // 2, 9)]):
        pixels, place = draw(anatomy(size), text, height, at=at, style=style)
        if place[3] < size - 8:
            assert _covers(find_text(pixels), place), (text, at)
            tried += 1
    assert tried >= 2


@pytest.mark.parametrize("style", ["white", "black"])
def test_lines_over_anatomy_are_mostly_found(style: str) -> None:
    """Over anatomy no contrast is sure: nine lines of ten are asked for."""
    background = 0.1 + 0.6 * anatomy(512) if style == "white" else 0.4 + 0.6 * anatomy(512)
    found, tried = 0, 0
    for text, height, row in product(LINES, (10, 14, 20, 30), (40, 240, 430)):
        pixels, place = draw(background, text, height, at=(row, 60), style=style)
        if place[3] < 500:
            found += _covers(find_text(pixels), place)
            tried += 1
    assert tried >= 40
    assert found >= 0.9 * tried


@pytest.mark.parametrize("word", ["R", "L", "AP", "PA", "LEFT"])
@pytest.mark.parametrize("height", [10, 20, 40])
def test_marks_of_side_and_view_are_no_text(word: str, height: int) -> None:
    pixels, _ = draw(anatomy(512), word, height, at=(20, 20))
    assert find_text(pixels) == []


@pytest.mark.parametrize("seed", range(5))
def test_pictures_without_text(seed: int) -> None:
    rng = np.random.default_rng(seed)
    smooth = anatomy(512, seed)
    striped = 0.5 + 0.5 * np.sin(np.arange(512) * 0.8)[None].repeat(512, 0)
    noise = rng.random((512, 512))
    blobs = (anatomy(512, seed) > 0.4).astype(np.float32)
    for pixels in (smooth, striped, noise, blobs, np.ones((512, 512)), smooth[:100, :500]):
        assert find_text(np.asarray(pixels, np.float32)) == []


def test_small_pictures_are_not_searched() -> None:
    pixels, place = draw(np.zeros((96, 200), np.float32), LINES[0], 12, at=(30, 20))
    assert _covers(find_text(pixels), place)
    assert find_text(pixels[: SMALLEST - 1]) == []


def test_text_at_the_rim_is_found() -> None:
    for at in ((2, 2), (535, 2), (535, 395)):
        pixels, place = draw(np.zeros((549, 547), np.float32), LINES[2], 12, at=at)
        assert _covers(find_text(pixels), place), at


def test_coloured_text_is_found() -> None:
    grey, place = draw(np.zeros((200, 300), np.float32), LINES[1], 14, at=(50, 40))
    blue = np.stack([np.zeros_like(grey), np.zeros_like(grey), grey])
    assert _covers(text_in(blue), place)


# What becomes of it


def test_quarantine_refuses_and_says_nothing_of_the_text() -> None:
    pixels, _ = draw(anatomy(512), LINES[0], 16, at=(20, 20), style="whitebox")
    with pytest.raises(InputError, match="E_BURNED_IN") as caught:
        guard(pixels[None], Risk(), "quarantine")
    assert "DOE" not in str(caught.value)


def test_a_masked_line_is_gone_and_the_rest_is_as_it_was() -> None:
    clean = anatomy(512)
    pixels, place = draw(clean, LINES[0], 16, at=(20, 60), style="whitebox")
    masked, done, warned = guard(pixels[None], Risk("raised"), "mask")
    assert find_text(masked[0]) == []
    inside = masked[0, place[0] : place[2], place[1] : place[3]]
    assert np.ptp(inside) == 0
    assert np.array_equal(masked[0, 100:], pixels[100:])
    assert warned == ()
    assert len(done) == 1
    assert "masked" in done[0]


def test_several_lines_and_colours_are_masked() -> None:
    pixels = 0.2 + 0 * anatomy(512)
    for row, text in enumerate(LINES):
        pixels, _ = draw(pixels, text, 14, at=(20 + 40 * row, 60))
    masked, done, _ = guard(np.stack([pixels] * 3), Risk(), "mask")
    assert masked.shape == (3, 512, 512)
    assert masked.max() < 0.3
    assert done[0].startswith("burned-in text masked")


@pytest.mark.parametrize("policy", ["quarantine", "mask"])
def test_stated_text_that_is_not_found_is_refused(policy: BurnedIn) -> None:
    with pytest.raises(InputError, match="E_BURNED_IN"):
        guard(anatomy(256)[None], Risk("stated"), policy)


def test_keep_keeps_and_warns() -> None:
    pixels, _ = draw(anatomy(512), LINES[0], 16, at=(20, 20), style="whitebox")
    kept, done, warned = guard(pixels[None], Risk("stated", has_face=True), "keep")
    assert kept is not None
    assert np.array_equal(kept[0], pixels)
    assert done == ()
    assert set(warned) == {RISKY, FACE}


def test_pictures_at_risk_are_warned_of() -> None:
    pixels = anatomy(256)[None]
    assert guard(pixels, Risk("raised"), "quarantine")[2] == (RISKY,)
    assert guard(pixels, Risk("low"), "quarantine")[2] == ()
    assert guard(pixels, Risk("low", has_face=True), "quarantine")[2] == (FACE,)


def test_boxes_at_the_rim_are_masked() -> None:
    masked = mask_text(np.ones((1, 64, 64), np.float32), [Box(0, 0, 10, 64), Box(60, 50, 64, 64)])
    assert masked.shape == (1, 64, 64)


@pytest.mark.parametrize(
    ("tags", "level"),
    [({}, "low"), ({"BurnedInAnnotation": "NO"}, "low"), ({"BurnedInAnnotation": "YES"}, "stated"),
     ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "raised"),
     ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7.2"}, "raised"),
     ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1"}, "low"),
     ({"Modality": "US"}, "raised"), ({"Modality": "CR"}, "low"),
     ({"ConversionType": "SD"}, "raised"), ({"ConversionType": "SYN"}, "low"),
     ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "raised"),
     ({"ImageType": ["DERIVED", "SECONDARY"]}, "low"),
     ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "BurnedInAnnotation": "YES"}, "stated")],
)  # fmt: skip
def test_risk(tags: dict[str, Any], level: str) -> None:
    ds = Dataset()
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    risk = risk_of(ds)
    assert risk.level == level
    assert bool(risk.reasons) == (level != "low")
    ds.RecognizableVisualFeatures = "YES"
    assert risk_of(ds).has_face


# Real scans


def _held_out(files: list[Path], root: Path) -> list[Path]:
    """The half on which nothing was tuned, and of it every third."""

    def bit(path: Path) -> int:
        name = str(path.relative_to(root)).encode()
        return hashlib.blake2b(name, digest_size=1).digest()[0] % 2

    return [path for path in sorted(files) if bit(path) == 1][::3]


def _grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), np.float32) / 255


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "pattern", "n_files"),
    [("cxr_pneumonia_kermany_small", "*.jpeg", 900), ("cxr_nih_pneumonia_224", "*.png", 150)],
)
def test_real_radiographs_are_let_pass(
    folder: str, pattern: str, n_files: int, shared: Path
) -> None:
    files = _held_out(list((shared / folder).rglob(pattern)), shared)
    assert len(files) >= n_files
    assert [path.name for path in files if find_text(_grey(path))] == []


@pytest.mark.slow
def test_drawn_lines_are_found_on_real_scans(shared: Path) -> None:
    files = _held_out(list((shared / "brain_mri_tumor_yesno").rglob("*.jpg")), shared)
    found, tried = 0, 0
    for index, path in enumerate(files):
        pixels = _grey(path)
        text, height = LINES[index % len(LINES)], (9, 12, 16, 24)[index % 4]
        if min(pixels.shape) < 256 or find_text(pixels):
            continue
        drawn, place = draw(pixels, text, height, at=(12, 12), style="whitebox")
        if place[3] < pixels.shape[1] - 8:
            found += _covers(find_text(drawn), place)
            tried += 1
    assert tried >= 10
    assert found >= 0.95 * tried
