"""Structural similarity of one pair of pictures at a time, sixteen windows of a row side by side.

All pairs take sixteen pictures at once; a search that has given up most of these would work for nothing.
Here every pair can be given up by itself, cell by cell. A picture lies cell by cell: its pixels with the six
more to the right and below that windows reach, then U and the spread of every window. Of the 64 windows of a
cell's row every fourth lie side by side, so that the four sums of neighbours share most of their terms. What
comes out is the true sum up to rounding, not its last digit.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

from whorl.kernels.compiling import compiled, part
from whorl.kernels.lanes import (
    LANES,
    converted,
    every,
    following_0,
    following_1,
    following_2,
    following_3,
    following_4,
    following_5,
    fourth_0,
    fourth_1,
    fourth_2,
    fourth_3,
    fused,
    larger,
    less,
    load,
    store,
    together,
)
from whorl.kernels.windows import COLUMNS, ROWS, WINDOW

PITCH = COLUMNS + LANES  # of a row of pixels
REACH = WINDOW - 1
LIGHT = (ROWS + REACH) * PITCH  # where U begins
SPREAD = LIGHT + ROWS * COLUMNS
CELL = SPREAD + ROWS * COLUMNS  # numbers of one cell
FAR = 1e17  # times the least spread: of windows that are not there
NEAR_QUERIES, NEAR_PICTURES = 8, 16  # whose cells stay in a core's own cache


@compiled
def unfold(
    image: Any, shape: Any, middle: Any, numbers: Any, cells: Any, sums: Any, maps: Any, out: Any
) -> None:
    """Write one picture, float64 pixels in one row, cell by cell.

    `numbers` are a measure's. `sums` (2 rows) and `maps` (2 maps, as many rows as there are windows) are room
    to work in, rows `pitch` apart. Windows beyond the last column are given a spread that makes them count 0.
    """
    height, width, pitch = shape
    sums[:] = 0.0
    grey, number, half = every(middle), every(numbers[0]), every(0.5 / numbers[0])
    small = 0.25 * numbers[3] / numbers[0]
    second = (height - REACH) * pitch
    for y in range(height):
        for x in range(0, width, LANES):
            new = load(image, y * width + x) - grey
            total, squares = load(sums, x) + new, fused(new, new, load(sums, pitch + x))
            if y >= WINDOW:
                old = load(image, (y - WINDOW) * width + x) - grey
                total, squares = total - old, less(old, old, squares)
            store(sums, x, total)
            store(sums, pitch + x, squares)
        if y < REACH:
            continue
        for x in range(0, width - REACH, LANES):
            total, squares = load(sums, x), load(sums, pitch + x)
            for step in range(1, WINDOW):
                total = total + load(sums, x + step)
                squares = squares + load(sums, pitch + x + step)
            at, spreads = (y - REACH) * pitch + x, less(total, total, number * squares)
            store(maps, at, fused(number, grey, total))
            store(maps, second + at, larger(spreads, every(0.0)) * half)
    for place in range(len(cells)):
        _fold(image, (width, pitch), grey, maps, second, small, cells[place], out, place * CELL)


@part
def _row(numbers: Any, at: Any, less_by: Any, out: Any, put: Any) -> None:
    """Write sixty-four neighbouring numbers, each less a number, every fourth of them side by side."""
    one, other = load(numbers, at) - less_by, load(numbers, at + LANES) - less_by
    third, fourth = load(numbers, at + 2 * LANES) - less_by, load(numbers, at + 3 * LANES) - less_by
    store(out, put, converted(fourth_0(one, other, third, fourth), out))
    store(out, put + LANES, converted(fourth_1(one, other, third, fourth), out))
    store(out, put + 2 * LANES, converted(fourth_2(one, other, third, fourth), out))
    store(out, put + 3 * LANES, converted(fourth_3(one, other, third, fourth), out))


@part
def _fold(
    image: Any, pitches: Any, grey: Any, maps: Any, second: Any, small: Any, cell: Any, out: Any, put: Any
) -> None:
    """Write one cell."""
    top, bottom, left, right = cell
    width, pitch = pitches
    nothing = every(0.0)
    for y in range(bottom - top + REACH):
        _row(image, (top + y) * width + left, grey, out, put + y * PITCH)
        last = load(image, (top + y) * width + left + COLUMNS) - grey
        store(out, put + y * PITCH + COLUMNS, converted(last, out))
    for y in range(bottom - top):
        at, to = (top + y) * pitch + left, put + y * COLUMNS
        _row(maps, at, nothing, out, to + LIGHT)
        _row(maps, second + at, every(-small), out, to + SPREAD)
        for x in range(right - left, COLUMNS):
            beyond = to + x % 4 * LANES + x // 4
            out[LIGHT + beyond], out[SPREAD + beyond] = 0.0, FAR * small


@part
def _down(mine: Any, own: Any, theirs: Any, other: Any, row: Any, column: Any, before: Any) -> Any:
    """Products of sixteen columns of seven pixels, brought one row down to windows of `row`."""
    new, old = (row + REACH) * PITCH + column * LANES, (row - 1) * PITCH + column * LANES
    value = fused(load(mine, own + new), load(theirs, other + new), before)
    return less(load(mine, own + old), load(theirs, other + old), value)


@part
def _first(mine: Any, own: Any, theirs: Any, other: Any, column: Any, nothing: Any) -> Any:
    """The same for the first row of windows."""
    value = nothing
    for row in range(WINDOW):
        at = row * PITCH + column * LANES
        value = fused(load(mine, own + at), load(theirs, other + at), value)
    return value


@part
def _windows(
    mine: Any, own: Any, theirs: Any, other: Any, at: Any, products: Any, numbers: Any, total: Any
) -> Any:
    """Add the similarities of sixteen windows, halved, to a total."""
    bright, dark, half, small, share = numbers
    light, other_light = load(mine, own + LIGHT + at), load(theirs, other + LIGHT + at)
    spreads = load(mine, own + SPREAD + at) + load(theirs, other + SPREAD + at)
    covariance = less((light - bright) * share, other_light - bright, products) + small
    luminance = fused(light, other_light, half)
    bottom = fused(light, light, fused(other_light, other_light, dark)) * spreads
    return total + luminance * covariance / bottom


@part
def pair_cell(mine: Any, own: Any, theirs: Any, other: Any, rows: Any, numbers: Any) -> Any:
    """Half the sum of one cell of one pair."""
    nothing = numbers[0] - numbers[0]
    c0, c1 = (
        _first(mine, own, theirs, other, 0, nothing),
        _first(mine, own, theirs, other, 1, nothing),
    )
    c2, c3 = (
        _first(mine, own, theirs, other, 2, nothing),
        _first(mine, own, theirs, other, 3, nothing),
    )
    c4 = _first(mine, own, theirs, other, 4, nothing)
    total = nothing
    for row in range(rows):
        if row > 0:
            c0 = _down(mine, own, theirs, other, row, 0, c0)
            c1 = _down(mine, own, theirs, other, row, 1, c1)
            c2 = _down(mine, own, theirs, other, row, 2, c2)
            c3 = _down(mine, own, theirs, other, row, 3, c3)
            c4 = _down(mine, own, theirs, other, row, 4, c4)
        at = row * COLUMNS
        d0, d1, d2, d3 = following_0(c0, c4), following_1(c1, c4), following_2(c2, c4), following_3(c3, c4)
        e0, e1 = following_4(d0, c4), following_5(d1, c4)
        inner, left, right = (c3 + d0) + (d1 + d2), c1 + c2, d3 + e0
        total = _windows(mine, own, theirs, other, at, inner + (c0 + left), numbers, total)
        total = _windows(mine, own, theirs, other, at + LANES, inner + (left + d3), numbers, total)
        total = _windows(mine, own, theirs, other, at + 2 * LANES, inner + (c2 + right), numbers, total)
        total = _windows(mine, own, theirs, other, at + 3 * LANES, inner + (right + e1), numbers, total)
    return together(total)


@compiled
def abandon(
    mine: Any, theirs: Any, cells: Any, order: Any, constants: Any, limits: Any, bounds: Any, rest: Any,
) -> Any:  # fmt: skip
    """Put true sums of cells in the place of bounds until a pair's `rest` is below its limit.

    `mine` and `theirs` are queries and pictures one after the other; `limits`, `rest` (queries, pictures) are
    sums over all windows; `bounds` (queries, cells, pictures). Return how many cells were summed.
    """
    bright, dark, half = every(constants[0]), every(constants[1]), every(constants[2])
    numbers = bright, dark, half, every(constants[3]), every(constants[4])
    queries, pictures = rest.shape
    size, done = len(cells) * CELL, 0
    for number in order:
        rows = cells[number, 1] - cells[number, 0]
        for first in range(0, pictures, NEAR_PICTURES):
            for start in range(0, queries, NEAR_QUERIES):
                for picture in range(first, min(first + NEAR_PICTURES, pictures)):
                    for query in range(start, min(start + NEAR_QUERIES, queries)):
                        if rest[query, picture] < limits[query, picture]:
                            continue
                        at, there = query * size + number * CELL, picture * size + number * CELL
                        total = 2.0 * pair_cell(mine, at, theirs, there, rows, numbers)
                        rest[query, picture] += total - bounds[query, number, picture]
                        done += 1
    return done
