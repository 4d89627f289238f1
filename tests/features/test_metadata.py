"""What a table says beside the picture: which columns count, and how they become numbers."""

from __future__ import annotations

import numpy as np
import pytest

from latentdx.collection.table import ScanRow, table_of
from latentdx.features.metadata import MetadataEncoder, metadata_columns, names_the_label

LABELS = np.arange(60) % 2


def shuffled(values: list[str], seed: int = 0) -> tuple[str, ...]:
    return tuple(np.random.default_rng(seed).permutation(values).tolist())


@pytest.mark.parametrize(
    "values",
    [
        tuple("MB"[label] for label in LABELS),
        tuple(str(1 - label) for label in LABELS),
        tuple(("birads 4", "birads 5", "birads 2")[(1 - y) * 2 + y * (i % 4 > 1)]
              for i, y in enumerate(LABELS)),
    ],
    ids=["letters", "reversed", "finer"],
)  # fmt: skip
def test_the_label_in_other_words_is_recognised(values: tuple[str, ...]) -> None:
    assert names_the_label(values, LABELS)


def test_the_label_is_recognised_through_one_slip_in_a_hundred() -> None:
    labels = np.arange(200) % 2
    values = ["MB"[label] for label in labels]
    values[0] = "B"
    assert names_the_label(tuple(values), labels)
    values[1:6] = "MBMBM"
    assert not names_the_label(tuple(values), labels)


@pytest.mark.parametrize(
    "values",
    [
        shuffled(["F", "M"] * 30),
        shuffled([str(20 + i) for i in range(60)]),
        shuffled([str(40 + i % 12) for i in range(60)]),
        tuple(f"P{i}" for i in range(60)),
        ("x",) * 60,
        tuple("F" if label or i % 3 else "M" for i, label in enumerate(LABELS)),
    ],
    ids=["sex", "age", "age-in-few-values", "name-of-its-own", "constant", "a-hint"],
)
def test_other_columns_are_not_the_label(values: tuple[str, ...]) -> None:
    assert not names_the_label(values, LABELS)


def test_ages_do_not_name_a_finding_that_one_scan_in_a_hundred_has() -> None:
    """Nearly all ages have no such scan: only a column that tells the others is the label."""
    labels = np.zeros(1000, np.int64)
    labels[np.random.default_rng(0).choice(1000, 10, replace=False)] = 1
    ages = np.random.default_rng(1).integers(20, 90, 1000).astype(str)
    assert not names_the_label(tuple(ages), labels)
    assert names_the_label(tuple("ny"[label] for label in labels), labels)


def test_a_column_cannot_name_a_label_that_is_the_same_everywhere() -> None:
    assert not names_the_label(("a", "b") * 5, np.zeros(10, np.int64))


def a_row(index: int, **told: object) -> ScanRow:
    return ScanRow(
        f"{index:016x}", f"secret/{index}.png", np.zeros((1, 1, 1), np.float32), f"h{index}",
        label=("no", "yes")[index % 2], patient=f"P{index}", **told,
    )  # fmt: skip


def test_columns_are_what_varies_and_never_names_labels_or_paths() -> None:
    rows = [
        a_row(
            index,
            site=("north", "south")[index % 2],
            modality="CR",
            native_shape=(100, 200 + index),
            spacing_mm=(0.14, 0.14) if index else None,
            covariates={"age_years": "60"} if index == 1 else {},
        )
        for index in range(3)
    ]
    assert metadata_columns(table_of(rows)) == {
        "site": ("north", "south", "north"),
        "width": ("200", "201", "202"),
        "spacing_mm": ("", "0.14", "0.14"),
        "age_years": ("", "60", ""),
    }


AGES = tuple(str(30 + i) for i in range(20))
SEXES = ("F", "M") * 10


def test_numbers_are_scaled_and_the_rest_is_one_hot() -> None:
    columns = {"age": AGES, "sex": SEXES}
    encoder = MetadataEncoder.fit(columns)
    found = encoder(columns)
    assert set(encoder.numeric) == {"age"}
    assert encoder.levels == {"sex": ("F", "M")}
    assert found.shape == (20, 4)
    assert found.dtype == np.float32
    assert found[:, 0].mean() == pytest.approx(0, abs=1e-6)
    assert found[:, 0].std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(found[:, 1], 0)
    np.testing.assert_array_equal(found[:, 2:], [[1, 0], [0, 1]] * 10)


def test_what_is_missing_has_a_flag_and_what_was_never_seen_is_zero() -> None:
    encoder = MetadataEncoder.fit({"age": AGES, "sex": SEXES})
    mean, scale = encoder.numeric["age"]
    found = encoder({"age": ("", "unknown", "40"), "sex": ("X", "", "M")})
    np.testing.assert_allclose(
        found, [[0, 1, 0, 0], [0, 1, 0, 0], [(40 - mean) / scale, 0, 0, 1]], rtol=1e-5
    )


def test_missing_text_is_a_level_where_it_was_common_in_training() -> None:
    encoder = MetadataEncoder.fit({"view": ("PA",) * 5 + ("",) * 5})
    np.testing.assert_array_equal(encoder({"view": ("", "PA", "AP")}), [[0, 1], [1, 0], [0, 0]])


@pytest.mark.parametrize("text", ["inf", "-Infinity", "1e999", "nan"])
def test_a_number_that_is_not_finite_is_not_known(text: str) -> None:
    encoder = MetadataEncoder.fit({"age": (*AGES, text)})
    assert encoder.numeric["age"] == pytest.approx((39.5, np.std(np.arange(20))))
    np.testing.assert_array_equal(encoder({"age": (text,)}), [[0, 1]])


def test_rare_levels_and_levels_beyond_a_dozen_are_left_out() -> None:
    values = ("a",) * 3 + ("b",) * 2
    assert MetadataEncoder.fit({"site": values}).levels == {"site": ("a",)}
    many = tuple(f"site {i:02}" for i in range(20)) * 3
    assert len(MetadataEncoder.fit({"site": many}).levels["site"]) == 12


def test_without_any_column_there_is_one_empty_one() -> None:
    encoder = MetadataEncoder.fit({})
    assert encoder({}).shape == (0, 1)
    rare = MetadataEncoder.fit({"site": ("a", "b")})
    np.testing.assert_array_equal(rare({"site": ("a", "c", "d")}), np.zeros((3, 1)))
