"""Whether one generator was taken for two because some of its pictures lie another way.

A generator's filters are the same along no two directions. That is worth a block of a fingerprint, but a
picture that was mirrored, turned or cut at an odd place looks there as if another generator had made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np

from whorl.clusters import LEAST
from whorl.kernels.differences import half_plane
from whorl.records import Array

DIRECTED = "upsampling.neighbours"  # the step whose numbers change when a picture is turned
TELLING = 6.0  # times that two groups must differ more than by chance, for this to be asked
ALIKE = 0.12  # of the difference of two groups, what may be left once one of them is turned


class Way(NamedTuple):
    """How a picture may lie: mirrored, then turned over its diagonal, then moved by a pixel (-1: it is)."""

    mirrored_down: int = 1
    mirrored_across: int = 1
    over_diagonal: bool = False
    moved_down: int = 1
    moved_across: int = 1


WAYS = [Way(*way) for way in product((1, -1), (1, -1), (False, True), (1, -1), (1, -1))][1:]  # but as it lies


def directed(steps: Sequence[str]) -> tuple[int, ...]:
    """The places of `DIRECTED` among the steps of a fingerprint."""
    return tuple(place for place, step in enumerate(steps) if step == DIRECTED)


def turned_copies(table: Array, labels: Array) -> bool:
    """Whether one group looks like another one mirrored, turned or moved by one pixel; `DIRECTED` (n, d).

    Groups of fewer pictures than make a generator are not asked.
    """
    planes = _planes(table)
    names, sizes = np.unique(labels, return_counts=True)
    groups = [planes[labels == name] for name in names[sizes >= LEAST]]
    if len(groups) < 2:
        return False
    means = [group.mean(axis=0, keepdims=True) for group in groups]
    within = sum(((group - mean) ** 2).sum(axis=0) for group, mean in zip(groups, means, strict=True))
    spread = np.maximum(within / (sum(map(len, groups)) - len(groups)), 1e-12)
    used = planes.any(axis=0)

    def apart(one: Array, other: Array) -> float:
        return float((((one - other) ** 2)[0] / spread)[used].sum())

    for (one, few), (other, many) in combinations(zip(means, map(len, groups), strict=True), 2):
        chance = float(used.sum()) * (1 / few + 1 / many)
        own = apart(one, other)
        if own > TELLING * chance:
            turned = min(apart(_lying(one, way), other) for way in WAYS)
            if turned - chance < ALIKE * (own - chance):
                return True
    return False


def _planes(table: Array) -> Array:
    """For every step over the plane the correlation and its three differences; (n, 4, side, side)."""
    full = np.insert(table, 0, 0.0, axis=1).reshape(len(table), -1, 4)
    reach = int(np.sqrt(full.shape[1] / 2))
    planes = np.zeros((len(table), 4, 2 * reach + 1, 2 * reach + 1))
    for place, (down, across) in enumerate(half_plane(reach)):
        # Seen from the other end of a step to an odd row, even rows are the odd ones.
        odd = np.array([1, (-1) ** down, (-1) ** across, (-1) ** (down + across)])
        planes[:, :, reach - down, reach - across] = full[:, place] * odd
        planes[:, :, reach + down, reach + across] = full[:, place]
    return planes


def _lying(planes: Array, way: Way) -> Array:
    """The same of pictures that lie another way."""
    seen = planes[:, :, :: way.mirrored_down, :: way.mirrored_across]
    if way.over_diagonal:
        seen = seen[:, [0, 2, 1, 3]].swapaxes(2, 3)
    signs = np.array([1, way.moved_down, way.moved_across, way.moved_down * way.moved_across])
    return np.asarray(seen * signs[:, None, None])
