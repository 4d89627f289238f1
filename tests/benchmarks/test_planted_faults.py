"""Faults are planted as strongly as is said, and a finding of another code does not name them."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.planted_cohorts import Look, clean, codes_of
from benchmarks.planted_kinds import CORRELATION, KINDS, along

from latentdx.collection.audit import Finding


@pytest.mark.parametrize("share", [0.35, 0.4, 0.5])
def test_shortcuts_follow_the_label_by_what_is_said(share: float) -> None:
    draw = np.random.default_rng(0)
    labels = draw.random(300) < share
    found = [np.corrcoef(labels, along(labels, draw))[0, 1] for _ in range(200)]
    assert CORRELATION[0] <= min(found) < 0.33
    assert 0.55 < max(found) < CORRELATION[1] + 0.02


def test_a_fault_is_named_by_its_code_and_its_words() -> None:
    column = KINDS["column"]
    assert column.is_named([Finding("shortcut", "warning", 1, "the column 'ward' alone tells")])
    assert not column.is_named([Finding("shortcut", "warning", 1, "the column 'site' alone tells")])
    assert not column.is_named([Finding("confound", "info", 1, "the column 'ward' alone tells")])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["identical scan, other patient", "label in the path"])
def test_a_planted_fault_is_found(name: str) -> None:
    kind = KINDS[name]
    rows = kind.plant(1, np.random.default_rng(1))
    assert len({row.scan_id for row in rows}) == len(rows)
    assert kind.is_named(codes_of(rows, 1, kind.look))
    assert not kind.is_named(codes_of(clean(1), 1, Look(copies=False)))
