"""Scorers by the nearest mean of features: of generated or real groups, or of used and not used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whorl.records import Array, BadInput, ImageSet, Problem, Scores, one_column

VERSION = 1
Features = Callable[[ImageSet], Array]


def groups(problem: Problem, features: Features) -> Scores:
    """Minus the Euclidean distance to the mean of every group's features.

    Problem with n queries and g groups -> Scores (n, g), at most 0.
    """
    if not problem.generated:
        raise BadInput("this recipe compares with real subsets, which this edition has not: dev/real/<class>")
    queries = _flat(features(problem.queries))
    centres = np.stack([_flat(features(images)).mean(axis=0) for images in problem.generated.values()])
    apart = np.stack([np.sqrt(((queries - centre) ** 2).sum(axis=1)) for centre in centres], axis=1)
    values = -apart.astype(np.float32)
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))


def used(problem: Problem, features: Features) -> Scores:
    """How much nearer the mean of the used development pictures is than that of the not used.

    Problem with n queries -> Scores (n, 1), above 0 = used.
    """
    part = problem.development
    if part is None:
        raise BadInput("this recipe learns on a development part with answers: dev/ in the edition")
    known, truth = _flat(features(part.problem.queries)), part.used()
    queries = _flat(features(problem.queries))
    far, near = (np.linalg.norm(queries - known[kind].mean(axis=0), axis=1) for kind in (~truth, truth))
    return one_column(problem, far - near)


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
