"""Structural similarity of one pair of pictures at a time, sixteen neighbouring windows side by side.

All pairs take sixteen pictures at once; a search that has given up most of these would work for nothing.
Here every pair can be given up by itself, cell by cell. A picture lies cell by cell: its pixels with the six
more to the right and below that windows reach, then U and the spread of every window. What comes out is the
true sum up to rounding, not its last digit.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

from whorl.kernels.lanes import (
    LANES,
    compiled,
    converted,
    every,
    fused,
    larger,
    less,
    load,
    part,
    slid_by_one,
    slid_by_six,
    slid_by_three,
    slid_by_two,
    store,
)
from whorl.kernels.windows import COLUMNS, ROWS, WINDOW

PITCH = COLUMNS + LANES  # of a row of pixels
REACH = WINDOW - 1
LIGHT = (ROWS + REACH) * PITCH  # where U begins
SPREAD = LIGHT + ROWS * COLUMNS
CELL = SPREAD + ROWS * COLUMNS  # numbers of one cell
NEAR_QUERIES, NEAR_PICTURES = 8, 16  # whose cells stay in a core's own cache


@compiled
def unfold(
    image: Any, shape: Any, middle: Any, count: Any, cells: Any, sums: Any, maps: Any, out: Any
) -> None:
    """Write one picture, float64 pixels in one row, cell by cell.

    `sums` (2 rows) and `maps` (2 maps, as many rows as there are windows) are room to work in, rows `pitch`
    apart. What lies beyond the last column of windows is any number: nobody counts it.
    """
    height, width, pitch = shape
    sums[:] = 0.0
    grey, number, half = every(middle), every(count), every(0.5 / count)
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
        _fold(image, (width, pitch), grey, maps, second, cells[place], out, place * CELL)


@part
def _fold(image: Any, pitches: Any, grey: Any, maps: Any, second: Any, cell: Any, out: Any, put: Any) -> None:
    """Write one cell."""
    top, bottom, left, right = cell
    width, pitch = pitches
    for y in range(bottom - top + REACH):
        for x in range(0, right - left + REACH, LANES):
            value = load(image, (top + y) * width + left + x) - grey
            store(out, put + y * PITCH + x, converted(value, out))
    for y in range(bottom - top):
        for x in range(0, right - left, LANES):
            at, to = (top + y) * pitch + left + x, put + y * COLUMNS + x
            store(out, to + LIGHT, converted(load(maps, at), out))
            store(out, to + SPREAD, converted(load(maps, second + at), out))


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
def _three(one: Any, following: Any) -> Any:
    return one + slid_by_one(one, following) + slid_by_two(one, following)


@part
def _seven(three: Any, next_three: Any, one: Any, following: Any) -> Any:
    return three + slid_by_three(three, next_three) + slid_by_six(one, following)


@part
def _windows(mine: Any, own: Any, theirs: Any, other: Any, at: Any, products: Any, numbers: Any) -> Any:
    """Numerators and denominators of the similarities of sixteen windows."""
    bright, dark, small, share, share_low = numbers
    light, other_light = load(mine, own + LIGHT + at), load(theirs, other + LIGHT + at)
    spreads = load(mine, own + SPREAD + at) + load(theirs, other + SPREAD + at) + small
    # A mean of a flat window comes out whole only by the number of windows to more digits than one value has.
    mean = fused(light - bright, share, (light - bright) * share_low)
    covariance = less(mean, other_light - bright, products) + small
    bottom = fused(light, light, fused(other_light, other_light, dark)) * spreads
    return fused(light + light, other_light, dark) * covariance, bottom


@part
def _added(one: Any, other: Any, valid: Any, next_valid: Any, total: Any) -> Any:
    """Add sixteen windows and the next sixteen, where they are there, by one division."""
    top, bottom = fused(one[0] * valid, other[1], other[0] * next_valid * one[1]), one[1] * other[1]
    return total + top / bottom


@part
def pair_cell(
    mine: Any, own: Any, theirs: Any, other: Any, rows: Any, valid: Any, mask: Any, numbers: Any
) -> Any:
    """Sum of one cell of one pair, lane by lane; `valid` from `mask` on says which columns are there."""
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
    v0, v1 = load(valid, mask), load(valid, mask + LANES)
    v2, v3 = load(valid, mask + 2 * LANES), load(valid, mask + 3 * LANES)
    total = nothing
    for row in range(rows):
        if row > 0:
            c0 = _down(mine, own, theirs, other, row, 0, c0)
            c1 = _down(mine, own, theirs, other, row, 1, c1)
            c2 = _down(mine, own, theirs, other, row, 2, c2)
            c3 = _down(mine, own, theirs, other, row, 3, c3)
            c4 = _down(mine, own, theirs, other, row, 4, c4)
        t0, t1, t2, t3, t4 = _three(c0, c1), _three(c1, c2), _three(c2, c3), _three(c3, c4), _three(c4, c4)
        at = row * COLUMNS
        one = _windows(mine, own, theirs, other, at, _seven(t0, t1, c0, c1), numbers)
        two = _windows(mine, own, theirs, other, at + LANES, _seven(t1, t2, c1, c2), numbers)
        total = _added(one, two, v0, v1, total)
        one = _windows(mine, own, theirs, other, at + 2 * LANES, _seven(t2, t3, c2, c3), numbers)
        two = _windows(mine, own, theirs, other, at + 3 * LANES, _seven(t3, t4, c3, c4), numbers)
        total = _added(one, two, v2, v3, total)
    return total


@compiled
def abandon(
    mine: Any, theirs: Any, cells: Any, order: Any, valid: Any, constants: Any, limits: Any, bounds: Any,
    rest: Any, room: Any,
) -> Any:  # fmt: skip
    """Put true sums of cells in the place of bounds until a pair's `rest` is below its limit.

    `mine` (queries, numbers), `theirs` (pictures, numbers); `limits`, `rest` (queries, pictures) are sums
    over all windows; `bounds` (queries, cells, pictures). Return how many cells were summed.
    """
    share, share_low = every(constants[3]), every(constants[4])
    numbers = every(constants[0]), every(constants[1]), every(constants[2]), share, share_low
    queries, pictures = rest.shape
    size, done, own, other = mine.shape[1], 0, mine.ravel(), theirs.ravel()
    for number in order:
        rows = cells[number, 1] - cells[number, 0]
        for first in range(0, pictures, NEAR_PICTURES):
            for start in range(0, queries, NEAR_QUERIES):
                for picture in range(first, min(first + NEAR_PICTURES, pictures)):
                    for query in range(start, min(start + NEAR_QUERIES, queries)):
                        if rest[query, picture] < limits[query, picture]:
                            continue
                        at, there = query * size + number * CELL, picture * size + number * CELL
                        lanes = pair_cell(own, at, other, there, rows, valid, number * COLUMNS, numbers)
                        store(room, 0, lanes)
                        total = 0.0
                        for lane in range(LANES):
                            total += room[lane]
                        rest[query, picture] += total - bounds[query, number, picture]
                        done += 1
    return done
