"""The nearest vectors of a gallery, exactly: candidates in float32, their order in float64.

Candidates come from faiss, or from products of matrices where faiss is not installed. A float32 product of
unit vectors is off by less than a known margin, so that a few candidates more than asked are enough unless
more of them lie within it; where they do, the whole row is compared in float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from whorl.kernels.slabs import SLAB_BYTES, release, slabs
from whorl.records import Array, BadInput, Floats

Kind = Literal["cosine", "correlation", "euclidean"]
MORE = 6  # candidates beyond those asked for
ROWS_AT_ONCE = 512
GALLERY_BYTES = 128 * 2**20  # of float32 rows that are prepared at a time
NEAR_BYTES = 2**20  # of rows in float64 that a core takes at a time
# Products are added one after the other for so many numbers, then in blocks: what the error grows with.
ADDED_IN_ROW = 512
GRAIN = 2.0**-32
SHORTEST = 1e-9


def best(
    queries: Array, gallery: Array, k: int, kind: Kind = "cosine", groups: tuple[Array, Array] | None = None
) -> tuple[Floats, Array]:
    """The k most alike of every query and their places, the most alike first, of equal ones the first place.

    (q, ...), (g, ...) -> two (q, k). `groups`, of the queries and of the gallery, leave out what is of a
    query's own group; where fewer than k remain, places are -1 and values minus infinity.
    """
    if not 1 <= k <= len(gallery):
        raise BadInput(f"the {k} nearest of {len(gallery)} vectors: give a number of 1 to {len(gallery)}")
    mine, theirs = Side.of(queries, kind), Side.of(gallery, kind)
    largest = 0 if groups is None else int(np.unique(groups[1], return_counts=True)[1].max())
    count = min(len(gallery), k + MORE + largest)
    near, least, slack = _candidates(mine, theirs, count)
    values, places = _ranked(mine, theirs, near, k, groups)
    # Whoever is no candidate is at most as alike as the last candidate is by float32.
    doubtful = ~(values[:, -1] > least + slack) if count < len(gallery) else np.zeros(len(values), bool)
    for start in range(0, int(doubtful.sum()), ROWS_AT_ONCE):
        rows = np.flatnonzero(doubtful)[start : start + ROWS_AT_ONCE]
        few = None if groups is None else (groups[0][rows], groups[1])
        everything = np.broadcast_to(np.arange(len(gallery)), (len(rows), len(gallery)))
        values[rows], places[rows] = _ranked(mine.some(rows), theirs, everything, k, few)
    return values, np.where(np.isfinite(values), places, -1)


@dataclass(frozen=True, eq=False)
class Side:
    """Vectors as rows, what is subtracted from each, and its length."""

    kind: Kind
    rows: Array
    means: Array
    lengths: Array

    @classmethod
    def of(cls, vectors: Array, kind: Kind) -> Side:
        """Measure vectors, a bounded number at a time."""
        rows = np.ascontiguousarray(vectors.reshape(len(vectors), -1))
        means, lengths = np.zeros(len(rows)), np.empty(len(rows))

        def measure(part: slice) -> None:
            slab = rows[part].astype(np.float64)
            if kind == "correlation":
                means[part] = slab.mean(axis=1)
                slab -= means[part, None]
            lengths[part] = np.sqrt(np.einsum("ij,ij->i", slab, slab))

        _in_parts(rows, measure)
        return cls(kind, rows, means, lengths)

    def some(self, rows: Array) -> Side:
        """Chosen ones of them."""
        return Side(self.kind, self.rows[rows], self.means[rows], self.lengths[rows])

    def short(self, among: slice, centre: Array, scale: float) -> Floats:
        """Some rows in float32: of length 1 or 0, or for distances less a centre, by a scale."""
        rows, means, lengths = self.rows[among], self.means[among], self.lengths[among]
        out = np.empty(rows.shape, np.float32)

        def shorten(part: slice) -> None:
            slab = rows[part].astype(np.float64)
            if self.kind == "euclidean":
                out[part] = (slab - centre) / scale
                return
            long = np.where(lengths[part] > SHORTEST, lengths[part], np.inf)
            out[part] = (slab - means[part, None]) / long[:, None]

        _in_parts(rows, shorten)
        return out


def _in_parts(rows: Array, work: Callable[[slice], object], width: int = 0) -> list[Any]:
    """Do something to some rows after another that stay near a core, on all cores; `width` numbers a row."""
    step = max(1, NEAR_BYTES // (8 * max(1, width or rows.shape[1])))
    parts = [slice(start, min(start + step, len(rows))) for start in range(0, len(rows), step)]

    def done(part: slice) -> object:
        found = work(part)
        release(rows)
        return found

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(done, parts))


def _candidates(mine: Side, theirs: Side, count: int) -> tuple[Array, Array, Array]:
    """Places of the most alike by float32, how alike the last one is, and what that may be off by."""
    width = mine.rows.shape[1]
    off = (min(width, ADDED_IN_ROW) + width / 256 + 8) * 2.0**-24
    if mine.kind != "euclidean":
        nothing = np.zeros(1)
        ours = mine.short(slice(None), nothing, 1.0)
        found, near = _over_slabs(ours, theirs, lambda part: theirs.short(part, nothing, 1.0), count)
        return near, found[:, -1].astype(np.float64), np.full(len(near), 2 * off)
    centre = theirs.rows.mean(axis=0, dtype=np.float64)
    far = max(_farthest(side, centre) for side in (mine, theirs)) or 1.0

    def others(part: slice) -> Floats:
        # The nearer, the larger is a·b - b²/2; the squared distance is a² less twice that.
        rows = theirs.short(part, centre, far)
        half = np.einsum("ij,ij->i", rows, rows, dtype=np.float64) / 2
        return np.column_stack([rows, -half]).astype(np.float32)

    ours = mine.short(slice(None), centre, far)
    squares = np.einsum("ij,ij->i", ours, ours, dtype=np.float64)
    ours = np.column_stack([ours, np.ones(len(ours), np.float32)])
    found, near = _over_slabs(ours, theirs, others, count)
    gap = np.maximum(squares - 2.0 * found[:, -1] - 6 * off, 0.0)
    return near, -np.sqrt(gap) * far, np.zeros(len(near))


def _over_slabs(
    mine: Floats, theirs: Side, short: Callable[[slice], Floats], count: int
) -> tuple[Floats, Array]:
    """The largest products of every row and their places, the gallery prepared some pictures at a time."""
    found, near = np.empty((len(mine), 0), np.float32), np.empty((len(mine), 0), np.int64)
    for part, rows in slabs(theirs.rows, 4, GALLERY_BYTES):
        values, places = _largest(mine, short(part), min(count, len(rows)))
        found, near = np.hstack([found, values]), np.hstack([near, places + part.start])
        order = np.argsort(-found, axis=1, kind="stable")[:, :count]
        found, near = np.take_along_axis(found, order, 1), np.take_along_axis(near, order, 1)
    return found, near


def _farthest(side: Side, centre: Array) -> float:
    squares = _in_parts(side.rows, lambda part: float(((side.rows[part] - centre) ** 2).sum(axis=1).max()))
    return float(np.sqrt(max(squares)))


def _largest(mine: Floats, theirs: Floats, count: int) -> tuple[Floats, Array]:
    """The largest products of every row and their places, the largest first."""
    try:
        import faiss
    except ImportError:
        return _by_blocks(mine, theirs, count)
    found, near = faiss.knn(mine, theirs, count, metric=faiss.METRIC_INNER_PRODUCT)
    return found, near


def _by_blocks(mine: Floats, theirs: Floats, count: int) -> tuple[Floats, Array]:
    found, near = np.empty((len(mine), count), np.float32), np.empty((len(mine), count), np.int64)
    step = max(1, SLAB_BYTES // (4 * len(theirs)))
    for start in range(0, len(mine), step):
        block = mine[start : start + step] @ theirs.T
        places = np.argpartition(-block, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(block, places, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        found[start : start + step] = np.take_along_axis(values, order, axis=1)
        near[start : start + step] = np.take_along_axis(places, order, axis=1)
    return found, near


def _ranked(
    mine: Side, theirs: Side, near: Array, k: int, groups: tuple[Array, Array] | None
) -> tuple[Floats, Array]:
    """The k most alike among those at the given places, by float64."""
    values = _values(mine, theirs, near)
    if groups is not None:
        values[groups[0][:, None] == groups[1][near]] = -np.inf
    order = np.lexsort((near, -values), axis=1)[:, :k]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(near, order, axis=1)


def _values(mine: Side, theirs: Side, near: Array) -> Floats:
    """How alike chosen pairs are, as the similarity of that name says."""
    from whorl.kernels import products

    dots, width = np.empty(near.shape), mine.rows.shape[1]
    given = (mine.rows, theirs.rows, np.ascontiguousarray(near), mine.means, theirs.means)
    _in_parts(near, lambda part: products.chosen(*given, part.start, part.stop, dots), width)
    release(mine.rows)
    release(theirs.rows)
    if mine.kind == "euclidean":
        scale = mine.lengths[:, None] ** 2 + theirs.lengths[near] ** 2
        grain = np.maximum(scale * GRAIN, np.finfo(np.float64).tiny)
        squares = np.maximum(np.rint((scale - 2.0 * dots) / grain), 0.0) * grain
        return np.asarray(-np.sqrt(squares), np.float32)
    lengths = mine.lengths[:, None] * theirs.lengths[near]
    there = (mine.lengths[:, None] > SHORTEST) & (theirs.lengths[near] > SHORTEST)
    values = np.divide(dots, lengths, out=np.zeros_like(dots), where=there)
    return np.asarray(np.clip(values, -1.0, 1.0), np.float32)
