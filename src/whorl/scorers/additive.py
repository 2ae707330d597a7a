"""Scorers that add up what a picture has of each principal component (Csmorgan 2024)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whorl.records import Array, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
TRANSDUCTIVE = ("components",)


def components(
    problem: Problem, features: Callable[[ImageSet], Array], seed: int = 0, count: Count = 32
) -> Scores:
    """Sum of a query's principal coordinates over the sum of all their sizes.

    Problem with n queries -> Scores (n, 1). The components are those of the queries; each is turned so that
    the generated pictures lie on its upper side.
    """
    from sklearn.decomposition import PCA

    queries = _flat(features(problem.queries))
    made = _flat(features(next(iter(problem.generated.values()))))
    spread = queries.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    middle = queries.mean(axis=0)
    rows = (queries - middle) / scale
    with np.errstate(all="ignore"):  # pictures all alike have no components
        model = PCA(min(count, *rows.shape), random_state=seed).fit(rows)
    side = np.sign(model.transform((made - middle) / scale).mean(axis=0))
    places = model.transform(rows) * np.where(side == 0, 1.0, side)
    total = max(float(np.abs(places).sum()), 1e-12)
    return one_column(problem, places.sum(axis=1) / total)


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
