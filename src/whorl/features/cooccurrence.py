"""Features of co-occurrence: which small steps of a picture's residuals follow one another.

After the rich models of steganalysis (Fridrich and Kodovský 2012): several residual filters, each residual
rounded to one of five symbols, counts of the symbols on neighbouring pixels. Counts of patterns that a
change of sign or direction, a flip or a quarter turn makes of one another are added up. Counted in residuals
as they are, strong edges decide what is small elsewhere; evened by those around, each place counts alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from whorl.kernels.differences import LINES, SQUARES, beside_others, filtered
from whorl.records import Array, BadInput, Count, Floats

VERSION = 1
SYMBOLS = 5  # -2 to 2
LONGEST = 5
Planes = tuple[Array, ...]
Ready = Callable[[Planes, Array], tuple[Planes, tuple[int, int]]]  # residuals to count, and their cuts


def residuals(images: Array, order: Count = 3, step: float = 1.0, relative: bool = True) -> Floats:
    """Square-rooted shares of the patterns that neighbouring residuals form, blind to flips and turns.

    (n, h, w) -> (n, patterns): 8 groups of 39 patterns for order 3, of 169 for order 4.
    A symbol is `step` wide in mean absolute residuals of the picture, or else in the filter's own unit.
    Windows without any residual tell of the background and are left out.
    """
    _check(images, "residuals", order, step)
    kinds = _kinds(order)
    patterns = int(kinds.max()) + 1
    table = np.empty((len(images), 2 * len(LINES) + len(SQUARES), patterns), np.float32)
    for groups, image in zip(table, images, strict=True):
        # Whole numbers: residuals are then exact, and the same after a flip or turn.
        grey = np.rint(image).astype(np.int32)
        counted = _groups(
            grey, order, lambda planes, weights: (planes, _cuts(planes, step, relative, weights))
        )
        for group, (one, other) in zip(groups, counted, strict=True):
            group[:] = _rooted(np.bincount(kinds, weights=one + other, minlength=patterns))
    return table.reshape(len(images), -1)


def evened(
    images: Array, order: Count = 4, around: Count = 9, step: float = 0.75, scale: Count = 1
) -> Floats:
    """As `residuals`, each residual beside the mean absolute one of `around` × `around` places about it.

    (n, h, w) -> (n, patterns): 8 groups of 25 patterns for order 4. A symbol says whether a residual is above
    `step` times that mean, and its sign. `scale` 2 looks at every second pixel, its four phases together.
    """
    counted = _evened(images, "evened", order, around, step, scale).sum(axis=2)
    return np.asarray(_rooted(counted).reshape(len(images), -1), np.float32)


def turned(
    images: Array, order: Count = 4, around: Count = 9, step: float = 0.75, scale: Count = 1
) -> Floats:
    """How much the patterns of `evened` differ between a picture and its quarter turn, without sign.

    (n, h, w) -> (n, patterns): 8 groups of 25 patterns for order 4. Filters that are not the same along rows
    and columns leave it.
    """
    one, other = np.moveaxis(_rooted(_evened(images, "turned", order, around, step, scale)), 2, 0)
    return np.asarray(np.abs(one - other).reshape(len(images), -1), np.float32)


def _evened(images: Array, name: str, order: int, around: int, step: float, scale: int) -> Array:
    """Counts of kinds of patterns of evened residuals, (n, groups, 2, kinds): as they lie, and turned."""
    _check(images, name, order, step, scale)
    if around % 2 == 0:
        raise BadInput(f"cooccurrence.{name}: around {around}: give an odd number")

    def beside(planes: Planes, weights: Array) -> tuple[Planes, tuple[int, int]]:
        return tuple(beside_others(plane, weights, around, step)[0] for plane in planes), (1, 2)

    kinds = _kinds(order)
    seen = np.unique(kinds[_codes(order, np.arange(1, SYMBOLS - 1))])
    table = np.zeros((len(images), 2 * len(LINES) + len(SQUARES), 2, len(seen)))
    for groups, image in zip(table, images, strict=True):
        grey = np.rint(image).astype(np.int32)
        for down, across in np.ndindex(scale, scale):
            phase = np.ascontiguousarray(grey[down::scale, across::scale])
            for group, ways in zip(groups, _groups(phase, order, beside), strict=True):
                for row, counts in zip(group, ways, strict=True):
                    row += np.bincount(kinds, weights=counts)[seen]
    return table


def _rooted(counts: Array) -> Array:
    """Square roots of the shares that counts (..., kinds) are of their sum."""
    return np.asarray(np.sqrt(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1.0)))


def _check(images: Array, step: str, order: int, width: float, scale: int = 1) -> None:
    if order > LONGEST:
        raise BadInput(f"cooccurrence.{step}: order {order}: give 1 to {LONGEST}")
    if not width > 0:
        raise BadInput(f"cooccurrence.{step}: step {width}: give a number above 0")
    least = max(5, order + 3) * scale
    if min(images.shape[1:]) < least:
        raise BadInput(f"cooccurrence.{step} needs pictures of {least} pixels or more: give --size {least}")


def _groups(grey: Array, order: int, ready: Ready) -> list[tuple[Array, Array]]:
    """Counts of every pattern, in a picture and in its quarter turn.

    Each line filter along its direction and across it, then the squares.
    """
    found = []
    for line in LINES:
        weights = np.asarray([line], np.int32)
        planes, cuts = ready((filtered(grey, weights), filtered(grey, weights.T)), weights)
        level, upright = (_patterns(each, cuts, order) for each in planes)
        found += [(level[0], upright[1]), (level[1], upright[0])]
    for square in SQUARES:
        weights = np.asarray(square, np.int32)
        (residual,), cuts = ready((filtered(grey, weights),), weights)
        right, down = _patterns(residual, cuts, order)
        found.append((right, down))
    return found


def _patterns(residual: Array, cuts: tuple[int, int], order: int) -> Array:
    """Counts of the patterns to the right and downwards, by code; (2, 8^order)."""
    rooms, counts = np.zeros((3, residual.shape[1]), np.int32), np.zeros((2, 1 << 3 * order), np.int64)
    _counter()(residual, *cuts, order, rooms, counts)
    return counts


def _cuts(planes: Planes, step: float, relative: bool, weights: Array) -> tuple[int, int]:
    """Absolute residuals above which a symbol is 1 and 2: half a unit and one and a half, without fractions.

    What is whole is above a number if it is above its whole part.
    """
    unit = float(np.abs(weights).max())
    if relative:
        total = sum(int(np.abs(plane).sum(dtype=np.int64)) for plane in planes)
        unit = total / max(sum(int(np.count_nonzero(plane)) for plane in planes), 1)
    return int(0.5 * step * unit), int(1.5 * step * unit)


@cache
def _kinds(order: int) -> Array:
    """Class of each pattern by its code, three bits a symbol: with its reverse, its negative and both."""
    patterns = _all(order, np.arange(SYMBOLS))
    places = 1 << 3 * np.arange(order)[::-1]
    negative = SYMBOLS - 1 - patterns
    codes = patterns @ places
    alike = (codes, patterns[:, ::-1] @ places, negative @ places, negative[:, ::-1] @ places)
    kinds = np.zeros(1 << 3 * order, np.int64)
    kinds[codes] = np.unique(np.minimum.reduce(alike), return_inverse=True)[1]
    return kinds


def _all(order: int, symbols: Array) -> Array:
    """Every pattern of some symbols, (patterns, order)."""
    return symbols[
        np.stack(np.unravel_index(np.arange(len(symbols) ** order), (len(symbols),) * order), axis=1)
    ]


def _codes(order: int, symbols: Array) -> Array:
    return np.asarray(_all(order, symbols) @ (1 << 3 * np.arange(order)[::-1]))


@cache
def _counter() -> Callable[..., Any]:
    """Compile on first use: importing numba takes longer than most commands."""
    from whorl.kernels.compiling import compiled

    return compiled(_counted)


def _counted(residual: Array, one: int, two: int, order: int, rooms: Array, counts: Array) -> None:
    """Count the patterns of `order` symbols to the right and downwards, by code; (2, 8^order).

    `rooms` are three rows of 0, as wide as the residual.
    """
    height, width = residual.shape
    mask = np.int32((1 << 3 * order) - 1)
    window = np.int32((1 << order) - 1)
    # Of each column going down: the pattern that ends here, and where in it a residual is.
    code, some, symbols = rooms[0], rooms[1], rooms[2]
    for y in range(height):
        line = residual[y]
        for x in range(width):
            size = abs(line[x])
            symbol = np.int32(size > one) + np.int32(size > two)
            symbols[x] = np.int32(2) + (symbol if line[x] > 0 else -symbol)
            code[x] = ((code[x] << 3) | symbols[x]) & mask
            some[x] = ((some[x] << 1) | np.int32(size > 0)) & window
        if y >= order - 1:
            for x in range(width):
                if some[x] != 0:
                    counts[1, code[x]] += 1
        running, any_ = np.int32(0), np.int32(0)
        for x in range(width):
            running = ((running << 3) | symbols[x]) & mask
            any_ = ((any_ << 1) | np.int32(line[x] != 0)) & window
            if x >= order - 1 and any_ != 0:
                counts[0, running] += 1
