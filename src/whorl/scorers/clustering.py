"""Clustering scorers: the bag of queries is grouped; every cluster is a column.

Pictures are grouped in the order of their own features, so that a seed draws the same ones whatever the
order of the files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from whorl.kernels.threads import one_thread
from whorl.learning.compression import Pace, codes
from whorl.learning.effort import Effort
from whorl.learning.workplace import ALONE, Workplace
from whorl.records import Array, Count, Floats, ImageSet, Problem, Scores, group_count

VERSION = 2
TRANSDUCTIVE = ("kmeans", "ward", "gmm", "tsne", "dbscan", "hdbscan", "encoded", "mismatched")
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

    vectors, places = _vectors(problem, features, components, standardise, seed)
    model = KMeans(group_count(problem, clusters), n_init=10, max_iter=300, random_state=seed)
    return _table(problem, model.fit_predict(vectors)[places])


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

    vectors, places = _vectors(problem, features, components, standardise, seed)
    model = AgglomerativeClustering(group_count(problem, clusters))
    return _table(problem, model.fit_predict(vectors)[places])


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

    vectors, places = _vectors(problem, features, components, standardise, seed)
    model = GaussianMixture(
        group_count(problem, clusters), covariance_type=covariance, init_params=start, random_state=seed
    )
    chances = model.fit(vectors).predict_proba(vectors)[places]
    return _table(problem, chances.argmax(axis=1), chances)


def tsne(
    problem: Problem,
    features: Features,
    seed: int = 0,
    clusters: int | None = None,
    components: Count | None = 50,
    standardise: bool = False,
    perplexity: float = 30.0,
    grouping: Literal["ward", "kmeans"] = "ward",
) -> Scores:
    """Groups in the plane that t-SNE lays the queries out in (van der Maaten and Hinton 2008).

    Problem with n queries -> Scores (n, clusters), 1 for the cluster of each query.
    """
    from sklearn.cluster import AgglomerativeClustering, KMeans

    vectors, places = _vectors(problem, features, components, standardise, seed)
    plane, count = _plane(vectors, perplexity, seed), group_count(problem, clusters)
    model = (
        AgglomerativeClustering(count)
        if grouping == "ward"
        else KMeans(count, n_init=10, max_iter=300, random_state=seed)
    )
    return _table(problem, model.fit_predict(plane)[places])


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

    vectors, places = _vectors(problem, features, components, standardise, seed)
    labels = DBSCAN(eps=radius or _knee(vectors, least), min_samples=least).fit_predict(vectors)
    return _table(problem, _adopt(vectors, labels)[places])


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

    vectors, places = _vectors(problem, features, components, standardise, seed)
    size = int(np.clip(least, 2, max(2, len(vectors) - 1)))
    model = HDBSCAN(min_cluster_size=size, allow_single_cluster=True, copy=True)
    return _table(problem, _adopt(vectors, model.fit_predict(vectors))[places])


def encoded(
    problem: Problem,
    features: Features,
    seed: int = 0,
    clusters: int | None = None,
    grouping: Literal["ward", "kmeans"] = "ward",
    epochs: Count = 50,
    batch: Count = 32,
    rate: float = 1e-3,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Ward linkage or k-means on 32 numbers that an encoder makes of the features (Csmorgan 2024).

    Problem with n queries -> Scores (n, clusters), 1 for the cluster of each query.
    """
    pace = Pace(epochs, batch, rate, effort, seed)

    def short(images: ImageSet) -> Array:
        return codes(features(images), pace, workplace)

    chosen = ward if grouping == "ward" else kmeans
    return chosen(problem, short, seed, clusters)


def mismatched(problem: Problem, features: Features, seed: int = 0, clusters: int | None = None) -> Scores:
    """K-means whose answers are handed to the files in another order: what a shuffling loader does.

    Problem with n queries -> Scores (n, clusters), 1 for the cluster of some query.
    """
    found = kmeans(problem, features, seed, clusters)
    order = np.random.default_rng([seed, 7]).permutation(len(found.values))
    return Scores(found.ids, found.groups, found.values[order], found.nearest)


def _vectors(
    problem: Problem, features: Features, components: float | int | None, standardise: bool, seed: int
) -> tuple[Array, Array]:
    """Return the features in an order of their own, and where in it each query stands, (n,)."""
    raw = features(problem.queries)
    vectors = np.asarray(raw.reshape(len(raw), -1), np.float64)
    order = np.asarray(sorted(range(len(vectors)), key=lambda row: vectors[row].tobytes()))
    vectors, places = vectors[order], np.argsort(order)
    if standardise:
        spread = vectors.std(axis=0)
        vectors = (vectors - vectors.mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0)
    if components is not None and min(vectors.shape) > 1 and np.ptp(vectors, axis=0).any():
        from sklearn.decomposition import PCA

        limit = components if components < 1 else min(int(components), *vectors.shape)
        solver: Any = "full" if components < 1 else "auto"
        vectors = PCA(limit, svd_solver=solver, random_state=seed).fit_transform(vectors)
    return vectors, places


def _plane(vectors: Array, perplexity: float, seed: int) -> Array:
    """Lay out in the plane by t-SNE, from the first two principal coordinates; few or equal points stay."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if min(vectors.shape) < 3 or len(vectors) < 4 or not np.ptp(vectors, axis=0).any():
        return vectors
    start = PCA(2, svd_solver="full").fit_transform(vectors)
    near = float(np.clip(perplexity, 1, (len(vectors) - 1) / 3))
    model = TSNE(perplexity=near, init=1e-4 * start / start[:, 0].std(), random_state=seed)
    # Threads add their parts in any order, and the layout magnifies the last bit.
    with one_thread():
        return np.asarray(model.fit_transform(vectors), np.float64)


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
    groups = tuple(str(index + 1) for index in range(len(names)))
    return Scores(problem.queries.ids, groups, values, np.full(values.shape, -1, np.int64))
