"""The number of generators is told: mend a division whose cuts lie at the wrong places.

Cuts from the top down never look back. One generator whose pictures vary much may have been cut while two
like generators stayed together; then those are worth more apart, in coordinates of their own, than it is.
Worth is what two groups gain in likelihood over one bell: n / 2 · log(1 + share · (1 - share) · gap²), with
the gap in spreads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from whorl.clusters import LEAST, Bag, Part, in_two, labels_of, places
from whorl.compare import Progress, silent
from whorl.records import Array
from whorl.separations import spreads_apart

ROUNDS = 8  # times that two groups are joined and another is cut instead
MARGIN = 1.05  # how much more a cut must be worth than the one that it replaces
TRIED = 3  # of the least worthy pairs and of the worthiest cuts
PAIRS = 10  # looked at in coordinates of their own, after a look at all in those of the bag
LOOKED_AT = 150  # pictures of a group that worth is measured on
PASSES = 2
FOLDS = 5


def regrouped(bag: Bag, parts: list[Part], seed: int, progress: Progress = silent) -> Array:
    """Labels (n,) of the same number of groups, cut where pictures are worth most apart."""
    labels = labels_of(parts, len(bag))
    if len(parts) == 1:
        return labels
    search = Search(bag, places(bag), seed)
    if not _varied(search.where):
        return labels
    seen = {labels.tobytes()}
    for done in range(ROUNDS if len(parts) > 2 else 0):
        progress("mending", done, ROUNDS)
        moved = next((one for one in search.moves(labels) if one.tobytes() not in seen), None)
        if moved is None:
            break
        seen.add(moved.tobytes())
        labels = moved
    progress("mending", ROUNDS, ROUNDS)
    for _ in range(PASSES):
        labels = search.settled(labels)
    return renumbered(labels)


def renumbered(labels: Array) -> Array:
    """The same groups, numbered from the largest, equal ones by their first picture."""
    names, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    return np.asarray(np.argsort(order)[np.searchsorted(names, labels)], np.int64)


@dataclass(frozen=True, eq=False)
class Search:
    """A bag, coordinates of all its pictures (n, c), and what groups and pairs were found to be worth."""

    bag: Bag
    where: Array
    seed: int
    known: dict[bytes, tuple[float, Array]] = field(default_factory=dict)

    def moves(self, labels: Array) -> Iterator[Array]:
        """Labels with one pair joined and another group cut, the most promising first."""
        rows = {name: np.flatnonzero(labels == name) for name in np.unique(labels)}
        joins = self._joins(labels)
        cuts = sorted(((self._cut(rows[name]), name) for name in rows), key=lambda one: -one[0][0])
        for kept, one, two in joins[:TRIED]:
            for (gained, side), name in cuts[:TRIED]:
                if name in (one, two) or gained <= MARGIN * kept:
                    continue
                moved = labels.copy()
                moved[rows[two]] = one
                moved[rows[name][side]] = two
                yield renumbered(self._agreed(moved))

    def settled(self, labels: Array) -> Array:
        """Give every picture of two near groups the one that a classifier in their own coordinates names."""
        for _, one, two in self._joins(labels):
            rows = np.flatnonzero((labels == one) | (labels == two))
            second = labels[rows] == two
            where = places(self.bag.some(rows))
            if min(second.sum(), (~second).sum()) < LEAST or not _varied(where):
                continue
            again = _cross_named(where, second.astype(np.int64), self.seed) == 1
            if min(again.sum(), (~again).sum()) >= LEAST:
                labels = labels.copy()
                labels[rows] = np.where(again, two, one)
        return labels

    def _joins(self, labels: Array) -> list[tuple[float, int, int]]:
        """The pairs of groups that might be one and what they are worth apart, the least first."""
        rows = {int(name): np.flatnonzero(labels == name) for name in np.unique(labels)}
        first = [
            (_plainly_worth(self.where[rows[one]], self.where[rows[two]]), one, two)
            for one, two in combinations(rows, 2)
        ]
        near = sorted(first)[:PAIRS]
        return sorted((self._joint(rows[one], rows[two]), one, two) for _, one, two in near)

    def _joint(self, one: Array, two: Array) -> float:
        """What is lost if two groups become one."""
        key = one.tobytes() + b"|" + two.tobytes()
        if key not in self.known:
            some = [_spaced(rows) for rows in (one, two)]
            second = np.repeat([False, True], [len(rows) for rows in some])
            gap = 0.0
            where = places(self.bag.some(np.concatenate(some)))
            if min(map(len, some)) >= LEAST and _varied(where):
                gap = spreads_apart(where, second, self.seed)
            self.known[key] = worth(len(one), len(two), gap), second
        return self.known[key][0]

    def _cut(self, rows: Array) -> tuple[float, Array]:
        """What is gained if a group becomes two, and which of its pictures are the second, (n,) of bool."""
        key = rows.tobytes()
        if key not in self.known:
            self.known[key] = self._halved(rows)
        return self.known[key]

    def _halved(self, rows: Array) -> tuple[float, Array]:
        nothing = 0.0, np.zeros(len(rows), np.bool_)
        if len(rows) < 2 * LEAST:
            return nothing
        where = places(self.bag.some(rows))
        if not _varied(where):
            return nothing
        second = in_two(where)
        if second.sum() < LEAST:
            return nothing
        order = np.random.default_rng([self.seed, len(rows)]).permutation(len(rows))
        halves = order[: len(rows) // 2], order[len(rows) // 2 :]
        gaps = [_seen_apart(where[shown], where[held]) for shown, held in (halves, halves[::-1])]
        return worth(int(second.sum()), int((~second).sum()), float(np.mean(gaps))), second

    def _agreed(self, labels: Array) -> Array:
        """Give every picture the group that a classifier of all groups names, if every group remains."""
        for _ in range(PASSES):
            again = _cross_named(self.where, labels, self.seed)
            if np.bincount(again, minlength=int(labels.max()) + 1)[np.unique(labels)].min() < LEAST:
                break
            labels = again
        return labels


def worth(one: int, two: int, gap: float) -> float:
    """Log-likelihood that two bells gain over one, for so many pictures in each and so many spreads."""
    count = one + two
    return float(count / 2 * np.log1p(one * two / count**2 * gap**2))


def _varied(where: Array) -> bool:
    """Whether pictures differ enough for a classifier."""
    return len(np.unique(where.round(9), axis=0)) > LEAST


def _plainly_worth(one: Array, two: Array) -> float:
    """What two groups are worth along the line through their means."""
    line = two.mean(axis=0) - one.mean(axis=0)
    spread = np.sqrt(((one @ line).var() + (two @ line).var()) / 2)
    return worth(len(one), len(two), float(line @ line) / max(float(spread), 1e-12))


def _spaced(rows: Array) -> Array:
    """Some pictures of a group, evenly taken."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).round().astype(np.int64))]


def _seen_apart(shown: Array, held: Array) -> float:
    """Spreads between the two groups of held-out pictures, along the direction that divides others."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    groups = in_two(shown)
    if groups.sum() < LEAST // 3:
        return 0.0
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(shown, groups)
    along = np.asarray(model.decision_function(held))
    one, two = along[along > 0], along[along <= 0]
    if min(len(one), len(two)) < LEAST // 3:
        return 0.0
    return float((one.mean() - two.mean()) / max(float(np.sqrt((one.var() + two.var()) / 2)), 1e-12))


def _cross_named(where: Array, labels: Array, seed: int) -> Array:
    """The group of every picture for a classifier that never saw it; all groups are as likely before."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold

    names, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < FOLDS:
        return labels
    again = np.empty_like(labels)
    equal = np.full(len(names), 1 / len(names))
    for shown, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(where, labels):
        model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", priors=equal)
        again[held] = model.fit(where[shown], labels[shown]).predict(where[held])
    return again
