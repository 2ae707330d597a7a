"""What the similarity of two pictures cannot exceed, from six numbers of every four by four windows.

Of one window the luminance part is 1 - (ua - ub)² / (ua² + ub² + c1), and the part of contrast and structure
1 - |a - b|² / (va + vb + c2), where a and b are the pixels less their mean over √48. |a - b|² is no less than
the squared differences along any directions at right angles, plus that of the lengths of what is left: here
two gradients and the rest. A square over a number is convex in both, so that the mean of these fractions over
some windows is no less than the fraction of the means (Jensen). What stands here holds for every pair; that
it is near the truth on pictures of bodies is why most pairs need not be looked at closely.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np

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
    root,
    spread,
    store,
    widened,
)
from whorl.kernels.windows import WINDOW
from whorl.records import Array

BLOCK = 4  # windows along a side of what is averaged
TRAITS = 6  # mean and mean square of the grey; two gradients, rest, variance + half of c2
SLACK = 2e-5  # a window; above all rounding


def gradient() -> Array:
    """The first cosine along seven pixels, of length 1 over the window, over √48."""
    cosine = np.cos(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW)
    return np.asarray(cosine * np.sqrt(2.0) / WINDOW / np.sqrt(48.0))


@part
def _down(pixels: Any, row: Any, width: Any, slope: Any, sums: Any) -> None:
    """Sum, sum of squares and slope down of every column of seven pixels."""
    for x in range(width):
        first, square, down = every(0.0), every(0.0), every(0.0)
        for step in range(WINDOW):
            value = widened(load(pixels, ((row + 1 + step) * width + x) * LANES))
            first, square = first + value, fused(value, value, square)
            down = fused(value, spread(slope, step), down)
        store(sums, 3 * x * LANES, first)
        store(sums, (3 * x + 1) * LANES, square)
        store(sums, (3 * x + 2) * LANES, down)


@part
def _across(sums: Any, x: Any, slope: Any) -> Any:
    """Sum, sum of squares, slope down and slope across of one window."""
    first, square, down, across = every(0.0), every(0.0), every(0.0), every(0.0)
    for step in range(WINDOW):
        at = 3 * (x + step) * LANES
        value = load(sums, at)
        first, square = first + value, square + load(sums, at + LANES)
        down, across = down + load(sums, at + 2 * LANES), fused(value, spread(slope, step), across)
    return first, square, down, across


@part
def _add(traits: Any, at: Any, value: Any) -> None:
    store(traits, at, load(traits, at) + value)


@compiled
def describe(
    pixels: Any, shape: Any, columns: Any, middle: Any, half: Any, slope: Any, sums: Any, out: Any
) -> None:
    """Write six means of every block of windows of sixteen pictures; `out` is (blocks, 6, 16).

    `columns` counts the windows without an added column, `half` is half of c2.
    """
    height, width = shape
    rows, blocks = height - WINDOW + 1, -(-columns // BLOCK)
    traits = sums[3 * width * LANES :]
    for top in range(0, rows, BLOCK):
        bottom = min(top + BLOCK, rows)
        traits[: blocks * TRAITS * LANES] = 0.0
        for row in range(top, bottom):
            _down(pixels, row, width, slope, sums)
            for x in range(columns):
                first, square, down, across = _across(sums, x, slope)
                variance = larger((square - first * first * every(1 / 49.0)) * every(1 / 48.0), every(0.0))
                rest = larger(less(down, down, less(across, across, variance)), every(0.0))
                light = first * every(1 / 49.0) + every(middle)
                at = (x // BLOCK) * TRAITS * LANES
                _add(traits, at, light)
                _add(traits, at + LANES, light * light)
                _add(traits, at + 2 * LANES, down)
                _add(traits, at + 3 * LANES, across)
                _add(traits, at + 4 * LANES, root(rest))
                _add(traits, at + 5 * LANES, variance + every(half))
        for block in range(blocks):
            windows = (bottom - top) * (min(block * BLOCK + BLOCK, columns) - block * BLOCK)
            for trait in range(TRAITS):
                at = (block * TRAITS + trait) * LANES
                mean = load(traits, at) * every(1.0 / windows)
                store(out, top // BLOCK * blocks * TRAITS * LANES + at, converted(mean, out))


@part
def _bound(mine: Any, lane: Any, theirs: Any, block: Any, dark: Any) -> Any:
    """What the mean similarity over one block of windows cannot exceed."""
    at, own = block * TRAITS * LANES, block * TRAITS * LANES + lane
    gap = spread(mine, own) - load(theirs, at)
    squares = spread(mine, own + LANES) + load(theirs, at + LANES) + dark
    down = spread(mine, own + 2 * LANES) - load(theirs, at + 2 * LANES)
    across = spread(mine, own + 3 * LANES) - load(theirs, at + 3 * LANES)
    rest = spread(mine, own + 4 * LANES) - load(theirs, at + 4 * LANES)
    spreads = spread(mine, own + 5 * LANES) + load(theirs, at + 5 * LANES)
    apart = fused(down, down, fused(across, across, rest * rest))
    # 1 - the larger of the two fractions, and never below 0.
    top, other = gap * gap * spreads, apart * squares
    both = spreads * squares
    return larger(both - larger(top, other), both - both) / both


@compiled
def bound(
    mine: Any, count: Any, theirs: Any, lanes: Any, first: Any, shape: Any, cells: Any, dark: Any, room: Any,
    out: Any, rest: Any,
) -> None:  # fmt: skip
    """Write bounds of the sums of all cells of `count` queries and sixteen pictures, and of the whole.

    They go into the columns from `first` on of `out` (queries, cells, pictures) and `rest`.
    """
    rows, columns = shape
    blocks = -(-columns // BLOCK)
    for query in range(count):
        for number in range(len(cells)):
            cell = every(dark - dark)
            for top in range(cells[number, 0] // BLOCK, -(-cells[number, 1] // BLOCK)):
                height = min(top * BLOCK + BLOCK, rows) - top * BLOCK
                for left in range(cells[number, 2] // BLOCK, -(-cells[number, 3] // BLOCK)):
                    windows = height * (min(left * BLOCK + BLOCK, columns) - left * BLOCK)
                    each = _bound(mine, query, theirs, top * blocks + left, every(dark))
                    cell = fused(each + every(np.float32(SLACK)), every(np.float32(windows)), cell)
            store(room, 0, cell)
            for lane in range(lanes):
                out[query, number, first + lane] = room[lane]
                rest[query, first + lane] += room[lane]
