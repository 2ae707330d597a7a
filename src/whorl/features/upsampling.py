"""Features of upsampling: what doubling a picture leaves in every second row and column.

A generator that doubles its pictures makes even and odd rows in different ways, and no content does. Each
residual is looked at beside those around it, so that a few strong edges do not decide.
"""

from __future__ import annotations

import numpy as np

from whorl.kernels.differences import LINES, SQUARES, beside_others, filtered
from whorl.records import Array, BadInput, Count, Floats

VERSION = 1
LEAST = 16  # pixels of a side
SMALL = 0.01  # difference below which none is told from none


def phases(images: Array, around: Count = 9) -> Floats:
    """How much residuals of even and odd rows and columns differ, blind to flips, turns and shifts.

    (n, h, w) -> (n, 26): for every filter the logarithm of how much rows, columns and their checkerboard
    differ in the mean residual, beside `around` × `around` places about it, and in the share without any.
    """
    if around % 2 == 0:
        raise BadInput(f"upsampling.phases: around {around}: give an odd number")
    if min(images.shape[1:]) < LEAST:
        raise BadInput(f"upsampling.phases needs pictures of {LEAST} pixels or more: give --size {LEAST}")
    table = np.asarray([_differences(np.rint(image).astype(np.int32), around) for image in images])
    return np.log(table.reshape(len(images), -1) + SMALL).astype(np.float32)


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
