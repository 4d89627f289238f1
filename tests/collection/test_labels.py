"""Labels: slips are found, classes that merely look alike are left alone."""

from __future__ import annotations

import pytest

from latentdx.collection.labels import check_labels, check_spelling, order_classes
from latentdx.core.errors import StopError


def refused(counts: dict[str, int], **options: object) -> StopError:
    with pytest.raises(StopError) as caught:
        check_labels(many(counts), **options)  # type: ignore[arg-type]
    return caught.value


def many(counts: dict[str, int]) -> list[str | None]:
    return [name for name, count in counts.items() for _ in range(count)]


@pytest.mark.parametrize(
    ("wrong", "right", "counts"),
    [
        ("malignent", "malignant", {"malignent": 1, "malignant": 40, "benign": 40}),
        ("pneumonla", "pneumonia", {"pneumonia": 900, "normal": 900, "pneumonla": 18}),
        ("Benign", "benign", {"Benign": 20, "benign": 30}),
        ("benign ", "benign", {"benign": 5, "benign ": 4}),
        ("ｂenign", "benign", {"ｂenign": 3, "benign": 30}),
        ("bеnign", "benign", {"bеnign": 20, "benign": 30}),  # a Cyrillic letter
        ("no  finding", "no finding", {"no finding": 9, "no  finding": 8}),
    ],
)
def test_a_slip_is_named_with_its_correction(
    wrong: str, right: str, counts: dict[str, int]
) -> None:
    error = refused(counts)
    assert error.code == "E_LABEL_TYPO"
    assert f"{wrong!r} ({counts[wrong]} scans)" in error.found
    assert f"--label-map {wrong!r}={right!r}" in error.fix
    corrected = check_labels(many(counts | {"other": 9}), label_map={wrong: right})
    assert set(corrected) == set(counts) - {wrong} | {"other"}


@pytest.mark.parametrize(
    "counts",
    [
        {"grade1": 3, "grade2": 300},
        {"1": 2, "2": 500},
        {"normal": 300, "abnormal": 30},
        {"no": 100, "yes": 2},
        {"type a": 3, "type b": 4},
    ],
)
def test_real_classes_pass(counts: dict[str, int]) -> None:
    assert check_labels(many(counts)) == many(counts)


def test_a_rare_class_is_meant_where_the_map_says_so() -> None:
    counts = {"normal": 300, "abnormal": 3}
    assert refused(counts).code == "E_LABEL_TYPO"
    assert check_labels(many(counts), label_map={"abnormal": "abnormal"}) == many(counts)


@pytest.mark.parametrize("name", ["NaN", "nan", "NA", "n/a", "null", "<NA>"])
def test_what_says_that_nothing_is_known_is_no_class(name: str) -> None:
    counts = {name: 20, "no": 30, "yes": 30}
    error = refused(counts)
    assert error.code == "E_LABEL_TYPO"
    assert repr(name) in error.found
    assert "empty" in error.fix
    assert check_labels(many(counts), label_map={name: name}) == many(counts)
    assert check_labels(many({"None": 20, "mild": 30})) == many({"None": 20, "mild": 30})


@pytest.mark.parametrize(("one", "other"), [("0", "0.0"), ("1", "01")])
def test_one_number_written_twice_is_a_slip(one: str, other: str) -> None:
    assert refused({one: 30, other: 20, "7": 30}).code == "E_LABEL_TYPO"


def test_a_map_that_names_nothing() -> None:
    error = refused({"no": 5, "yes": 5}, label_map={"nо": "no"})
    assert (error.code, "'no', 'yes'" in error.found) == ("E_LABEL_MAP", True)


def test_too_few_classes_or_patients() -> None:
    assert refused({}).code == "E_NO_LABELS"
    assert refused({"no": 5}).code == "E_ONE_CLASS"
    assert check_spelling(["no", None]) == ["no", None]
    patients = ["A", "B", "C", "D", "E", "E", "F", "G"]
    error = refused({"no": 4, "yes": 4}, patients=patients)
    assert error.code == "E_CLASS_SIZE"
    assert "'yes' has 3 patients" in error.found
    assert "need 4" in error.found
    assert check_labels(many({"no": 4, "yes": 4}), patients=patients, minimum=3)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["PNEUMONIA", "NORMAL"], ["NORMAL", "PNEUMONIA"]),
        (["yes", "no"], ["no", "yes"]),
        (["pneumonia", "no_finding"], ["no_finding", "pneumonia"]),
        (["malignant", "benign", "normal"], ["normal", "benign", "malignant"]),
        (["a tumour", "No tumour"], ["No tumour", "a tumour"]),
        (["True", "False"], ["False", "True"]),
        (["10", "9", "0"], ["0", "9", "10"]),
        (["CXR", "AbdomenCT"], ["AbdomenCT", "CXR"]),
        (["nodule", "mass"], ["mass", "nodule"]),
        (["COVID", "non-COVID"], ["non-COVID", "COVID"]),
        (["glaucoma", "notglaucoma"], ["notglaucoma", "glaucoma"]),
        (["Demented", "NonDemented"], ["NonDemented", "Demented"]),
        (["Parasitized", "Uninfected"], ["Uninfected", "Parasitized"]),
        (["恶性", "良性"], ["良性", "恶性"]),
        (["异常", "正常"], ["正常", "异常"]),
        (["nan", "1", "0", "inf"], ["0", "1", "inf", "nan"]),
    ],
)
def test_negative_first(names: list[str], expected: list[str]) -> None:
    assert order_classes(names) == expected
    assert order_classes(reversed(names)) == expected


def test_the_positive_class_can_be_named() -> None:
    assert order_classes(["no", "yes"], positive="no") == ["yes", "no"]
    with pytest.raises(StopError, match="did you mean 'yes'"):
        order_classes(["no", "yes"], positive="yess")
