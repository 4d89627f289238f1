"""Attention finds the scans of a case that tell, by the labels of cases alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from latentdx.collection.cases import Cases
from latentdx.diagnosis.attention_pool import AttentionPool
from latentdx.diagnosis.fit_attention import AttentionNetwork, fit_attention
from latentdx.diagnosis.task import Task

Cohort = tuple[np.ndarray, Cases, Task, np.ndarray]


def one_tells(n_cases: int, seed: int, n_classes: int = 2, *, ordered: bool = False) -> Cohort:
    """Features of 3 copies of scans, 1 to 4 a case: one of an ill case's scans tells its class.

    The last of the four says which: the rows of the scans that tell.
    """
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 5, n_cases)
    number = np.repeat(np.arange(n_cases), sizes)
    labels = np.arange(n_cases) % n_classes
    first = np.cumsum(sizes) - sizes
    telling = first + generator.integers(0, sizes)
    copies = generator.normal(0, 1, (3, len(number), 12)).astype(np.float32)
    ill = labels > 0
    copies[:, telling[ill], labels[ill] - 1] += 5
    task = Task(copies[0], labels[number], n_classes, number, ordered)
    return copies.reshape(-1, 12), Cases.of(number.astype(str)), task, telling[ill]


def scores_of(pool: AttentionPool, features: np.ndarray, cases: Cases) -> np.ndarray:
    return cases.pooled(pool.scores(features), pool.importance(features))


def test_the_scan_that_tells_gets_the_weight() -> None:
    table, cases, task, _ = one_tells(150, 0)
    pool = fit_attention(table, cases, task, seed=0)
    new, among, asked, telling = one_tells(200, 1)
    scans = new[: len(among.number)]
    weights = among.weights(pool.importance(scans))
    sizes = np.bincount(among.number)[among.number]
    several = telling[sizes[telling] > 1]
    assert weights[several].mean() > 1.5 * (1 / sizes[several]).mean()
    labels = asked.labels[among.first]
    assert roc_auc_score(labels, scores_of(pool, scans, among)[:, 0]) > 0.9
    alone = Cases.of(np.arange(len(scans)).astype(str))
    np.testing.assert_array_equal(scores_of(pool, scans, alone), pool.scores(scans))


def test_the_same_seed_gives_the_same_arrays_whoever_the_patients_are() -> None:
    table, cases, task, _ = one_tells(40, 0)
    found = [fit_attention(table, cases, task, seed=seed) for seed in (0, 0, 1)]
    for name in ("values", "gates", "mix", "linear"):
        first, again, other = (getattr(each, name) for each in found)
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 1e-4


def test_arrays_score_as_the_network_does() -> None:
    table, cases, _, _ = one_tells(20, 0)
    network = AttentionNetwork(12, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    scans = table[: len(cases.number)]
    with torch.no_grad():
        logits = network(torch.from_numpy(scans), torch.from_numpy(cases.number), 20).numpy()
    np.testing.assert_allclose(
        scores_of(network.pool(), scans, cases), logits, rtol=2e-4, atol=1e-4
    )


def test_every_weight_is_learned() -> None:
    table, cases, _, _ = one_tells(20, 0)
    network = AttentionNetwork(12, 1, torch.Generator().manual_seed(0))
    torch.nn.init.ones_(network.linear.weight)
    scans = torch.from_numpy(table[: len(cases.number)])
    network(scans, torch.from_numpy(cases.number), 20).square().sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("n_classes", "ordered", "asked"), [(3, False, 3), (3, True, 2)])
def test_a_question_for_each_class_or_step(n_classes: int, ordered: bool, asked: int) -> None:
    table, cases, task, _ = one_tells(60, 0, n_classes, ordered=ordered)
    pool = fit_attention(table, cases, task, seed=0)
    assert scores_of(pool, table[: len(cases.number)], cases).shape == (60, asked)


def test_one_patient_of_a_class_is_enough_to_fit() -> None:
    table, cases, task, _ = one_tells(3, 0)
    pool = fit_attention(table, cases, task, seed=0)
    assert np.isfinite(scores_of(pool, table[: len(cases.number)], cases)).all()
