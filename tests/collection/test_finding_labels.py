"""Labels of several findings: one stored form, and what no label can mean."""

from __future__ import annotations

import doctest
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentdx.collection.finding_labels import check_findings, negative_of
from latentdx.core.errors import StopError

NAMES = st.sampled_from(["mass", "effusion", "edema", "nodule"])


def refused(labels: list[str | None], **options: object) -> StopError:
    with pytest.raises(StopError) as caught:
        check_findings(labels, **options)
    return caught.value


def test_order_blanks_and_repetition_say_nothing() -> None:
    labels = ["mass;effusion", " effusion ; mass;mass", "effusion", None]
    assert check_findings(labels) == ["effusion;mass", "effusion;mass", "effusion", None]


@given(st.lists(st.lists(NAMES, min_size=1), min_size=2), st.randoms())
def test_the_stored_form_does_not_depend_on_how_it_was_written(
    findings: list[list[str]], random: object
) -> None:
    plain = check_findings([";".join(names) for names in findings], for_training=False)
    for names in findings:
        random.shuffle(names)
    again = check_findings([" ; ".join(names) for names in findings], for_training=False)
    assert again == plain == check_findings(plain, for_training=False)


def test_negative_words_become_the_commonest_of_them() -> None:
    labels = ["No Finding", "normal", "No Finding", "mass"]
    assert check_findings(labels) == ["No Finding"] * 3 + ["mass"]
    assert negative_of(["mass", "a;b"]) == "none"


@pytest.mark.parametrize("label", ["mass;", ";mass", "mass;;edema", ";", " ; "])
def test_an_empty_finding_is_refused(label: str) -> None:
    error = refused(["edema", label])
    assert error.code == "E_FINDINGS"
    assert repr(label) in error.found


def test_nothing_found_beside_a_finding_is_refused() -> None:
    error = refused(["mass", "edema;normal"])
    assert error.code == "E_FINDINGS"
    assert "'normal'" in error.found
    assert "'edema'" in error.found


def test_findings_are_mapped_and_spelt_one_by_one() -> None:
    mapped = check_findings(["mass;oedema", "edema"], label_map={"oedema": "edema"})
    assert mapped == ["edema;mass", "edema"]
    assert refused(["mass;edema", "Mass"] * 3).code == "E_LABEL_TYPO"
    assert refused(["mass;edema", "edema"], label_map={"x": "y"}).code == "E_LABEL_MAP"


@pytest.mark.parametrize(
    ("labels", "code"),
    [([None, None], "E_NO_LABELS"), (["a;b", "b;a"], "E_ONE_CLASS"), (["normal"], "E_ONE_CLASS")],
)
def test_labels_that_teach_nothing(labels: list[str | None], code: str) -> None:
    assert refused(labels).code == code
    found = check_findings(labels, for_training=False)
    np.testing.assert_array_equal([name is None for name in found], [n is None for n in labels])


@pytest.mark.parametrize("name", ["finding_labels", "findings", "tasks", "npz", "labels"])
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(import_module(f"latentdx.collection.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
