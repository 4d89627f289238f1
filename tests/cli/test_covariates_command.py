"""Age, sex and view from the command line: in a whole study, in its bundle, and beside scans."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, metrics, table
from test_whole_study import FIVE

from latentdx.collection.phantoms import PhantomSettings, write_phantoms
from latentdx.metrics.summary import NAMES

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]


def test_a_study_with_covariates(here: Call, tmp_path: Path) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(60, labelled_fraction=1, size=32))
    source = (drawn.scans, "--labels", drawn.labels)
    out = tmp_path / "out"
    run = here("run", *source, "--out", out, *QUICK, "--covariates", "Age,sex,site", "--json")
    assert run.code == 0, run.err

    found = metrics(out)
    assert found["covariates"]["columns"] == ["age", "sex", "site"]
    assert set(found["covariates"]["gain"]) == FIVE
    without = found["baselines"]["without-covariates"]
    assert set(without) == set(NAMES) < set(found["test"])
    gain = found["test"]["auroc"]["value"] - without["auroc"]["value"]
    assert found["covariates"]["gain"]["value"] == pytest.approx(gain, abs=1e-12)
    for page in (out / "report.html", out / "bundle" / "README.md"):
        assert "Beside the picture it reads “age”, “sex”, “site”" in page.read_text()
        assert "This model without covariates" in page.read_text()
    assert "without covariates" not in run.json["verdict"]

    own = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "own", "--json")
    assert own.json["covariates"]["missing"] == dict.fromkeys(("age", "sex", "site"), 0)
    assert own.json["test"]["auroc"]["value"] == pytest.approx(found["test"]["auroc"]["value"])

    # the files say of themselves what the table of the collection said of them
    rows = table(out / "predictions.csv")[:8]
    scans = [drawn.scans / row["path"] for row in rows]
    said = here("predict", out / "bundle", *scans, "--json")
    lines = {Path(line["path"]).name: line for line in map(json.loads, said.out.splitlines())}
    for row in rows:
        line = lines[row["path"]]
        assert line["missing_covariates"] == []
        shown = float(row["probability:diseased"])
        assert line["probabilities"]["diseased"] == pytest.approx(shown, abs=1e-5)

    beside = tmp_path / "beside.csv"
    beside.write_text(f"file,age\n{rows[0]['path']},090Y\n")
    told = here("predict", out / "bundle", *scans, "--table", beside, "--json", "--csv",
                tmp_path / "told.csv")  # fmt: skip
    again = {Path(line["path"]).name: line for line in map(json.loads, told.out.splitlines())}
    changed = [name for name in lines if lines[name] != again[name]]
    assert changed == [rows[0]["path"]]
    assert "missing_covariates" in table(tmp_path / "told.csv")[0]

    again_run = here("run", *source, "--out", out, *QUICK, "--covariates", "age,sex,site")
    assert "nothing has changed" in again_run.err


@pytest.mark.parametrize(
    ("names", "words"),
    [("weight", "no column 'weight'"), ("patient_id", "who a patient is")],
)
def test_columns_that_cannot_be_stop_the_run_before_anything_is_trained(
    here: Call, tmp_path: Path, names: str, words: str
) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(30, labelled_fraction=1, size=32))
    source = (drawn.scans, "--labels", drawn.labels)
    ended = here("run", *source, "--out", tmp_path / "out", *QUICK, "--covariates", names)
    assert (ended.code, ended.out) == (2, "")
    assert "E_COVARIATE" in ended.err
    assert words in ended.err
    assert "Training" not in ended.err
