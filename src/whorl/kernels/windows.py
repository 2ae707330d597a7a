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

from whorl.kernels.lanes import LANES, compiled, every, fused, less, load, part, spread, store

WINDOW, WIDE = 7, 11
FIELDS = 6  # of a query's window: pixel; 2U, 2U·middle + c1, U² + c1, T / n, spread + c2
MAPS = 2  # of a gallery picture's window: T, spread
ROWS, COLUMNS = 32, 64  # windows of a cell
STRIP = 16  # windows side by side for which eleven rows of weighted products stay in the nearest cache
ROOM = max(2 * (COLUMNS + WINDOW - 1), WIDE * STRIP + STRIP + WIDE - 1) * LANES


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
    mine: Any, query: Any, pixels: Any, maps: Any, width: Any, cell: Any, weights: Any, room: Any,
    constants: Any, out: Any, put: Any,
) -> None:  # fmt: skip
    """Sum one cell of Gaussian windows for one query into `out`; `room` is for eleven rows of a strip."""
    top, bottom, left, right = cell
    total = every(constants[0] - constants[0])
    for start in range(left, right, STRIP):
        stop = min(start + STRIP, right)
        for y in range(top, bottom + WIDE - 1):
            _across(mine, query, pixels, (y + 1) * width + start, stop - start, weights, room, y % WIDE)
            if y < top + WIDE - 1:
                continue
            row, base = every(constants[0] - constants[0]), (y - WIDE + 1) * width + start
            for x in range(0, stop - start, 2):
                top0, bottom0 = _weighted(mine, query, maps, base + x, weights, room, y, x, constants)
                top1, bottom1 = _weighted(mine, query, maps, base + x + 1, weights, room, y, x + 1, constants)
                row = row + _quotient(top0, bottom0, top1, bottom1)
            total = total + row
    store(out, put, total)


@part
def _across(
    mine: Any, query: Any, pixels: Any, base: Any, count: Any, weights: Any, room: Any, slot: Any
) -> None:
    """Products of one row of pixels, weighted across, into one of the eleven rows kept."""
    raw = WIDE * STRIP * LANES
    for x in range(count + WIDE - 1):
        value = spread(mine, (query + base + x) * FIELDS) * load(pixels, (base + x) * LANES)
        store(room, raw + x * LANES, value)
    for x in range(count):
        at = raw + x * LANES
        value = spread(weights, WIDE // 2) * load(room, at + (WIDE // 2) * LANES)
        for step in range(WIDE // 2):
            both = load(room, at + step * LANES) + load(room, at + (WIDE - 1 - step) * LANES)
            value = fused(spread(weights, step), both, value)
        store(room, (slot * STRIP + x) * LANES, value)


@part
def _weighted(
    mine: Any, query: Any, maps: Any, place: Any, weights: Any, room: Any, y: Any, x: Any, constants: Any
) -> Any:
    """Numerator and denominator of one Gaussian window, whose last row of products is row `y`."""
    value = every(constants[0] - constants[0])
    for step in range(WIDE // 2):
        first, last = (y - WIDE + 1 + step) % WIDE, (y - step) % WIDE
        both = load(room, (first * STRIP + x) * LANES) + load(room, (last * STRIP + x) * LANES)
        value = fused(spread(weights, step), both, value)
    middle = (y - WIDE // 2) % WIDE
    value = fused(spread(weights, WIDE // 2), load(room, (middle * STRIP + x) * LANES), value)
    total, spreads = load(maps, place * MAPS * LANES), load(maps, (place * MAPS + 1) * LANES)
    light = total + every(constants[1])
    return _fraction(mine, (query + place) * FIELDS, value, every(constants[0]), total, light, spreads)


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
    constants: Any, weights: Any, out: Any,
) -> None:  # fmt: skip
    """Sum cells of Gaussian windows of every query against sixteen gallery pictures."""
    size, width = shape
    for number in range(len(cells)):
        cell = (cells[number, 0], cells[number, 1], cells[number, 2], cells[number, 3])
        for one in range(count):
            put = (number * count + one) * LANES
            weighted_cell(mine, one * size, pixels, maps, width, cell, weights, room, constants, out, put)
