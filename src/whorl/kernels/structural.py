"""Structural similarity (Wang et al. 2004) of all pairs of two stacks of pictures, exact and fast.

Two windows: uniform, 7 × 7, covariances with n - 1; and Gaussian, 11 × 11, sigma 1.5, covariances with n;
windows that reach over the border are left out. Both agree with scikit-image. On pictures of whole numbers
from 0 to 255 the sums of products of the uniform window are whole numbers below 2^24 about the middle grey,
hence exact in float32; all else is computed in float64.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from whorl.records import Array, BadInput, Floats

Window = Literal["uniform", "gaussian"]
SIDES = {"uniform": 7, "gaussian": 11}
SIGMA = 1.5
Rooms = tuple[Array, Array, Array]
SLAB_BYTES = 256 * 2**20
# Beyond this data range a product of two denominators leaves float32.
LARGEST_EXACT_RANGE = 65535.0


@dataclass(frozen=True)
class Measure:
    """One way to measure: the window, the range of the data, and whether float32 sums are exact."""

    window: Window
    data_range: float
    exact: bool

    @property
    def side(self) -> int:
        """Pixels of the window's side."""
        return SIDES[self.window]

    @property
    def kind(self) -> type[np.floating[Any]]:
        """The numbers to compute with."""
        return np.float32 if self.exact else np.float64

    @property
    def middle(self) -> float:
        """What is subtracted from every pixel."""
        return 128.0 if self.exact else self.data_range / 2.0

    @cached_property
    def numbers(self) -> Array:
        """n, n · middle, and both constants as they stand beside sums instead of means."""
        count = 49.0 if self.window == "uniform" else 1.0
        norm = 49.0 * 48.0 if self.window == "uniform" else 1.0
        first, second = (0.01 * self.data_range) ** 2, (0.03 * self.data_range) ** 2
        return np.asarray([count, count * self.middle, first * count**2, second * norm])

    @property
    def constants(self) -> tuple[Any, Any]:
        """What is added to a covariance and to a sum, as the kernels take them."""
        return self.kind(self.numbers[3] * 0.5 / self.numbers[0]), self.kind(self.numbers[1])

    @cached_property
    def weights(self) -> Array:
        """Weights of the pixels along a side."""
        steps = np.arange(self.side) - self.side // 2
        if self.window == "uniform":
            return np.ones(self.side)
        weights = np.exp(-0.5 * (steps / SIGMA) ** 2)
        return np.asarray(weights / weights.sum())


def measure_for(window: Window, data_range: float, *stacks: Array) -> Measure:
    """Return how to measure these pictures, or say why they cannot be measured."""
    side = SIDES[window]
    if min(min(stack.shape[1:]) for stack in stacks) < side:
        raise BadInput(f"maps.ssim needs pictures of {side} pixels or more: give --size {side + 1}")
    if not 0 < data_range < float("inf"):
        raise BadInput(
            f"maps.ssim: data_range {data_range}: give the largest grey less the smallest, above 0"
        )
    fits = window == "uniform" and data_range <= LARGEST_EXACT_RANGE
    return Measure(window, data_range, fits and all(_whole(stack) for stack in stacks))


def _whole(stack: Array) -> bool:
    """Whether every pixel is a whole number of 0..255, so that float32 sums are exact."""
    if stack.dtype == np.uint8:
        return True
    return all(
        bool((image == np.rint(image)).all() and image.min() >= 0 and image.max() <= 255) for image in stack
    )


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
    measure = measure_for(window, data_range, queries, gallery)
    inside = windows_inside(masks, queries.shape, measure)
    out = np.empty((len(queries), len(gallery)), np.float32)
    left, right = Slabs(queries, measure, inside, as_queries=True), Slabs(gallery, measure)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for mine in left.prepared(pool):
            for theirs in right.prepared(pool):
                cells = theirs[0].cells(measure)
                # One cell of all pictures is worked on at a time: that much stays in the shared cache.
                jobs = [
                    [pool.submit(_sums, mine, sheet, cells[cell : cell + 1], measure) for sheet in theirs]
                    for cell in range(len(cells))
                ]
                for place, sheet in enumerate(theirs):
                    parts = np.stack([row[place].result() for row in jobs])
                    sums = np.asarray(parts.sum(axis=0, dtype=np.float64))
                    _put(out, sums, mine, sheet)
    return out


def _sums(mine: Sequence[Sheet], theirs: Sheet, cells: Array, measure: Measure) -> Array:
    """Sums of some cells of all queries of a slab and sixteen gallery pictures; (queries, 16)."""
    return np.concatenate([cell_sums(sheet, theirs, cells, measure)[0] for sheet in mine])


def _put(out: Floats, sums: Array, mine: Sequence[Sheet], theirs: Sheet) -> None:
    """Divide by the number of windows."""
    counted = np.concatenate([sheet.counted for sheet in mine])
    means = np.clip(sums[:, : theirs.count] / counted[:, None], -1.0, 1.0)
    out[mine[0].first : mine[0].first + len(means), theirs.first : theirs.first + theirs.count] = means


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
    counted: Array  # windows of each query that count

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of a picture and of a row."""
        return (self.height + 1) * self.width, self.width

    def cells(self, measure: Measure) -> Array:
        """First and last row and column of every cell of windows; (cells, 4)."""
        from whorl.kernels.windows import COLUMNS, ROWS, WIDE_COLUMNS, WIDE_ROWS

        rows, columns = self.height - measure.side + 1, self.width - measure.side + 1
        tall, wide = (ROWS, COLUMNS) if measure.window == "uniform" else (WIDE_ROWS, WIDE_COLUMNS)
        found = [
            (top, min(top + tall, rows), left, min(left + wide, columns))
            for top in range(0, rows, tall)
            for left in range(0, columns, wide)
        ]
        return np.asarray(found, np.int64)


def windows_inside(masks: Array | None, shape: tuple[int, ...], measure: Measure) -> Array | None:
    """Which windows lie wholly inside the masks; (1 or q, rows, columns)."""
    if masks is None:
        return None
    stack = np.asarray(masks, bool)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.shape[1:] != shape[1:] or len(stack) not in (1, shape[0]):
        raise BadInput(f"maps.ssim: masks of {stack.shape} for queries of {shape}: give (h, w) or (q, h, w)")
    side = measure.side
    found = np.asarray(
        np.lib.stride_tricks.sliding_window_view(stack, (side, side), axis=(1, 2)).all(axis=(3, 4))
    )
    if not found.any(axis=(1, 2)).all():
        raise BadInput(
            f"maps.ssim: a mask holds no whole window of {side} × {side} pixels: take a larger one"
        )
    return found


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
        much: bool = False,
    ) -> None:
        from whorl.kernels.lanes import LANES

        self.stack, self.measure, self.inside = stack, measure, inside
        self.order = np.arange(len(stack)) if order is None else order
        self.make = _queries if as_queries else _gallery
        size = (stack.shape[1] + 1) * (stack.shape[2] + stack.shape[2] % 2) * LANES
        room = SLAB_BYTES * (2 if much else 1) if as_queries else SLAB_BYTES // 8
        self.blocks = max(1, room // (size * np.dtype(measure.kind).itemsize * 6))
        needed = min(self.blocks, -(-len(self.order) // LANES))
        self.rooms = [_room(size, stack.shape[2], measure, as_queries) for _ in range(needed)]

    def prepared(self, pool: ThreadPoolExecutor) -> Iterator[list[Sheet]]:
        """Yield one slab after the other, sixteen pictures to a sheet."""
        from whorl.kernels.lanes import LANES

        starts = range(0, len(self.order), LANES)
        for first in range(0, len(starts), self.blocks):
            some = zip(starts[first : first + self.blocks], self.rooms, strict=False)
            jobs = [pool.submit(self.make, self, start, rooms) for start, rooms in some]
            yield [job.result() for job in jobs]


def _room(size: int, width: int, measure: Measure, as_queries: bool) -> Rooms:
    """Room for sixteen pictures: pixels side by side, fields or maps, and a few rows of sums."""
    from whorl.kernels import lanes, windows

    numbers = windows.FIELDS if as_queries else windows.MAPS
    sums = lanes.row_of(4 * (width + width % 2) * lanes.LANES, np.float64)
    return lanes.row_of(size, measure.kind), lanes.row_of(size * numbers, measure.kind), sums


def _gallery(slabs: Slabs, first: int, rooms: Rooms) -> Sheet:
    from whorl.kernels import statistics

    (pixels, maps, sums), measure = rooms, slabs.measure
    count, height, width = _side_by_side(slabs, first, pixels)
    given = (measure.weights, measure.side, measure.numbers, sums, maps)
    statistics.of_gallery(pixels, (height, width), *given)
    return Sheet(first, count, height, width, pixels, maps, np.empty(0))


def _queries(slabs: Slabs, first: int, rooms: Rooms) -> Sheet:
    from whorl.kernels import statistics

    (pixels, fields, sums), measure, inside = rooms, slabs.measure, slabs.inside
    count, height, width = _side_by_side(slabs, first, pixels)
    rows, columns = height - measure.side + 1, slabs.stack.shape[2] - measure.side + 1
    weights = np.zeros((count, rows, width - measure.side + 1), np.float32)
    some = slice(None) if inside is None or len(inside) == 1 else slice(first, first + count)
    weights[:, :, :columns] = 1.0 if inside is None else inside[some]
    given = (measure.weights, measure.side, measure.numbers, weights, sums, fields)
    statistics.of_queries(pixels, count, (height, width), *given)
    counted = weights.sum(axis=(1, 2), dtype=np.float64)
    return Sheet(first, count, height, width, pixels, fields, counted)


def _side_by_side(slabs: Slabs, first: int, flat: Array) -> tuple[int, int, int]:
    """Put sixteen pictures about the middle grey below an empty row; return how many, height and width."""
    from whorl.kernels import lanes

    part, measure = slabs.stack[slabs.order[first : first + lanes.LANES]], slabs.measure
    count, height, width = part.shape
    even = width + width % 2
    room = flat.reshape(height + 1, even, lanes.LANES)
    np.subtract(part.transpose(1, 2, 0), measure.middle, out=room[1:, :width, :count], dtype=measure.kind)
    room[:, :, count:] = 0.0
    return count, height, even


def cell_sums(mine: Sheet, theirs: Sheet, cells: Array, measure: Measure) -> Array:
    """Sums of the similarities over cells of windows, of two sheets of pictures; (cells, queries, 16)."""
    from whorl.kernels import lanes, windows

    out = lanes.row_of(len(cells) * mine.count * lanes.LANES, measure.kind)
    room = lanes.row_of(windows.ROOM, measure.kind)
    given = (
        mine.numbers,
        mine.count,
        theirs.pixels,
        theirs.numbers,
        mine.shape,
        cells,
        room,
        measure.constants,
    )
    if measure.window == "uniform":
        windows.uniform_pairs(*given, out)
    else:
        windows.weighted_pairs(*given, measure.weights, out)
    return out.reshape(len(cells), mine.count, lanes.LANES)
