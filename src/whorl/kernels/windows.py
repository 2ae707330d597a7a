"""Sums of structural similarity over cells of windows, sixteen pictures of the gallery at a time.

Pictures of the gallery lie pixel by pixel side by side, (1 + h, w, 16) in one row; a query's numbers lie in
fields, (1 + h, w, 6) in one row; the first row of both is empty. All loads of the inner loops then begin at
cache lines, a window's sum follows from its left neighbour's by one column of seven, a column from the one
above by two pixels, and two windows share one division. A cell always takes the same way, whatever else is
computed before or beside it.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

from whorl.kernels.compiling import compiled, part
from whorl.kernels.lanes import LANES, every, fused, less, load, spread, store

WINDOW, WIDE = 7, 11
FIELDS = 6  # of a query's window: pixel; 2U, 2U·middle + c1 (Gaussian: c1), U² + c1, T / n, spread + c2
MAPS = 2  # of a gallery picture's window: T, spread
ROWS, COLUMNS = 32, 64  # windows of a cell
WIDE_ROWS, WIDE_COLUMNS = 64, 24  # of Gaussian ones
KEPT = WIDE_ROWS + WIDE  # rows of weighted products that are kept, and one to spare
ROOM = max(2 * (COLUMNS + WINDOW - 1), (KEPT + 1) * WIDE_COLUMNS + WIDE) * LANES


@part
def _column(mine: Any, field: Any, down: Any, new: Any, old: Any, cross: Any, place: Any) -> Any:
    """Bring the products of one column of seven pixels a row down."""
    value = fused(spread(mine, field + down * FIELDS), new, load(cross, place))
    value = less(spread(mine, field), old, value)
    store(cross, place, value)
    return value


@part
def _fraction(mine: Any, field: Any, products: Any, add: Any, total: Any, light: Any, spreads: Any) -> Any:
    """Numerator and denominator of one window's similarity."""
    top = fused(spread(mine, field + 1), total, spread(mine, field + 2))
    # The constant joins after the large sums have cancelled: before, it would lose its last digits in them.
    top = top * (less(spread(mine, field + 4), total, products) + add)
    return top, fused(light, light, spread(mine, field + 3)) * (spread(mine, field + 5) + spreads)


@part
def _warm(
    mine: Any, query: Any, pixels: Any, base: Any, width: Any, reach: Any, cross: Any, start: Any
) -> None:
    """Sums of the seven rows above the first new one."""
    for x in range(reach):
        value = every(cross[0] - cross[0])
        for row in range(WINDOW):
            place = base + row * width + x
            value = fused(spread(mine, (query + place) * FIELDS), load(pixels, place * LANES), value)
        store(cross, start + x * LANES, value)


@part
def _window(
    mine: Any, field: Any, down: Any, theirs: Any, cross: Any, place: Any, running: Any, add: Any
) -> Any:
    """One window of one query: the running sum for the next, numerator and denominator."""
    new, old, total, light, spreads = theirs
    last = place + (WINDOW - 1) * LANES
    products = running + _column(mine, field + (WINDOW - 1) * FIELDS, down, new, old, cross, last)
    running = products - load(cross, place)
    top, bottom = _fraction(mine, field, products, add, total, light, spreads)
    return running, top, bottom


@part
def _quotient(top: Any, bottom: Any, top1: Any, bottom1: Any) -> Any:
    """The sum of two fractions by one division."""
    return fused(top, bottom1, top1 * bottom) / (bottom * bottom1)


@part
def _theirs(pixels: Any, maps: Any, place: Any, down: Any, bright: Any) -> Any:
    """What all queries need of the gallery at one window: new and old pixel, T, U and the spread."""
    ahead = (place + WINDOW - 1) * LANES
    total, spreads = load(maps, place * MAPS * LANES), load(maps, (place * MAPS + 1) * LANES)
    return load(pixels, ahead + down * LANES), load(pixels, ahead), total, total + bright, spreads


@part
def uniform_cell(
    mine: Any, one: Any, other: Any, pixels: Any, maps: Any, width: Any, cell: Any, cross: Any,
    constants: Any, out: Any, put_one: Any, put_other: Any,
) -> None:  # fmt: skip
    """Sum one cell of windows for two queries, whose fields begin at pixels `one` and `other`, into `out`."""
    top, bottom, left, right = cell
    reach = right - left + WINDOW - 1
    second, down = reach * LANES, WINDOW * width
    _warm(mine, one, pixels, top * width + left, width, reach, cross, 0)
    _warm(mine, other, pixels, top * width + left, width, reach, cross, second)
    constant, bright = every(constants[0]), every(constants[1])
    nothing = constant - constant
    sum_one, sum_other = nothing, nothing
    for y in range(top, bottom):
        base = y * width + left
        run_one, run_other, row_one, row_other = nothing, nothing, nothing, nothing
        for x in range(WINDOW - 1):
            new, old = load(pixels, (base + x + down) * LANES), load(pixels, (base + x) * LANES)
            field = (one + base + x) * FIELDS
            run_one = run_one + _column(mine, field, down, new, old, cross, x * LANES)
            field = (other + base + x) * FIELDS
            run_other = run_other + _column(mine, field, down, new, old, cross, second + x * LANES)
        for x in range(0, right - left, 2):
            theirs, at = _theirs(pixels, maps, base + x, down, bright), x * LANES
            first, next_one = (one + base + x) * FIELDS, (other + base + x) * FIELDS
            run_one, n0, d0 = _window(mine, first, down, theirs, cross, at, run_one, constant)
            run_other, m0, e0 = _window(mine, next_one, down, theirs, cross, second + at, run_other, constant)
            theirs, at = _theirs(pixels, maps, base + x + 1, down, bright), at + LANES
            run_one, n1, d1 = _window(mine, first + FIELDS, down, theirs, cross, at, run_one, constant)
            run_other, m1, e1 = _window(
                mine, next_one + FIELDS, down, theirs, cross, second + at, run_other, constant
            )
            row_one = row_one + _quotient(n0, d0, n1, d1)
            row_other = row_other + _quotient(m0, e0, m1, e1)
        sum_one, sum_other = sum_one + row_one, sum_other + row_other
    store(out, put_one, sum_one)
    store(out, put_other, sum_other)


@part
def weighted_cell(
    mine: Any, query: Any, pixels: Any, maps: Any, width: Any, cell: Any, shares: Any, room: Any,
    small: Any, bright: Any, out: Any, put: Any,
) -> None:  # fmt: skip
    """Sum one cell of Gaussian windows for one query into `out`; `room` is for all its weighted rows."""
    top, bottom, left, right = cell
    total = every(small - small)
    outer, second, third = spread(shares, 0), spread(shares, 1), spread(shares, 2)
    weights = outer, second, third, spread(shares, 3), spread(shares, 4), spread(shares, 5)
    for y in range(top, top + WIDE - 1):
        _across(mine, query, pixels, (y + 1) * width + left, right - left, weights, room, y - top)
    for y in range(top, bottom, 2):
        # Two rows of windows share their rows of products; below the last row the second is left out.
        for below in range(y + WIDE - 1, min(y + WIDE + 1, bottom + WIDE - 1)):
            base = (below + 1) * width + left
            _across(mine, query, pixels, base, right - left, weights, room, below - top)
        row, base, at = every(small - small), y * width + left, (y - top) * WIDE_COLUMNS * LANES
        for x in range(right - left):
            one, other = _blended(room, at + x * LANES, WIDE_COLUMNS * LANES, weights)
            top0, bottom0 = _weighted(mine, query, maps, base + x, one, small, bright)
            if y + 1 == bottom:
                row = row + top0 / bottom0
            else:
                top1, bottom1 = _weighted(mine, query, maps, base + width + x, other, small, bright)
                row = row + _quotient(top0, bottom0, top1, bottom1)
        total = total + row
    store(out, put, total)


@part
def _bent(before: Any, between: Any, after: Any, both: Any) -> Any:
    """How far the sum of two values is from twice the one between them; `both` is 2."""
    return less(both, between, before + after)


@part
def _blended(room: Any, at: Any, step: Any, weights: Any) -> Any:
    """Two weighted means of eleven values `step` apart, the second one step on; weights from outside in.

    Each comes as the value in the middle and what the others add: where all are equal that is exactly 0.
    """
    outer, second, third, fourth, fifth, both = weights
    v0, v1, v2, v3 = (
        load(room, at),
        load(room, at + step),
        load(room, at + 2 * step),
        load(room, at + 3 * step),
    )
    v4, v5, v6 = load(room, at + 4 * step), load(room, at + 5 * step), load(room, at + 6 * step)
    v7, v8, v9 = load(room, at + 7 * step), load(room, at + 8 * step), load(room, at + 9 * step)
    v10, v11 = load(room, at + 10 * step), load(room, at + 11 * step)
    one, two = outer * _bent(v0, v5, v10, both), outer * _bent(v1, v6, v11, both)
    one, two = fused(second, _bent(v1, v5, v9, both), one), fused(second, _bent(v2, v6, v10, both), two)
    one, two = fused(third, _bent(v2, v5, v8, both), one), fused(third, _bent(v3, v6, v9, both), two)
    one, two = fused(fourth, _bent(v3, v5, v7, both), one), fused(fourth, _bent(v4, v6, v8, both), two)
    one, two = fused(fifth, _bent(v4, v5, v6, both), one), fused(fifth, _bent(v5, v6, v7, both), two)
    return (v5, one), (v6, two)


@part
def _across(
    mine: Any, query: Any, pixels: Any, base: Any, count: Any, weights: Any, room: Any, row: Any
) -> None:
    """Products of one row of pixels, weighted across, into one of the rows kept."""
    raw, place = KEPT * WIDE_COLUMNS * LANES, row * WIDE_COLUMNS * LANES
    for x in range(count + WIDE - 1):
        value = spread(mine, (query + base + x) * FIELDS) * load(pixels, (base + x) * LANES)
        store(room, raw + x * LANES, value)
    for x in range(0, count, 2):
        one, other = _blended(room, raw + x * LANES, LANES, weights)
        store(room, place + x * LANES, one[0] + one[1])
        store(room, place + (x + 1) * LANES, other[0] + other[1])


@part
def _weighted(mine: Any, query: Any, maps: Any, place: Any, products: Any, small: Any, bright: Any) -> Any:
    """Numerator and denominator of one Gaussian window."""
    total, spreads = load(maps, place * MAPS * LANES), load(maps, (place * MAPS + 1) * LANES)
    light, field = total + load(bright, 0), (query + place) * FIELDS
    # What is large cancels before what is small joins it.
    covariance = less(spread(mine, field + 4), total, products[0]) + products[1]
    top = fused(spread(mine, field + 1), light, spread(mine, field + 2)) * (covariance + every(small))
    return top, fused(light, light, spread(mine, field + 3)) * (spread(mine, field + 5) + spreads)


@compiled
def uniform_pairs(
    mine: Any, count: Any, pixels: Any, maps: Any, shape: Any, cells: Any, room: Any, constants: Any, out: Any
) -> None:
    """Sum cells of windows of every query against sixteen gallery pictures; `out` is (cells, queries, 16)."""
    size, width = shape
    for number in range(len(cells)):
        cell = (cells[number, 0], cells[number, 1], cells[number, 2], cells[number, 3])
        for one in range(0, count, 2):
            other = min(one + 1, count - 1)
            put, put_other = (number * count + one) * LANES, (number * count + other) * LANES
            uniform_cell(
                mine, one * size, other * size, pixels, maps, width, cell, room, constants, out,
                put, put_other,
            )  # fmt: skip


@compiled
def weighted_pairs(
    mine: Any, count: Any, pixels: Any, maps: Any, shape: Any, cells: Any, room: Any,
    small: Any, bright: Any, weights: Any, out: Any,
) -> None:  # fmt: skip
    """Sum cells of Gaussian windows of every query against sixteen gallery pictures."""
    size, width = shape
    for number in range(len(cells)):
        cell = (cells[number, 0], cells[number, 1], cells[number, 2], cells[number, 3])
        for one in range(count):
            put = (number * count + one) * LANES
            weighted_cell(mine, one * size, pixels, maps, width, cell, weights, room, small, bright, out, put)
