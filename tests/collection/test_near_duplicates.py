"""Copies planted among phantoms are found; what was not planted is not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentdx.collection import near_kept
from latentdx.collection.audit import Finding, audit
from latentdx.collection.near_candidates import NEAREST, Whitener, descriptions, similarity
from latentdx.collection.near_duplicates import NearPairs, near_duplicates
from latentdx.collection.near_kept import KEPT_NAME, kept_near_duplicates
from latentdx.collection.near_pictures import comparable, flipped
from latentdx.collection.near_register import agreement
from latentdx.collection.phantoms import PhantomSettings, draw_phantom
from latentdx.collection.split import split_by_patient
from latentdx.collection.store import Collection
from latentdx.collection.table import CollectionTable, ScanRow
from latentdx.collection.units import unit_ids
from latentdx.core.errors import LeakageError
from latentdx.scans.geometry import fit_square

Image2 = np.ndarray
Change = Callable[[Image2], Image2]
Make = Callable[..., Collection]
Table = Callable[..., CollectionTable]

SIZE, PATIENTS = 48, 60


def recompressed(picture: Image2) -> Image2:
    stream = io.BytesIO()
    Image.fromarray((picture * 255).round().astype(np.uint8)).save(stream, "JPEG", quality=40)
    return np.asarray(Image.open(stream), np.float32) / 255


def resized(picture: Image2) -> Image2:
    small = Image.fromarray(picture).resize((60, 64), Image.Resampling.LANCZOS)
    return np.asarray(small, np.float32).clip(0, 1)


def cropped(picture: Image2) -> Image2:
    rows, columns = picture.shape
    return picture[rows // 20 : rows - rows // 40, columns // 30 : columns - columns // 20]


def noisy(picture: Image2) -> Image2:
    grain = np.random.default_rng(5).normal(0, 0.015, picture.shape)
    return (picture + grain).clip(0, 1).astype(np.float32)


CHANGES: dict[str, Change] = {
    "mirrored": lambda picture: picture[:, ::-1],
    "upside down": lambda picture: picture[::-1],
    "turned by half": lambda picture: picture[::-1, ::-1],
    "cropped": cropped,
    "recompressed": recompressed,
    "brighter": lambda picture: (picture * 1.15).clip(0, 1),
    "darker": lambda picture: (picture - 0.15).clip(0, 1),
    "gamma": lambda picture: picture**1.4,
    "resized": resized,
    "noisy": noisy,
    "mirrored and cropped": lambda picture: cropped(picture[:, ::-1]),
    "cropped and of other gamma": lambda picture: cropped(picture) ** 0.7,
    "recompressed and darker": lambda picture: recompressed(picture) * 0.8,
}


@lru_cache(maxsize=8)
def phantoms(seed: int = 0, n: int = PATIENTS) -> tuple[Image2, ...]:
    settings = PhantomSettings(patients=n, seed=seed, size=96)
    return tuple(draw_phantom(number, settings=settings).pixels for number in range(n))


@pytest.fixture
def stored(tmp_path: Path) -> Make:
    """A collection of pictures as an ingest keeps them; one patient each, if not said."""

    def make(
        pictures: Sequence[Image2],
        *,
        patients: Sequence[str] | None = None,
        parts: Sequence[str | None] | None = None,
    ) -> Collection:
        made = Collection.create(tmp_path / "scans", size=SIZE, channels=1)
        made.append(
            [
                ScanRow(
                    f"{index:016x}",
                    f"{index}.png",
                    fit_square(np.ascontiguousarray(picture, np.float32)[None], SIZE),
                    f"content {index}",
                    patient=patients[index] if patients else f"P{index}",
                    label=("no", "yes")[index % 2],
                    given_part=parts[index] if parts else None,
                    native_shape=picture.shape,
                )
                for index, picture in enumerate(pictures)
            ]
        )
        return made

    return make


def pairs_of(collection: Collection) -> list[tuple[int, int]]:
    found = near_duplicates(collection, collection.metadata())
    return [(one, other) for one, other in found.rows.tolist()]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found(change: str, stored: Make) -> None:
    copies = [CHANGES[change](phantoms()[row]) for row in (3, 41)]
    found = pairs_of(stored([*phantoms(), *copies]))
    assert found == [(3, PATIENTS), (41, PATIENTS + 1)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_phantoms_hold_no_copy(seed: int, stored: Make) -> None:
    assert pairs_of(stored(phantoms(seed, 150))) == []


def test_scans_of_one_patient_are_not_compared(stored: Make) -> None:
    patients = [f"P{row}" for row in range(PATIENTS)]
    pictures = [*phantoms(), phantoms()[7][:, ::-1]]
    assert pairs_of(stored(pictures, patients=[*patients, "P7"])) == []
    assert pairs_of(stored(pictures, patients=[*patients, "other"])) == [(7, PATIENTS)]


def test_blank_and_equal_scans_make_few_pairs(stored: Make) -> None:
    blank = [np.full((SIZE, SIZE), level, np.float32) for level in np.linspace(0, 1, 40)]
    assert pairs_of(stored([*blank, *phantoms()])) == []
    equal = [noisy(phantoms()[0] * level) for level in np.linspace(0.8, 1, 40)]
    found = near_duplicates(collection := stored([*equal, *phantoms()]), collection.metadata())
    assert 20 <= len(found.rows) <= 2 * NEAREST * 41
    assert set(np.concatenate(found.groups()).tolist()) <= {*range(40), 40}


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_the_smallest_collections(n: int, stored: Make) -> None:
    assert pairs_of(stored(phantoms()[:n])) == []


def test_groups_and_what_may_join() -> None:
    pairs = np.array([[0, 1], [1, 2], [5, 9]])
    near = NearPairs(pairs, np.array([0.96, 0.97, 0.99], np.float32))
    assert [group.tolist() for group in near.groups()] == [[5, 9], [0, 1, 2]]
    assert near.joining(10).tolist() == pairs.tolist()
    chain = np.stack([np.arange(29), np.arange(1, 30)], axis=1)
    many = NearPairs(np.concatenate([chain, [[40, 41]]]), np.full(30, 0.97, np.float32))
    assert many.joining(100).tolist() == [[40, 41]]
    assert len(many.joining(1000)) == 30


# Volumes


def cubes(n: int, side: int = 20) -> list[np.ndarray]:
    draw = np.random.default_rng(3)
    place = np.stack(np.meshgrid(*[np.linspace(-1, 1, side)] * 3, indexing="ij"))
    found = []
    for _ in range(n):
        cube = np.zeros((side,) * 3)
        for _ in range(25):
            middle = draw.uniform(-0.8, 0.8, 3)[:, None, None, None]
            width = draw.uniform(0.12, 0.3)
            cube += draw.uniform(0.2, 1) * np.exp(-((place - middle) ** 2).sum(0) / width**2)
        found.append((cube / cube.max()).astype(np.float32))
    return found


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)])
def test_volumes_mirrored_along_any_axes(axes: tuple[int, ...], tmp_path: Path) -> None:
    volumes = cubes(30)
    volumes.append((np.flip(volumes[4], axes) * 0.9) ** 1.2)
    made = Collection.create(tmp_path / "c", size=20, channels=1, dims=3)
    made.append(
        [
            ScanRow(f"{row:016x}", f"{row}", cube[None], f"c{row}", native_shape=cube.shape)
            for row, cube in enumerate(volumes)
        ]
    )
    assert pairs_of(made) == [(4, 30)]


# The pieces


def test_similarity_takes_the_best_of_all_mirrored_ways() -> None:
    planes = np.random.default_rng(0).random((12, 3, 16, 16), dtype=np.float32)
    described = descriptions(planes)[:, 0]
    whiten = Whitener.fit(described)
    fast = similarity(whiten(described), whiten(described))
    slow = np.full_like(fast, -1)
    for flip in range(8):
        turned = whiten(descriptions(flipped(planes, flip))[:, 0])
        products = [a @ b.T for a, b in zip(whiten(described), turned, strict=True)]
        slow = np.maximum(slow, np.sum(products, axis=0))
    np.testing.assert_allclose(fast, slow, atol=1e-4)


def test_agreement_sees_through_scale_and_shift_and_not_through_another_patient() -> None:
    pixels = np.stack([fit_square(p[None], SIZE) for p in (cropped(phantoms()[0]), phantoms()[0])])
    native = np.array([cropped(phantoms()[0]).shape, phantoms()[0].shape])
    one, other = comparable(pixels, native)[:, 0].astype(np.float32) / 255
    stranger = comparable(fit_square(phantoms()[9][None], SIZE)[None], native[1:])[0, 0] / 255
    both = agreement(np.stack([one, one]), np.stack([other, stranger.astype(np.float32)]))
    assert both[0] > 0.97 > 0.95 > both[1]


# Kept


def test_found_once_and_kept(stored: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    collection = stored([*phantoms(), phantoms()[3][:, ::-1]])
    table = collection.metadata()
    first = kept_near_duplicates(collection, table)
    monkeypatch.setattr(near_kept, "near_duplicates", lambda *_: NearPairs.none())
    again = kept_near_duplicates(collection, table)
    np.testing.assert_array_equal(again.rows, first.rows)
    np.testing.assert_array_equal(again.agreement, first.agreement)
    backwards = table.take(np.arange(len(table))[::-1])
    assert kept_near_duplicates(collection, backwards).rows.tolist() == [[0, PATIENTS - 3]]
    joined = replace(table, patient=np.full(len(table), "one"))
    assert len(kept_near_duplicates(collection, joined).rows) == 0


def test_a_damaged_or_forbidden_file_costs_time_only(stored: Make) -> None:
    collection = stored([*phantoms(), phantoms()[3][:, ::-1]])
    place = collection.path / KEPT_NAME
    for text in ("{", "[]", '{"key": 1}'):
        place.write_text(text)
        found = kept_near_duplicates(collection, collection.metadata())
        assert found.rows.tolist() == [[3, PATIENTS]]
    assert json.loads(place.read_text())["pairs"] == [[f"{3:016x}", f"{PATIENTS:016x}"]]
    place.unlink()
    place.mkdir()
    assert len(kept_near_duplicates(collection, collection.metadata()).rows) == 1


# Audit and split


def near_findings(table: CollectionTable, near: NearPairs) -> list[Finding]:
    found = audit(table, near=near).findings
    return [finding for finding in found if finding.code.startswith("near-duplicate")]


def test_what_test_shares_is_an_error_and_the_rest_a_warning(table: Table) -> None:
    scans = table(
        ["no"] * 8, parts=["train", "test", "train", "val", "train", "train", None, "test"]
    )
    pairs = np.array([[0, 1], [2, 3], [4, 5], [6, 7]])
    near = NearPairs(pairs, np.array([0.99, 0.98, 0.97, 0.96], np.float32))
    leak, across, inside = near_findings(scans, near)
    assert (leak.code, leak.severity) == ("near-duplicate-across-parts", "error")
    assert leak.examples == (("0.png", "1.png"),)
    assert (across.severity, across.examples) == ("warning", (("2.png", "3.png"),))
    assert (inside.code, inside.severity, inside.count) == ("near-duplicate", "warning", 2)
    assert near_findings(scans, NearPairs.none()) == []


def test_a_drawn_split_keeps_near_copies_together(table: Table) -> None:
    scans = table(["no", "yes"] * 60, patients=[f"P{row}" for row in range(120)])
    pairs = np.array([[row, row + 60] for row in range(0, 60, 3)])
    units = unit_ids(scans, pairs)
    assert (units[pairs[:, 0]] == units[pairs[:, 1]]).all()
    for seed in range(5):
        parts = split_by_patient(scans, seed=seed, near=pairs).parts
        assert (parts[pairs[:, 0]] == parts[pairs[:, 1]]).all()
    alone = split_by_patient(scans, seed=0).parts
    assert (alone[pairs[:, 0]] != alone[pairs[:, 1]]).any()


def test_near_copies_of_a_given_test_part_are_left_out_without_a_stop(table: Table) -> None:
    given = ["train"] * 80 + ["test"] * 40
    scans = table(["no", "yes"] * 60, parts=given, patients=[f"P{row}" for row in range(120)])
    pairs = np.array([[4, 100]])
    near = NearPairs(pairs, np.array([0.99], np.float32))
    dropped = split_by_patient(scans, seed=0, near=pairs)
    assert (dropped.parts[4], dropped.parts[100]) == ("excluded", "test")
    assert audit(scans, dropped.parts, near).valid
    allowed = split_by_patient(scans, seed=0, near=pairs, overlap="allow")
    assert allowed.parts[4] != "excluded"
    assert not audit(scans, allowed.parts, near).valid
    same = replace(
        scans, patient=np.array(["P100" if row == 4 else f"P{row}" for row in range(120)])
    )
    with pytest.raises(LeakageError, match="1 patients"):
        split_by_patient(same, seed=0, near=pairs)
