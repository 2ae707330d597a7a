"""Scorers for the subset question: which real subset was the generator of a generated picture trained on?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from whorl.records import Array, BadInput, ImageSet, Problem, Scores

VERSION = 1
Features = Callable[[ImageSet], Array]


def linear(problem: Problem, features: Features, seed: int = 0) -> Scores:
    """Linear support vector machine of the real subsets, applied to generated pictures.

    Problem with n queries -> Scores (n, subsets): signed distance to each subset's plane (AI Multimedia Lab
    2025).
    """
    from sklearn.svm import LinearSVC

    names, rows, labels = _learnt(problem, features)
    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    model = LinearSVC(C=1.0, random_state=seed, max_iter=20000, tol=1e-3).fit((rows - middle) / scale, labels)
    values = model.decision_function((_flat(features(problem.queries)) - middle) / scale)
    both = np.column_stack([-values, values]) if values.ndim == 1 else values
    return _scores(problem, names, both)


def clusters(
    problem: Problem, features: Features, seed: int = 0, method: Literal["kmeans", "ward"] = "kmeans"
) -> Scores:
    """Clusters of the real pictures, as many as subsets, each named after one of them (Hungarian).

    Problem with n queries -> Scores (n, subsets): minus the distance to the mean of each cluster.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist
    from sklearn.cluster import AgglomerativeClustering, KMeans

    names, rows, labels = _learnt(problem, features)
    count = len(names)
    if method == "ward":
        found = AgglomerativeClustering(count).fit(rows).labels_
    else:
        found = KMeans(count, n_init=10, random_state=seed).fit(rows).labels_
    table = np.zeros((count, count))
    np.add.at(table, (labels, found), 1)
    taken = linear_sum_assignment(table, maximize=True)[1]
    centres = np.stack([rows[found == cluster].mean(axis=0) for cluster in taken])
    return _scores(problem, names, -cdist(_flat(features(problem.queries)), centres))


def _learnt(problem: Problem, features: Features) -> tuple[tuple[str, ...], Array, Array]:
    """Names of the real subsets, the features of their pictures and the number of each one's subset."""
    if len(problem.generated) < 2:
        raise BadInput(
            "this recipe compares with real subsets, two at least: dev/real/<class> in the edition"
        )
    parts = [_flat(features(images)) for images in problem.generated.values()]
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return tuple(problem.generated), np.concatenate(parts), labels


def _scores(problem: Problem, names: tuple[str, ...], values: Array) -> Scores:
    table = np.asarray(values, np.float32)
    return Scores(problem.queries.ids, names, table, np.full(table.shape, -1, np.int64))


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
