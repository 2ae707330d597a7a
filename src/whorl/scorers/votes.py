"""Scorers by the nearest development pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from whorl.records import Array, BadInput, Count, Floats, ImageSet, Problem, Scores, one_column

VERSION = 1


def nearest(
    problem: Problem,
    features: Callable[[ImageSet], Array],
    compare: Callable[[Array, Array], Iterator[tuple[int, Floats]]],
    k: Count = 5,
) -> Scores:
    """Share of used pictures among the k development pictures most like the query, less one half.

    Problem with n queries -> Scores (n, 1), above 0 = used.
    """
    part = problem.development
    if part is None:
        raise BadInput("this recipe learns on a development part with answers: dev/ in the edition")
    truth = part.used()
    gallery = features(part.problem.queries)
    count = min(k, len(truth))
    values = np.empty(len(problem.queries), np.float32)
    for start, block in compare(features(problem.queries), gallery):
        order = np.argsort(-block, axis=1, kind="stable")[:, :count]
        values[start : start + len(block)] = truth[order].mean(axis=1) - 0.5
    return one_column(problem, values)
