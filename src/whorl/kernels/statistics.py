"""What structural similarity needs of every picture by itself: sums and spreads of all its windows.

Sixteen pictures lie pixel by pixel side by side; sums are taken in float64 whatever the pixels are.
Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

from whorl.kernels.compiling import compiled, part
from whorl.kernels.lanes import (
    LANES,
    converted,
    every,
    fused,
    larger,
    less,
    load,
    spread,
    store,
    widened,
)
from whorl.kernels.windows import FIELDS, MAPS, WIDE, WINDOW


@part
def _downwards(pixels: Any, y: Any, width: Any, room: Any) -> None:
    """Sums and sums of squares of the seven pixels of each column whose last row is `y`."""
    for x in range(width):
        at = x * LANES
        new = widened(load(pixels, ((y + 1) * width + x) * LANES))
        first, second = load(room, at) + new, fused(new, new, load(room, at + width * LANES))
        if y >= WINDOW:
            old = widened(load(pixels, ((y + 1 - WINDOW) * width + x) * LANES))
            first, second = first - old, less(old, old, second)
        store(room, at, first)
        store(room, at + width * LANES, second)


@part
def _weighted_downwards(pixels: Any, y: Any, width: Any, weights: Any, room: Any) -> None:
    """The same for the Gaussian window: eleven rows, weighted."""
    for x in range(width):
        first, second = every(0.0), every(0.0)
        for step in range(WIDE):
            value = widened(load(pixels, ((y + 2 - WIDE + step) * width + x) * LANES))
            scaled = value * spread(weights, step)
            first, second = first + scaled, fused(scaled, value, second)
        store(room, x * LANES, first)
        store(room, (width + x) * LANES, second)


@part
def _sideways(room: Any, start: Any, weights: Any, side: Any) -> Any:
    """Sum of neighbouring columns, weighted for the Gaussian window."""
    total = every(0.0)
    for step in range(side):
        total = fused(load(room, start + step * LANES), spread(weights, step), total)
    return total


@part
def _rows(
    pixels: Any, y: Any, width: Any, weights: Any, side: Any, numbers: Any, room: Any, maps: Any
) -> None:
    """Sum T and spread n·Q - T² of every window whose last row is `y`, into `maps`."""
    count, nothing, second = every(numbers[0]), every(0.0), width * LANES
    if side == WINDOW:
        _downwards(pixels, y, width, room)
    else:
        _weighted_downwards(pixels, y, width, weights, room)
    total, squares = nothing, nothing
    for x in range(width - side + 1):
        at = x * LANES
        # The uniform window's sum follows from its left neighbour's.
        if side == WINDOW and x > 0:
            last = at + (WINDOW - 1) * LANES
            total = total + load(room, last) - load(room, at - LANES)
            squares = squares + load(room, second + last) - load(room, second + at - LANES)
        else:
            total = _sideways(room, at, weights, side)
            squares = _sideways(room, second + at, weights, side)
        spreads = less(total, total, count * squares)
        store(maps, 2 * at, total)
        store(maps, 2 * at + LANES, larger(spreads, nothing))


@compiled
def of_gallery(pixels: Any, shape: Any, weights: Any, side: Any, numbers: Any, room: Any, out: Any) -> None:
    """Write T and spread of every window; `numbers` are n, n·middle, c1, c2 as they enter."""
    height, width = shape
    maps = room[2 * width * LANES :]
    room[: 2 * width * LANES] = 0.0
    for y in range(height):
        if y < side - 1:
            if side == WINDOW:
                _downwards(pixels, y, width, room)
            continue
        _rows(pixels, y, width, weights, side, numbers, room, maps)
        for x in range(width - side + 1):
            total, spreads = load(maps, 2 * x * LANES), load(maps, (2 * x + 1) * LANES)
            place = ((y - side + 1) * width + x) * MAPS * LANES
            store(out, place, converted(total, out))
            store(out, place + LANES, converted(spreads * every(0.5 / numbers[0]), out))


@compiled
def of_queries(
    pixels: Any,
    count: Any,
    shape: Any,
    weights: Any,
    side: Any,
    numbers: Any,
    brights: Any,
    masks: Any,
    room: Any,
    out: Any,
) -> None:
    """Write the six fields of every window of `count` pictures; `masks` (count, rows, columns) weighs.

    `brights` are n · what was subtracted from each picture, `numbers[1]` that of the gallery.
    """
    height, width = shape
    maps = room[2 * width * LANES :]
    room[: 2 * width * LANES] = 0.0
    size = (height + 1) * width
    for y in range(height):
        for x in range(width):
            for lane in range(count):
                place = (y + 1) * width + x
                out[(lane * size + place) * FIELDS] = pixels[place * LANES + lane]
        if y < side - 1:
            if side == WINDOW:
                _downwards(pixels, y, width, room)
            continue
        _rows(pixels, y, width, weights, side, numbers, room, maps)
        _fields(maps, y - side + 1, width, size, count, numbers, brights, masks, out)


@part
def _fields(
    maps: Any, row: Any, width: Any, size: Any, count: Any, numbers: Any, brights: Any, masks: Any, out: Any
) -> None:
    """The five fields of every window of one row."""
    windows, bright, dark = numbers[0], numbers[1], numbers[2]
    for x in range(masks.shape[2]):
        for lane in range(count):
            total, spreads = maps[2 * x * LANES + lane], maps[(2 * x + 1) * LANES + lane]
            light, weight = total + brights[lane], masks[lane, row, x]
            at = (lane * size + row * width + x) * FIELDS
            out[at + 1] = 2.0 * light * weight
            out[at + 2] = (2.0 * light * bright + dark) * weight
            out[at + 3] = light * light + dark
            out[at + 4] = total / windows
            out[at + 5] = (spreads + numbers[3]) * 0.5 / windows
