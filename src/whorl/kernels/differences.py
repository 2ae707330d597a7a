"""Differences between neighbouring pixels, in whole numbers, and each of them beside those around it.

What is whole is exact, and the same after a flip or turn.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from whorl.records import Array

LINES = ((-1, 1), (1, -2, 1), (1, -3, 3, -1))  # first, second and third difference
SQUARES = (
    ((-1, 2, -1), (2, -4, 2), (-1, 2, -1)),
    ((-1, 2, -2, 2, -1), (2, -6, 8, -6, 2), (-2, 8, -12, 8, -2), (2, -6, 8, -6, 2), (-1, 2, -2, 2, -1)),
)
FLOOR = 0.25  # of a filter's own unit, added to the residuals around so that next to none stay so


def filtered(grey: Array, weights: Array) -> Array:
    """A picture (h, w) correlated with weights (a, b), where these lie within it; (h - a + 1, w - b + 1)."""
    rows, columns = (side - less + 1 for side, less in zip(grey.shape, weights.shape, strict=True))
    residual = np.zeros((rows, columns), np.int32)
    _kernels()[0](grey, np.ascontiguousarray(weights), residual)
    return residual


def beside_others(residual: Array, weights: Array, around: int, step: float) -> tuple[Array, Array]:
    """Each residual beside the mean absolute one of `around` × `around` places about it.

    (h, w) -> as 0, as 1 or, where it is more than `step` times those around, as 2, with its sign; and, for
    even and odd rows and columns, (2, 2), the mean of how many times those around it is, without sign.
    """
    sized, phases = np.empty_like(residual), np.zeros((2, 2))
    sums = np.zeros(residual.shape[1], np.int64)
    _kernels()[1](residual, around // 2, step, FLOOR * float(np.abs(weights).max()), sums, sized, phases)
    rows, columns = ((side + 1) // 2 - np.array([0, side % 2]) for side in residual.shape)
    return sized, phases / np.maximum(np.outer(rows, columns), 1)


def half_plane(reach: int) -> list[tuple[int, int]]:
    """Steps down and across up to `reach` away, none the opposite of another; the first leads nowhere."""
    return [step for step in product(range(reach + 1), range(-reach, reach + 1)) if step >= (0, 0)]


@cache
def _kernels() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compile on first use: importing numba takes longer than most commands."""
    from whorl.kernels.compiling import compiled

    return compiled(_correlated), compiled(_evened)


def _correlated(grey: Array, weights: Array, result: Array) -> None:
    """Add to `result`, (h - a + 1, w - b + 1), (h, w) correlated with weights (a, b), whole numbers."""
    rows, columns = result.shape
    for y in range(rows):
        out = result[y]
        for down in range(weights.shape[0]):
            line = grey[y + down]
            for across in range(weights.shape[1]):
                weight = weights[down, across]
                for x in range(columns):
                    out[x] += weight * line[x + across]


def _evened(
    residual: Array, half: int, step: float, floor: float, sums: Array, result: Array, phases: Array
) -> None:
    """0, 1 or 2 with the sign of each residual: 2 where it is above `step` times the mean around and `floor`.

    How many times that it is, is summed up in `phases` (2, 2). `sums` is a row of 0.
    """
    height, width = residual.shape
    for y in range(-half, height):
        if y + half < height and y + half >= 0:
            for x in range(width):
                sums[x] += abs(residual[y + half, x])
        if y - half - 1 >= 0:
            for x in range(width):
                sums[x] -= abs(residual[y - half - 1, x])
        if y < 0:
            continue
        rows = min(y + half, height - 1) - max(y - half, 0) + 1
        total = np.int64(0)
        for x in range(min(half, width)):
            total += sums[x]
        even, odd = 0.0, 0.0
        for x in range(width):
            if x + half < width:
                total += sums[x + half]
            if x - half - 1 >= 0:
                total -= sums[x - half - 1]
            columns = min(x + half, width - 1) - max(x - half, 0) + 1
            one = residual[y, x]
            others = total / (rows * columns) + floor
            size = np.int32(one != 0) + np.int32(abs(one) > step * others)
            result[y, x] = size if one > 0 else -size
            if x & 1:
                odd += abs(one) / others
            else:
                even += abs(one) / others
        phases[y & 1, 0] += even
        phases[y & 1, 1] += odd
