"""Scorers on the whole table of similarities between all pictures, real and generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from whorl.records import Array, Floats, ImageSet, Problem, Scores

VERSION = 1
TRANSDUCTIVE = ("any_neighbour",)
Compare = Callable[[Array, Array], Iterator[tuple[int, Floats]]]


def any_neighbour(
    problem: Problem,
    features: Callable[[ImageSet], Array],
    compare: Compare,
    deviations: float = 3.0,
    generated_pairs: bool = True,
) -> Scores:
    """Largest similarity to any other picture, real or generated, above the mean + 3 sd of the whole table.

    Problem with n queries and g groups -> Scores (n, g), above 0 = used. `generated_pairs` = false leaves
    the pairs of two generated pictures, the dearest part, out of the mean and the sd.
    """
    real = features(problem.queries)
    twin, _, among = _walk(compare, real, real, same=True)
    values = np.empty((len(real), len(problem.generated)), np.float32)
    nearest = np.empty(values.shape, np.int64)
    for column, images in enumerate(problem.generated.values()):
        made = features(images)
        largest, nearest[:, column], across = _walk(compare, real, made, same=False)
        sums = 2 * across + among
        if generated_pairs:
            sums = sums + _walk(compare, made, made, same=True)[2]
        average = sums[1] / sums[0]
        cut = average + deviations * np.sqrt(max(0.0, sums[2] / sums[0] - average**2))
        values[:, column] = np.maximum(largest, twin) - cut
    return Scores(problem.queries.ids, tuple(problem.generated), values, nearest)


def _walk(compare: Compare, rows: Array, columns: Array, *, same: bool) -> tuple[Array, Array, Array]:
    """Largest entry and its place per row, and [count, sum, sum of squares] of the whole table.

    With `same`, each picture's similarity to itself is replaced by the mean of its row, itself included.
    """
    largest = np.empty(len(rows), np.float64)
    nearest = np.empty(len(rows), np.int64)
    sums = np.zeros(3)
    for start, part in compare(rows, columns):
        block = part.astype(np.float64)
        here = np.arange(len(block))
        if same:
            block[here, start + here] = block.mean(axis=1)
        sums += (block.size, block.sum(), (block**2).sum())
        if same:
            block[here, start + here] = -np.inf
        nearest[start : start + len(block)] = block.argmax(axis=1)
        largest[start : start + len(block)] = block.max(axis=1)
    return largest, nearest, sums
