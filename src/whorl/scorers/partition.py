"""Scorers that part pictures into a few clusters and say which of them holds the used ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whorl.records import Array, BadInput, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
TRANSDUCTIVE = ("numbered", "mostly_real")
Features = Callable[[ImageSet], Array]


def named(problem: Problem, features: Features, seed: int = 0, clusters: Count = 2) -> Scores:
    """K-means of the development pictures, each cluster named by the kind that is over-represented in it.

    Problem with n queries -> Scores (n, 1): distance to the nearest not used cluster minus that to the
    nearest used one. Of clusters with equal shares, the one nearest to the generated pictures is used.
    """
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    part = problem.development
    if part is None:
        raise BadInput(
            "this recipe names its clusters by a development part with answers: dev/ in the edition"
        )
    table, truth = _flat(features(part.problem.queries)), part.used()
    count = min(max(2, clusters), len(np.unique(table, axis=0)))
    if count < 2:
        raise BadInput("the development pictures have all the same features: nothing to part")
    model = KMeans(count, n_init=10, random_state=seed).fit(table)
    made = _flat(features(next(iter(part.problem.generated.values())))).mean(axis=0)
    shares = np.asarray([truth[model.labels_ == cluster].mean() for cluster in range(count)])
    near = -np.linalg.norm(model.cluster_centers_ - made, axis=1)
    used = shares > truth.mean()
    if used.all() or not used.any():
        used = np.arange(count) == np.lexsort((near, shares))[-1]
    distance = cdist(_flat(features(problem.queries)), model.cluster_centers_)
    return one_column(problem, distance[:, ~used].min(axis=1) - distance[:, used].min(axis=1))


def numbered(problem: Problem, features: Features, clusters: Count = 2) -> Scores:
    """Ward clusters of the queries alone, the number of the cluster taken for the answer.

    Problem with n queries -> Scores (n, 1): above 0 in any cluster but the first, as scikit-learn numbers
    them. Nothing says which number means used (Clef-CSE-GAN 2023, submission 2, as published).
    """
    labels = _ward(_flat(features(problem.queries)), clusters)
    return one_column(problem, labels - 0.5)


def mostly_real(problem: Problem, features: Features, clusters: Count = 20) -> Scores:
    """Ward clusters of real and generated pictures together; in mostly real ones lie the not used.

    Problem with n queries -> Scores (n, 1): the share of generated pictures in a query's cluster, above that
    of the whole (Clef-CSE-GAN 2023, submission 2, as the overview tells it). Small sets make fewer clusters,
    of four pictures on average.
    """
    queries = _flat(features(problem.queries))
    made = np.concatenate([_flat(features(images)) for images in problem.generated.values()])
    both = np.concatenate([queries, made])
    labels = _ward(both, min(clusters, max(2, len(both) // 4)))
    inside = np.bincount(labels, minlength=clusters)
    generated = np.bincount(labels[len(queries) :], minlength=clusters)
    shares = generated / np.maximum(inside, 1)
    return one_column(problem, shares[labels[: len(queries)]] - len(made) / len(labels))


def _ward(table: Array, clusters: int) -> Array:
    from sklearn.cluster import AgglomerativeClustering

    count = min(clusters, len(table))
    if count < 2:
        return np.zeros(len(table), np.int64)
    return np.asarray(AgglomerativeClustering(count).fit(table).labels_, np.int64)


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
