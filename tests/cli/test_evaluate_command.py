"""`latentdx evaluate` from outside: drift, language of the report, collections without labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, table
from phantom_hospital import Study

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]


def test_its_own_test_part_does_not_drift_and_the_report_is_chinese(
    study: Study, here: Call, tmp_path: Path
) -> None:
    out = tmp_path / "own"
    found = here("evaluate", study.out / "bundle", study.out / "collection", "--out", out,
                 "--language", "zh", "--json").json  # fmt: skip
    drift = found["drift"]
    assert "tests" in drift or "fewer than 20" in drift["reason"]
    if "tests" in drift:
        assert {"pixels", "embeddings", "scores"} <= {test["of"] for test in drift["tests"]}
        assert drift["largest"] != "strong"
    page = (out / "report.html").read_text()
    assert '<html lang="zh-Hans">' in page
    assert "这些影像与建立模型所用的影像相似吗？" in page


def test_a_collection_without_labels_is_decided_and_compared(
    study: Study, here: Call, tmp_path: Path
) -> None:
    made, out = tmp_path / "c", tmp_path / "blind"
    assert here("ingest", study.cohort.scans, "--to", made, *QUICK[:2]).code in (0, 3)
    found = here("evaluate", study.out / "bundle", made, "--out", out, "--json").json
    assert sum(found["decisions"].values()) == found["n_scans"]
    assert "test" not in found
    assert found["drift"]["n_patients"] >= 20
    assert len(table(out / "predictions.csv")) == found["n_scans"]
    assert "has no labels" in (out / "report.html").read_text()
    assert "has no labels" in here("evaluate", study.out / "bundle", made, "--out", out).out


def test_an_unknown_language_is_refused(study: Study, here: Call, tmp_path: Path) -> None:
    ended = here("evaluate", study.out / "bundle", study.out / "collection", "--out",
                 tmp_path / "o", "--language", "fr")  # fmt: skip
    assert ended.code == 2
    assert "E_OPTION" in ended.err
