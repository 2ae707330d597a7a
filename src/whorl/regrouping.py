"""The number of generators is told: mend a division whose cuts lie at the wrong places.

Cuts from the top down never look back. One generator whose pictures vary much may have been cut while two
like generators stayed together. So groups are fitted to all pictures at once (`whorl.mixtures`), with what
pictures show beside the point; and as long as it makes the pictures likelier, two groups are joined and
another is cut instead, or two like groups are cut anew. Where a cut is worth clearly more for held-out
pictures than what it replaces, that decides: two odd halves of one generator can be likelier than two alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from whorl.clusters import LEAST, SIGNIFICANT, Bag, Part, in_two, joined, labels_of, levelled
from whorl.compare import Progress, silent
from whorl.evidence.modes import one_hump_p
from whorl.mixtures import STEPS, Fit, fitted, straightened
from whorl.records import Array
from whorl.separations import judged, spreads_apart

COMPONENTS = 60  # that groups are looked for in
ALL = 160  # that pictures are named in at last
PAIR = 40  # that two groups alone are cut in
WORTH = 24  # that it is judged in how far two groups lie apart
FOR_EACH = 8  # pictures for every component, at least
BEGINNINGS = 12  # coordinates along which a cut is begun
NARROW = 20  # coordinates in which beginnings are compared
CUTS = 2  # ways to cut the same pictures, the likeliest
SAME = 0.98  # share of pictures that two ways have in common if they are one
ROUNDS = 10  # times that groups are cut elsewhere
PAIRS = 30  # the likest, cut anew
JOINED = 3  # the likest, joined while another is cut
MARGIN = 1.05  # how many times that cut must be worth what the two are apart, for pictures held out
CLEAR = 1.5  # the same, where the cut is made though all pictures together become no likelier
GLIMPSE = 12  # steps after which a proposal is judged
GAINED = 5.0  # log-likelihood that a change must add
LOOKED_AT = 3000  # pictures that proposals are judged on
MEASURED = 150  # pictures of a group that worth is measured on


def regrouped(bag: Bag, parts: list[Part], seed: int, progress: Progress = silent) -> Array:
    """Labels (n,) of the same number of groups, cut where pictures are likeliest, the largest first."""
    labels = labels_of(parts, len(bag))
    if len(parts) == 1 or not _varied(joined(bag)):
        return labels
    some = np.sort(np.random.default_rng([seed, len(bag)]).permutation(len(bag))[:LOOKED_AT])
    if np.bincount(labels[some], minlength=len(parts)).min() < LEAST:
        return labels
    search = Search(bag.some(some), seed, progress)
    found = search.found(labels[some])
    if bag.shown is not None and not search.evident(found):
        return regrouped(replace(bag, shown=None), parts, seed, progress)
    begun = np.full(len(bag), -1)
    begun[some] = found
    final = fitted(_coordinates(bag, ALL), bag.beside, begun)
    if final.smallest >= LEAST:
        return renumbered(final.labels)
    return renumbered(found) if len(some) == len(bag) else labels


def renumbered(labels: Array) -> Array:
    """The same groups, numbered from the largest, equal ones by their first picture."""
    names, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    return np.asarray(np.argsort(order)[np.searchsorted(names, labels)], np.int64)


@dataclass(frozen=True, eq=False)
class Move:
    """Other labels (n,), how many times a cut is worth what it replaces, and the likelihood, once known.

    Worth is judged on pictures held out.
    """

    labels: Array
    gained: float
    likelihood: float = -np.inf


class Search:
    """The best division of a bag, from one on."""

    def __init__(self, bag: Bag, seed: int, progress: Progress = silent) -> None:
        self.bag, self.seed, self.progress = bag, seed, progress
        self.where = _coordinates(bag, COMPONENTS)
        self.cuts: dict[bytes, list[Array]] = {}
        self.coordinates: dict[bytes, Array] = {}
        self.known: dict[bytes, float] = {}
        self.glimpses: dict[bytes, tuple[Array, float]] = {}
        self.taken: set[bytes] = set()

    def found(self, labels: Array) -> Array:
        """Labels (n,) that no new cut, and no join with a cut elsewhere, makes better."""
        best, likelihood = labels, -np.inf
        begun = self._tried(labels)
        if begun.smallest >= LEAST:
            best, likelihood = begun.labels, begun.likelihood
        for done in range(ROUNDS):
            better = self._better(best, likelihood, done)
            if better is None:
                break
            best, likelihood = better.labels, better.likelihood
        self.progress("mending", ROUNDS, ROUNDS)
        return best

    def _better(self, labels: Array, likelihood: float, done: int) -> Fit | None:
        """The likeliest division one move on; if it is no likelier, one that is worth clearly more."""
        able = [one for one in map(self._glimpsed, self.moves(labels, done)) if one.likelihood > -np.inf]
        if not able:
            return None
        again = self._tried(max(able, key=lambda one: one.likelihood).labels)
        if again.smallest >= LEAST and again.likelihood > likelihood + GAINED:
            return again
        clear = [one for one in able if one.gained >= CLEAR and one.labels.tobytes() not in self.taken]
        if not clear:
            return None
        most = max(clear, key=lambda one: one.gained).labels
        self.taken.add(most.tobytes())
        again = self._tried(most)
        return again if again.smallest >= LEAST else None

    def _glimpsed(self, move: Move) -> Move:
        """Where a move leads to after some steps, and how likely that is."""
        key = move.labels.tobytes()
        if key not in self.glimpses:
            fit = self._tried(move.labels, GLIMPSE)
            self.glimpses[key] = fit.labels, fit.likelihood if fit.smallest >= LEAST else -np.inf
        return Move(self.glimpses[key][0], move.gained, self.glimpses[key][1])

    def evident(self, labels: Array) -> bool:
        """Whether the two groups least alike are two once what is shown is left out, for pictures held out.

        If not, generators differ in what they show, and it is not beside the point.
        """
        one, two = self._likest(labels)[-1]
        rows = np.flatnonzero((labels == one) | (labels == two))
        second = labels[rows] == two
        straight = straightened(self.where[rows], self.bag.beside[rows], second.astype(np.int64))
        sides = judged(levelled(straight), second, self.seed)
        return bool(np.median([one_hump_p(np.concatenate(pair), self.seed) for pair in sides]) <= SIGNIFICANT)

    def _tried(self, labels: Array, steps: int = STEPS) -> Fit:
        return fitted(self.where, self.bag.beside, labels, steps)

    def moves(self, labels: Array, done: int = 0) -> Iterator[Move]:
        """Like groups cut anew, or joined with another one cut instead: what makes nothing clearly worse."""
        rows = [np.flatnonzero(labels == group) for group in range(int(labels.max()) + 1)]
        like = self._likest(labels)[:PAIRS]
        for place, (one, two) in enumerate(like):
            self.progress("mending", done * len(like) + place, ROUNDS * len(like))
            kept = max(self._apart(rows[one], rows[two]), 1e-9)
            both = np.sort(np.concatenate([rows[one], rows[two]]))
            for second in self._cut(both):
                gained = self._apart(both[~second], both[second]) / kept
                if gained >= 1 / CLEAR:
                    moved = labels.copy()
                    moved[both] = np.where(second, one, two)
                    yield Move(moved, gained)
            for group, own in enumerate(rows) if place < JOINED else []:
                for second in self._cut(own) if group not in (one, two) else []:
                    gained = self._apart(own[~second], own[second]) / kept
                    if gained >= MARGIN:
                        moved = labels.copy()
                        moved[rows[two]] = one
                        moved[own[second]] = two
                        yield Move(moved, gained)

    def _likest(self, labels: Array) -> list[tuple[int, int]]:
        """Pairs of groups, first those that would lose the least as one."""
        straight = straightened(self.where, self.bag.beside, labels)
        sizes = np.bincount(labels)
        means = np.stack([straight[labels == group].mean(axis=0) for group in range(len(sizes))])
        apart = straight - means[labels]
        spread = apart.T @ apart / len(labels)
        spread += (1e-3 * np.trace(spread) / len(spread) + 1e-12) * np.eye(len(spread))
        turned = means @ np.linalg.inv(np.linalg.cholesky(spread)).T

        def lost(one: int, two: int) -> float:
            gap = float(((turned[one] - turned[two]) ** 2).sum())
            return float(sizes[one] * sizes[two] / (sizes[one] + sizes[two]) * np.log1p(gap / 4))

        return sorted(combinations(range(len(sizes)), 2), key=lambda pair: lost(*pair))

    def _apart(self, one: Array, two: Array) -> float:
        """What two groups are worth, against one of them all, for pictures held out."""
        first, other = sorted((one, two), key=lambda rows: int(rows[0]))
        key = first.tobytes() + b"|" + other.tobytes()
        if key not in self.known:
            both = np.sort(np.concatenate([one, two]))
            some = np.concatenate([_spaced(first), _spaced(other)])
            second = np.isin(some, other)
            own = self._own(both)[np.searchsorted(both, some), :WORTH]
            where = levelled(straightened(own, self.bag.beside[some], second.astype(np.int64)))
            gap = spreads_apart(where, second, self.seed) if _varied(where) else 0.0
            self.known[key] = worth(len(one), len(two), gap)
        return self.known[key]

    def _cut(self, rows: Array) -> list[Array]:
        """The likeliest ways to make two groups of some pictures, (m,) of bool."""
        key = rows.tobytes()
        if key not in self.cuts:
            able = len(rows) >= 2 * LEAST and _varied(self._own(rows))
            self.cuts[key] = _cut_in_two(self._own(rows), self.bag.beside[rows]) if able else []
        return self.cuts[key]

    def _own(self, rows: Array) -> Array:
        """Coordinates of some pictures, made for these alone."""
        key = rows.tobytes()
        if key not in self.coordinates:
            self.coordinates[key] = joined(self.bag.some(rows), PAIR).astype(np.float32)
        return self.coordinates[key].astype(np.float64)


def _cut_in_two(where: Array, beside: Array) -> list[Array]:
    """Ways to make two groups of pictures in coordinates of their own, the likeliest first.

    Begun by Ward's groups and in the middle of each main coordinate: from one beginning two like groups are
    rarely found.
    """
    fewer = where[:, : int(np.clip(len(where) // FOR_EACH, 2, PAIR))]
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


def _coordinates(bag: Bag, most: int) -> Array:
    """As many components as the pictures allow."""
    return joined(bag, int(np.clip(len(bag) // FOR_EACH, 2, most)))


def _varied(where: Array) -> bool:
    """Whether pictures differ enough to be divided."""
    return len(np.unique(where.round(9), axis=0)) > LEAST


def worth(one: int, two: int, gap: float) -> float:
    """Log-likelihood that two bells gain over one, for so many pictures in each and so many spreads."""
    count = one + two
    return float(count / 2 * np.log1p(one * two / count**2 * gap**2))


def _spaced(rows: Array) -> Array:
    """Some pictures of a group, evenly taken."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MEASURED)).round().astype(np.int64))]
