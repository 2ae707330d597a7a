"""Features of upsampling: what doubling a picture leaves in every second row and column.

A generator that doubles its pictures makes even and odd rows in different ways, and no content does. Each
residual is looked at beside those around it, so that a few strong edges do not decide.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from whorl.kernels.differences import FLOOR, LINES, SQUARES, beside_others, filtered, half_plane
from whorl.records import Array, BadInput, Count, Floats

VERSION = 1
LEAST = 16  # pixels of a side
SMALL = 0.01  # difference below which none is told from none
SIGNS = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])  # of even, odd places
MOST = 3.0  # times that a residual counts what those around it are, at most
LITTLE = 0.01  # mean square of evened residuals, below which correlations are small
SIGMA = 1.0  # of the blur that leaves residuals


def phases(images: Array, around: Count = 9) -> Floats:
    """How much residuals of even and odd rows and columns differ, blind to flips, turns and shifts.

    (n, h, w) -> (n, 26): for every filter the logarithm of how much rows, columns and their checkerboard
    differ in the mean residual, beside `around` × `around` places about it, and in the share without any.
    """
    _check(images, "phases", around, LEAST)
    table = np.asarray([_differences(np.rint(image).astype(np.int32), around) for image in images])
    return np.log(table.reshape(len(images), -1) + SMALL).astype(np.float32)


def neighbours(images: Array, reach: Count = 3, around: Count = 9) -> Floats:
    """How residuals go together with those up to `reach` away, from even and odd rows and columns apart.

    (n, h, w) -> (n, 8 reach (reach + 1) + 3): for every step over half the plane the correlation, and how it
    differs between even and odd rows, columns and their checkerboard, beside `around` × `around` places.
    A flip, turn or shift changes it: for pictures that all lie the same way.
    """
    _check(images, "neighbours", around, max(LEAST, 2 * (reach + 1)))
    even = _evened(images, around)
    parts = {(down, across): even[:, down::2, across::2] for down in (0, 1) for across in (0, 1)}
    table = np.concatenate([_together(parts, *step) for step in half_plane(reach)], axis=1)
    table /= even[0].size
    return np.asarray(table[:, 1:] / np.maximum(table[:, :1], LITTLE), np.float32)


def _check(images: Array, step: str, around: int, least: int) -> None:
    if around % 2 == 0:
        raise BadInput(f"upsampling.{step}: around {around}: give an odd number")
    if min(images.shape[1:]) < least:
        raise BadInput(f"upsampling.{step} needs pictures of {least} pixels or more: give --size {least}")


def _evened(images: Array, around: int) -> Array:
    """Each residual beside the mean absolute one about it, (n, h, w)."""
    from scipy.ndimage import uniform_filter

    from whorl.kernels.blurs import blurred

    residual = np.asarray(images, np.float32) - blurred(images, SIGMA)
    others = uniform_filter(np.abs(residual), (0, around, around), mode="nearest") + FLOOR
    return np.asarray(np.clip(residual / others, -MOST, MOST))


def _together(parts: Mapping[tuple[int, int], Array], down: int, across: int) -> Array:
    """Sums of products with the pixel so far away, (n, 4): all of them, and the three differences."""
    sums = []
    for (row, column), one in parts.items():
        other = parts[(row + down) % 2, (column + across) % 2]
        here, there = _overlap(one.shape[1:], other.shape[1:], ((row + down) // 2, (column + across) // 2))
        sums.append(np.einsum("nij,nij->n", one[:, here[0], here[1]], other[:, there[0], there[1]]))
    return np.asarray(np.column_stack(sums) @ SIGNS)


def _overlap(
    one: tuple[int, ...], other: tuple[int, ...], moved: tuple[int, int]
) -> tuple[list[slice], list[slice]]:
    """Where two planes (h, w) lie over one another when the first is moved over the second."""
    here, there = [], []
    for length, beside, step in zip(one, other, moved, strict=True):
        start, stop = max(0, -step), min(length, beside - step)
        here.append(slice(start, stop))
        there.append(slice(start + step, stop + step))
    return here, there


def _differences(grey: Array, around: int) -> list[float]:
    """Of each line filter along its direction, across it and of its checkerboard; of squares both as one."""
    found: list[float] = []
    for line in LINES:
        weights = np.asarray([line], np.int32)
        upright = [part.T for part in _by_phase(grey, weights.T, around)]
        for level, other in zip(_by_phase(grey, weights, around), upright, strict=True):
            found += [one + two for one, two in zip(_contrasts(level), _contrasts(other), strict=True)]
    for square in SQUARES:
        for part in _by_phase(grey, np.asarray(square, np.int32), around):
            down, across, checks = _contrasts(part)
            found += [down + across, checks]
    return found


def _by_phase(grey: Array, weights: Array, around: int) -> tuple[Array, Array]:
    """Of even and odd rows and columns, (2, 2): mean residual beside others, and share of places without."""
    sized, means = beside_others(filtered(grey, weights), weights, around, 1.0)
    none = sized == 0
    return means, np.asarray([[none[down::2, across::2].mean() for across in (0, 1)] for down in (0, 1)])


def _contrasts(part: Array) -> tuple[float, float, float]:
    """Differences of rows, of columns, and of the checkerboard; without sign, so that shifts change none."""
    (one, two), (three, four) = part
    return abs(one + two - three - four), abs(one - two + three - four), abs(one - two - three + four)
