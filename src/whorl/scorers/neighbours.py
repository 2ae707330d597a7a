"""Scorers on the whole table of similarities between all pictures, real and generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from whorl.records import Array, Count, Floats, ImageSet, Problem, Scores

VERSION = 2
TRANSDUCTIVE = ("any_neighbour", "standing", "prominence", "density")
LEAST_DISTANCE = 1e-4
LEAST_SPREAD = 0.1  # of standings, whose spread over all queries is 1
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


def standing(
    problem: Problem, features: Callable[[ImageSet], Array], compare: Compare, k: Count = 10
) -> Scores:
    """Mean of a query's k highest standings: its similarity beside that of all queries to the same picture.

    Problem with n queries and g groups -> Scores (n, g), in standard deviations. A generated picture that
    resembles everybody says little of anybody. For similarities that are the same in both directions.
    """
    return _by_standing(problem, features, compare, k, lambda found: found.best.mean(axis=0))


def prominence(
    problem: Problem, features: Callable[[ImageSet], Array], compare: Compare, k: Count = 10
) -> Scores:
    """How far a query's k highest standings stand out from all its others.

    Problem with n queries and g groups -> Scores (n, g), in standard deviations of the others. Some pictures
    stand higher with everything made, for what they show; a remembered one does with a few.
    """

    def outlying(found: _Standings) -> Array:
        return np.asarray((found.best.mean(axis=0) - found.mean) / np.maximum(found.spread, LEAST_SPREAD))

    return _by_standing(problem, features, compare, k, outlying)


@dataclass(frozen=True, eq=False)
class _Standings:
    """A query's k highest standings (k, n) and with which pictures; mean and spread of the others (n,)."""

    best: Array
    place: Array
    mean: Array
    spread: Array


def _by_standing(
    problem: Problem,
    features: Callable[[ImageSet], Array],
    compare: Compare,
    k: int,
    value: Callable[[_Standings], Array],
) -> Scores:
    real = features(problem.queries)
    values = np.empty((len(real), len(problem.generated)), np.float32)
    nearest = np.empty(values.shape, np.int64)
    for column, images in enumerate(problem.generated.values()):
        found = _standings(compare, features(images), real, k)
        values[:, column], nearest[:, column] = value(found), found.place[0]
    return Scores(problem.queries.ids, tuple(problem.generated), values, nearest)


def _standings(compare: Compare, made: Array, real: Array, k: int) -> _Standings:
    best = np.empty((0, len(real)), np.float32)
    place = np.empty((0, len(real)), np.int64)
    sums, squares = np.zeros((2, len(real)))
    for start, part in compare(made, real):
        block = part.astype(np.float64)
        spread = np.maximum(block.std(axis=1, keepdims=True), 1e-9)
        found = ((block - block.mean(axis=1, keepdims=True)) / spread).astype(np.float32)
        # One row after the other, so that the size of a block changes nothing.
        for row in found.astype(np.float64):
            sums += row
            squares += row**2
        rows = np.broadcast_to(np.arange(start, start + len(found))[:, None], found.shape)
        table, rows = np.vstack([best, found]), np.vstack([place, rows])
        order = np.argsort(-table, axis=0, kind="stable")[:k]
        best, place = np.take_along_axis(table, order, 0), np.take_along_axis(rows, order, 0)
    highest = best.astype(np.float64)
    others = max(1, len(made) - len(highest))
    mean = (sums - highest.sum(axis=0)) / others
    left = (squares - (highest**2).sum(axis=0)) / others
    return _Standings(highest, place, mean, np.sqrt(np.maximum(left - mean**2, 0.0)))


def density(
    problem: Problem, features: Callable[[ImageSet], Array], compare: Compare, k: Count = 10
) -> Scores:
    """How much denser the generated pictures lie round a query than other real ones do.

    Problem with n queries and g groups -> Scores (n, g): log of the distance to the k nearest real pictures
    over that to the k nearest generated ones, for similarities that are 1 between equals. Pictures of the
    query's own patient do not count; a reference set, where there is one, does.
    """
    real = features(problem.queries)
    owners = np.unique(np.asarray(problem.queries.patients or problem.queries.ids), return_inverse=True)[1]
    beside = real
    if problem.reference is not None:
        beside = np.concatenate([real, features(problem.reference)])
        owners = np.concatenate([owners, np.full(len(problem.reference), -1)])
    far, _ = _nearest_few(compare, real, beside, k, owners)
    values = np.empty((len(real), len(problem.generated)), np.float32)
    nearest = np.empty(values.shape, np.int64)
    for column, images in enumerate(problem.generated.values()):
        near, nearest[:, column] = _nearest_few(compare, real, features(images), k, None)
        values[:, column] = np.log(far) - np.log(near)
    return Scores(problem.queries.ids, tuple(problem.generated), values, nearest)


def _nearest_few(
    compare: Compare, rows: Array, columns: Array, k: int, owners: Array | None
) -> tuple[Array, Array]:
    """Mean distance to the k nearest of `columns`, those of the row's own owner left out, and the nearest."""
    found = np.empty(len(rows), np.float64)
    place = np.empty(len(rows), np.int64)
    for start, part in compare(rows, columns):
        block = part.astype(np.float64)
        if owners is not None:
            own = owners[start : start + len(block), None] == owners[None, :]
            block[own] = -1.0  # as unlike as can be
        place[start : start + len(block)] = block.argmax(axis=1)
        last = block.shape[1] - min(k, block.shape[1])
        best = np.sort(np.partition(block, last, axis=1)[:, last:], axis=1)
        found[start : start + len(block)] = np.maximum(1.0 - best, LEAST_DISTANCE).mean(axis=1)
    return found, place
