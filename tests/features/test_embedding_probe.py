"""What features tell of sites and ages is measured, on patients that were held out."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentdx.collection.table import CollectionTable, ScanRow, table_of
from latentdx.features.embedding_probe import told_by_features

N = 160


def table(sites: np.ndarray, ages: np.ndarray, scans_each: int = 1) -> CollectionTable:
    pixels = np.zeros((1, 1, 1), np.float32)
    return table_of(
        ScanRow(
            f"{n:016x}",
            f"{n}.png",
            pixels,
            str(n),
            patient=f"P{n // scans_each}",
            site=str(sites[n]),
            covariates={"age": f"{ages[n]:.1f}", "note": f"text {n}", "one": "same"},
        )
        for n in range(len(sites))
    )


def told(embeddings: np.ndarray, scans: CollectionTable) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in told_by_features(embeddings, scans, seed=0)}


def test_what_is_in_the_features_is_told_and_what_is_not_is_not() -> None:
    draw = np.random.default_rng(0)
    sites, ages = np.array(["A", "B", "C"])[draw.integers(3, size=N)], draw.uniform(20, 80, N)
    noise = draw.normal(size=(N, 12)).astype(np.float32)
    seen = noise.copy()
    seen[:, 0] += 3 * (sites == "B")
    seen[:, 1] = ages / 20 + 0.2 * noise[:, 1]
    scans = table(sites, ages)
    found = told(seen, scans)
    assert set(found) == {"site", "age"}
    assert (found["site"]["measure"], found["age"]["measure"]) == ("auroc", "r2")
    assert found["site"]["told"]["value"] > 0.7
    assert found["age"]["told"]["value"] > 0.7
    blind = told(noise, scans)
    assert 0.35 < blind["site"]["told"]["value"] < 0.62
    assert blind["age"]["told"]["value"] < 0.1
    assert blind["age"]["told"]["low"] < blind["age"]["told"]["high"]


def test_a_patient_is_asked_once() -> None:
    # Features that know the patient, and nothing else: scan by scan they would know the site.
    values = []
    for seed in range(8):
        draw = np.random.default_rng(seed)
        sites = np.repeat(np.array(["A", "B"])[draw.integers(2, size=N // 4)], 4)
        features = np.repeat(draw.normal(size=(N // 4, 30)), 4, axis=0).astype(np.float32)
        found = told(features, table(sites, draw.uniform(20, 80, N), scans_each=4))["site"]["told"]
        assert found["n_scans"] == N // 4
        values.append(found["value"])
    assert np.mean(values) < 0.6


def test_few_patients_are_asked_nothing() -> None:
    sites = np.array(["A", "B"] * 10)
    assert told(np.zeros((20, 3), np.float32), table(sites, np.arange(20.0))) == {}
