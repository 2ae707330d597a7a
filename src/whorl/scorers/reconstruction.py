"""Scorers that rebuild a query from what the generated pictures span."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whorl.records import Array, Count, ImageSet, Problem, Scores

VERSION = 1


def subspace(
    problem: Problem, features: Callable[[ImageSet], Array], seed: int = 0, components: Count = 100
) -> Scores:
    """Minus the share of a query's energy outside the principal components of the generated pictures.

    Problem with n queries and g groups -> Scores (n, g) in -1..0.
    """
    from sklearn.decomposition import PCA

    queries = _flat(features(problem.queries))
    values = np.empty((len(queries), len(problem.generated)), np.float32)
    for column, images in enumerate(problem.generated.values()):
        made = _flat(features(images))
        with np.errstate(all="ignore"):  # one picture, or all alike: nothing varies, nothing is spanned
            model = PCA(min(components, len(made) // 2 + 1, made.shape[1]), random_state=seed).fit(made)
        centred = queries - model.mean_
        energy = np.maximum((centred**2).sum(axis=1), 1e-9)
        inside = ((centred @ model.components_.T) ** 2).sum(axis=1)
        values[:, column] = np.minimum(inside / energy, 1.0) - 1.0
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
