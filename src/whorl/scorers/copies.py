"""A scorer that looks for near copies: moved, mirrored, turned, lighter, darker or with fresh noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np

from whorl.kernels.slabs import slabs
from whorl.records import Array, BadInput, Count, Floats, ImageSet, Problem, Scores

VERSION = 2
Features = Callable[[ImageSet], Array]
COARSE = 14  # cells a side: a move of a pixel or two changes little there
PAIRS = 2**21  # that are compared at a time
BATCH_BYTES = 8 * 2**20  # of pictures in float64
LEAST_OVERLAP = 0.5


def aligned(
    problem: Problem, features: Features, shortlist: Count = 4, reach: Count = 6, sigma: float = 3.0
) -> Scores:
    """Correlation of a query's detail with that of its most alike generated picture, laid over each other.

    Problem with n queries and g groups -> Scores (n, g) in -1..1. The `shortlist` most alike in any of eight
    positions (flips and quarter turns) and nine moves on a coarse grid, then every move up to `reach`
    pixels by FFT, on what a blur of `sigma` leaves. Features (n, h, w) or square thumbnails (n, d).
    """
    real = _square(features(problem.queries))
    values = np.empty((len(real), len(problem.generated)), np.float32)
    nearest = np.empty(values.shape, np.int64)
    for column, images in enumerate(problem.generated.values()):
        made = _square(features(images))
        places, turns = _shortlist(_coarse(real), made, shortlist)
        found = np.empty(places.shape, np.float32)
        for part, rows in slabs(real, most=BATCH_BYTES):
            ours = _detail(rows, sigma)
            for rank in range(places.shape[1]):
                theirs = _detail(made[places[part, rank]], sigma)
                found[part, rank] = _over(ours, _turned(theirs, turns[part, rank]), reach)
        best = found.argmax(axis=1)
        rows = np.arange(len(real))
        values[:, column], nearest[:, column] = found[rows, best], places[rows, best]
    return Scores(problem.queries.ids, tuple(problem.generated), values, nearest)


def _square(table: Array) -> Floats:
    """The features as square pictures: thumbnails come as rows, others lose what is beyond a square."""
    side = math.isqrt(table.shape[-1])
    if table.ndim == 2 and side * side != table.shape[1]:
        raise BadInput("copies.aligned needs features that are pictures, such as pixels.thumbnail")
    stack = table.reshape(len(table), side, side) if table.ndim == 2 else table
    side = min(stack.shape[1:])
    top, left = (stack.shape[1] - side) // 2, (stack.shape[2] - side) // 2
    return np.asarray(stack[:, top : top + side, left : left + side], np.float32)


def _coarse(stack: Floats, down: int = 0, across: int = 0) -> Floats:
    """Means over a coarse grid inside the border, moved by so many pixels, of length 1; (n, cells)."""
    margin = stack.shape[1] // 16
    inner = stack.shape[1] - 2 * margin
    cut = stack[:, margin + down : margin + down + inner, margin + across : margin + across + inner]
    side = min(COARSE, inner)
    edges = np.arange(side) * inner // side
    cells = np.add.reduceat(np.add.reduceat(cut, edges, axis=1), edges, axis=2)
    widths = np.diff([*edges, inner])
    rows = (cells / (widths[:, None] * widths[None, :])).reshape(len(stack), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-6), np.float32)


def _shortlist(rows: Floats, made: Floats, count: int) -> tuple[Array, Array]:
    """The generated pictures most like each row in any position, and the position of each; (n, count)."""
    move = made.shape[1] // 32
    moves = (-move, 0, move) if move else (0,)
    best = np.empty((len(rows), 0), np.float32)
    places = turns = np.empty((len(rows), 0), np.int64)
    step = max(64, PAIRS // len(rows))
    for start in range(0, len(made), step):
        slab = made[start : start + step]
        highest = np.full((len(rows), len(slab)), -np.inf, np.float32)
        how = np.zeros(highest.shape, np.int8)
        for turn in range(8):
            laid = _turned(slab, np.full(len(slab), turn))
            for down, across in itertools.product(moves, moves):
                alike = rows @ _coarse(laid, down, across).T
                how[alike > highest] = turn
                np.maximum(highest, alike, out=highest)
        near = np.argsort(-highest, axis=1, kind="stable")[:, :count]
        values = np.hstack([best, np.take_along_axis(highest, near, 1)])
        where = np.hstack([places, start + near])
        ways = np.hstack([turns, np.take_along_axis(how, near, 1)])
        order = np.argsort(-values, axis=1, kind="stable")[:, :count]
        best = np.take_along_axis(values, order, 1)
        places, turns = np.take_along_axis(where, order, 1), np.take_along_axis(ways, order, 1)
    return places, turns


def _turned(stack: Floats, turns: Array) -> Floats:
    """Every picture in its position: 0 to 3 quarter turns, and 4 more for the mirrored ones."""
    out = np.empty_like(stack)
    for turn in np.unique(turns):
        rows = turns == turn
        mirrored = stack[rows][:, :, ::-1] if turn >= 4 else stack[rows]
        out[rows] = np.rot90(mirrored, int(turn) % 4, axes=(1, 2))
    return out


def _detail(stack: Floats, sigma: float) -> Floats:
    from scipy.ndimage import gaussian_filter

    return np.asarray(stack - gaussian_filter(stack, [0.0, sigma, sigma]), np.float32)


def _over(ours: Floats, theirs: Floats, reach: int) -> Array:
    """Largest correlation over all moves up to `reach`, of the pixels that lie over each other; (n,)."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    side = ours.shape[1]
    shape = (next_fast_len(side + reach, real=True),) * 2

    def moved(one: Floats, other: Floats) -> Array:
        table = irfft2(rfft2(one, shape) * np.conj(rfft2(other, shape)), shape)
        lags = np.arange(-reach, reach + 1)
        return np.asarray(table[:, lags[:, None], lags[None, :]])

    ones = np.ones_like(ours[:1])
    energy = moved(ours**2, ones) * moved(ones, theirs**2)
    least = LEAST_OVERLAP * (ours**2).sum(axis=(1, 2)) * (theirs**2).sum(axis=(1, 2))
    scale = np.sqrt(np.maximum(energy, np.maximum(least, 1e-6)[:, None, None]))
    return np.asarray((moved(ours, theirs) / scale).max(axis=(1, 2)).clip(-1.0, 1.0))
