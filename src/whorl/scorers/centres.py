"""Scorers that compare a query with a few centres instead of with single pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from whorl.records import Array, BadInput, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
Features = Callable[[ImageSet], Array]
Method = Literal["ward", "kmeans"]
Distance = Literal["min", "mean"]
# 000 tried 30 numbers of clusters without naming them: ASSUMED 2 to 20 and eleven larger ones.
NUMBERS = (*range(2, 21), 25, 30, 35, 40, 50, 60, 70, 80, 90, 100, 150)


def per_class(
    problem: Problem, features: Features, seed: int = 0, clusters: Count = 4, metric: str = "cityblock"
) -> Scores:
    """Nearest of k centres of the used against nearest of k centres of the not used (Goa 2024).

    Problem with n queries -> Scores (n, 1): distance to not used minus distance to used; the centres are
    Euclidean k-means, only the assignment uses Manhattan distance.
    """
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    part = problem.development
    if part is None:
        raise BadInput("this recipe needs a development part with answers: dev/ in the edition")
    table = _flat(features(part.problem.queries))
    truth = part.used()
    queries = _flat(features(problem.queries))
    nearest = []
    for side in (truth, ~truth):
        count = min(clusters, len(np.unique(table[side], axis=0)))
        centres = KMeans(count, n_init=10, random_state=seed).fit(table[side]).cluster_centers_
        nearest.append(cdist(queries, centres, metric).min(axis=1))
    return one_column(problem, nearest[1] - nearest[0])


def nearest_cluster(
    problem: Problem,
    features: Features,
    seed: int = 0,
    clusters: Count | None = 10,
    method: Method = "ward",
    distance: Distance = "min",
) -> Scores:
    """Minus the distance to the clusters of the generated pictures (AI Multimedia Lab 2024, approach A).

    Problem with n queries -> Scores (n, 1). Without `clusters`, their number (of 30) and the distance are
    those with the best half-split accuracy on the development part.
    """
    if clusters is None:
        clusters, distance = _tuned(problem, features, method, seed)
    made = _flat(features(next(iter(problem.generated.values()))))
    found = _distances(_flat(features(problem.queries)), made, [clusters], method, seed)[0]
    return one_column(problem, found[distance])


def _tuned(problem: Problem, features: Features, method: Method, seed: int) -> tuple[int, Distance]:
    part = problem.development
    if part is None:
        raise BadInput("tuning the number of clusters needs a development part with answers")
    truth = part.used()
    real = _flat(features(part.problem.queries))
    made = _flat(features(next(iter(part.problem.generated.values()))))
    numbers = [number for number in NUMBERS if number <= len(made)]
    best: tuple[float, int, Distance] = (-1.0, numbers[0], "min")
    choices: tuple[Distance, ...] = ("min", "mean")
    for number, found in zip(numbers, _distances(real, made, numbers, method, seed), strict=True):
        for choice in choices:
            called = found[choice] > np.median(found[choice])
            accuracy = float((called == truth).mean())
            if accuracy > best[0]:
                best = (accuracy, number, choice)
    return best[1], best[2]


def _distances(
    queries: Array, made: Array, numbers: Sequence[int], method: Method, seed: int
) -> list[dict[str, Array]]:
    """For every number of clusters, minus the smallest and minus the mean distance to their means."""
    from scipy.spatial.distance import cdist

    found = []
    for labels in _groupings(made, numbers, method, seed):
        centres = np.stack([made[labels == name].mean(axis=0) for name in np.unique(labels)])
        table = cdist(queries, centres)
        found.append({"min": -table.min(axis=1), "mean": -table.mean(axis=1)})
    return found


def _groupings(made: Array, numbers: Sequence[int], method: Method, seed: int) -> list[Array]:
    """Cluster labels for every number; Ward's tree is grown once and cut at each."""
    if method == "kmeans":
        from sklearn.cluster import KMeans

        counts = [min(number, len(np.unique(made, axis=0))) for number in numbers]
        return [KMeans(count, n_init=10, random_state=seed).fit_predict(made) for count in counts]
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(made) < 2:
        return [np.zeros(len(made), np.int64) for _ in numbers]
    tree = linkage(made, "ward")
    return [np.asarray(fcluster(tree, min(number, len(made)), "maxclust")) for number in numbers]


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
