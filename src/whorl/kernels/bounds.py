"""What the similarity of two pictures cannot exceed, from seven numbers of every four by four windows.

Of one window the luminance part is 1 - l with l = (ua - ub)² / (ua² + ub² + c1), and the part of contrast and
structure 1 - x with x = |a - b|² / (va + vb + c2), where a and b are the pixels less their mean over √48.
Greys are not negative, so that l is at most 1 and the product of both parts at most 1 - l and, since the
second part can be negative, at most 1 - min(x, 1). |a - b|² is no less than the squared differences along
any directions at right angles, plus that of the lengths of what is left: here a gradient g and the rest.
Of g only (|ga - gb|² + (|ga| - |gb|)²) / 2 is taken, which exceeds neither |ga - gb|² nor |ga|² + |gb|²:
what is taken in all exceeds neither |a - b|² nor va + vb, and as a share of va + vb + c2 not min(x, 1).

A square over a number is convex in both, so that the mean of these fractions over some windows is no less
than the fraction of the means (Jensen). What stands here holds for every pair; that it is near the truth on
pictures of bodies is why most pairs need not be looked at closely.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whorl.kernels.compiling import compiled, part
from whorl.kernels.lanes import (
    LANES,
    every,
    fused,
    larger,
    less,
    load,
    root,
    spread,
    store,
)
from whorl.kernels.windows import WINDOW
from whorl.records import Array

BLOCK = 4  # windows along a side of what is averaged
TRAITS = 7  # mean and mean square of the grey; gradient and its length, over √2; rest; variance + half of c2
SLACK = 2e-5  # a window; above all rounding
DARK, HALF = 0.01**2, 0.5 * 0.03**2  # c1 and half of c2, greys as shares of the range of the data


def gradient(share: float) -> Array:
    """The first cosine along seven pixels, of length √½ over a window, over √48, for shares of the range."""
    cosine = np.cos(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)
    return np.asarray(share * cosine / WINDOW / np.sqrt(48.0))


@part
def _columns(image: Any, width: Any, row: Any, slope: Any, sums: Any, slopes: Any) -> None:
    """Sum and slope down of every column of seven pixels, of the windows that begin in a row."""
    for x in range(0, width, LANES):
        total, down = every(0.0), every(0.0)
        for step in range(WINDOW):
            value = load(image, (row + step) * width + x)
            total, down = total + value, fused(value, spread(slope, step), down)
        store(sums, x, total)
        store(sums, slopes + x, down)


@part
def _traits(sums: Any, slopes: Any, x: Any, slope: Any, light: Any, spreads: Any, share: Any) -> Any:
    """Seven numbers of sixteen neighbouring windows, from columns, sums of pixels and spreads."""
    down, across = every(0.0), every(0.0)
    for step in range(WINDOW):
        down = down + load(sums, slopes + x + step)
        across = fused(load(sums, x + step), spread(slope, step), across)
    grey, variance = light * every(share / 49.0), spreads * every(share * share / 24.0)
    steep = fused(down, down, across * across)
    rest = larger(less(every(2.0), steep, variance), every(0.0))
    return grey, grey * grey, down, across, root(steep), root(rest), variance + every(HALF)


@part
def _add(traits: Any, at: Any, value: Any) -> None:
    store(traits, at, load(traits, at) + value)


@compiled
def describe(
    image: Any, shape: Any, maps: Any, share: Any, slope: Any, room: Any, lane: Any, out: Any
) -> None:
    """Write seven means of every block of windows of one picture into its lane; `out` is (blocks, 7, 16).

    `maps` are those of `pairs.unfold`; `share` is 1 over the range of the data, as which greys enter, so that
    products of products stay numbers; `slope` has it in it. `room` takes nine rows and what windows reach.
    """
    height, width, pitch = shape
    rows, columns = height - WINDOW + 1, width - WINDOW + 1
    second, blocks, own = rows * pitch, -(-columns // BLOCK), 2 * (pitch + 2 * LANES)
    for top in range(0, rows, BLOCK):
        bottom = min(top + BLOCK, rows)
        room[own:] = 0.0
        for row in range(top, bottom):
            _columns(image, width, row, slope, room, pitch + 2 * LANES)
            for x in range(0, columns, LANES):
                light, spreads = load(maps, row * pitch + x), load(maps, second + row * pitch + x)
                grey, square, down, across, steep, rest, variance = _traits(
                    room, pitch + 2 * LANES, x, slope, light, spreads, share
                )
                _add(room, own + x, grey)
                _add(room, own + pitch + x, square)
                _add(room, own + 2 * pitch + x, down)
                _add(room, own + 3 * pitch + x, across)
                _add(room, own + 4 * pitch + x, steep)
                _add(room, own + 5 * pitch + x, rest)
                _add(room, own + 6 * pitch + x, variance)
        for block in range(blocks):
            first, last = block * BLOCK, min(block * BLOCK + BLOCK, columns)
            for trait in range(TRAITS):
                total = 0.0
                for x in range(first, last):
                    total += room[own + trait * pitch + x]
                mean = total / ((bottom - top) * (last - first))
                out[((top // BLOCK * blocks + block) * TRAITS + trait) * LANES + lane] = mean


@part
def _bound(mine: Any, lane: Any, theirs: Any, block: Any, dark: Any) -> Any:
    """Numerator and denominator of what the mean similarity over one block of windows cannot exceed."""
    at, own = block * TRAITS * LANES, block * TRAITS * LANES + lane
    gap = spread(mine, own) - load(theirs, at)
    squares = spread(mine, own + LANES) + load(theirs, at + LANES) + dark
    down = spread(mine, own + 2 * LANES) - load(theirs, at + 2 * LANES)
    across = spread(mine, own + 3 * LANES) - load(theirs, at + 3 * LANES)
    steep = spread(mine, own + 4 * LANES) - load(theirs, at + 4 * LANES)
    rest = spread(mine, own + 5 * LANES) - load(theirs, at + 5 * LANES)
    spreads = spread(mine, own + 6 * LANES) + load(theirs, at + 6 * LANES)
    apart = fused(down, down, fused(across, across, fused(steep, steep, rest * rest)))
    # 1 - the larger of the two fractions.
    both = spreads * squares
    return both - larger(gap * gap * spreads, apart * squares), both


@part
def _bounds(
    mine: Any, query: Any, theirs: Any, base: Any, span: Any, height: Any, columns: Any, total: Any
) -> Any:
    """Add bounds of the blocks of one row of a cell, times their windows, to a total."""
    dark, (first, last) = every(np.float32(DARK)), span
    for left in range(first, last, 2):
        # Two blocks share a division; where the second is not there, it counts nothing.
        right = min(left + 1, last - 1)
        windows = height * (min(left * BLOCK + BLOCK, columns) - left * BLOCK)
        others = (right - left) * height * (min(right * BLOCK + BLOCK, columns) - right * BLOCK)
        one, under = _bound(mine, query, theirs, base + left, dark)
        other, below = _bound(mine, query, theirs, base + right, dark)
        one, other = one * every(np.float32(windows)), other * every(np.float32(others))
        total = total + fused(one, below, other * under) / (under * below)
    return total


@compiled
def bound(
    mine: Any, count: Any, theirs: Any, lanes: Any, first: Any, shape: Any, cells: Any, room: Any,
    out: Any, rest: Any,
) -> None:  # fmt: skip
    """Write bounds of the sums of all cells of `count` queries and sixteen pictures, and of the whole.

    They go into the columns from `first` on of `out` (queries, cells, pictures) and `rest`; `room` is for
    sixteen numbers of every query. All queries read a row of blocks while it is near.
    """
    rows, columns = shape
    blocks = -(-columns // BLOCK)
    for number in range(len(cells)):
        room[:] = 0.0
        span = cells[number, 2] // BLOCK, -(-cells[number, 3] // BLOCK)
        for top in range(cells[number, 0] // BLOCK, -(-cells[number, 1] // BLOCK)):
            height = min(top * BLOCK + BLOCK, rows) - top * BLOCK
            for query in range(count):
                total = load(room, query * LANES)
                total = _bounds(mine, query, theirs, top * blocks, span, height, columns, total)
                store(room, query * LANES, total)
        slack = SLACK * (cells[number, 1] - cells[number, 0]) * (cells[number, 3] - cells[number, 2])
        for query in range(count):
            for lane in range(lanes):
                total = room[query * LANES + lane] + np.float32(slack)
                out[query, number, first + lane] = total
                rest[query, first + lane] += total
