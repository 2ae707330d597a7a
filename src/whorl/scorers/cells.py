"""Scorers on small cells of pictures: a generator may copy a piece of a patient and invent the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from whorl.records import Array, BadInput, Count, Floats, ImageSet, Problem, Scores

VERSION = 2
TRANSDUCTIVE = ("coincidence", "retrieval")
Features = Callable[[ImageSet], Array]
SLAB, PAIRS = 1024, 2**23  # pictures, and pairs of them, that are compared at a time
LEAST_DISTANCE = 1e-3


def coincidence(
    problem: Problem, features: Features, cell: Count = 16, stride: Count = 8, best: Count = 5
) -> Scores:
    """How much nearer a query's cells have a generated twin than one of another patient; the best few cells.

    Problem with n queries and g groups -> Scores (n, g): mean over the `best` cells of the log of the
    distance to the nearest real over that to the nearest generated one. Features (n, h, w).
    """
    real, beside, owners = _real(problem, features)
    values = np.empty((len(real), len(problem.generated)), np.float32)
    nearest = np.empty(values.shape, np.int64)
    for column, images in enumerate(problem.generated.values()):
        made = np.asarray(features(images), np.float32)
        gains, places = [], []
        for part in _parts(real, cell, stride):
            rows, theirs, others = _unit(real[part]), _unit(made[part]), _unit(beside[part])
            near, place = _largest(rows, theirs, None)
            far, twin = _largest(rows, others, owners)
            gains.append(np.log(_apart(rows, others[twin], far)) - np.log(_apart(rows, theirs[place], near)))
            places.append(place)
        table = np.stack(gains)
        few = min(best, len(table))
        values[:, column] = np.sort(table, axis=0)[-few:].mean(axis=0, dtype=np.float64)
        nearest[:, column] = np.stack(places)[table.argmax(axis=0), np.arange(len(real))]
    return Scores(problem.queries.ids, tuple(problem.generated), values, nearest)


def retrieval(problem: Problem, features: Features, cell: Count = 16, stride: Count = 8) -> Scores:
    """How often a query's cell is the nearest real one to the cell of a generated picture at the same place.

    Problem with n queries and g groups -> Scores (n, g): hits per generated picture. Features (n, h, w).
    """
    real = np.asarray(features(problem.queries), np.float32)
    values = np.zeros((len(real), len(problem.generated)), np.float32)
    nearest = np.empty(values.shape, np.int64)
    for column, images in enumerate(problem.generated.values()):
        made = np.asarray(features(images), np.float32)
        hits = np.zeros(len(real), np.int64)
        best = np.full(len(real), -np.inf, np.float32)
        for part in _parts(real, cell, stride):
            rows, others = _unit(real[part]), _unit(made[part])
            near, place = _largest(rows, others, None)
            nearest[:, column] = np.where(near > best, place, nearest[:, column])
            best = np.maximum(near, best)
            whose = _largest(others, rows, None)[1]
            told = others.any(axis=1)  # a flat cell has no nearest one
            hits += np.bincount(whose[told], minlength=len(real))
        values[:, column] = hits / len(made)
    return Scores(problem.queries.ids, tuple(problem.generated), values, nearest)


def _real(problem: Problem, features: Features) -> tuple[Floats, Floats, Array]:
    """The queries, what they are compared with (a reference joins them), and the owner of each of those."""
    real = np.asarray(features(problem.queries), np.float32)
    owners = np.unique(np.asarray(problem.queries.patients or problem.queries.ids), return_inverse=True)[1]
    if problem.reference is None:
        return real, real, owners
    more = np.asarray(features(problem.reference), np.float32)
    return real, np.concatenate([real, more]), np.concatenate([owners, np.full(len(more), -1)])


def _parts(stack: Floats, cell: int, stride: int) -> Iterator[tuple[slice, slice, slice]]:
    """Where the cells lie: every `stride` pixels down and across."""
    if stack.ndim != 3:
        raise BadInput("cells need features that are pictures, such as texture.local_contrast")
    height, width = stack.shape[1:]
    side = min(cell, height, width)
    for y in range(0, height - side + 1, stride):
        for x in range(0, width - side + 1, stride):
            yield slice(None), slice(y, y + side), slice(x, x + side)


def _unit(cells: Floats) -> Floats:
    rows = cells.reshape(len(cells), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-6))


def _largest(rows: Floats, columns: Floats, owners: Array | None) -> tuple[Floats, Array]:
    """Largest correlation with any of `columns`, those of the row's own owner left out, and its place."""
    best = np.full(len(rows), -1.0, np.float32)
    place = np.zeros(len(rows), np.int64)
    step = max(16, min(SLAB, PAIRS // len(rows)))
    for start in range(0, len(columns), step):
        block = rows @ columns[start : start + step].T
        if owners is not None:
            block[owners[: len(rows), None] == owners[None, start : start + step]] = -1.0
        found = block.argmax(axis=1)
        value = block[np.arange(len(rows)), found]
        place = np.where(value > best, start + found, place)
        best = np.maximum(value, best)
    return best, place


def _apart(rows: Floats, others: Floats, found: Floats) -> Array:
    """One less the correlation of every row with its own other one, in float64, as it may be near 1.

    Where the largest found was that of no other at all, -1, they are as far apart as can be.
    """
    correlation = np.einsum("ij,ij->i", rows, others, dtype=np.float64)
    return np.where(found > -1.0, np.maximum(1.0 - correlation, LEAST_DISTANCE), 2.0)
