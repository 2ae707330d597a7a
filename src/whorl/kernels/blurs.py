"""Gaussian blurs and what is left without them, sixteen pixels at a time, to the last bit SciPy's.

The order of all operations is that of `scipy.ndimage.gaussian_filter`: first down, then across; the middle
first, then pairs of pixels from the farthest inwards; sums in float64, kept as float32 after each direction.

Import this module inside functions: it loads numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from whorl.kernels.compiling import compiled, part
from whorl.kernels.lanes import (
    LANES,
    converted,
    every,
    load,
    root,
    row_of,
    spread,
    store,
    widened,
)
from whorl.kernels.turns import turn
from whorl.records import Array, Floats

TRUNCATE = 4.0  # standard deviations after which a Gaussian ends
LEAST = 1e-15  # a smaller standard deviation blurs nothing


def blurred(stack: Array, sigma: float) -> Floats:
    """Blur every picture as SciPy does in float32, mirrored at its borders; (n, h, w) -> (n, h, w)."""
    grey = np.ascontiguousarray(stack, np.float32)
    if not sigma > LEAST or not grey.size:
        return grey.copy()
    out, weights = np.empty_like(grey), _weights(sigma)
    _smooth(grey, (weights, weights), 1, np.float32(0.0), _rooms(grey.shape, len(weights) - 1), out)
    return out


def contrasts(stack: Array, sigma: float, window: float, floor: float) -> Floats:
    """Every picture without its blur, divided by the root of `floor` and its blurred square.

    (n, h, w) -> (n, h, w); every operation in float32, as written with SciPy.
    """
    grey = np.ascontiguousarray(stack, np.float32)
    out = np.empty_like(grey)
    if grey.size:
        weights = _weights(sigma), _weights(window)
        rooms = _rooms(grey.shape, max(map(len, weights)) - 1)
        _smooth(grey, weights, 2, np.float32(floor), rooms, out)
    return out


def _weights(sigma: float) -> Array:
    """Weights of the middle and of the pixels after it; those before it are the same."""
    if not sigma > LEAST:
        return np.ones(1)
    reach = int(TRUNCATE * float(sigma) + 0.5)
    heights = np.exp(-0.5 / (sigma * sigma) * np.arange(-reach, reach + 1) ** 2)
    return np.ascontiguousarray((heights / heights.sum())[reach:])


def _rooms(shape: tuple[int, ...], reach: int) -> tuple[Array, ...]:
    """Room for a strip with its borders in float64, for its blur, and for three pictures of whole lanes."""
    height, width = (-(-side // LANES) * LANES for side in shape[1:])
    longest = max(height, width)
    strip = row_of((longest + 2 * reach) * LANES, np.float64)
    return strip, *(row_of(size, np.float32) for size in (longest * LANES, *[height * width] * 3))


@part
def _mirrored(place: Any, length: Any) -> Any:
    """Where a place beyond the border lies when the picture is mirrored there, as often as needed."""
    while not 0 <= place < length:
        place = -1 - place if place < 0 else 2 * length - 1 - place
    return place


@part
def _weighed(strip: Any, length: Any, weights: Any, out: Any, first: Any, step: Any) -> None:
    """Blur sixteen columns, two rows at a time; rows of `out` begin at `first`, a step apart."""
    reach = len(weights) - 1
    for row in range(-reach, 0):
        store(strip, (reach + row) * LANES, load(strip, (reach + _mirrored(row, length)) * LANES))
        other = length - 1 - row
        store(strip, (reach + other) * LANES, load(strip, (reach + _mirrored(other, length)) * LANES))
    for row in range(0, length - 1, 2):
        place = (row + reach) * LANES
        upper = load(strip, place) * spread(weights, 0)
        lower = load(strip, place + LANES) * spread(weights, 0)
        before, after = load(strip, place - reach * LANES), load(strip, place + (reach + 1) * LANES)
        for away in range(reach, 0, -1):
            weight = spread(weights, away)
            left, right = load(strip, place + (1 - away) * LANES), load(strip, place + away * LANES)
            upper = upper + (before + right) * weight
            lower = lower + (left + after) * weight
            before, after = left, right
        store(out, first + row * step, converted(upper, out))
        store(out, first + (row + 1) * step, converted(lower, out))
    if length % 2:
        place = (length - 1 + reach) * LANES
        last = load(strip, place) * spread(weights, 0)
        for away in range(reach, 0, -1):
            pair = load(strip, place - away * LANES) + load(strip, place + away * LANES)
            last = last + pair * spread(weights, away)
        store(out, first + (length - 1) * step, converted(last, out))


@part
def _blur_one(source: Any, size: Any, weights: Any, rooms: Any, out: Any) -> None:
    """Blur one picture: all columns, sixteen at a time, then all rows of what that gives."""
    height, width, pitch = size
    strip, made, half = rooms
    start = (len(weights) - 1) * LANES
    for left in range(0, pitch, LANES):
        for row in range(height):
            store(strip, start + row * LANES, widened(load(source, row * pitch + left)))
        _weighed(strip, height, weights, half, left, pitch)
    for top in range(0, height, LANES):
        for left in range(0, pitch, LANES):
            turn(half, top * pitch + left, pitch, strip, start + left * LANES, LANES)
        _weighed(strip, width, weights, made, 0, LANES)
        for left in range(0, pitch, LANES):
            turn(made, left * LANES, LANES, out, top * pitch + left, pitch)


@part
def _filled(stack: Any, one: Any, pitch: Any, out: Any) -> None:
    """Put one picture into room whose rows are whole lanes."""
    _, height, width = stack.shape
    for row in range(height):
        for column in range(width):
            out[row * pitch + column] = stack[one, row, column]


@part
def _emptied(room: Any, pitch: Any, out: Any, one: Any) -> None:
    """Take one picture out of room whose rows are whole lanes."""
    _, height, width = out.shape
    for row in range(height):
        for column in range(width):
            out[one, row, column] = room[row * pitch + column]


@compiled
def _smooth(stack: Any, weights: Any, times: Any, floor: Any, rooms: Any, out: Any) -> None:
    """Blur all pictures; with a second time, give what is left by the root of its blurred square."""
    strip, made, grey, half, whole = rooms
    count, height, width = stack.shape
    pitch = -(-width // LANES) * LANES
    for one in range(count):
        _filled(stack, one, pitch, grey)
        _filled(stack, one, pitch, whole)
        for which in range(times):  # one call in a loop, so that it is woven in once
            _blur_one(whole, (height, width, pitch), weights[which], (strip, made, half), whole)
            for place in range(0, len(grey) if times == 2 else 0, LANES):
                given, smooth = load(grey, place), load(whole, place)
                if which:
                    store(whole, place, given / root(smooth + every(floor)))
                else:
                    high = given - smooth
                    store(grey, place, high)
                    store(whole, place, high * high)
        _emptied(whole, pitch, out, one)
