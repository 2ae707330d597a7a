"""The most similar pictures of a gallery by structural similarity, exactly, without looking closely at most.

Every query is first measured against the pictures whose thumbnails are most like its own. A pair whose bound
(see `bounds`) is below what has been found is left at once; the others are summed cell by cell, each true sum
taking the place of its bound, until the rest cannot make up for what is missing. What remains is summed in
full, by the same arithmetic and in the same order as all pairs are: values and places are those of all pairs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from whorl.kernels.structural import Measure, Sheet, Slabs, cell_sums, measure_for, similarities
from whorl.records import Array, BadInput, Floats

THUMBNAIL = 16
MARGIN = 1e-5  # of the mean similarity: above the rounding of a sum of bounds
ROWS_AT_ONCE = 256
NOWHERE = np.iinfo(np.int64).max


@dataclass(eq=False)
class Found:
    """The best so far of every query, the largest first; of equal values the first in the gallery first."""

    values: Floats
    places: Array
    lock: Lock = field(default_factory=Lock)

    def add(self, query: int, values: Array, places: Array) -> None:
        """Let new pictures compete with those that are there."""
        with self.lock:
            places = np.concatenate([self.places[query], places])
            values = np.concatenate([self.values[query], values])
            places, first = np.unique(places, return_index=True)
            order = np.lexsort((places, -values[first]))[: self.values.shape[1]]
            self.values[query, : len(order)] = values[first][order]
            self.places[query, : len(order)] = places[order]


def best(queries: Array, gallery: Array, *, data_range: float = 255.0, k: int = 1) -> tuple[Floats, Array]:
    """The k largest similarities of every query and their places in the gallery, the largest first.

    (q, h, w), (g, h, w) -> two (q, k); of equal values the first place comes first.
    """
    if not 1 <= k <= len(gallery):
        raise BadInput(
            f"the {k} most similar of {len(gallery)} pictures: give a number of 1 to {len(gallery)}"
        )
    measure = measure_for("uniform", data_range, queries, gallery)
    found = Found(np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), NOWHERE))
    if min(_darkest(queries), _darkest(gallery)) < 0:
        _all_pairs(queries, gallery, data_range, found)  # the bounds hold for greys of 0 and above
        return found.values, found.places
    thumbnails = _thumbnails(queries), _thumbnails(gallery)
    order = alike(thumbnails[1])
    near = likely(*thumbnails)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        theirs = Slabs(gallery, measure, order=order)
        for mine in Slabs(queries, measure, as_queries=True, much=True).prepared(pool):
            own = list(pool.map(lambda sheet: _traits(sheet, measure, queries.shape[2]), mine))
            seeds = [
                pool.submit(_seed, sheet, traits, gallery, near, measure, found)
                for sheet, traits in zip(mine, own, strict=True)
            ]
            shares = np.sum([seed.result() for seed in seeds], axis=0)
            cells = np.argsort(shares, kind="stable")
            given = Search(mine, own, measure, cells, order, gallery.shape[2], found)
            for slab in theirs.prepared(pool):
                for job in [pool.submit(_searched, given, sheet) for sheet in slab]:
                    job.result()
    return found.values, found.places


@dataclass(frozen=True, eq=False)
class Search:
    """What all searches of one slab of queries share."""

    mine: Sequence[Sheet]
    traits: Sequence[Array]
    measure: Measure
    cells: Array  # the order in which cells are summed
    order: Array  # of the gallery
    width: int  # of a picture, without an added column
    found: Found


def _darkest(stack: Array) -> float:
    return 0.0 if stack.dtype.kind == "u" else float(min(image.min() for image in stack))


def _all_pairs(queries: Array, gallery: Array, data_range: float, found: Found) -> None:
    for start in range(0, len(queries), ROWS_AT_ONCE):
        block = similarities(queries[start : start + ROWS_AT_ONCE], gallery, data_range=data_range)
        for row, values in enumerate(block):
            found.add(start + row, values, np.arange(len(gallery)))


def _traits(sheet: Sheet, measure: Measure, width: int) -> Array:
    from whorl.kernels import bounds, lanes

    rows, columns = sheet.height - measure.side + 1, width - measure.side + 1
    across = -(-columns // bounds.BLOCK)
    sums = lanes.row_of((3 * sheet.width + across * bounds.TRAITS) * lanes.LANES, np.float64)
    out = lanes.row_of(-(-rows // bounds.BLOCK) * across * bounds.TRAITS * lanes.LANES, np.float32)
    half = 0.5 * (0.03 * measure.data_range) ** 2
    given = (columns, measure.middle, half, bounds.gradient(), sums, out)
    bounds.describe(sheet.pixels, (sheet.height, sheet.width), *given)
    return out


def _seed(sheet: Sheet, own: Array, gallery: Array, near: Array, measure: Measure, found: Found) -> Array:
    """Measure sixteen queries against the likely pictures of all of them; return what each cell lacks.

    That is the mean of the true sums less that of the bounds: cells that lack most are summed first.
    """
    places = np.unique(near[sheet.first : sheet.first + sheet.count])
    with ThreadPoolExecutor(1) as alone:
        (theirs,) = next(Slabs(gallery, measure, order=places).prepared(alone))
    width = gallery.shape[2]
    traits = _traits(theirs, measure, width)
    bounded = _compared(sheet, own, theirs, traits, width, measure, None, None)[1]
    sums = cell_sums(sheet, theirs, sheet.cells(measure), measure)[:, :, : theirs.count]
    _offer(sums, np.arange(sheet.count), sheet, places, found)
    lacking = sums - bounded.transpose(1, 0, 2)[:, :, : theirs.count]
    return np.asarray(lacking.mean(axis=(1, 2), dtype=np.float64))


def _offer(sums: Array, rows: Array, sheet: Sheet, places: Array, found: Found) -> None:
    """Turn sums of all cells into means, exactly as all pairs are, and let them compete."""
    totals = np.asarray(sums.sum(axis=0, dtype=np.float64)) / sheet.counted[rows, None]
    means = np.clip(totals, -1.0, 1.0).astype(np.float32)
    for row, values in zip(rows, means, strict=True):
        found.add(sheet.first + int(row), values, places)


def _searched(given: Search, theirs: Sheet) -> int:
    """Compare all queries of a slab with sixteen pictures; return how many cells of queries were summed."""
    places, done = given.order[theirs.first : theirs.first + theirs.count], 0
    traits = _traits(theirs, given.measure, given.width)
    for sheet, own in zip(given.mine, given.traits, strict=True):
        limits = given.found.values[sheet.first : sheet.first + sheet.count, -1] - MARGIN
        pair = (sheet, own, theirs, traits, given.width, given.measure)
        sums, _, left, summed = _compared(*pair, limits, given.cells)
        rows = np.flatnonzero(left)
        if len(rows):
            _offer(sums[:, rows, : theirs.count], rows, sheet, places, given.found)
        done += summed
    return done


def _compared(
    mine: Sheet,
    own: Array,
    theirs: Sheet,
    other: Array,
    width: int,
    measure: Measure,
    limits: Array | None,
    order: Array | None,
) -> tuple[Array, Array, Array, int]:
    """Search two sheets with their traits; without limits nothing is summed.

    Return the sums, the bounds, which queries have all their sums, and how many cells were summed.
    """
    from whorl.kernels import bounds, lanes, windows

    cells, count = theirs.cells(measure), mine.count
    dark = np.float32((0.01 * measure.data_range) ** 2)
    sums = lanes.row_of(len(cells) * count * lanes.LANES, measure.kind)
    bounded = lanes.row_of((len(cells) + 1) * count * lanes.LANES, np.float32)
    least = np.full(count, np.inf) if limits is None else limits * mine.counted
    left = np.zeros(count, np.bool_)
    shape = (*mine.shape, theirs.height - measure.side + 1, width - measure.side + 1)
    places = np.arange(len(cells)) if order is None else order
    done = bounds.search(
        (mine.numbers, count),
        (theirs.pixels, theirs.numbers, theirs.count),
        *(own, other, shape, cells, places, least.astype(np.float32), dark),
        *(lanes.row_of(windows.ROOM, measure.kind), measure.constants, sums, bounded, left),
    )
    kept = bounded[: len(cells) * count * lanes.LANES].reshape(count, len(cells), lanes.LANES)
    return sums.reshape(len(cells), count, lanes.LANES), kept, left, int(done)


def _thumbnails(stack: Array) -> Floats:
    """Small pictures as rows of length 1 about their mean."""
    rows = np.linspace(0, stack.shape[1], min(THUMBNAIL, stack.shape[1]) + 1).astype(int)[:-1]
    columns = np.linspace(0, stack.shape[2], min(THUMBNAIL, stack.shape[2]) + 1).astype(int)[:-1]
    small = np.empty((len(stack), len(rows) * len(columns)), np.float32)
    for row, image in zip(small, stack, strict=True):
        cells = np.add.reduceat(np.add.reduceat(image.astype(np.float64), rows, 0), columns, 1).ravel()
        cells -= cells.mean()
        row[:] = cells / max(float(np.linalg.norm(cells)), 1e-12)
    return small


def likely(queries: Floats, gallery: Floats) -> Array:
    """Place of the most alike thumbnail of every query."""
    near = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), ROWS_AT_ONCE):
        near[start : start + ROWS_AT_ONCE] = (queries[start : start + ROWS_AT_ONCE] @ gallery.T).argmax(
            axis=1
        )
    return near


def alike(thumbnails: Floats) -> Array:
    """An order in which sixteen neighbours are alike: halved along the widest direction, again and again."""
    from whorl.kernels.lanes import LANES

    def halved(places: Array) -> list[Array]:
        if len(places) <= LANES:
            return [places]
        rows = thumbnails[places] - thumbnails[places].mean(axis=0)
        direction = np.ones(rows.shape[1], np.float32)
        for _ in range(8):
            direction = rows.T @ (rows @ direction)
            direction = direction / max(float(np.linalg.norm(direction)), 1e-12)
        sorted_places = places[np.argsort(rows @ direction, kind="stable")]
        middle = -(-len(places) // (2 * LANES)) * LANES
        return halved(sorted_places[:middle]) + halved(sorted_places[middle:])

    return np.concatenate(halved(np.arange(len(thumbnails))))
