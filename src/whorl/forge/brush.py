"""The painter's brush: soft-edged ellipses and bars laid over one another, compiled on first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whorl.kernels.compiling import compiled

Plane = NDArray[np.float32]


@cache
def brush() -> Callable[[Plane, NDArray[np.float64], NDArray[np.int64]], None]:
    """The compiled painter."""
    from numba.extending import register_jitable

    for part in (_blob, _rod, _rim, _blend, _fill, _bends, _outline):
        register_jitable(part)
    return compiled(_paint)


def _paint(planes: Any, rows: Any, ends: Any) -> None:
    """Paint each slice's rows in order; edges are softened over one pixel or the row's softness."""
    for number in range(planes.shape[0]):
        for row in rows[ends[number] : ends[number + 1]]:
            if row[0] == 0.0:
                _blob(planes[number], row)
            else:
                _rod(planes[number], row)


def _blend(plane: Any, line: int, column: int, row: Any, cover: float) -> None:
    """Move one pixel towards a row's value; rows in the lung or the body leave the rest alone."""
    before = plane[line, column]
    if row[4] == 1.0 and (before > row[1] or before > -250.0 or before < -970.0):
        return
    if row[4] == 2.0 and before < -250.0:
        return
    plane[line, column] = before + cover * row[2] * (row[1] - before)


def _blob(plane: Any, row: Any) -> None:
    """Paint a bent ellipse, line by line: nothing outside, all inside, the rim pixel by pixel."""
    size = len(plane)
    pixel = 2.0 / size
    cos, sin = np.cos(row[9]), np.sin(row[9])
    wide, tall = 1.0 / row[7] ** 2, 1.0 / row[8] ** 2
    # The ellipse's measure is a·dx² + 2b·dx·dy + c·dy².
    a = cos * cos * wide + sin * sin * tall
    b = cos * sin * (wide - tall)
    c = sin * sin * wide + cos * cos * tall
    soft = max(row[3], pixel)
    low, high = _bends(row)
    margin = soft / min(row[7], row[8])
    outer, inner = (high + margin) ** 2, max(0.0, low - margin) ** 2
    reach = np.sqrt(outer * a / (a * c - b * b))
    top = max(0, int((row[6] - reach + 1.0) / pixel))
    bottom = min(size, int((row[6] + reach + 1.0) / pixel) + 1)
    for line in range(top, bottom):
        dy = (line + 0.5) * pixel - 1.0 - row[6]
        middle = row[5] - b * dy / a
        rest = (c - b * b / a) * dy * dy
        half = np.sqrt(max(0.0, outer - rest) / a)
        left = max(0, int((middle - half + 1.0) / pixel))
        right = min(size, int((middle + half + 1.0) / pixel) + 1)
        half = np.sqrt(max(0.0, inner - rest) / a) - pixel
        full, empty = right, right
        if half > 0.0:
            full = min(right, max(left, int((middle - half + 1.0) / pixel)))
            empty = max(full, min(right, int((middle + half + 1.0) / pixel)))
        _fill(plane[line, full:empty], row)
        for first, last in ((left, full), (empty, right)):
            for column in range(first, last):
                cover = _rim(row, (column + 0.5) * pixel - 1.0 - row[5], dy, cos, sin, soft)
                if cover > 0.0:
                    _blend(plane, line, column, row, cover)


def _fill(pixels: Any, row: Any) -> None:
    """Paint a run of pixels that a row covers wholly."""
    if row[4] == 0.0 and row[2] == 1.0:
        pixels[:] = row[1]
        return
    low, high = -2000.0, 10000.0
    if row[4] == 1.0:
        low, high = -970.0, min(row[1], -250.0)
    elif row[4] == 2.0:
        low = -250.0
    value, strength = row[1], row[2]
    for column in range(len(pixels)):
        before = pixels[column]
        if low <= before <= high:
            pixels[column] = before + strength * (value - before)


def _bends(row: Any) -> tuple[float, float]:
    """The least and the greatest bend of a blob's outline, with a little to spare."""
    spare, low, high = 0.0, 1.0, 1.0
    for place in range(10, 18):
        spare += abs(row[place])
    spare *= 0.04
    if spare > 0.0:
        for turn in range(40):
            c1, s1 = np.cos(turn * np.pi / 20.0), np.sin(turn * np.pi / 20.0)
            bend = _outline(row, c1, s1)
            low, high = min(low, bend), max(high, bend)
    return low - spare, high + spare


def _outline(row: Any, c1: float, s1: float) -> float:
    """The bent outline's distance from the centre towards a direction, the ellipse's being 1."""
    c2, s2 = c1 * c1 - s1 * s1, 2.0 * s1 * c1
    c3, s3 = c2 * c1 - s2 * s1, s2 * c1 + c2 * s1
    c4, s4 = c2 * c2 - s2 * s2, 2.0 * s2 * c2
    bend = 1.0 + row[10] * c1 + row[11] * s1 + row[12] * c2 + row[13] * s2
    return float(bend + row[14] * c3 + row[15] * s3 + row[16] * c4 + row[17] * s4)


def _rim(row: Any, dx: float, dy: float, cos: float, sin: float, soft: float) -> float:
    """How much of a blob covers a point near its rim, 0 to 1."""
    u = (cos * dx + sin * dy) / row[7]
    v = (cos * dy - sin * dx) / row[8]
    far = np.sqrt(u * u + v * v) + 1e-9
    c1, s1 = u / far, v / far
    past = far - _outline(row, c1, s1)
    # Past divided by the slope of the ellipse's own measure would be a length.
    near = 0.5 * soft / min(row[7], row[8])
    if past > near:
        return 0.0
    if past < -near:
        return 1.0
    slope = np.sqrt((c1 / row[7]) ** 2 + (s1 / row[8]) ** 2)
    return float(min(1.0, max(0.0, 0.5 - past / (slope * soft))))


def _rod(plane: Any, row: Any) -> None:
    """Paint a bar with round ends; one thinner than a pixel covers less of it."""
    size = len(plane)
    pixel = 2.0 / size
    soft = max(row[3], pixel)
    ax, ay = row[7] - row[5], row[8] - row[6]
    long = ax * ax + ay * ay + 1e-12
    reach = max(row[9], row[10]) + soft
    left = max(0, int((min(row[5], row[7]) - reach + 1.0) / pixel))
    right = min(size, int((max(row[5], row[7]) + reach + 1.0) / pixel) + 1)
    top = max(0, int((min(row[6], row[8]) - reach + 1.0) / pixel))
    bottom = min(size, int((max(row[6], row[8]) + reach + 1.0) / pixel) + 1)
    for line in range(top, bottom):
        py = (line + 0.5) * pixel - 1.0 - row[6]
        for column in range(left, right):
            px = (column + 0.5) * pixel - 1.0 - row[5]
            share = min(1.0, max(0.0, (px * ax + py * ay) / long))
            radius = row[9] + share * (row[10] - row[9])
            square = (px - share * ax) ** 2 + (py - share * ay) ** 2
            if square < (radius + 0.5 * soft) ** 2:
                cover = min(1.0, 0.5 - (np.sqrt(square) - radius) / soft)
                _blend(plane, line, column, row, cover * min(1.0, 2.0 * radius / soft))
