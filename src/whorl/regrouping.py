"""The number of generators is told: mend a division whose cuts lie at the wrong places.

Cuts from the top down never look back. One generator whose pictures vary much may have been cut while two
like generators stayed together. So groups are fitted to all pictures at once (`whorl.mixtures`), with what
pictures show beside the point; and as long as it makes the pictures likelier, two groups are joined and
another is cut instead, or two like groups are cut anew. Where a cut is worth clearly more for held-out
pictures than what it replaces, that decides: two odd halves of one generator can be likelier than two alike.
At last pictures are named between two groups at a time (`whorl.renaming`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from whorl.clusters import (
    COORDINATES,
    LEAST,
    SIGNIFICANT,
    Bag,
    Part,
    coordinates,
    joined,
    labels_of,
    levelled,
)
from whorl.compare import Progress, silent
from whorl.cuts import GAINED, GLIMPSE, LOOKED_AT, Cuts, varied
from whorl.evidence.modes import one_hump_p
from whorl.mixtures import STEPS, Fit, fitted, likest, straightened
from whorl.records import Array
from whorl.renaming import ALL, renamed
from whorl.separations import judged

ROUNDS = 10  # times that groups are cut elsewhere
PAIRS = 30  # the likest, cut anew
JOINED = 3  # the likest, joined while another is cut
MARGIN = 1.05  # how many times that cut must be worth what the two are apart, for pictures held out
CLEAR = 1.5  # the same, where the cut is made though all pictures together become no likelier


def regrouped(bag: Bag, parts: list[Part], seed: int, progress: Progress = silent) -> Array:
    """Labels (n,) of the same number of groups, cut where pictures are likeliest, the largest first."""
    labels = labels_of(parts, len(bag))
    if len(parts) == 1 or not varied(joined(bag)):
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
    final = fitted(coordinates(bag, ALL), bag.beside, begun)
    if final.smallest >= LEAST:
        return renumbered(renamed(bag, final.labels, seed, progress))
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
        self.where = coordinates(bag, COORDINATES)
        self.cuts = Cuts(bag, seed)
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
        one, two = likest(self.where, self.bag.beside, labels)[-1]
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
        like = likest(self.where, self.bag.beside, labels)[:PAIRS]
        for place, (one, two) in enumerate(like):
            self.progress("mending", done * len(like) + place, ROUNDS * len(like))
            kept = max(self.cuts.apart(rows[one], rows[two]), 1e-9)
            both = np.sort(np.concatenate([rows[one], rows[two]]))
            for second in self.cuts.of(both):
                gained = self.cuts.apart(both[~second], both[second]) / kept
                if gained >= 1 / CLEAR:
                    moved = labels.copy()
                    moved[both] = np.where(second, one, two)
                    yield Move(moved, gained)
            for group, own in enumerate(rows) if place < JOINED else []:
                for second in self.cuts.of(own) if group not in (one, two) else []:
                    gained = self.cuts.apart(own[~second], own[second]) / kept
                    if gained >= MARGIN:
                        moved = labels.copy()
                        moved[rows[two]] = one
                        moved[own[second]] = two
                        yield Move(moved, gained)
