"""Planted shortcuts are found in a stored collection; without any nothing is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentdx.collection.audit import Audit
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.features.shortcut_findings import with_shortcuts
from latentdx.features.shortcuts import Shortcuts, find_shortcuts

N = 120
Change = Callable[[ScanRow, bool, np.random.Generator], ScanRow]


def as_it_is(row: ScanRow, _: bool, __: np.random.Generator) -> ScanRow:
    return row


def rows(change: Change = as_it_is) -> list[ScanRow]:
    draw = np.random.default_rng(7)
    found = []
    for number in range(N):
        sick = bool(draw.random() < 0.5)
        row = ScanRow(
            f"{number:016x}",
            f"scans/{number:04}.png",
            draw.random((1, 24, 24), dtype=np.float32),
            str(number),
            patient=f"P{number}",
            site="AB"[int(draw.integers(2))],
            label=("healthy", "sick")[sick],
            covariates={"age": str(int(draw.integers(20, 90))), "ward": f"w{draw.integers(3)}"},
            native_shape=(24, 24),
        )
        found.append(change(row, sick, draw))
    return found


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Shortcuts]:
    def ask(change: Change = as_it_is, chosen: slice = slice(None)) -> Shortcuts:
        stored = Collection.create(tmp_path / "c", 24, 1)
        stored.append(rows(change)[chosen])
        return find_shortcuts(stored, stored.metadata(), np.arange(len(stored)))

    return ask


def told(shortcuts: Shortcuts) -> dict[str, str]:
    """Severity by code."""
    found = with_shortcuts(Audit(()), shortcuts)
    assert found.valid
    return {item.code: item.severity for item in found.findings}


def test_nothing_is_found_where_nothing_is(asked: Callable[..., Shortcuts]) -> None:
    found = asked()
    assert {each.name for each in found.probed} >= {"site", "age", "ward", "border", "corners"}
    assert told(found) == {}


def test_a_site_of_most_of_the_sick_is_named_with_its_auroc(
    asked: Callable[..., Shortcuts],
) -> None:
    found = asked(lambda row, sick, draw: replace(row, site="AB"[sick ^ (draw.random() < 0.2)]))
    (finding,) = with_shortcuts(Audit(()), found).findings
    assert (finding.code, finding.severity, finding.count) == ("shortcut", "warning", N)
    (site,) = (each for each in found.probed if each.name == "site")
    assert site.auroc.value is not None
    assert 0.7 < site.auroc.value < 0.9
    assert f"'site' alone tells the label: AUROC {site.auroc.value:.3f} (95 %" in finding.text
    assert site.as_json()["flagged"] is True


def test_an_age_is_no_shortcut_but_worth_knowing(asked: Callable[..., Shortcuts]) -> None:
    found = asked(
        lambda row, sick, draw: replace(
            row, covariates={"age": f"{50 + 20 * sick + draw.normal(0, 9):.1f}"}
        )
    )
    assert told(found) == {"confound": "info"}


def test_a_marker_in_a_corner_is_found(asked: Callable[..., Shortcuts]) -> None:
    def marked(row: ScanRow, sick: bool, draw: np.random.Generator) -> ScanRow:
        pixels = row.pixels * np.float32(0.4)
        if sick != (draw.random() < 0.15):
            pixels[0, 1:4, 19:21] = 1
        return replace(row, pixels=pixels)

    assert told(asked(marked)).get("shortcut") == "warning"


def test_names_that_tell_the_label(asked: Callable[..., Shortcuts]) -> None:
    found = asked(lambda row, sick, _: replace(row, path=f"{'nv'[sick]}/{row.path}"))
    assert told(found) == {"label-in-path": "warning"}


def test_patients_gathered_one_class_after_the_other(asked: Callable[..., Shortcuts]) -> None:
    found = asked(
        lambda row, sick, draw: replace(row, path=f"{int(draw.integers(900) + 600 * sick):05}.png")
    )
    assert told(found) == {"shortcut": "warning"}
    assert "order of patients" in next(with_shortcuts(Audit(()), found).findings.__iter__()).text


def test_days_of_a_table(asked: Callable[..., Shortcuts]) -> None:
    def dated(row: ScanRow, sick: bool, draw: np.random.Generator) -> ScanRow:
        day = (
            f"{2015 + 2 * sick + draw.integers(3)}-0{draw.integers(1, 10)}-{draw.integers(10, 28)}"
        )
        return replace(row, covariates={"exam": day})

    assert told(asked(dated)) == {"order-in-time": "warning"}


def test_the_label_in_other_words_is_named_and_not_asked(asked: Callable[..., Shortcuts]) -> None:
    found = asked(lambda row, sick, _: replace(row, covariates={"code": "JN"[sick]}))
    assert found.same == ("code",)
    assert told(found) == {"confound": "info"}


def test_a_scanner_of_all_the_sick_is_a_shortcut_all_the_same(
    asked: Callable[..., Shortcuts],
) -> None:
    found = asked(lambda row, sick, _: replace(row, covariates={"scanner": "AB"[sick]}))
    assert found.same == ()
    assert told(found) == {"shortcut": "warning"}


def test_too_few_patients_are_asked_nothing(asked: Callable[..., Shortcuts]) -> None:
    assert asked(chosen=slice(20)) == Shortcuts()


def test_scans_of_one_patient_count_once(asked: Callable[..., Shortcuts]) -> None:
    found = asked(lambda row, *_: replace(row, patient=f"P{int(row.scan_id, 16) // 2}"))
    assert {each.auroc.n_scans for each in found.probed} == {N // 2}
