"""The page of a training: what it says, and that it asks nothing of any network."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.report.training_page import TrainingContent, training_page

HOSTILE = '<script>alert("x")</script>'


def epochs(count: int, **changes: Any) -> list[Epoch]:
    """A loss that falls to its best in the last pass but one."""
    losses = [1.0 / (number + 1) for number in range(count - 1)] + [0.9]
    terms = [{"reconstruction": 0.6 * loss, "invariance": 0.4 * loss} for loss in losses]
    health = {"latent_rank": 9.5, "feature_rank": 8.25, "dead_units": 0.125}
    return [
        replace(Epoch(loss, 1.5 * loss, 120.0, term, health), **changes)
        for loss, term in zip(losses, terms, strict=True)
    ]


def content(shape: tuple[int, ...] = (1, 8, 8), **changes: Any) -> TrainingContent:
    pixels = np.random.default_rng(0).random((15, *shape), dtype=np.float32)
    found = TrainingContent(
        "brain-mri", "invariant", epochs(5), 1234, 15, True, pixels, 0.9 * pixels,
        seconds=95.0, settings={"epochs": 5}, provenance={"latentdx": "9.9"},
    )  # fmt: skip
    return replace(found, **changes)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL))


def test_it_says_what_was_given() -> None:
    page = training_page(content())
    said = words(page)
    for text in ("brain-mri", "invariant", "1,234", "1 min 35 s", "after pass 4", "0.375", "9.50",
                 "8.25", "0.125", "Scans it did not learn from", "9.9"):  # fmt: skip
        assert text in said, text
    assert page.count("data:image/png;base64,") == 3 * 8
    assert "mean of 15 such scans" in said
    assert "Something is wrong" not in said
    assert training_page(content()) == page


def test_it_asks_nothing_of_any_network_and_runs_nothing() -> None:
    page = training_page(content())
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert "default-src 'none'" in page
    ids = re.findall(r'\bid="(.*?)"', page)
    assert len(ids) == len(set(ids))


def test_names_stay_text() -> None:
    page = training_page(content(name=HOSTILE, settings={HOSTILE: HOSTILE}))
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    ("shape", "told"),
    [((1, 8, 8), "Left, the scan"), ((1, 8, 9, 10), "axial, coronal and sagittal")],
)
def test_volumes_are_shown_by_slices(shape: tuple[int, ...], told: str) -> None:
    page = training_page(content(shape))
    assert told in words(page)
    assert ('class="triple slices"' in page) == (len(shape) == 4)


def test_a_collapsed_latent_is_told() -> None:
    sick = epochs(3, health={"latent_rank": 1.1, "dead_units": 0.8})
    said = words(training_page(content(history=sick)))
    assert "Something is wrong" in said
    assert "collapsed" in said
    assert "80% of the latent" in said


def test_a_training_without_tune_scans_health_or_terms_still_has_a_page() -> None:
    plain = epochs(2, tune_loss=float("nan"), terms={"reconstruction": 1.0}, health={})
    said = words(training_page(content(history=plain, n_tune=0, held_out=False, seconds=None)))
    assert "no others were kept" in said
    assert "Not measured." in said
    assert "What the loss is made of" not in said
    empty = np.zeros((0, 1, 8, 8), np.float32)
    said = words(training_page(content(history=[], pixels=empty, reconstructions=empty)))
    assert "No scans were kept." in said
