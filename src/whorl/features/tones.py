"""Features of tones: how neighbouring pixels differ, apart for dark, grey and bright places.

A generator does not treat all tones alike: more of its noise comes through here than there. How much of a
picture is bright is its content; how its bright places are made is not.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from whorl.records import Array, BadInput, Floats

VERSION = 1
TONES = (5, 25, 45, 65, 90, 115, 140, 170, 210)  # grey levels, each with the places nearest to it
AROUND = 7  # the tone of a place is the mean of AROUND × AROUND pixels
UNIT = 256  # a place counts between the two nearest tones, in whole parts
MARGIN = 5  # pixels at each side that are no middle of a difference
LEAST = 2 * MARGIN + 6
PRIOR = 0.02  # of a tone's fair share of places: so much the whole picture counts where a tone is rare
SMALL = 0.05  # grey levels below which no difference is told from none


def differences(images: Array) -> Floats:
    """Mean size and lean of differences at 9 tones, blind to flips and turns.

    (n, h, w) -> (n, 162): for 9 second differences the logarithm of their mean size at every tone, then how
    far they lean to one sign there. They are cut off, so that edges do not decide.
    """
    if min(images.shape[1:]) < LEAST:
        raise BadInput(f"tones.differences needs pictures of {LEAST} pixels or more: give --size {LEAST}")
    return np.asarray([_described(np.rint(image).astype(np.int32)) for image in images], np.float32)


def _described(grey: Array) -> Array:
    """Sizes and leans of one picture, (162,)."""
    lower, weight = _places(grey)
    filters, rooms = _filters(), np.zeros((2, lower.shape[1]), np.int32)
    sums = np.zeros((len(filters), 2, 2, len(TONES)), np.int64)
    for (ways, most), found in zip(filters, sums, strict=True):
        _kernel()(grey, ways, most, MARGIN, lower, weight, rooms, found)
    held = _shared(
        np.bincount(lower.ravel(), minlength=len(TONES)),
        np.bincount(lower.ravel(), weight.ravel(), len(TONES)),
    )
    means = (
        _shared(sums[:, :, 0], sums[:, :, 1]) / np.asarray([len(ways) for ways, _ in filters])[:, None, None]
    )
    prior = PRIOR * held.mean()
    size = (means[:, 0] + prior * means[:, 0].sum(1, keepdims=True) / held.sum()) / (held + prior) + SMALL
    return np.concatenate([np.log(size), means[:, 1] / (held + prior) / size], axis=1).ravel()


def _shared(whole: Array, towards: Array) -> Array:
    """Sums by tone (..., tones) of what lies between two: a part at the tone below, a part at the next."""
    part = towards / UNIT
    return np.asarray(whole - part + np.roll(part, 1, axis=-1))


def _places(grey: Array) -> tuple[Array, Array]:
    """For every middle of a difference the tone below its own, and how far it lies towards the next one."""
    summed = np.pad(grey.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = summed[AROUND:, AROUND:] - summed[:-AROUND, AROUND:]
    boxes += summed[:-AROUND, :-AROUND] - summed[AROUND:, :-AROUND]
    edge = MARGIN - AROUND // 2
    lower, weight = _table()
    inner = np.minimum(boxes[edge : boxes.shape[0] - edge, edge : boxes.shape[1] - edge], len(lower) - 1)
    return lower[inner], weight[inner]


@cache
def _table() -> tuple[Array, Array]:
    """Tones by the sum of a window, once for all."""
    where = np.interp(np.arange(255 * AROUND**2 + 1) / AROUND**2, TONES, np.arange(len(TONES)))
    lower = np.minimum(where.astype(np.int64), len(TONES) - 2)
    return lower, np.rint((where - lower) * UNIT).astype(np.int64)


@cache
def _filters() -> tuple[tuple[Array, int], ...]:
    """Second differences in all directions alike, (ways, 2), and the size at which each is cut off."""
    found = []
    for (down, across), most in (
        *(((0, far), 6 + 4 * far) for far in (1, 2, 3, 4)),
        *(((far, far), most) for far, most in ((1, 12), (2, 18), (3, 22))),
        *(((1, far), most) for far, most in ((2, 16), (3, 20))),
    ):
        ways = {(down, across), (across, down), (down, -across), (across, -down)}
        found.append((np.asarray(sorted({max(way, (-way[0], -way[1])) for way in ways}), np.int32), most))
    return tuple(found)


@cache
def _kernel() -> Any:
    """Compile on first use: importing numba takes longer than most commands."""
    from whorl.kernels.compiling import compiled

    return compiled(_summed)


def _summed(
    grey: Array, ways: Array, most: int, margin: int, lower: Array, weight: Array, rooms: Array, found: Array
) -> None:
    """Add to `found` (2, 2, tones) sizes and values of a difference in all `ways`, cut off at `most`.

    By the tone below each place: as they are, and by how far the place lies towards the next. `rooms` are
    two rows as wide as `lower`.
    """
    rows, columns = lower.shape
    sizes, values = rooms[0], rooms[1]
    for y in range(rows):
        for x in range(columns):
            sizes[x] = values[x] = 0
        for way in range(ways.shape[0]):
            one, two = grey[y + margin + ways[way, 0]], grey[y + margin - ways[way, 0]]
            middle, step = grey[y + margin], ways[way, 1]
            for x in range(columns):
                place = x + margin
                value = one[place + step] + two[place - step] - 2 * middle[place]
                value = min(max(value, -most), most)
                sizes[x] += abs(value)
                values[x] += value
        for x in range(columns):
            tone = lower[y, x]
            found[0, 0, tone] += sizes[x]
            found[0, 1, tone] += weight[y, x] * sizes[x]
            found[1, 0, tone] += values[x]
            found[1, 1, tone] += weight[y, x] * values[x]
