"""Cut some pictures in two, in coordinates of their own; what a cut is worth for pictures held out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whorl.clusters import COORDINATES, LEAST, Bag, allowed, in_two, joined, levelled
from whorl.mixtures import Fit, fitted, straightened
from whorl.records import Array
from whorl.separations import spreads_apart

PAIR = 40  # components that pictures are cut in
WORTH = 24  # that it is judged in how far two groups lie apart
BEGINNINGS = 12  # coordinates along which a cut is begun
NARROW = 20  # coordinates in which beginnings are compared
CUTS = 2  # ways to cut the same pictures, the likeliest
SAME = 0.98  # share of pictures that two ways have in common if they are one
GLIMPSE = 12  # steps after which a proposal is judged
GAINED = 5.0  # log-likelihood that a change must add
LOOKED_AT = 3000  # pictures that are cut, at most
MEASURED = 150  # pictures of a group that worth is measured on


class Cuts:
    """Cuts of a bag's pictures, each looked for once."""

    def __init__(self, bag: Bag, seed: int) -> None:
        self.bag, self.seed = bag, seed
        self.found: dict[bytes, list[Array]] = {}
        self.coordinates: dict[bytes, Array] = {}
        self.known: dict[bytes, float] = {}

    def of(self, rows: Array) -> list[Array]:
        """The likeliest ways to make two groups of some pictures, (m,) of bool."""
        key = rows.tobytes()
        if key not in self.found:
            own = self._joined(rows)
            able = 2 * LEAST <= len(rows) <= LOOKED_AT and varied(own)
            self.found[key] = _cut_in_two(own[:, :PAIR], self.bag.beside[rows]) if able else []
        return self.found[key]

    def apart(self, one: Array, two: Array) -> float:
        """What two groups are worth, against one of them all, for pictures held out."""
        first, other = sorted((one, two), key=lambda rows: int(rows[0]))
        key = first.tobytes() + b"|" + other.tobytes()
        if key not in self.known:
            both = np.sort(np.concatenate([one, two]))
            some = np.concatenate([_spaced(first), _spaced(other)])
            second = np.isin(some, other)
            own = self._joined(both)[np.searchsorted(both, some), :WORTH]
            where = levelled(straightened(own, self.bag.beside[some], second.astype(np.int64)))
            gap = spreads_apart(where, second, self.seed) if varied(where) else 0.0
            self.known[key] = worth(len(one), len(two), gap)
        return self.known[key]

    def own(self, rows: Array) -> Array:
        """Coordinates of some pictures, made for these alone: as many as they allow."""
        return self._joined(rows)[:, : allowed(len(rows), COORDINATES)]

    def _joined(self, rows: Array) -> Array:
        key = rows.tobytes()
        if key not in self.coordinates:
            self.coordinates[key] = joined(self.bag.some(rows), COORDINATES).astype(np.float32)
        return self.coordinates[key].astype(np.float64)


def _cut_in_two(where: Array, beside: Array) -> list[Array]:
    """Ways to make two groups of pictures in coordinates of their own, the likeliest first.

    Begun by Ward's groups and in the middle of each main coordinate: from one beginning two like groups are
    rarely found.
    """
    fewer = where[:, : allowed(len(where), PAIR)]
    straight = straightened(fewer, beside, np.zeros(len(where), np.int64))
    level = levelled(straight)
    begun = [in_two(levelled(where[:, :WORTH])), in_two(level)]
    begun += [line > np.median(line) for line in level.T[:BEGINNINGS]]
    glimpsed = [
        fitted(level[:, :NARROW], beside, one.astype(np.int64), GLIMPSE) for one in begun if one.any()
    ]
    found: list[Fit] = []
    for glimpse in _likeliest(glimpsed):
        if len(found) > CUTS:
            break
        if not any(_same(glimpse.labels, other.labels) for other in found):
            found.append(fitted(straight, beside, glimpse.labels))
    return [fit.labels == 1 for fit in _likeliest(found)[:CUTS]]


def _likeliest(fits: Sequence[Fit]) -> list[Fit]:
    """The likeliest first; without those of which a group has next to no pictures."""
    return sorted((fit for fit in fits if fit.smallest >= LEAST), key=lambda fit: -fit.likelihood)


def _same(one: Array, other: Array) -> bool:
    """Whether two ways of making two groups are next to the same, whichever is called first."""
    return abs(float((one == other).mean()) - 0.5) > SAME / 2


def varied(where: Array) -> bool:
    """Whether pictures differ enough to be divided."""
    return len(np.unique(where.round(9), axis=0)) > LEAST


def worth(one: int, two: int, gap: float) -> float:
    """Log-likelihood that two bells gain over one, for so many pictures in each and so many spreads."""
    count = one + two
    return float(count / 2 * np.log1p(one * two / count**2 * gap**2))


def _spaced(rows: Array) -> Array:
    """Some pictures of a group, evenly taken."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MEASURED)).round().astype(np.int64))]
