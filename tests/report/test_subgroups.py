"""Groups of test scans: who is in them, how the model does there, how far apart they are."""

import doctest

import numpy as np
import pytest
from report_scans import predictions_of, scans_of, table_for
from sklearn.metrics import roc_auc_score

from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.discrimination import auroc
from latentdx.report import subgroups as module
from latentdx.report.findings_predictions import FindingPredictions
from latentdx.report.language import looked_up
from latentdx.report.predictions import as_json
from latentdx.report.subgroups import (
    age_bands,
    finding_subgroups,
    gap_warnings,
    groups_of,
    subgroups,
)
from latentdx.report.value_predictions import ValuePredictions


def told(scans, scores, table):
    predictions = predictions_of(scans.labels, scores, scans.patients)
    return subgroups(predictions, scans.scan_ids.tolist(), table, seed=0)


def test_subgroups_by_hand():
    """North 25 scans, south 30 of two a patient, east too few; five scans of no known site."""
    rng = np.random.default_rng(0)
    sites = ["north"] * 25 + ["south"] * 30 + ["east"] * 19 + [None] * 5
    labels = rng.integers(0, 2, len(sites))
    scores = np.clip(0.4 * labels + rng.uniform(0, 0.6, len(sites)), 0, 1)
    patients = [f"s{i // 2}" if site == "south" else f"p{i}" for i, site in enumerate(sites)]
    scans = scans_of(labels, patients=patients)
    found = told(scans, scores, table_for(scans, site=sites))["subgroups"]
    by_value = {item["value"]: item for item in found}
    assert set(by_value) == {"north", "south"}
    assert {item["column"] for item in found} == {"site"}
    for value, rows in (("north", slice(0, 25)), ("south", slice(25, 55))):
        expected = roc_auc_score(labels[rows], scores[rows])
        assert by_value[value]["auroc"]["value"] == pytest.approx(expected)
    assert by_value["south"]["n_scans"] == 30
    assert by_value["south"]["n_patients"] == len(set(patients[25:55]))


def test_the_table_may_hold_other_scans_in_another_order():
    sites = (["a"] * 20 + ["b"] * 20) * 2
    scans = scans_of([0, 1] * 40)
    table = table_for(scans, site=sites)
    scores = np.linspace(0, 1, 80)
    tested = scans.take(np.arange(40))
    whole = told(tested, scores[:40], table)
    turned = told(tested, scores[:40], table.take(np.arange(80)[::-1]))
    assert whole == turned
    assert [item["n_scans"] for item in whole["subgroups"]] == [20, 20]


def test_a_column_of_one_value_or_of_many_is_no_grouping():
    scans = scans_of([0, 1] * 100)
    covariates = [{"ward": f"w{i % 9}", "scanner": "one"} for i in range(200)]
    table = table_for(scans, covariates=covariates)
    assert told(scans, np.full(200, 0.5), table) == {"subgroups": [], "subgroup_gaps": []}


def two_sites(generator, gaps=(3.0, 0.5), per_site=60):
    labels = generator.integers(0, 2, 2 * per_site)
    apart = np.repeat(gaps, per_site)
    scores = 1 / (1 + np.exp(-generator.normal(size=2 * per_site) - apart * (labels - 0.5)))
    scans = scans_of(labels, patients=[f"p{i // 2}" for i in range(2 * per_site)])
    return scans, scores, ["north"] * per_site + ["south"] * per_site


def test_a_gap_is_that_of_the_two_groups_on_shared_resamples():
    scans, scores, sites = two_sites(np.random.default_rng(1))
    found = told(scans, scores, table_for(scans, site=sites))
    (gap,) = found["subgroup_gaps"]
    assert (gap["low_in"], gap["high_in"], gap["n_groups"]) == ("south", "north", 2)
    areas = [
        roc_auc_score(scans.labels[rows], scores[rows]) for rows in (slice(60), slice(60, 120))
    ]
    assert gap["gap"]["value"] == pytest.approx(areas[0] - areas[1])
    assert 0 < gap["gap"]["low"] < gap["gap"]["value"] < gap["gap"]["high"]
    assert (gap["gap"]["n_scans"], gap["gap"]["n_patients"]) == (120, 60)

    def apart(weights):
        inside = np.arange(120) < 60
        each = [auroc(scans.labels, scores, weights=weights * rows) for rows in (inside, ~inside)]
        return (each[0] - each[1])[:, None]

    plain = bootstrap(apart, scans.patients, generator=np.random.default_rng(0), n_resamples=1000)
    assert gap["gap"]["low"] == pytest.approx(plain[0].low, abs=0.03)


def test_a_wide_gap_is_warned_of_with_its_interval_and_a_narrow_one_is_not():
    scans, scores, sites = two_sites(np.random.default_rng(1))
    (warning,) = gap_warnings(told(scans, scores, table_for(scans, site=sites)))
    assert "'site'" in warning
    assert "95 % interval" in warning
    assert "lowest in 'south', highest in 'north'" in warning
    assert "chance" not in warning
    scans, scores, sites = two_sites(np.random.default_rng(3), gaps=(4.0, 4.0), per_site=400)
    found = told(scans, scores, table_for(scans, site=sites))
    assert found["subgroup_gaps"][0]["gap"]["value"] < 0.05
    assert gap_warnings(found) == []


def test_a_gap_that_chance_may_make_is_called_so():
    scans, scores, sites = two_sites(np.random.default_rng(0), gaps=(1.2, 1.0), per_site=30)
    (warning,) = gap_warnings(told(scans, scores, table_for(scans, site=sites)))
    assert "which chance alone may make" in warning


def test_many_groups_are_warned_of():
    scans, scores, _ = two_sites(np.random.default_rng(0), gaps=(9.0, 9.0), per_site=100)
    wards = [{"ward": f"w{i % 5}"} for i in range(200)]
    (warning,) = gap_warnings(told(scans, scores, table_for(scans, covariates=wards)))
    assert "5 are shown" in warning


def test_ages_come_in_bands_from_the_youngest():
    scans = scans_of([0, 1] * 60)
    ages = [{"age_years": str(age)} for age in np.linspace(5, 95, 120).round(1)]
    found = groups_of(table_for(scans, covariates=ages), scans.scan_ids.tolist())
    assert [group.value for group in found] == ["18-39", "40-59", "60-79", "80+"]  # 17 are younger
    assert {group.column for group in found} == {"age_years"}
    years = np.array([float(row["age_years"]) for row in ages])
    np.testing.assert_array_equal(found[0].rows, (years >= 18) & (years < 40))


def test_what_is_no_age_in_years_is_left_as_it_is():
    assert age_bands(("400", "200")) == ("400", "200")  # months, or days
    assert age_bands(("17.9", "18", "119")) == ("0-17", "18-39", "80+")


def test_groups_without_both_labels_have_no_gap():
    scans = scans_of([0] * 20 + [1] * 20 + [0, 1] * 10)
    sites = ["a"] * 20 + ["b"] * 20 + ["c"] * 20
    found = told(scans, np.linspace(0, 1, 60), table_for(scans, site=sites))
    assert [item["auroc"]["value"] is None for item in found["subgroups"]] == [True, True, False]
    assert found["subgroup_gaps"] == []


def test_a_wide_gap_of_errors_is_warned_of_by_its_share_of_the_error_of_all():
    generator = np.random.default_rng(0)
    scans = scans_of([0, 1] * 60)
    sexes = [{"sex": "FM"[row >= 60]} for row in range(120)]
    table, ids = table_for(scans, covariates=sexes), scans.scan_ids.tolist()
    values = generator.normal(50, 10, 120)
    for factor, n_warnings in ((3.0, 1), (1.05, 0)):
        away = generator.permutation(np.linspace(-2, 2, 60))
        away = np.concatenate([away, factor * away])
        predictions = ValuePredictions(values, values + away, scans.patients)
        found = subgroups(predictions, ids, table, seed=0)
        (gap,) = found["subgroup_gaps"]
        first, second = np.abs(away[:60]).mean(), np.abs(away[60:]).mean()
        assert gap["gap"]["value"] == pytest.approx(second - first)
        by_value = {item["value"]: item["mae"]["value"] for item in found["subgroups"]}
        assert by_value == pytest.approx({"F": first, "M": second})
        test = as_json(predictions.metrics(0, 100))
        warnings = gap_warnings({**found, "test": test})
        assert len(warnings) == n_warnings
        if warnings:
            assert "the mean absolute error differs by up to" in warnings[0]
            assert "lowest in 'F', highest in 'M'" in warnings[0]
            assert looked_up(warnings[0], "zh") is not None


def test_each_finding_has_groups_of_its_own_where_their_mean_has_no_value():
    """No scan of the south has finding b: the mean AUROC is unknown there, that of a is told."""
    scans, scores, sites = two_sites(np.random.default_rng(1))
    first = predictions_of(scans.labels, scores, scans.patients)
    rare = np.where(np.arange(120) < 60, scans.labels[::-1], 0)
    second = predictions_of(rare, scores, scans.patients)
    both = FindingPredictions({"a": first, "b": second})
    told = both, scans.scan_ids.tolist(), table_for(scans, site=sites), 0
    found = subgroups(*told) | finding_subgroups(both.each, *told[1:])
    south = {item["value"]: item for item in found["subgroups"]}["south"]
    assert south["auroc"]["value"] is None
    assert found["subgroup_gaps"] == []
    own = found["finding_subgroups"]["a"]["subgroups"]
    assert [item["auroc"]["value"] is None for item in own] == [False, False]
    (warning,) = gap_warnings(found)
    assert "the AUROC of 'a' differs" in warning
    assert looked_up(warning, "zh") is not None


def test_the_example_in_the_docstring_runs():
    found = doctest.testmod(module)
    assert (found.attempted, found.failed) == (2, 0)
