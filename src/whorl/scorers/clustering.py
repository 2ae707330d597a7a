"""Clustering scorers: the bag of queries is grouped; every cluster is a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from whorl.records import Array, BadInput, Floats, ImageSet, Problem, Scores

VERSION = 1
TRANSDUCTIVE = ("kmeans", "ward", "gmm", "dbscan", "hdbscan")
Features = Callable[[ImageSet], Array]


def kmeans(
    problem: Problem,
    features: Features,
    seed: int = 0,
    clusters: int | None = None,
    components: float | int | None = None,
    standardise: bool = False,
) -> Scores:
    """K-means with ten k-means++ starts.

    Problem with n queries -> Scores (n, clusters), 1 for the cluster of each query.
    """
    from sklearn.cluster import KMeans

    vectors = _vectors(problem, features, components, standardise, seed)
    model = KMeans(_count(problem, clusters), n_init=10, max_iter=300, random_state=seed)
    return _table(problem, model.fit_predict(vectors))


def ward(
    problem: Problem,
    features: Features,
    seed: int = 0,
    clusters: int | None = None,
    components: float | int | None = None,
    standardise: bool = False,
) -> Scores:
    """Agglomerative clustering, Ward linkage.

    Problem with n queries -> Scores (n, clusters), 1 for the cluster of each query.
    """
    from sklearn.cluster import AgglomerativeClustering

    vectors = _vectors(problem, features, components, standardise, seed)
    return _table(problem, AgglomerativeClustering(_count(problem, clusters)).fit_predict(vectors))


def gmm(
    problem: Problem,
    features: Features,
    seed: int = 0,
    clusters: int | None = None,
    components: float | int | None = None,
    standardise: bool = False,
    covariance: Literal["full", "diag", "tied", "spherical"] = "diag",
    start: Literal["kmeans", "k-means++", "random", "random_from_data"] = "kmeans",
) -> Scores:
    """Gaussian mixture; the scores are the posterior probabilities.

    Problem with n queries -> Scores (n, clusters), rows sum to 1.
    """
    from sklearn.mixture import GaussianMixture

    vectors = _vectors(problem, features, components, standardise, seed).astype(np.float64)
    model = GaussianMixture(
        _count(problem, clusters), covariance_type=covariance, init_params=start, random_state=seed
    )
    model.fit(vectors)
    return _table(problem, model.predict(vectors), model.predict_proba(vectors))


def dbscan(
    problem: Problem,
    features: Features,
    seed: int = 0,
    radius: float | None = None,
    least: int = 5,
    components: float | int | None = None,
    standardise: bool = False,
) -> Scores:
    """Density clustering; stray queries join the nearest cluster.

    Problem with n queries -> Scores (n, clusters); without a radius the knee of the sorted distances to
    the `least`-th neighbour is taken.
    """
    from sklearn.cluster import DBSCAN

    vectors = _vectors(problem, features, components, standardise, seed)
    labels = DBSCAN(eps=radius or _knee(vectors, least), min_samples=least).fit_predict(vectors)
    return _table(problem, _adopt(vectors, labels))


def hdbscan(
    problem: Problem,
    features: Features,
    seed: int = 0,
    least: int = 10,
    components: float | int | None = None,
    standardise: bool = False,
) -> Scores:
    """Hierarchical density clustering, one cluster allowed; stray queries join the nearest cluster.

    Problem with n queries -> Scores (n, clusters).
    """
    from sklearn.cluster import HDBSCAN

    vectors = _vectors(problem, features, components, standardise, seed)
    size = int(np.clip(least, 2, max(2, len(vectors) - 1)))
    model = HDBSCAN(min_cluster_size=size, allow_single_cluster=True, copy=True)
    return _table(problem, _adopt(vectors, model.fit_predict(vectors)))


def _vectors(
    problem: Problem, features: Features, components: float | int | None, standardise: bool, seed: int
) -> Array:
    raw = features(problem.queries)
    vectors = np.asarray(raw.reshape(len(raw), -1), np.float64)
    if standardise:
        spread = vectors.std(axis=0)
        vectors = (vectors - vectors.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    if components is not None and min(vectors.shape) > 1:
        from sklearn.decomposition import PCA

        limit = components if components < 1 else min(int(components), *vectors.shape)
        solver: Any = "full" if components < 1 else "auto"
        vectors = PCA(limit, svd_solver=solver, random_state=seed).fit_transform(vectors)
    return vectors


def _count(problem: Problem, clusters: int | None) -> int:
    count = problem.count if clusters is None else clusters
    if count is None:
        raise BadInput("this recipe needs the number of generators: -k N, or generators = N in edition.toml")
    if not 1 <= count <= len(problem.queries):
        raise BadInput(f"cannot make {count} groups of {len(problem.queries)} pictures")
    return count


def _knee(vectors: Array, least: int) -> float:
    """Distance at the point of the sorted k-distance curve farthest below its chord."""
    from sklearn.neighbors import NearestNeighbors

    count = min(least, len(vectors) - 1) + 1
    distance = np.sort(NearestNeighbors(n_neighbors=count).fit(vectors).kneighbors(vectors)[0][:, -1])
    chord = np.linspace(distance[0], distance[-1], len(distance))
    return float(max(distance[int(np.argmax(chord - distance))], 1e-12))


def _adopt(vectors: Array, labels: Array) -> Array:
    """Give every stray point (-1) the label of the nearest cluster centre; all strays are one cluster."""
    names = np.unique(labels[labels >= 0])
    if len(names) == 0:
        return np.zeros(len(labels), np.int64)
    centres = np.stack([vectors[labels == name].mean(axis=0) for name in names])
    distance = ((vectors[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
    return np.where(labels < 0, names[distance.argmin(axis=1)], labels)


def _table(problem: Problem, labels: Array, chances: Array | None = None) -> Scores:
    """One column per cluster, the largest first, equal sizes in order of their first picture."""
    names, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    values: Floats = np.asarray(labels[:, None] == names[order][None, :], np.float32)
    if chances is not None:
        values = np.asarray(chances[:, names[order]], np.float32)
    groups = tuple(f"cluster {index + 1}" for index in range(len(names)))
    return Scores(problem.queries.ids, groups, values, np.full(values.shape, -1, np.int64))
