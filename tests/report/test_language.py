"""The report in Chinese: nothing English is left but names, and names are left alone."""

from __future__ import annotations

import doctest
import re
import tomllib
from dataclasses import replace
from importlib.resources import files

import pytest
from every_page import full_binary, full_findings, full_values
from report_content import binary_content, three_class_content
from test_page import HOSTILE, read

from latentdx.diagnosis.abstain import RiskControl
from latentdx.diagnosis.regression_model import IntervalRule
from latentdx.diagnosis.set_rule import SetRule
from latentdx.metrics.estimate import Estimate
from latentdx.report import language
from latentdx.report.ancestry import ancestry_sentences
from latentdx.report.cautions import few_patients, wide_intervals
from latentdx.report.decided import what_is_read
from latentdx.report.equal_label import equal_label_warnings
from latentdx.report.findings_page import render_findings
from latentdx.report.language import in_language, looked_up, not_translated
from latentdx.report.page import render
from latentdx.report.value_page import render_values
from latentdx.report.value_words import OF_VALUES
from latentdx.study.ancestor import Ancestor
from latentdx.study.ancestor_check import finding
from latentdx.study.assess import told_columns
from latentdx.study.covariates import missing_warnings
from latentdx.study.decide import notes_of
from latentdx.study.gains import COVARIATES, FINE_TUNING, gain_sentence
from latentdx.study.regression_fit import interval_notes

VERDICT = (
    "The autoencoder was worth it: the strongest baseline is HOG with the same classifier (AUROC "
    "0.900, against 0.950); the difference is +0.050 (95 % interval +0.010 to +0.090, 200 scans "
    "of 150 patients)."
)
"""As `verdict` writes it: the made-up ones of the other tests are no sentences of the program."""


AUDIT = {
    "findings": [
        {"code": "duplicate", "severity": "info", "count": 2, "examples": [],
         "text": "2 pictures are there more than once"},
    ]
}  # fmt: skip


def pages() -> dict[str, str]:
    binary, three = full_binary(), three_class_content()
    told = {"verdict": VERDICT, "audit": AUDIT, "name": "chests"}
    return {
        "classes": render(replace(binary, **told)),
        "three": render(replace(three, **told, invalid="4 patients", worst=three.examples)),
        "values": render_values(full_values()),
        "findings": render_findings(replace(full_findings(), **told)),
    }


@pytest.mark.parametrize("kind", ["classes", "three", "values", "findings"])
def test_no_english_sentence_is_left_on_the_chinese_page(kind: str) -> None:
    page = pages()[kind]
    assert len(not_translated(page.replace("Result", "Nobody told this sentence"), "zh")) > 0
    assert not_translated(page, "zh") == []
    chinese = in_language(page, "zh")
    assert '<html lang="zh-Hans">' in chinese
    shown = " ".join(read(chinese).text)
    assert re.findall(r"(?:\b[A-Za-z]{2,}\b[ ,]+){3,}[a-z]{2,}", shown) == []
    assert len(re.findall(r"[\u4e00-\u9fff]", shown)) > 1000


def test_the_pages_differ_in_their_words_alone() -> None:
    page = pages()["classes"]
    english, chinese = read(page), read(in_language(page, "zh"))
    assert english.tags == chinese.tags
    kept = [one for one in english.attributes if one[1] in ("src", "href", "id", "style", "d")]
    assert kept == [
        one for one in chinese.attributes if one[1] in ("src", "href", "id", "style", "d")
    ]
    numbers = [
        sorted(re.findall(r"\d+\.\d+", " ".join(found.text))) for found in (english, chinese)
    ]
    assert numbers[0] == numbers[1]


def test_names_stay_names_whatever_they_are() -> None:
    names = ("control", "patients")
    page = in_language(render(binary_content(classes=names, name="test")), "zh")
    shown = re.sub(r"\s+", " ", " ".join(read(page).text))
    assert "“patients” 的" not in shown
    assert "patients 的概率：" in shown
    assert "“control”或“patients”" in shown
    assert re.search(r'translate="no">control<', page)
    assert re.search(r'<h1 translate="no">test<', page)
    hostile = in_language(render(binary_content(name=HOSTILE, classes=(HOSTILE, "b"))), "zh")
    assert "script" not in read(hostile).tags


def test_english_stays_english_and_what_is_not_known_is_marked_as_english() -> None:
    page = render(binary_content())
    assert in_language(page, "en") == page
    told = in_language(page.replace("What the audit found", "What nobody has translated"), "zh")
    assert '<span lang="en">What nobody has translated</span>' in told


def test_each_entry_keeps_its_gaps_and_is_chinese() -> None:
    text = (files("latentdx.report") / "words-zh.toml").read_text(encoding="utf-8")
    for part in tomllib.loads(text).values():
        for english, chinese in part.items():
            n_gaps = len(re.findall(r"\{t?\}", english))
            numbered = re.findall(r"\{(\d+)\}", chinese)
            if numbered:
                assert sorted(map(int, numbered)) == list(range(n_gaps)), english
            else:
                assert chinese.count("{}") == n_gaps, english
            for tag in ("<b>", "<code>", "<strong>"):
                assert chinese.count(tag) == english.count(tag), english
            assert (
                re.search(r"[\u4e00-\u9fff]", chinese) or chinese in ("{} ✕",) or "Bland" in english
            )


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        (VERDICT, ("自编码器值得", "HOG 加相同的分类器", "+0.050", "150 名患者的 200 例影像")),
        ("wide intervals: AUROC (0.60–0.91), Sensitivity (0.5–0.92) are known less exactly than "
         "to 0.2; more test patients are needed", ("AUROC (0.60–0.91), 灵敏度 (0.5–0.92)", "0.2")),
        ("the AUROC is 1 and its interval has no width: 16 patients cannot show how far below it "
         "may be", ("AUROC 为 1", "16")),
        ("The score is the mean of two: the classifier's, and that of a copy of the encoder which, "
         "with a linear layer, learned from the labels for 8 epochs (cross-entropy).",
         ("编码器的一个副本（连同一个线性层）从标签学习 8 轮", "（cross-entropy）")),
        ("the class 'mass' has 12 patients: expect wide intervals", ("'mass'", "12")),
    ],
)  # fmt: skip
def test_sentences_with_numbers_keep_them(sentence: str, parts: tuple[str, ...]) -> None:
    said = looked_up(sentence, "zh")
    assert said is not None
    for part in parts:
        assert part in said


def test_what_the_program_warns_of_is_known() -> None:
    unsure = Estimate(0.02, -0.01, 0.05, 90, 80)
    rule = SetRule("mondrian", (0.0,), 0.9, "site", {"a": 0.1, "b": 0.2}, 1)
    told = [
        *(few_patients(count, of) for count in (1, 5, 15) for of in ("of 'a'", "with 'a'")),
        *(few_patients(count) for count in (5, 15)),
        *wide_intervals({"auroc": {"low": 0.5, "high": 0.9}}),
        *wide_intervals({name: {"low": 0.5, "high": 0.9} for name in ("auroc", "sensitivity")}),
        *missing_warnings({"missing": {"age": 3}, "n_scans": 9}),
        *interval_notes(IntervalRule(float("inf"), 0.9, 5)),
        *notes_of(rule, RiskControl(0.1, 0.9, None, 20, 0, 0)),
        *told_columns(["site"]),
        gain_sentence(COVARIATES, unsure, "mean absolute error", is_error=True),
        *what_is_read(None, "patient", OF_VALUES),
        *equal_label_warnings([
            {"column": "sex", "value": "F", "auroc": {"value": at}, "flagged": True}
            for at in (0.3, 0.8)
        ]),
        *(gain_sentence(part, replace(unsure, low=low, high=high))
          for part in (COVARIATES, FINE_TUNING)
          for low, high in ((0.01, 0.05), (-0.05, -0.01), (-0.01, 0.05), (None, None))),
    ]  # fmt: skip
    assert [text for text in told if looked_up(text, "zh") is None] == []


def test_the_examples_of_languages_run() -> None:
    assert doctest.testmod(language).failed == 0


def test_what_an_encoder_began_from_is_said_in_chinese() -> None:
    first = {"from": "starter", "sha256": "a" * 64, "taken": 33, "adapted": ["one.weight"],
             "left": ["two.weight"], "frozen": 1, "low_rank": 4, "trained": False, "seen": 12,
             "seen_all": True, "learned_from": ["nih (667 scans)"]}  # fmt: skip
    told = ancestry_sentences([first, {**first, "from": "another"}])
    told += ancestry_sentences([{**first, "seen_all": False}])
    assert [text for text in told if looked_up(text, "zh") is None] == []
    federated = {"site": "a", "rounds": 3, "epochs": 1, "proximal": 0.1, "began_known": True,
                 "sites": {"a": {"scans": 1200}, "b": {"scans": 9}}}  # fmt: skip
    told += ancestry_sentences([{**first, "seen_all": False, "federated": federated}])
    assert [text for text in told if looked_up(text, "zh") is None] == []
    assert looked_up(finding(Ancestor("e", "", {}, federated=federated)).text, "zh")
    whole = " ".join(told)
    for part in ("one.weight", "two.weight", "another (SHA-256 aaaaaaaaaaaa)", "nih (667 scans)"):
        assert part in whole
    known, unknown = (
        finding(Ancestor("starter", "", {}, seen_all=seen_all)) for seen_all in (True, False)
    )
    assert (known.severity, unknown.severity) == ("info", "warning")
    assert all(looked_up(each.text, "zh") for each in (known, unknown))
