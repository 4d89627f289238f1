"""``--focus mask``: told in all that leaves the house, in keys, refused where none is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from choice_scans import SIDE, write_collection

from latentdx.autoencoder.losses.reconstruction import goes_by_masks
from latentdx.core.errors import StopError
from latentdx.report.alignment import focus_words
from latentdx.report.language import looked_up
from latentdx.study.beginning import network_settings
from latentdx.study.choice import fresh_member, open_choice, train_member
from latentdx.study.encoder import load_encoder
from latentdx.study.focus import wants_masks
from latentdx.study.key import study_key
from latentdx.study.own_masks import check_masks, focus_told, hashes_of_masks, with_masks
from latentdx.study.pool import training_pool
from latentdx.study.prepare import Prepared, ingest_settings, open_prepared
from latentdx.study.reporter import Clock, Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings

MASK = {"focus": "mask"}


def upper(number: int) -> np.ndarray | None:
    """The upper half; of every fifth scan nothing, and of one an empty mask."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[: 0 if number == 3 else SIDE // 2] = True
    return None if number % 5 == 0 else mask


def lower(number: int) -> np.ndarray | None:
    mask = upper(number)
    return None if mask is None else mask[::-1].copy()


def settings_of(path: Path, **more: object) -> RunSettings:
    small = {"autoencoder": "convolutional", "network": {"widths": [8, 16]}, "epochs": 1}
    given = {"source": str(path), "classifier": "prototypes", "features": "pooled", **small}
    return RunSettings(**{**given, "fine_tune": "none", **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("masks") / "c", mask=upper)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("bare") / "c")


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def prepared_of(path: Path, **more: object) -> Prepared:
    return open_prepared(path, settings_of(path, **more))


def test_the_pool_has_the_masks_of_its_scans_in_their_order(collection: Path) -> None:
    settings, prepared = settings_of(collection, **MASK), prepared_of(collection)
    pool = training_pool(prepared.collection, prepared.split)
    seen = Notes()
    network = fresh_member(open_choice(collection, settings), settings)
    found = with_masks(pool, network, prepared, settings, Clock(seen))
    assert found.masks is not None
    # of 40 scans of train and 12 more: without are 8 and 3, with an empty one 1 and 1
    assert focus_told(found.masks) == {"part": "mask", "scans": 52, "with_mask": 39}
    assert seen.notes == ["focus: 39 of 52 scans have a mask"]
    assert len(found.masks.tune) == 24
    names = sorted(
        (row for row in range(len(prepared.table)) if prepared.split.parts[row] == "tune"),
        key=lambda row: prepared.table.scan_id[row],
    )
    numbers = [int(prepared.table.path[row][-7:-4]) for row in names]
    inside = found.masks.tune.inside(np.arange(24))[:, 0]
    for number, mask in zip(numbers, inside, strict=True):
        expected = upper(number)
        whole = expected is None or not expected.any()
        assert mask.all() if whole else np.array_equal(mask, expected)


def test_a_loss_without_masks_asks_for_none(collection: Path, bare: Path) -> None:
    for more in ({}, {"focus": "body"}):
        settings, prepared = settings_of(bare, **more), prepared_of(bare)
        check_masks(prepared, settings)
        pool = training_pool(prepared.collection, prepared.split)
        network = fresh_member(open_choice(bare, settings), settings)
        assert with_masks(pool, network, prepared, settings) is pool
        assert focus_told(pool.masks) == {}
        assert hashes_of_masks(pool.masks) == []


@pytest.mark.parametrize(
    "more", [MASK, {"network": {"widths": [8], "reconstruction": {"mask:mse": 1.0, "l1": 0.1}}}]
)
def test_no_mask_at_all_is_refused(bare: Path, tmp_path: Path, more: dict[str, object]) -> None:
    settings = settings_of(bare, **more)
    assert ingest_settings(settings).takes_masks
    for call in (
        lambda: pretrain_collection(bare, tmp_path / "e", settings, Silent()),
        lambda: run_study(settings, tmp_path / "run"),
    ):
        with pytest.raises(StopError, match="no scan to learn from has a mask") as caught:
            call()
        assert caught.value.code == "E_MASK"
    assert not (tmp_path / "run").exists()


def test_the_settings_ask_for_masks() -> None:
    assert wants_masks(settings_of(Path("c"), **MASK))
    assert not wants_masks(settings_of(Path("c"), focus="lung"))
    assert not ingest_settings(settings_of(Path("c"), focus="lung")).takes_masks
    assert ingest_settings(settings_of(Path("c"), **MASK)).policy.region is None
    assert network_settings(settings_of(Path("c"), **MASK), (1, 16, 16))["reconstruction"] == (
        "mask:mse"
    )


def test_other_masks_make_another_study(collection: Path, tmp_path: Path) -> None:
    other = write_collection(tmp_path / "c", mask=lower)
    settings = settings_of(collection, **MASK)
    first, second = (study_key(settings, prepared_of(path), None) for path in (collection, other))
    assert first != second
    assert first == study_key(settings, prepared_of(collection), None)


def test_members_that_are_compared_go_by_the_masks(collection: Path, tmp_path: Path) -> None:
    other = write_collection(tmp_path / "c", mask=lower)
    weights = []
    for path in (collection, other):
        settings = settings_of(path, **MASK)
        scans = open_choice(path, settings)
        weights.append(train_member(fresh_member(scans, settings), scans, settings).network)
    first, second = (each.state_dict() for each in weights)
    assert any(not first[name].equal(second[name]) for name in first)


@pytest.mark.slow
def test_it_is_told_in_all_that_leaves_the_house(collection: Path, tmp_path: Path) -> None:
    settings, seen = settings_of(collection, **MASK), Notes()
    result = run_study(settings, tmp_path / "run", seen)
    words = "39 of 52 scans have a mask"
    assert f"focus: {words}" in seen.notes
    assert result.metrics["focus"] == {"part": "mask", "scans": 52, "with_mask": 39}
    assert "outside the mask" in {each["name"] for each in result.metrics["shortcuts"]["pixels"]}
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert "## Where the autoencoder was to be right" in card
    assert words in card
    assert words in (tmp_path / "run" / "report.html").read_text()
    assert looked_up(focus_words(result.metrics["focus"]), "zh") == "52 例影像中有 39 例带有掩膜"
    again = Notes()
    assert run_study(settings, tmp_path / "run", again).metrics == result.metrics
    assert "nothing has changed" in again.notes[-1]


@pytest.mark.slow
def test_an_encoder_tells_it_and_what_begins_from_it_needs_no_masks(
    collection: Path, bare: Path, tmp_path: Path
) -> None:
    settings = settings_of(collection, **MASK)
    pretrain_collection(collection, tmp_path / "e", settings, Silent())
    told = json.loads((tmp_path / "e" / "encoder.json").read_text())
    assert told["focus"] == {"part": "mask", "scans": 52, "with_mask": 39}
    assert goes_by_masks(told["settings"]["reconstruction"])
    assert load_encoder(tmp_path / "e").focus == told["focus"]
    assert "39 of 52 scans have a mask" in (tmp_path / "e" / "report.html").read_text()
    seen = Notes()
    fit_collection(collection, tmp_path / "e", tmp_path / "b", settings_of(collection), seen)
    assert "Its focus went by masks: 39 of 52 scans have a mask." in seen.notes
    elsewhere = write_collection(tmp_path / "c", prefix="new-")
    begun = Notes()
    more = settings_of(elsewhere, start=str(tmp_path / "e"), network={})
    pretrain_collection(elsewhere, tmp_path / "next", more, begun)
    assert "focus: 0 of 52 scans have a mask" in begun.notes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("region", "masks", "asked"),
    [
        ("body", None, "outside the body"),
        ("mask", upper, "outside the mask"),
        (None, upper, "outside the mask"),
        ("field", None, None),
        (None, None, None),
    ],
)
def test_a_collection_knows_what_lies_outside_its_region(
    tmp_path: Path, region: str | None, masks: object, asked: str | None
) -> None:
    """A run that starts from it asks what lies outside without being told the region again."""
    info = {"policy": {"region": region}}
    path = write_collection(tmp_path / "c", mask=masks, info=info)  # type: ignore[arg-type]
    found = run_study(settings_of(path), tmp_path / "run").metrics["shortcuts"]["pixels"]
    outside = [each["name"] for each in found if each["name"].startswith("outside the ")]
    assert outside == ([] if asked is None else [asked])
