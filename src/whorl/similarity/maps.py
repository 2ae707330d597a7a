"""Similarities between pictures of one size, pixel by pixel.

Structural similarity (Wang et al. 2004) with the uniform 7 × 7 window, covariances with n - 1 and the
outer three pixels left out, as in scikit-image's defaults. The kernel walks down the rows of a tile of
pairs, so that one row of every picture of the tile stays in cache, and keeps running column sums of the
products. On 8-bit pictures the running sums are whole numbers below 2^24 and hence exact in float32;
other pictures take the same way in float64.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np

from whorl.records import Array, BadInput, Floats

VERSION = 1
WINDOW = 7
TILE = 8
SLAB = 64
MIDDLE = 128.0


def ssim(queries: Array, gallery: Array, data_range: float = 255.0) -> Floats:
    """Mean structural similarity.

    (q, h, w), (g, h, w) -> (q, g) in -1..1, 1 for equal pictures up to rounding.
    """
    if min(queries.shape[1:]) < WINDOW:
        raise BadInput(f"maps.ssim needs pictures of {WINDOW} pixels or more: give --size {WINDOW + 1}")
    exact = _whole(queries) and _whole(gallery)
    constants = ((0.01 * data_range) ** 2, (0.03 * data_range) ** 2)
    out = np.empty((len(queries), len(gallery)), np.float32)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for top in range(0, len(queries), SLAB):
            left_side = _side(queries[top : top + SLAB], exact, pool)
            for start in range(0, len(gallery), SLAB):
                right_side = _side(gallery[start : start + SLAB], exact, pool)
                part = out[top : top + SLAB, start : start + SLAB]
                jobs = [
                    pool.submit(_tile_into, part, left_side, right_side, y, x, constants)
                    for y in range(0, part.shape[0], TILE)
                    for x in range(0, part.shape[1], TILE)
                ]
                for job in jobs:
                    job.result()
    return np.clip(out, -1.0, 1.0)


def _whole(stack: Array) -> bool:
    """Whether every pixel is a whole number of 0..255, so that float32 sums are exact."""
    if stack.dtype == np.uint8:
        return True
    return all(
        bool((image == np.rint(image)).all() and image.min() >= 0 and image.max() <= 255) for image in stack
    )


def _side(stack: Array, exact: bool, pool: ThreadPoolExecutor) -> tuple[Array, Array, Array]:
    """Pixels about the middle grey, window means and window variances of one slab."""
    kind = np.float32 if exact else np.float64
    pixels: Array = np.ascontiguousarray(np.subtract(stack, kind(MIDDLE), dtype=kind))
    parts = [pixels[start : start + TILE] for start in range(0, len(pixels), TILE)]
    means, variances = zip(*pool.map(_kernels()[0], parts), strict=True)
    return pixels, np.concatenate(means), np.concatenate(variances)


def _tile_into(
    out: Array,
    left: tuple[Array, Array, Array],
    right: tuple[Array, Array, Array],
    y: int,
    x: int,
    constants: tuple[float, float],
) -> None:
    one = [part[y : y + TILE] for part in left]
    other = [part[x : x + TILE] for part in right]
    kind = one[0].dtype.type
    total = _kernels()[1](*one, *other, kind(constants[0]), kind(constants[1]), kind(MIDDLE))
    out[y : y + TILE, x : x + TILE] = total / one[1][0].size


@cache
def _kernels() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Compile on first use: importing numba takes longer than most commands."""
    import numba

    return (
        numba.njit(_window_statistics, nogil=True, cache=True, error_model="numpy"),
        numba.njit(_tile_sums, nogil=True, cache=True, fastmath=True, error_model="numpy"),
    )


def _window_statistics(pixels: Array) -> tuple[Array, Array]:
    """Mean and variance (n - 1) of every 7 × 7 window: (n, h, w) -> two (n, h - 6, w - 6)."""
    count, height, width = pixels.shape
    rows, columns = height - 6, width - 6
    means = np.empty((count, rows, columns), pixels.dtype)
    variances = np.empty((count, rows, columns), pixels.dtype)
    for n in range(count):
        sums = np.zeros(width, np.float64)
        squares = np.zeros(width, np.float64)
        for y in range(height):
            new = pixels[n, y]
            for x in range(width):
                sums[x] += new[x]
                squares[x] += np.float64(new[x]) * new[x]
            if y >= 7:
                old = pixels[n, y - 7]
                for x in range(width):
                    sums[x] -= old[x]
                    squares[x] -= np.float64(old[x]) * old[x]
            if y >= 6:
                mean, variance = means[n, y - 6], variances[n, y - 6]
                for x in range(columns):
                    total = sums[x] + sums[x + 1] + sums[x + 2] + sums[x + 3] + sums[x + 4]
                    total += sums[x + 5] + sums[x + 6]
                    square = squares[x] + squares[x + 1] + squares[x + 2] + squares[x + 3] + squares[x + 4]
                    square += squares[x + 5] + squares[x + 6]
                    mean[x] = total / 49.0
                    variance[x] = (square - total * total / 49.0) / 48.0
    return means, variances


def _tile_sums(
    a: Array,
    mean_a: Array,
    var_a: Array,
    b: Array,
    mean_b: Array,
    var_b: Array,
    c1: Any,
    c2: Any,
    middle: Any,
) -> Array:
    """Sum of the similarity map of every pair of a tile; all arrays of one floating type."""
    height, width = a.shape[1:]
    columns = width - 6
    running = np.zeros((len(a), len(b), width), a.dtype)
    total = np.zeros((len(a), len(b)), np.float64)
    share = (c1 - c1) + 1 / 48
    for y in range(height):
        for i in range(len(a)):
            for j in range(len(b)):
                cross = running[i, j]
                new_a, new_b = a[i, y], b[j, y]
                if y < 7:
                    for x in range(width):
                        cross[x] += new_a[x] * new_b[x]
                else:
                    old_a, old_b = a[i, y - 7], b[j, y - 7]
                    for x in range(width):
                        cross[x] += new_a[x] * new_b[x] - old_a[x] * old_b[x]
                if y < 6:
                    continue
                ma, mb = mean_a[i, y - 6], mean_b[j, y - 6]
                va, vb = var_a[i, y - 6], var_b[j, y - 6]
                row = c1 - c1
                for x in range(columns):
                    products = (
                        cross[x] + cross[x + 1] + cross[x + 2] + cross[x + 3]
                        + cross[x + 4] + cross[x + 5] + cross[x + 6]
                    )  # fmt: skip
                    covariance = (products - a.dtype.type(49) * ma[x] * mb[x]) * a.dtype.type(share)
                    ua, ub = ma[x] + middle, mb[x] + middle
                    top = (ua * ub + ua * ub + c1) * (covariance + covariance + c2)
                    row += top / ((ua * ua + ub * ub + c1) * (va[x] + vb[x] + c2))
                total[i, j] += row
    return total
