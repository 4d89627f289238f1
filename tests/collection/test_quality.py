"""Scans unlike the others, planted in made and in real collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentdx.collection.quality import FEWEST, QualityFinding, review
from latentdx.collection.quality_features import picture_features
from latentdx.collection.quality_inverted import MARGIN, Upright
from latentdx.collection.quality_odd import MOST, Typical, odd_rows
from latentdx.collection.quality_pictures import SIDE, small_pictures
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow

Make = Callable[..., Collection]


@pytest.fixture
def collection(tmp_path: Path) -> Make:
    """A collection of pictures (N, H, W), the longest side kept, padded as an ingest does."""

    def make(
        pictures: Sequence[np.ndarray], names: Sequence[str], modality: Sequence[str] = ()
    ) -> Collection:
        size = max(max(picture.shape[-2:]) for picture in pictures)
        made = Collection.create(tmp_path / "collection", size=size, channels=1)
        made.append(
            [
                ScanRow(
                    f"{index:016x}",
                    names[index],
                    padded(picture, size),
                    str(index),
                    modality=modality[index] if modality else "",
                    native_shape=picture.shape,
                )
                for index, picture in enumerate(pictures)
            ]
        )
        return made

    return make


def padded(picture: np.ndarray, size: int) -> np.ndarray:
    square = np.zeros((1, size, size), np.float32)
    top, left = ((size - side) // 2 for side in picture.shape)
    square[0, top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return square


def torsos(n: int, seed: int = 0, shape: tuple[int, int] = (32, 32)) -> list[np.ndarray]:
    """Two dark ovals on a bright body, of varied size, place and noise."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    found = []
    for _ in range(n):
        dx, dy, wide, high = draw.normal([0, 0, 0.3, 0.55], 0.05)
        picture = 0.8 - 0.3 * (np.abs(x) > 0.9)
        for side in (-0.45, 0.45):
            oval = ((x - side - dx) / wide) ** 2 + ((y - dy) / high) ** 2
            picture = picture - 0.6 * np.exp(-(oval**2))
        found.append((picture + draw.normal(0, 0.03, shape)).clip(0, 1).astype(np.float32))
    return found


def bars(n: int, seed: int = 1) -> list[np.ndarray]:
    """Bright slanting bars on black: something else altogether."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    shifts = draw.uniform(-0.3, 0.3, n)
    return [
        (np.exp(-(((x - y + shift) / 0.2) ** 2)) + draw.normal(0, 0.02, x.shape))
        .clip(0, 1)
        .astype(np.float32)
        for shift in shifts
    ]


def names_of(n: int) -> list[str]:
    return [f"{index}.png" for index in range(n)]


def found_by(findings: Sequence[QualityFinding], code: str) -> set[int]:
    return {row for finding in findings if finding.code == code for row in finding.rows}


def test_of_a_clean_collection_little_is_marked(collection: Make) -> None:
    """No inverted scan, and of the usual ones not more than the extremes that any set has."""
    findings = review(collection(torsos(200), names_of(200)))
    assert {finding.code for finding in findings} <= {"W_ODD_ONE"}
    assert len(found_by(findings, "W_ODD_ONE")) <= 8


def test_planted_scans_of_another_kind_are_named(collection: Make) -> None:
    findings = review(collection([*torsos(200), *bars(4)], names_of(204)))
    assert [finding.code for finding in findings] == ["W_ODD_ONE"]
    (odd,) = findings
    assert set(odd.rows[:4]) == {200, 201, 202, 203}  # the clearest first
    assert set(odd.examples[:4]) == {"200.png", "201.png", "202.png", "203.png"}
    assert odd.count == len(odd.rows) <= 4 + 8
    assert odd.text.startswith(f"{odd.count} of 204 scans are unlike")
    assert odd.as_json()["examples"] == [[path] for path in odd.examples]


def test_two_kinds_of_like_number_are_both_usual(collection: Make) -> None:
    findings = review(collection([*torsos(60), *bars(60)], names_of(120)))
    assert found_by(findings, "W_INVERTED") == set()
    assert len(found_by(findings, "W_ODD_ONE")) <= 5


def test_inverted_scans_are_named_and_are_not_odd_as_well(collection: Make) -> None:
    pictures = torsos(120)
    pictures[5], pictures[77] = 1 - pictures[5], 1 - pictures[77]
    findings = review(collection(pictures, names_of(120)))
    assert found_by(findings, "W_INVERTED") == {5, 77}
    assert not found_by(findings, "W_ODD_ONE") & {5, 77}


def test_half_inverted_has_no_majority(collection: Make) -> None:
    pictures = [1 - p if i % 2 else p for i, p in enumerate(torsos(120))]
    assert found_by(review(collection(pictures, names_of(120))), "W_INVERTED") == set()


def test_padding_neither_hides_nor_makes_a_difference(collection: Make) -> None:
    pictures = [*torsos(90), *torsos(30, 2, (32, 20))]
    pictures[100] = 1 - pictures[100]
    findings = review(collection(pictures, names_of(120)))
    assert found_by(findings, "W_INVERTED") == {100}
    narrow = found_by(findings, "W_ODD_ONE") & set(range(90, 120))
    assert len(narrow) <= 3


def test_the_same_collection_gives_the_same_findings(collection: Make) -> None:
    made = collection([*torsos(80), *bars(2)], names_of(82))
    assert review(made) == review(Collection.open(made.path))


def test_mixed_modalities_are_counted_and_radiographs_are_one_kind(collection: Make) -> None:
    pictures, names = torsos(12), names_of(12)
    kinds = ["CR"] * 6 + ["DX"] * 3 + ["MR"] * 2 + [""]
    (finding,) = review(collection(pictures, names, kinds))
    assert (finding.code, finding.count) == ("W_MODALITY", 2)
    assert "CR 6, DX 3, MR 2, not known 1" in finding.text
    assert finding.examples == ("9.png", "10.png")
    assert review(collection(pictures, names, ["CR"] * 8 + ["DX"] * 4)) == []


@pytest.mark.parametrize("n", [0, 1, FEWEST - 1])
def test_of_few_scans_nothing_is_said(collection: Make, tmp_path: Path, n: int) -> None:
    if n == 0:
        assert review(Collection.create(tmp_path / "none", size=8, channels=1)) == []
        return
    assert review(collection([*torsos(n - 1), *bars(1)], names_of(n))) == []


@pytest.mark.parametrize("n", [FEWEST, 130])
def test_equal_and_black_scans_do_not_break_it(collection: Make, n: int) -> None:
    same = torsos(1) * (n - 2)
    black = [np.zeros((32, 32), np.float32)] * 2
    findings = review(collection([*same, *black], names_of(n)))
    assert found_by(findings, "W_INVERTED") == set()
    assert found_by(findings, "W_ODD_ONE") <= {n - 2, n - 1}
    assert review(collection([black[0]] * n, names_of(n))) == []


def test_at_most_a_tenth_is_odd_and_the_oddest_comes_first() -> None:
    scores = np.concatenate([np.linspace(-0.1, 0.1, 160), np.linspace(5, 6, 40)])
    assert odd_rows(scores).tolist() == list(range(199, 199 - int(MOST * 200), -1))


def test_volumes_show_their_middle_slice_and_colour_its_mean() -> None:
    volume = np.zeros((2, 1, 16, 16, 9), np.float32)
    volume[:, 0, :, :, 4] = np.linspace(0, 1, 16)
    flat = small_pictures(volume[..., 4], np.zeros((2, 2)))
    assert np.array_equal(small_pictures(volume, np.full((2, 3), 16)), flat)
    colour = np.stack([volume[:, 0, :, :, 4], volume[:, 0, :, :, 4] / 2], axis=1)
    assert np.allclose(small_pictures(colour, np.zeros((2, 2))), 0.75 * flat)


def test_collections_of_volumes_are_reviewed(tmp_path: Path) -> None:
    slices = [*torsos(100), *bars(2)]
    made = Collection.create(tmp_path / "volumes", size=32, channels=1, dims=3)
    for start in range(0, len(slices), 34):
        chunk = range(start, min(start + 34, len(slices)))
        made.append(
            [
                ScanRow(
                    f"{index:016x}",
                    f"{index}.nii.gz",
                    np.repeat(slices[index][None, :, :, None], 32, axis=3),
                    str(index),
                    native_shape=(32, 32, 32),
                )
                for index in chunk
            ]
        )
    assert {100, 101} <= found_by(review(made), "W_ODD_ONE")


@pytest.mark.parametrize("size", [16, 28, 50, 64, 224])
def test_small_pictures_keep_the_mean_of_any_size(size: int) -> None:
    pixels = np.random.default_rng(0).random((3, 1, size, size), dtype=np.float32)
    small = small_pictures(pixels, np.full((3, 2), size))
    assert small.shape == (3, SIDE, SIDE)
    assert np.allclose(small.mean(axis=(1, 2)), pixels.mean(axis=(1, 2, 3)), atol=1e-5)


def test_features_do_not_depend_on_the_company() -> None:
    pictures = np.stack(torsos(7))
    alone = np.concatenate([picture_features(picture[None]) for picture in pictures])
    assert np.allclose(picture_features(pictures), alone, atol=1e-5)
    assert np.isfinite(alone).all()


def test_new_scans_are_judged_by_a_sample_of_others() -> None:
    usual, odd = np.stack(torsos(200)), np.stack(bars(5))
    typical = Typical(picture_features(usual[:150]))
    scores = typical.scores(picture_features(np.concatenate([usual[150:], odd])))
    assert scores[50:].min() > scores[:50].max()
    gains = Upright(usual[:150]).gains(np.concatenate([usual[150:], 1 - usual[150:]]))
    assert (gains[:50] < -MARGIN).all()
    assert (gains[50:] > MARGIN).all()


def pictures_in(folder: Path, pattern: str, step: int, n: int) -> list[np.ndarray]:
    found = []
    for path in sorted(folder.rglob(pattern))[::step][:n]:
        with Image.open(path) as image:
            grey = image.convert("L")
            grey.thumbnail((64, 64), Image.Resampling.BOX)
            found.append(np.asarray(grey, np.float32) / 255)
    assert len(found) == n
    return found


REAL = [
    ("cxr_nih_pneumonia_224", "*.png"),
    ("cxr_pneumonia_kermany_small/train", "*.jpeg"),
    ("mednist_64_subset/ChestCT", "*.jpeg"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("folder", "pattern"), REAL)
def test_real_scans_among_themselves(
    shared: Path, collection: Make, folder: str, pattern: str
) -> None:
    """In 300 real scans of a kind at most three are odd, none inverted; 15 inverted are found."""
    pictures = pictures_in(shared / folder, pattern, 3, 300)
    findings = review(collection(pictures, names_of(300)))
    assert found_by(findings, "W_INVERTED") == set()
    assert len(found_by(findings, "W_ODD_ONE")) <= 3
    planted = set(range(0, 300, 20))
    mixed = [1 - p if i in planted else p for i, p in enumerate(pictures)]
    assert found_by(review(collection(mixed, names_of(300))), "W_INVERTED") == planted


@pytest.mark.slow
@pytest.mark.parametrize("usual", ["CXR", "AbdomenCT"])
@pytest.mark.parametrize("odd", ["Hand", "HeadCT", "BreastMRI"])
def test_real_scans_of_another_kind(shared: Path, collection: Make, usual: str, odd: str) -> None:
    """Six of another body part among 300: five at least are found, with at most nine others."""
    folder = shared / "mednist_64_subset"
    pictures = pictures_in(folder / usual, "*.jpeg", 3, 300)
    pictures += pictures_in(folder / odd, "*.jpeg", 100, 6)
    findings = review(collection(pictures, names_of(306)))
    marked = found_by(findings, "W_ODD_ONE") | found_by(findings, "W_INVERTED")
    assert len(marked & set(range(300, 306))) >= 5
    assert len(marked - set(range(300, 306))) <= 9
