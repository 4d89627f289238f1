"""Terms of labels: read as data, children that imply parents, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from latentdx.collection.findings import Findings
from latentdx.collection.split import split_by_patient
from latentdx.collection.terms import Term, ancestors, check_terms, read_terms, with_ancestors
from latentdx.core.errors import StopError

TERMS = {
    "lobar": Term(parent="pneumonia"),
    "pneumonia": Term(parent="opacity", icd10="J18.9"),
    "mass": Term(parent="opacity"),
}


def test_a_child_has_all_that_it_is_a_kind_of() -> None:
    assert with_ancestors(["lobar", "normal"], TERMS) == {
        "lobar", "normal", "pneumonia", "opacity",
    }  # fmt: skip
    assert with_ancestors([], TERMS) == set()
    findings = Findings(("lobar", "pneumonia", "mass", "opacity"), "normal", terms=TERMS)
    found = findings.targets(["normal", "lobar", "mass", "opacity;lobar"]).tolist()
    assert found == [[0, 0, 0, 0], [1, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 1]]
    assert findings.implied() == [(0, 1), (0, 3), (1, 3), (2, 3)]
    assert Findings(("lobar", "opacity"), terms=TERMS).implied() == [(0, 1)]


def test_a_parent_that_nobody_wrote_is_a_question_too(table: Callable) -> None:
    labels = ["lobar", "mass", "normal", "cough"] * 15
    scans = table(labels, patients=[f"P{row}" for row in range(60)])
    split = split_by_patient(scans, seed=0, several=True)
    found = Findings.of(scans, split, TERMS)
    assert set(found.names) == {"cough", "lobar", "mass", "opacity", "pneumonia"}
    assert found.targets(scans.label.tolist())[:, found.names.index("opacity")].sum() == 30


def test_a_table_of_terms(tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    path.write_text("[mass]\nparent = 'opacity'\nradlex = 'RID3874'\n['a b']\nsnomed = '1'\n")
    assert read_terms(path) == {
        "mass": {"parent": "opacity", "radlex": "RID3874"}, "a b": {"snomed": "1"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no term"),
        ("[mass", "not TOML"),
        ("mass = 3", "mass: input should be"),
        ("[mass]\nkind = 'opacity'", "mass.kind: extra inputs"),
        ("[mass]\nicd10 = 'R91 <b>'", "mass.icd10: string should match"),
        ("[mass]\nparent = 'a;b'", "mass.parent: value error, a parent is one label"),
    ],
)
def test_a_table_that_cannot_be_understood(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "terms.toml"
    path.write_text(text)
    with pytest.raises(StopError) as caught:
        read_terms(path)
    assert caught.value.code == "E_TERMS"
    assert words in caught.value.found


def test_terms_that_do_not_fit_the_labels() -> None:
    check_terms(TERMS, ["lobar", "mass", "normal"], several=True)
    with pytest.raises(StopError, match="no scan has the label 'mass'"):
        check_terms(TERMS, ["lobar"], several=True)
    with pytest.raises(StopError, match="every scan one label"):
        check_terms(TERMS, ["lobar", "mass"], several=False)
    check_terms({"mass": Term(icd10="R91.8")}, ["mass", "normal"], several=False)
    circle = {"a": Term(parent="b"), "b": Term(parent="a")}
    with pytest.raises(StopError, match="'a' is a kind of itself, by way of b"):
        ancestors("a", circle)
    with pytest.raises(StopError, match="by way of its parent"):
        ancestors("a", {"a": Term(parent="a")})
