"""Scorers that add up what a picture has of each principal component (Csmorgan 2024)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whorl.learning.compression import Pace, codes
from whorl.learning.effort import Effort
from whorl.learning.workplace import ALONE, Workplace
from whorl.records import Array, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
TRANSDUCTIVE = ("components", "encoded")


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


def encoded(
    problem: Problem,
    features: Callable[[ImageSet], Array],
    seed: int = 0,
    epochs: Count = 50,
    batch: Count = 32,
    rate: float = 1e-3,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Sum of the 32 numbers that an encoder makes of a query's features over the sum of all their sizes.

    Problem with n queries -> Scores (n, 1). The encoder learns queries and generated pictures together; each
    number is counted from its mean over the queries, and turned so that generated ones lie on its upper side.
    """
    queries = _flat(features(problem.queries))
    made = _flat(features(next(iter(problem.generated.values()))))
    pace = Pace(epochs, batch, rate, effort, seed)
    found = codes(np.vstack([queries, made]), pace, workplace).astype(np.float64)
    own, other = found[: len(queries)], found[len(queries) :]
    middle = own.mean(axis=0)
    side = np.sign((other - middle).mean(axis=0))
    places = (own - middle) * np.where(side == 0, 1.0, side)
    return one_column(problem, places.sum(axis=1) / max(float(np.abs(places).sum()), 1e-12))


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
