"""Rules from the command line: in a whole study, its report and card, its bundle, elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, metrics, table

from latentdx.collection.phantoms import PhantomSettings, write_phantoms
from latentdx.study.settings import read_toml

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]

RULES = """
[[rule]]
text = "older than the model was made for"
when = { Age = ">= 60" }

[[rule]]
text = "of a woman under fifty"
when = { sex = "F", age = "< 50" }
if_unknown = "abstain"
"""


def test_a_study_with_rules(here: Call, tmp_path: Path) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(60, labelled_fraction=1, size=32))
    source = (drawn.scans, "--labels", drawn.labels)
    (tmp_path / "rules.toml").write_text(RULES)
    out, rules = tmp_path / "out", ("--rules", tmp_path / "rules.toml")
    run = here("run", *source, "--out", out, *QUICK, *rules, "--language", "zh", "--json")
    assert run.code == 0, run.err

    told = metrics(out)["rules"]
    n_test = metrics(out)["test"]["auroc"]["n_scans"]
    assert 0 < told["n_held_back"] < n_test
    assert told["held_back"]["value"] == pytest.approx(told["n_held_back"] / n_test)
    assert told["rest"]["auroc"]["n_scans"] == n_test - told["n_held_back"]
    assert [rule["when"] for rule in told["rules"]] == [
        {"age": ">= 60"}, {"sex": "F", "age": "< 50"},
    ]  # fmt: skip
    held = told["rules"][0]["n_scans"]
    card = (out / "bundle" / "README.md").read_text()
    assert f"“older than the model was made for” holds back {held} of {n_test}." in card
    assert f"规则：“of a woman under fifty”扣下 {told['rules'][1]['n_scans']} / {n_test}。" in (
        (out / "report.html").read_text()
    )
    assert read_toml(out / "config.toml")["rules"][1]["if_unknown"] == "abstain"

    # the files are held back by what their headers say, as many of the test scans as was told
    scans = [drawn.scans / row["path"] for row in table(out / "predictions.csv")]
    said = here("predict", out / "bundle", *scans, "--json")
    lines = [json.loads(line) for line in said.out.splitlines()]
    by_rule = [line for line in lines if (line["reason"] or {}).get("code") == "A_RULE"]
    foreign = [line for line in lines if line["status"] == "not_evaluated"]
    assert len(by_rule) <= told["n_held_back"] <= len(by_rule) + len(foreign)
    assert {(line["status"], line["label"]) for line in by_rule} == {("abstained", None)}

    own = here("evaluate", out / "bundle", out / "collection", "--out", tmp_path / "own", "--json")
    assert own.json["rules"]["n_held_back"] == told["n_held_back"]
    unlabelled = ("ingest", drawn.scans, "--to", tmp_path / "u", "--size", "16")
    assert here(*unlabelled).code in (0, 3)
    bare = here("evaluate", out / "bundle", tmp_path / "u", "--out", tmp_path / "bare", "--json")
    assert 0 < bare.json["rules"]["n_held_back"] < bare.json["n_scans"]
    assert "no answer by" in (tmp_path / "bare" / "report.html").read_text()
    again = here("run", "--config", out / "config.toml", "--out", out)
    assert "nothing has changed" in again.err


def test_a_rule_that_asks_for_nothing_known_stops_before_training(
    here: Call, tmp_path: Path
) -> None:
    drawn = write_phantoms(tmp_path / "p", PhantomSettings(30, labelled_fraction=1, size=32))
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\ntext = 'heavy'\nwhen = { weight = '> 120' }\n")
    source = (drawn.scans, "--labels", drawn.labels)
    ended = here("run", *source, "--out", tmp_path / "out", *QUICK, "--rules", rules)
    assert (ended.code, ended.out) == (2, "")
    assert "E_RULES: a rule asks for a column 'weight'" in " ".join(ended.err.split())
    assert "Training" not in ended.err
