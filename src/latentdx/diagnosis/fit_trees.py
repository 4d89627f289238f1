"""Fitting forests and boosted trees, and their trees as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.diagnosis.machine import Floats
from latentdx.diagnosis.machines_trees import Trees
from latentdx.diagnosis.task import Task

_N_TREES = 100


@dataclass(frozen=True)
class _Tree:
    """One tree's nodes; `left` and `right` count from its own root, a leaf's are its own number."""

    columns: NDArray[Any]
    cuts: NDArray[np.float64]
    left: NDArray[Any]
    right: NDArray[Any]
    values: NDArray[np.float64]


def fit_forest(task: Task, strength: float) -> Trees:
    """A forest of 100 trees, at most `strength` levels deep.

    Breiman, "Random forests", Machine Learning 45, 2001.
    """
    from sklearn.ensemble import RandomForestClassifier

    trees = []
    for target in task.questions():
        model = RandomForestClassifier(
            _N_TREES, max_depth=int(strength), class_weight="balanced", random_state=0, n_jobs=-1
        )
        trees.append([_of_forest(each.tree_) for each in model.fit(task.features, target)])
    return _joined(trees, [0.0] * len(trees))


def fit_forest_of_values(features: Floats, values: NDArray[np.float64], strength: float) -> Trees:
    """A forest that predicts values (N,) of features (N, D); see `fit_forest`."""
    from sklearn.ensemble import RandomForestRegressor

    model = RandomForestRegressor(
        _N_TREES, max_depth=int(strength), max_features=0.33, random_state=0, n_jobs=-1
    )
    trees = [_of_forest(each.tree_, mean=True) for each in model.fit(features, values)]
    return _joined([trees], [0.0])


def fit_boosting(task: Task, strength: float) -> Trees:
    """`strength` boosted trees of at most 8 leaves, by histograms of the features.

    Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics
    29, 2001; Ke et al., "LightGBM", NIPS 2017. No early stopping: it would hold out rows of
    patients that it learns from.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees, starts = [], []
    for target in task.questions():
        model = HistGradientBoostingClassifier(
            max_iter=int(strength),
            max_leaf_nodes=8,
            min_samples_leaf=5,
            l2_regularization=1.0,
            max_features=0.3,
            max_bins=63,
            class_weight="balanced",
            early_stopping=False,
            random_state=0,
        )
        model.fit(task.features, target)
        trees.append([_of_boosting(each[0].nodes) for each in model._predictors])
        starts.append(float(np.ravel(model._baseline_prediction)[0]))
    return _joined(trees, starts)


def _of_forest(tree: Any, *, mean: bool = False) -> _Tree:
    """Leaves vote 2 p - 1, or the `mean` of their values, divided by the number of trees."""
    itself = np.arange(tree.node_count)
    is_leaf = tree.children_left < 0
    held = tree.value[:, 0, :]
    votes = held[:, 0] if mean else 2 * held[:, 1] / held.sum(axis=1) - 1
    return _Tree(
        np.where(is_leaf, 0, tree.feature),
        tree.threshold,
        np.where(is_leaf, itself, tree.children_left),
        np.where(is_leaf, itself, tree.children_right),
        votes / _N_TREES,
    )


def _of_boosting(nodes: Any) -> _Tree:
    itself, is_leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
    return _Tree(
        np.where(is_leaf, 0, nodes["feature_idx"]),
        nodes["num_threshold"],
        np.where(is_leaf, itself, nodes["left"]),
        np.where(is_leaf, itself, nodes["right"]),
        nodes["value"],
    )


def _joined(questions: Sequence[Sequence[_Tree]], starts: Sequence[float]) -> Trees:
    """All trees' nodes in one row of nodes."""
    trees = [tree for question in questions for tree in question]
    sizes = [len(tree.values) for tree in trees]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    children = [
        np.stack([tree.left, tree.right], axis=1) + start
        for tree, start in zip(trees, first, strict=True)
    ]
    return Trees(
        first.reshape(len(questions), -1),
        np.concatenate([tree.columns for tree in trees]).astype(np.int32),
        _rounded_down(np.concatenate([tree.cuts for tree in trees])),
        np.concatenate(children).astype(np.int32),
        np.concatenate([tree.values for tree in trees]).astype(np.float32),
        np.array(starts, np.float32),
    )


def _rounded_down(cuts: NDArray[np.float64]) -> Floats:
    """To float32 so that every float32 x stays on its side of ``x <= cut``."""
    near = cuts.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    found: Floats = np.where(near > cuts, below, near)
    return found
