"""A search among pairs of pictures that gives up every pair as early as bounds allow; see `nearest`."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from whorl.kernels import structural, thumbnails
from whorl.kernels.measures import Measure
from whorl.kernels.slabs import release
from whorl.records import Array, Floats

MARGIN = 1e-5  # of the mean similarity: above the rounding of a sum
SEEDS = 4  # likely pictures of a slab that are measured first
ROOM = 512 * 2**20  # bytes of pictures that are prepared at a time, an eighth of them of the gallery
TOGETHER = 64  # queries of one job
SAMPLE = 8  # queries and pictures whose cells tell which cells to sum first


@dataclass(frozen=True, eq=False)
class Folded:
    """Some pictures as `pairs` reads them, and the traits of every sixteen as `bounds` reads them."""

    first: int
    planes: Array
    traits: list[Array]


@dataclass(eq=False)
class Search:
    """A search: pictures, how they are measured, and what has come through of every query so far.

    With `among`, queries and gallery are one set, and only the best of all pairs of two is looked for.
    """

    queries: Array
    gallery: Array
    measure: Measure
    k: int
    among: bool = False
    room: int = ROOM
    top: float = -np.inf
    summed: int = 0
    cells: Array = field(init=False)
    order: Array = field(init=False)
    thumbnails: tuple[Floats, Floats] = field(init=False)
    rooms: tuple[Array, Array] = field(init=False)
    values: list[Array] = field(init=False)
    places: list[Array] = field(init=False)

    def __post_init__(self) -> None:
        height, width = self.gallery.shape[1:]
        self.cells = structural.cells_of(height, width, self.measure)
        self.order = np.arange(len(self.cells))
        self.thumbnails = thumbnails.of(self.queries), thumbnails.of(self.gallery)
        self.rooms = (
            self._room(self.room * 7 // 8, len(self.queries)),
            self._room(self.room // 8, len(self.gallery)),
        )
        self.values = [np.empty(0) for _ in self.queries]
        self.places = [np.empty(0, np.int64) for _ in self.queries]

    @property
    def windows(self) -> int:
        """Windows of a picture."""
        height, width = self.gallery.shape[1:]
        return int((height - self.measure.side + 1) * (width - self.measure.side + 1))

    def _room(self, most: int, wanted: int) -> Array:
        """Room for as many folded pictures as fit, in steps of a job's."""
        from whorl.kernels import lanes, pairs

        size = len(self.cells) * pairs.CELL
        fitting = max(TOGETHER, most // (size * np.dtype(self.measure.kind).itemsize) // TOGETHER * TOGETHER)
        count = min(fitting, wanted)
        return lanes.row_of(count * size, self.measure.kind).reshape(count, size)

    def limit(self, query: int) -> float:
        """What the sum of a pair must reach to be among the best of a query."""
        values = self.values[query]
        if self.among:
            return self.top - 2 * MARGIN * self.windows
        if len(values) < self.k:
            return -np.inf
        kth = float(np.partition(values, len(values) - self.k)[len(values) - self.k])
        return kth - 2 * MARGIN * self.windows

    def offer(self, query: int, values: Array, places: Array) -> None:
        """Keep what may be among the best of a query."""
        self.top = max(self.top, float(values.max()))
        both = np.concatenate([self.places[query], places])
        both, first = np.unique(both, return_index=True)
        self.values[query] = np.concatenate([self.values[query], values])[first]
        self.places[query] = both
        kept = self.values[query] >= self.limit(query)
        self.values[query], self.places[query] = self.values[query][kept], both[kept]

    def all(self, pool: ThreadPoolExecutor) -> None:
        """Search the whole gallery for all queries."""
        step = len(self.rooms[0])
        for start in range(0, len(self.queries), step):
            self.through(start, min(len(self.queries), start + step), pool)

    def through(self, start: int, stop: int, pool: ThreadPoolExecutor) -> None:
        """Search the whole gallery for some queries."""
        own = _folded(self, self.queries[start:stop], start, pool, self.rooms[0])
        step = len(self.rooms[1])
        # Among themselves every two are compared once: what stands before the queries has had its turn.
        for first in range(start // step * step if self.among else 0, len(self.gallery), step):
            theirs = _folded(self, self.gallery[first : first + step], first, pool, self.rooms[1])
            release(self.gallery)
            if start == first == 0:
                self.order = _order(self, own, theirs)
            searched = functools.partial(_searched, self, own, theirs)
            self.summed += sum(pool.map(searched, range(0, stop - start, TOGETHER)))


def _folded(search: Search, stack: Array, first: int, pool: ThreadPoolExecutor, planes: Array) -> Folded:
    """Prepare pictures, sixteen at a time, in the room that is given."""
    from whorl.kernels import lanes

    starts = range(0, len(stack), lanes.LANES)
    parts = [(stack[start : start + lanes.LANES], planes[start : start + lanes.LANES]) for start in starts]
    return Folded(first, planes[: len(stack)], list(pool.map(lambda part: _unfolded(search, *part), parts)))


def _unfolded(search: Search, stack: Array, planes: Array) -> Array:
    """Write up to sixteen pictures cell by cell; return their traits, (blocks, traits, 16) in one row."""
    from whorl.kernels import bounds, lanes, pairs, windows

    measure, (height, width) = search.measure, stack.shape[1:]
    pitch = -(-width // lanes.LANES) * lanes.LANES
    rows, columns = height - measure.side + 1, width - measure.side + 1
    beyond = windows.COLUMNS + lanes.LANES  # a cell at the border reads on
    image = lanes.row_of(height * width + beyond, np.float64)
    sums = lanes.row_of(2 * pitch + beyond, np.float64)
    maps = lanes.row_of(2 * rows * pitch + beyond, np.float64)
    room = lanes.row_of(9 * pitch + beyond, np.float64)
    blocks = -(-rows // bounds.BLOCK) * -(-columns // bounds.BLOCK)
    traits = lanes.row_of(blocks * bounds.TRAITS * lanes.LANES, np.float32)
    share = 1.0 / measure.data_range
    slope = bounds.gradient(share)
    for lane, (picture, plane) in enumerate(zip(stack, planes, strict=False)):
        image[: height * width] = picture.ravel()
        given = (measure.middle, measure.numbers, search.cells, sums, maps)
        pairs.unfold(image, (height, width, pitch), *given, plane)
        bounds.describe(image, (height, width, pitch), maps, share, slope, room, lane, traits)
    return traits


def _bounded(
    search: Search, own: list[Array], theirs: list[Array], shape: tuple[int, int]
) -> tuple[Array, Array]:
    """Bounds of the sums of every cell of all pairs, and of the whole."""
    from whorl.kernels import bounds, lanes

    out, rest = np.empty((shape[0], len(search.cells), shape[1]), np.float32), np.zeros(shape)
    room = lanes.row_of(lanes.LANES * lanes.LANES, np.float32)
    height, width = search.gallery.shape[1:]
    windows = (height - search.measure.side + 1, width - search.measure.side + 1)
    for number, mine in enumerate(own):
        rows = slice(number * lanes.LANES, (number + 1) * lanes.LANES)
        for place, other in enumerate(theirs):
            first = place * lanes.LANES
            count, some = len(rest[rows]), min(lanes.LANES, shape[1] - first)
            given = (windows, search.cells, room)
            bounds.bound(mine, count, other, some, first, *given, out[rows], rest[rows])
    return out, rest


def _searched(search: Search, own: Folded, theirs: Folded, begin: int) -> int:
    """Search some pictures for some queries; return how many cells were summed."""
    from whorl.kernels import lanes

    planes = own.planes[begin : begin + TOGETHER]
    if search.among and theirs.first + len(theirs.planes) <= own.first + begin:
        return 0
    sheets = own.traits[begin // lanes.LANES : -(-(begin + len(planes)) // lanes.LANES)]
    shape = (len(planes), len(theirs.planes))
    bounds, rest = _bounded(search, sheets, theirs.traits, shape)
    first, last = own.first + begin, theirs.first + shape[1]
    mine, small = search.thumbnails[0][first : first + shape[0]], search.thumbnails[1][theirs.first : last]
    near = thumbnails.likely(mine, small, min(shape[1], max(SEEDS, search.k)))
    seeds = np.zeros(shape, bool)
    np.put_along_axis(seeds, near, True, axis=1)
    wanted = np.arange(first, first + shape[0])[:, None] < np.arange(theirs.first, last)
    wanted |= not search.among
    summed = 0
    for chosen in (seeds & wanted, ~seeds & wanted):
        least = np.array([search.limit(first + row) for row in range(shape[0])])
        limits = np.where(chosen, least[:, None], np.inf)
        summed += _summed(search, planes, theirs.planes, limits, bounds, rest, search.order)
        for row in np.flatnonzero((rest >= limits).any(axis=1)):
            places = np.flatnonzero(rest[row] >= limits[row])
            search.offer(first + int(row), rest[row, places], theirs.first + places)
    return summed


def _summed(
    search: Search, own: Array, theirs: Array, limits: Array, bounds: Array, rest: Array, order: Array
) -> int:
    """Put true sums in the place of bounds, as `pairs.abandon` does."""
    from whorl.kernels import pairs

    kind, numbers = search.measure.kind, search.measure.numbers
    constants = [numbers[1], numbers[2], 0.5 * numbers[2], 0.5 * numbers[3] / numbers[0], 1.0 / numbers[0]]
    given = (search.cells, order, np.array(constants, kind), limits, bounds, rest)
    return int(pairs.abandon(own.reshape(-1), theirs.reshape(-1), *given))


def _order(search: Search, own: Folded, theirs: Folded) -> Array:
    """Cells whose sums are most below their bounds first, by a few pairs."""
    mine, others = own.planes[:SAMPLE], theirs.planes[:SAMPLE]
    shape = (len(mine), len(others))
    bounds, _ = _bounded(search, own.traits[:1], theirs.traits[:1], shape)
    everything, sums = np.full(shape, -np.inf), np.empty(len(search.cells))
    for cell in range(len(search.cells)):
        rest = np.zeros(shape)
        _summed(search, mine, others, everything, bounds, rest, np.array([cell]))
        sums[cell] = rest.sum()
    return np.argsort(sums, kind="stable")
