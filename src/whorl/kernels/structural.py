"""Structural similarity (Wang et al. 2004) of all pairs of two stacks of pictures, exact and fast.

Two windows: uniform, 7 × 7, covariances with n - 1; and Gaussian, 11 × 11, sigma 1.5, covariances with n;
windows that reach over the border are left out. Both agree with scikit-image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from whorl.kernels.measures import SIDES as SIDES
from whorl.kernels.measures import Measure as Measure
from whorl.kernels.measures import Window, windows_inside
from whorl.kernels.measures import measure_for as measure_for
from whorl.kernels.slabs import release
from whorl.records import Array, Floats

Rooms = tuple[Array, Array, Array]
SLAB_BYTES = 256 * 2**20
# Sheets of queries whose numbers of one cell stay in the shared cache while gallery pictures pass by.
STAYING = 2


def similarities(
    queries: Array,
    gallery: Array,
    *,
    window: Window = "uniform",
    data_range: float = 255.0,
    masks: Array | None = None,
) -> Floats:
    """Mean similarity of the windows; with masks (h, w) or (q, h, w), of those wholly inside a query's mask.

    (q, h, w), (g, h, w) -> (q, g) in -1..1.
    """
    measure = measure_for(window, data_range, queries, gallery, masked=masks is not None)
    inside = windows_inside(masks, queries.shape, measure)
    out = np.empty((len(queries), len(gallery)), np.float32)
    left, right = Slabs(queries, measure, inside, as_queries=True), Slabs(gallery, measure)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for mine in left.prepared(pool):
            for theirs in right.prepared(pool):
                cells = theirs[0].cells(measure)
                groups = [mine[first : first + STAYING] for first in range(0, len(mine), STAYING)]
                jobs = [
                    [pool.submit(_sums, group, theirs, cells[cell : cell + 1], measure) for group in groups]
                    for cell in range(len(cells))
                ]
                for place, group in enumerate(groups):
                    parts = np.stack([row[place].result() for row in jobs])
                    _put(out, np.asarray(parts.sum(axis=0, dtype=np.float64)), group, theirs)
    return out


def _sums(mine: Sequence[Sheet], theirs: Sequence[Sheet], cells: Array, measure: Measure) -> Array:
    """Sums of one cell of a few sheets of queries and all gallery pictures of a slab; (queries, pictures)."""
    columns = [
        np.concatenate([cell_sums(sheet, other, cells, measure)[0] for sheet in mine]) for other in theirs
    ]
    return np.concatenate(columns, axis=1)


def _put(out: Floats, sums: Array, mine: Sequence[Sheet], theirs: Sequence[Sheet]) -> None:
    """Divide by the number of windows."""
    counted = np.concatenate([sheet.counted for sheet in mine])
    count = sum(sheet.count for sheet in theirs)
    means = np.clip(sums[:, :count] / counted[:, None], -1.0, 1.0)
    out[mine[0].first : mine[0].first + len(means), theirs[0].first : theirs[0].first + count] = means


@dataclass(frozen=True, eq=False)
class Sheet:
    """Up to sixteen pictures as the kernels read them.

    `pixels` lie side by side; `numbers` are a query's fields or what belongs to a gallery picture's windows.
    """

    first: int
    count: int
    height: int
    width: int  # an even number: a column of zeros is added where there is need
    pixels: Array
    numbers: Array
    centres: Array  # what was subtracted from each picture
    counted: Array  # windows of each query that count

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of a picture and of a row."""
        return (self.height + 1) * self.width, self.width

    def cells(self, measure: Measure) -> Array:
        """First and last row and column of every cell of windows; (cells, 4)."""
        return cells_of(self.height, self.width, measure)


def cells_of(height: int, width: int, measure: Measure) -> Array:
    """First and last row and column of every cell of windows; (cells, 4)."""
    from whorl.kernels.windows import COLUMNS, ROWS, WIDE_COLUMNS, WIDE_ROWS

    rows, columns = height - measure.side + 1, width - measure.side + 1
    tall, wide = (ROWS, COLUMNS) if measure.window == "uniform" else (WIDE_ROWS, WIDE_COLUMNS)
    found = [
        (top, min(top + tall, rows), left, min(left + wide, columns))
        for top in range(0, rows, tall)
        for left in range(0, columns, wide)
    ]
    return np.asarray(found, np.int64)


class Slabs:
    """Pictures of one stack, prepared as many at a time as fit into memory; each slab overwrites the last."""

    def __init__(
        self,
        stack: Array,
        measure: Measure,
        inside: Array | None = None,
        *,
        as_queries: bool = False,
        order: Array | None = None,
    ) -> None:
        from whorl.kernels.lanes import LANES

        self.stack, self.measure, self.inside = stack, measure, inside
        self.order = np.arange(len(stack)) if order is None else order
        self.make = _queries if as_queries else _gallery
        size = (stack.shape[1] + 1) * (stack.shape[2] + stack.shape[2] % 2) * LANES
        room = SLAB_BYTES if as_queries else SLAB_BYTES // 4
        self.blocks = max(1, room // (size * np.dtype(measure.kind).itemsize * (7 if as_queries else 3)))
        needed = min(self.blocks, -(-len(self.order) // LANES))
        self.rooms = [_room(size, stack.shape[2], measure, as_queries) for _ in range(needed)]

    def some(self, first: int) -> Array:
        """The sixteen pictures from one on."""
        from whorl.kernels.lanes import LANES

        return np.asarray(self.stack[self.order[first : first + LANES]])

    def prepared(self, pool: ThreadPoolExecutor) -> Iterator[list[Sheet]]:
        """Yield one slab after the other, sixteen pictures to a sheet."""
        from whorl.kernels.lanes import LANES

        starts = range(0, len(self.order), LANES)
        for first in range(0, len(starts), self.blocks):
            some = zip(starts[first : first + self.blocks], self.rooms, strict=False)
            jobs = [pool.submit(self.make, self, start, rooms) for start, rooms in some]
            yield [job.result() for job in jobs]
            release(self.stack)


def _room(size: int, width: int, measure: Measure, as_queries: bool) -> Rooms:
    """Room for sixteen pictures: pixels side by side, fields or maps, and a few rows of sums."""
    from whorl.kernels import lanes, windows

    numbers = windows.FIELDS if as_queries else windows.MAPS
    sums = lanes.row_of(4 * (width + width % 2) * lanes.LANES, np.float64)
    return lanes.row_of(size, measure.kind), lanes.row_of(size * numbers, measure.kind), sums


def _gallery(slabs: Slabs, first: int, rooms: Rooms) -> Sheet:
    from whorl.kernels import statistics

    (pixels, maps, sums), measure = rooms, slabs.measure
    count, height, width, centres = side_by_side(slabs.some(first), measure, pixels)
    given = (measure.weights, measure.side, measure.numbers, sums, maps)
    statistics.of_gallery(pixels, (height, width), *given)
    return Sheet(first, count, height, width, pixels, maps, centres, np.empty(0))


def _queries(slabs: Slabs, first: int, rooms: Rooms) -> Sheet:
    from whorl.kernels import statistics

    (pixels, fields, sums), measure, inside = rooms, slabs.measure, slabs.inside
    count, height, width, centres = side_by_side(slabs.some(first), measure, pixels)
    rows, columns = height - measure.side + 1, slabs.stack.shape[2] - measure.side + 1
    weights = np.zeros((count, rows, width - measure.side + 1), np.float32)
    some = slice(None) if inside is None or len(inside) == 1 else slice(first, first + count)
    weights[:, :, :columns] = 1.0 if inside is None else inside[some]
    numbers = measure.numbers * (1.0, float(measure.window == "uniform"), 1.0, 1.0)
    given = (measure.weights, measure.side, numbers, numbers[0] * centres, weights, sums, fields)
    statistics.of_queries(pixels, count, (height, width), *given)
    counted = weights.sum(axis=(1, 2), dtype=np.float64)
    return Sheet(first, count, height, width, pixels, fields, centres, counted)


def side_by_side(part: Array, measure: Measure, flat: Array) -> tuple[int, int, int, Array]:
    """Put sixteen pictures about a grey below an empty row; return how many, height, width and the greys."""
    from whorl.kernels import lanes

    count, height, width = part.shape
    even = width + width % 2
    room = flat.reshape(height + 1, even, lanes.LANES)
    centres = np.full(lanes.LANES, measure.middle)
    if measure.short and not measure.exact:
        centres[:count] = np.rint(part.mean(axis=(1, 2), dtype=np.float64))
    np.subtract(part.transpose(1, 2, 0), centres[:count], out=room[1:, :width, :count], dtype=measure.kind)
    room[:, :, count:] = 0.0
    return count, height, even, centres


def cell_sums(mine: Sheet, theirs: Sheet, cells: Array, measure: Measure) -> Array:
    """Sums of the similarities over cells of windows, of two sheets of pictures; (cells, queries, 16)."""
    from whorl.kernels import lanes, windows

    out = lanes.row_of(len(cells) * mine.count * lanes.LANES, measure.kind)
    room = lanes.row_of(windows.ROOM, measure.kind)
    given = (mine.numbers, mine.count, theirs.pixels, theirs.numbers, mine.shape, cells, room)
    if measure.window == "uniform":
        windows.uniform_pairs(*given, measure.constants, out)
    else:
        shares = np.append(measure.weights[:5], 2.0).astype(measure.kind)
        bright = theirs.centres.astype(measure.kind)
        windows.weighted_pairs(*given, measure.constants[0], bright, shares, out)
    return out.reshape(len(cells), mine.count, lanes.LANES)
