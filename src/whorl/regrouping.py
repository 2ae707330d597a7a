"""The number of generators is told: mend a division whose cuts lie at the wrong places.

Cuts from the top down never look back. One generator whose pictures vary much may have been cut while two
like generators stayed together. So groups are fitted to all pictures at once (`whorl.mixtures`), with what
pictures show beside the point; and as long as it makes the pictures likelier, two groups are joined and
another is cut instead, or two like groups are cut anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from whorl.clusters import LEAST, SIGNIFICANT, Bag, Part, humps, in_two, joined, labels_of, levelled, places
from whorl.compare import Progress, silent
from whorl.mixtures import STEPS, Fit, fitted, straightened
from whorl.records import Array
from whorl.separations import spreads_apart

COMPONENTS = 60  # that groups are looked for in
ALL = 160  # that pictures are named in at last
PAIR = 40  # of two groups alone
FOR_EACH = 8  # pictures for every component, at least
ROUNDS = 8  # times that groups are cut elsewhere
PAIRS = 30  # the likest, cut anew
JOINED = 3  # the likest, joined while another is cut
MARGIN = 1.05  # how much more that cut must be worth than the two apart, for pictures that it had not seen
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
    search = Search(bag.some(some), seed)
    found = search.found(labels[some], progress)
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


class Search:
    """The likeliest division of a bag, from one on."""

    def __init__(self, bag: Bag, seed: int) -> None:
        self.bag, self.seed = bag, seed
        self.where = _coordinates(bag, COMPONENTS)
        self.cuts: dict[bytes, list[Array]] = {}
        self.known: dict[bytes, float] = {}

    def found(self, labels: Array, progress: Progress) -> Array:
        """Labels (n,) that no join, cut or new cut makes likelier."""
        best, likelihood = labels, -np.inf
        begun = self._tried(labels)
        if begun.smallest >= LEAST:
            best, likelihood = begun.labels, begun.likelihood
        seen: set[bytes] = set()
        for done in range(ROUNDS):
            progress("mending", done, ROUNDS)
            moves = [one for one in self.moves(best) if one.tobytes() not in seen]
            seen.update(one.tobytes() for one in moves)
            glimpsed = [self._tried(one, GLIMPSE) for one in moves]
            able = [one for one in glimpsed if one.smallest >= LEAST]
            if not able:
                break
            again = self._tried(max(able, key=lambda one: one.likelihood).labels)
            if again.smallest < LEAST or again.likelihood <= likelihood + GAINED:
                break
            best, likelihood = again.labels, again.likelihood
        progress("mending", ROUNDS, ROUNDS)
        return best

    def evident(self, labels: Array) -> bool:
        """Whether the two groups least alike are two once what is shown is left out, for pictures held out.

        If not, generators differ in what they show, and it is not beside the point.
        """
        one, two = self._likest(labels)[-1]
        rows = np.flatnonzero((labels == one) | (labels == two))
        straight = straightened(
            self.where[rows], self.bag.beside[rows], (labels[rows] == two).astype(np.int64)
        )
        return humps(levelled(straight), self.seed)[0] <= SIGNIFICANT

    def _tried(self, labels: Array, steps: int = STEPS) -> Fit:
        return fitted(self.where, self.bag.beside, labels, steps)

    def moves(self, labels: Array) -> Iterator[Array]:
        """Other labels (n,): like groups cut anew, or joined with another one cut instead."""
        rows = [np.flatnonzero(labels == group) for group in range(int(labels.max()) + 1)]
        like = self._likest(labels)
        for one, two in like[:PAIRS]:
            both = np.sort(np.concatenate([rows[one], rows[two]]))
            for second in self._cut(both):
                moved = labels.copy()
                moved[both] = np.where(second, one, two)
                yield moved
        for one, two in like[:JOINED]:
            kept = self._joint(rows[one], rows[two]) * MARGIN
            for group, own in enumerate(rows):
                for second in self._cut(own) if group not in (one, two) else []:
                    if self._worth(own) < kept:
                        continue
                    moved = labels.copy()
                    moved[rows[two]] = one
                    moved[own[second]] = two
                    yield moved

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

    def _joint(self, one: Array, two: Array) -> float:
        """What is lost if two groups become one."""
        key = one.tobytes() + b"|" + two.tobytes()
        if key not in self.known:
            some = [_spaced(rows) for rows in (one, two)]
            second = np.repeat([False, True], [len(rows) for rows in some])
            where = places(self.bag.some(np.concatenate(some)))
            gap = spreads_apart(where, second, self.seed) if _varied(where) else 0.0
            self.known[key] = worth(len(one), len(two), gap)
        return self.known[key]

    def _worth(self, rows: Array) -> float:
        """What is gained if a group becomes two, where pictures are judged that the cut had not seen."""
        key = rows.tobytes()
        if key not in self.known:
            self.known[key] = self._halved(rows) if len(rows) >= 2 * LEAST else 0.0
        return self.known[key]

    def _halved(self, rows: Array) -> float:
        where = places(self.bag.some(rows))
        if not _varied(where):
            return 0.0
        second = in_two(where)
        order = np.random.default_rng([self.seed, len(rows)]).permutation(len(rows))
        halves = order[: len(rows) // 2], order[len(rows) // 2 :]
        gaps = [_seen_apart(where[shown], where[held]) for shown, held in (halves, halves[::-1])]
        return worth(int(second.sum()), int((~second).sum()), float(np.mean(gaps)))

    def _cut(self, rows: Array) -> list[Array]:
        """Ways to make two groups of some pictures, in coordinates of their own; (m,) of bool."""
        key = rows.tobytes()
        if key not in self.cuts:
            self.cuts[key] = list(self._cut_anew(rows)) if len(rows) >= 2 * LEAST else []
        return self.cuts[key]

    def _cut_anew(self, rows: Array) -> Iterator[Array]:
        bag = self.bag.some(rows)
        where = _coordinates(bag, PAIR)
        if not _varied(where):
            return
        yield in_two(places(bag))
        straight = straightened(where, bag.beside, np.zeros(len(rows), np.int64))
        begun = in_two(levelled(straight)).astype(np.int64)
        yield fitted(straight, bag.beside, begun).labels == 1


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
