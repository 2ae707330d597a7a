"""Features of texture: local binary patterns and local contrast."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal

import numpy as np

from whorl.kernels.cells import means
from whorl.records import Array, BadInput, Count, Floats

VERSION = 1
MOST_POINTS = 16
FLOOR = 16.0  # what is added to the local energy, so that flat places stay flat
UNIT = 256  # parts of a pixel in which exact patterns place a point between pixels


def lbp(
    images: Array,
    points: Count = 8,
    radius: float = 1.0,
    method: Literal["uniform", "default", "ror", "nri_uniform", "symmetric"] = "uniform",
) -> Floats:
    """Share of every local binary pattern (Ojala et al. 2002; scikit-image).

    (n, h, w) -> (n, patterns), rows sum to 1; 10 patterns for 8 points, uniform. Symmetric, 51 for 8 points:
    what flips and quarter turns make of one another is one pattern; flat neighbourhoods and the border,
    which tell of the background, are left out.
    """
    if method == "symmetric":
        return _symmetric(images, points, radius)
    patterns = {"uniform": points + 2, "nri_uniform": points * (points - 1) + 3}.get(method, 2**points)
    rows = np.empty((len(images), patterns), np.float32)
    for row, image in zip(rows, images, strict=True):
        # Whole numbers keep ties between neighbours exact, as on the 8-bit pictures of the papers.
        grey = image if image.dtype.kind in "ui" else np.rint(image).astype(np.int32)
        if method in ("uniform", "default") and points <= MOST_POINTS:
            counts = _counts(grey, points, radius, method == "uniform", patterns)
        else:
            counts = _counts_of_others(grey, points, radius, method, patterns)
        row[:] = counts / grey.size
    return rows


def _counts_of_others(grey: Array, points: int, radius: float, method: str, patterns: int) -> Array:
    from skimage.feature import local_binary_pattern

    codes = local_binary_pattern(grey, points, radius, method)
    return np.bincount(codes.astype(np.int64).ravel(), minlength=patterns)


def _counts(grey: Array, points: int, radius: float, uniform: bool, patterns: int) -> Array:
    """Counts of scikit-image's patterns, to the last tie: the same arithmetic in the same order."""
    from whorl.kernels import lanes
    from whorl.kernels.patterns import count

    steps = _circle(points, radius)
    margin = int(np.ceil(radius)) + 1
    height, width = grey.shape
    pitch = width + 2 * margin + lanes.LANES
    padded = np.zeros((height + 2 * margin, pitch))  # outside of the picture is black
    padded[margin : margin + height, margin : margin + width] = grey
    # Where between two pixels a point lies differs from place to place in the last digit, and ties with it.
    down, along = (np.arange(side) + step[:, None] for side, step in zip((height, width), steps, strict=True))
    across = np.zeros((points + 1, pitch))  # one row more for the codes
    across[:points, :width] = along - np.floor(along)
    corners = np.stack([np.floor(steps[0]), np.ceil(steps[0]), np.floor(steps[1]), np.ceil(steps[1])])
    counts = np.zeros(patterns, np.int64)
    given = (padded.ravel(), margin, corners.astype(np.int64), down - np.floor(down), across.ravel())
    count(*given, _classes(points, uniform), (height, width, pitch), counts)
    return counts


@cache
def _classes(points: int, uniform: bool) -> Array:
    """The class of each pattern: itself, or the number of its ones where it changes at most twice."""
    codes = np.arange(2**points)
    if not uniform:
        return codes
    bits = (codes[:, None] >> np.arange(points)) & 1
    changes = (bits[:, 1:] != bits[:, :-1]).sum(axis=1)
    return np.where(changes <= 2, bits.sum(axis=1), points + 1)


def _circle(points: int, radius: float) -> tuple[Array, Array]:
    """Steps down and across to the points of the circle, (points,) each: from the right, then up."""
    angles = 2.0 * np.pi * np.arange(points, dtype=np.float64) / points
    reach = float(np.float32(radius))
    return np.round(-reach * np.sin(angles), 5), np.round(reach * np.cos(angles), 5)


def _symmetric(images: Array, points: int, radius: float) -> Floats:
    least = 2 * int(np.ceil(radius)) + 3
    if points % 4 or not 4 <= points <= MOST_POINTS:
        raise BadInput(f"texture.lbp: points {points}: symmetric patterns take 4, 8, 12 or 16")
    if min(images.shape[1:]) < least:
        raise BadInput(
            f"texture.lbp at radius {radius} needs pictures of {least} pixels: give --size {least}"
        )
    steps = np.stack(_circle(points, radius))
    whole = np.floor(steps).astype(np.int64)
    # Whole-number weights: a tie is a tie, and a turned picture gives the same patterns to the last.
    parts = np.rint((steps - whole) * UNIT).astype(np.int64)
    kinds = _kinds(points)
    rows = np.empty((len(images), int(kinds.max()) + 1), np.float32)
    for row, image in zip(rows, images, strict=True):
        counts, (code, uneven) = np.zeros(1 << points, np.int64), np.empty((2, image.shape[1]), np.int64)
        _kernel()(np.rint(image).astype(np.int64), whole, parts, least // 2, UNIT, code, uneven, counts)
        row[:] = np.bincount(kinds, weights=counts) / max(counts.sum(), 1)
    return rows


@cache
def _kinds(points: int) -> Array:
    """Number of the class of each pattern: all that flips and quarter turns make of it."""
    codes = np.arange(2**points)
    bits = (codes[:, None] >> np.arange(points)) & 1
    flipped = bits[:, -np.arange(points) % points]
    turned = [np.roll(each, turn * points // 4, 1) for each in (bits, flipped) for turn in range(4)]
    first = np.minimum.reduce([each @ (1 << np.arange(points)) for each in turned])
    return np.asarray(np.unique(first, return_inverse=True)[1])


@cache
def _kernel() -> Callable[..., Any]:
    """Compile on first use: importing numba takes longer than most commands."""
    from whorl.kernels.compiling import compiled

    return compiled(_exact)


def _exact(
    grey: Array, whole: Array, parts: Array, margin: int, unit: int, code: Array, uneven: Array, counts: Array
) -> None:
    """Count all patterns of a picture of whole numbers, but those of flat neighbourhoods, by code.

    `code` and `uneven` are room, as wide as the picture without its margins.
    """
    height, width = grey.shape
    points, columns = whole.shape[1], width - 2 * margin
    for y in range(margin, height - margin):
        for x in range(columns):
            code[x] = uneven[x] = 0
        middle = grey[y, margin:]
        for point in range(points):
            upper, lower = grey[y + whole[0, point]], grey[y + whole[0, point] + 1]
            left, part, share = margin + whole[1, point], parts[0, point], parts[1, point]
            for x in range(columns):
                top = (unit - share) * upper[x + left] + share * upper[x + left + 1]
                bottom = (unit - share) * lower[x + left] + share * lower[x + left + 1]
                above = (unit - part) * top + part * bottom - unit * unit * middle[x]
                code[x] |= np.int64(above >= 0) << point
                uneven[x] |= above
        for x in range(columns):
            if uneven[x] != 0:
                counts[code[x]] += 1


def local_contrast(images: Array, size: Count = 128, sigma: float = 2.0, window: float = 4.0) -> Floats:
    """High-pass picture divided by its local energy: what anatomy patients share is flattened away.

    (n, h, w) -> (n, size, size) at most; pictures larger than `size` are area-averaged first.
    """
    from whorl.kernels.blurs import contrasts

    return contrasts(_shrink(images, size), sigma, window, FLOOR)


def _shrink(images: Array, size: int) -> Floats:
    """Area-average by the whole factor that brings the shorter side to `size` or a little above."""
    factor = max(1, min(images.shape[1:]) // size)
    return means(images, factor, factor)
