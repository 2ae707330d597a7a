"""The most similar pictures of a gallery by structural similarity, exactly, without looking closely at most.

Every query is first measured against the pictures whose thumbnails are most like its own. A pair whose bound
(see `bounds`) is below what has been found is left at once; the others are summed cell by cell (see
`pairs`), each true sum taking the place of its bound, until the rest cannot make up for what is missing. What
comes through is no further from the best than rounding; it is summed once more by the arithmetic and in the
order of all pairs, so that values, places and ties are those of all pairs.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from whorl.kernels.measures import Measure, measure_for
from whorl.kernels.searches import ROOM, Search
from whorl.kernels.slabs import slabs
from whorl.kernels.structural import Sheet, Slabs, cell_sums, similarities
from whorl.records import Array, BadInput, Floats

ROWS_AT_ONCE = 256
FARTHEST = 1000.0  # ranges of the data


def best(
    queries: Array, gallery: Array, *, data_range: float = 255.0, k: int = 1, room: int = ROOM
) -> tuple[Floats, Array]:
    """The k largest similarities of every query and their places in the gallery, the largest first.

    (q, h, w), (g, h, w) -> two (q, k); of equal values the first place comes first. `room` is in bytes.
    """
    if not 1 <= k <= len(gallery):
        raise BadInput(
            f"the {k} most similar of {len(gallery)} pictures: give a number of 1 to {len(gallery)}"
        )
    measure = measure_for("uniform", data_range, queries, gallery)
    if not (_boundable(queries, data_range) and _boundable(gallery, data_range)):
        return _all_pairs(queries, gallery, data_range, k)
    search = Search(queries, gallery, measure, k, room=room)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        search.all(pool)
        starts = range(0, len(queries), 16)
        found = list(pool.map(lambda start: _settled(search, start), starts))
    values, places = (np.concatenate(side) for side in zip(*found, strict=True))
    return values, places


def closest(stack: Array, *, data_range: float = 255.0, room: int = ROOM) -> float:
    """The largest similarity of any two pictures of one set of two or more, in either order."""
    measure = measure_for("uniform", data_range, stack)
    if not _boundable(stack, data_range):
        involved = np.arange(len(stack))
    else:
        search = Search(stack, stack, measure, 1, among=True, room=room)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            search.all(pool)
        kept = [row for row in range(len(stack)) if np.any(search.values[row] >= search.limit(row))]
        involved = np.unique(np.concatenate([kept, *(search.places[row] for row in kept)])).astype(np.int64)
    largest = -np.inf
    for start in range(0, len(involved), ROWS_AT_ONCE):
        rows = involved[start : start + ROWS_AT_ONCE]
        block = similarities(stack[rows], stack[involved], data_range=data_range)
        largest = max(largest, float(block[rows[:, None] != involved].max()))
    return largest


def _boundable(stack: Array, data_range: float) -> bool:
    """Whether bounds hold: greys of 0 and above, and not so far out of range that squares overflow."""
    if stack.dtype == np.uint8:
        return FARTHEST * data_range >= 255.0
    return all(some.min() >= 0 and some.max() <= FARTHEST * data_range for _, some in slabs(stack))


def _all_pairs(queries: Array, gallery: Array, data_range: float, k: int) -> tuple[Floats, Array]:
    found = []
    for start in range(0, len(queries), ROWS_AT_ONCE):
        block = similarities(queries[start : start + ROWS_AT_ONCE], gallery, data_range=data_range)
        found.append(_ranked(block, np.arange(len(gallery)), k))
    values, places = (np.concatenate(side) for side in zip(*found, strict=True))
    return values, places


def _ranked(block: Floats, places: Array, k: int) -> tuple[Floats, Array]:
    """The k largest of every row and their places, which ascend in the block."""
    order = np.argsort(-block, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(block, order, axis=1), places[order]


def _settled(search: Search, start: int) -> tuple[Floats, Array]:
    """What came through for sixteen queries, by the arithmetic of all pairs."""
    measure, rows = search.measure, range(start, min(start + 16, len(search.queries)))
    places = np.unique(np.concatenate([search.places[row] for row in rows]))
    values = []
    with ThreadPoolExecutor(1) as alone:
        (mine,) = next(Slabs(search.queries[start : rows.stop], measure, as_queries=True).prepared(alone))
        for theirs in Slabs(search.gallery, measure, order=places).prepared(alone):
            values += [_means(mine, sheet, measure) for sheet in theirs]
    block = np.concatenate(values, axis=1)
    for row, means in zip(rows, block, strict=True):
        means[~np.isin(places, search.places[row])] = -np.inf
    return _ranked(block, places, search.k)


def _means(mine: Sheet, theirs: Sheet, measure: Measure) -> Floats:
    sums = cell_sums(mine, theirs, mine.cells(measure), measure)[:, :, : theirs.count]
    totals = np.asarray(sums.sum(axis=0, dtype=np.float64)) / mine.counted[:, None]
    return np.clip(totals, -1.0, 1.0).astype(np.float32)
