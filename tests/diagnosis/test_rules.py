"""Rules: what holds of which scan, what is refused, and how a file of them is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latentdx.core.errors import StopError
from latentdx.diagnosis.rules import Rule, why_stopped
from latentdx.diagnosis.rules_file import read_rules, require_known
from latentdx.scans.scan import Scan


def holds(when: dict[str, Any], **told: str) -> bool | None:
    return Rule(text="so", when=when).holds(told)


@pytest.mark.parametrize(
    ("wanted", "value", "found"),
    [
        ("< 1", "0.5", True),
        ("< 1", "1", False),
        ("<=1", "001Y", True),
        ("< 1", "011M", True),
        (">= 1 and < 5", "5", False),
        (">= 1 and < 5", "048M", True),
        ("> 90", "old", None),
        ("> 90", "", None),
        (2, "2.0", True),
        (2, "3", False),
        (["< 1", "> 90"], "91", True),
        (["< 1", "> 90"], "40", False),
        ("= 40", "40", True),
        ("!= 40", "40", False),
    ],
)
def test_numbers(wanted: Any, value: str, found: bool | None) -> None:
    assert holds({"age": wanted}, age=value) is found


@pytest.mark.parametrize(
    ("wanted", "value", "found"),
    [
        ("AP", "ap", True),
        ("AP", "PA", False),
        (["AP", "LL"], "LL", True),
        ("!= AP", "PA", True),
        ("!= AP", "", None),
        ("up and down", "up and down", True),
    ],
)
def test_words(wanted: Any, value: str, found: bool | None) -> None:
    assert holds({"view": wanted}, view=value) is found


def test_all_conditions_have_to_hold_and_one_that_does_not_decides() -> None:
    when = {"age": "< 1", "view": "AP"}
    assert holds(when, age="0.5", view="AP") is True
    assert holds(when, age="0.5", view="PA") is False
    assert holds(when, age="", view="PA") is False
    assert holds(when, age="", view="AP") is None


def test_what_is_not_known_stops_only_where_that_is_said() -> None:
    told = {"age": "", "view": "AP"}
    rule = Rule(text="infants", when={"age": "< 1"})
    assert rule.stops(told) is None
    careful = Rule(text="infants", when={"age": "< 1"}, if_unknown="abstain")
    assert careful.stops(told) == "infants (age not known)"
    assert careful.stops({"age": "30"}) is None
    stopped, unknown = careful.over({"age": ("", "0", "30")}, 3)
    assert (stopped.tolist(), unknown.tolist()) == ([True, True, False], [True, False, False])


def test_a_scan_is_asked_by_what_its_file_says() -> None:
    rules = (
        Rule(text="CT", when={"Modality": "CT"}),
        Rule(text="infants", when={"age": "< 1"}),
    )
    pixels = np.zeros((1, 2, 2), np.float32)
    infant = Scan(pixels, (2, 2), modality="DX", covariates={"age_years": "0"})
    assert why_stopped(rules, infant) == "infants"
    assert why_stopped(rules, Scan(pixels, (2, 2), modality="CT")) == "CT"
    assert why_stopped(rules, Scan(pixels, (2, 2), modality="DX")) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no [[rule]]"),
        ("rule = 3", "there is no [[rule]]"),
        ("[[rule]\n", "not TOML"),
        ("[[rules]]\ntext = 'a'", "'rules' is no rule"),
        ("[[rule]]\nwhen = { age = '< 1' }", "rule 1, text: field required"),
        ("[[rule]]\ntext = 'a'\nwhen = {}", "rule 1, when: "),
        ("[[rule]]\ntext = 'a'\nif = 1\nwhen = { age = 1 }", "rule 1, if: extra"),
        ("[[rule]]\ntext = \"a\\nb\"\nwhen = { age = 1 }", "write one line"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = '< one' }", "< compares with a number, found 'one'"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = '< ' }", "no comparison such as"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = '> 1 and 5' }", "'5' is no comparison"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = '> < 5' }", "two signs"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = [] }", "the list is empty"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = true }", "rule 1, when.age"),
        ("[[rule]]\ntext = 'a'\nwhen = { patient_id = '7' }", "tells who a patient is"),
        ("[[rule]]\ntext = 'a'\nwhen = { age = 1, Age = 2 }", "stands there twice"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_understood_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(StopError) as caught:
        read_rules(path)
    assert caught.value.code == "E_RULES"
    assert words in caught.value.found


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="cannot be read"):
        read_rules(tmp_path / "no.toml")


def test_a_column_that_no_scan_has_is_refused() -> None:
    rules = (Rule(text="heavy", when={"weight": "> 120"}),)
    require_known(rules, ["weight"])
    with pytest.raises(StopError, match="a column 'weight'") as caught:
        require_known(rules, ["age", "sex"])
    assert caught.value.fix == "the collection has age, sex"
