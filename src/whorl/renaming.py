"""Name pictures once more, between two groups at a time.

What tells two like groups apart is best seen in coordinates made for their pictures alone. Among those of
all groups it is one difference of many, and a body of odd pictures of one goes to the other. What all groups
together say counts as well: more pictures decide there how those of one generator lie about their mean.
"""

from __future__ import annotations

import numpy as np

from whorl.clusters import COORDINATES, LEAST, Bag, coordinates
from whorl.compare import Progress, silent
from whorl.cuts import GAINED, GLIMPSE, Cuts
from whorl.mixtures import Fit, fitted, likest
from whorl.records import Array

ALL = 160  # components that all groups are fitted in
SHARE = 0.5  # what that fit counts for, beside that of two groups alone
PAIRS = 30  # the likest, looked at
AGAIN = 6  # the likest, cut anew
ROUNDS = 3


def renamed(bag: Bag, labels: Array, seed: int, progress: Progress = silent) -> Array:
    """Labels (n,) of the same groups, each picture named between every two like ones until none moves."""
    cuts, where, wide = Cuts(bag, seed), coordinates(bag, COORDINATES), coordinates(bag, ALL)
    known: set[bytes] = set()  # pairs of groups that are as they were when they were looked at
    for done in range(ROUNDS):
        before, together = labels, fitted(wide, bag.beside, labels, GLIMPSE)
        pairs = likest(where, bag.beside, labels)[:PAIRS]
        for place, (one, two) in enumerate(pairs):
            progress("naming", done * len(pairs) + place, ROUNDS * len(pairs))
            rows = np.flatnonzero((labels == one) | (labels == two))
            second = labels[rows] == two
            key = rows.tobytes() + second.tobytes()
            if key not in known:
                known.add(key)
                said = SHARE * together.odds(one, two)[rows]
                labels = labels.copy()
                labels[rows] = np.where(_between(cuts, rows, second, said, place < AGAIN), two, one)
        if np.array_equal(labels, before):
            break
    progress("naming", 1, 1)
    return labels


def _between(cuts: Cuts, rows: Array, second: Array, said: Array, like: bool) -> Array:
    """Which pictures of `rows` are the second group's, (m,) of bool, if those of `second` seemed to be.

    `said` are odds from elsewhere, a logarithm. Groups that are `like` may be cut elsewhere.
    """
    alone = fitted(cuts.own(rows), cuts.bag.beside[rows], second.astype(np.int64))
    if alone.smallest < LEAST:
        return second
    other = _elsewhere(cuts, rows, alone) if like else None
    if other is not None:
        return other if (other == second).mean() >= 0.5 else ~other
    named = np.asarray(alone.odds(0, 1) + said > 0)
    return named if min(named.sum(), (~named).sum()) >= LEAST else second


def _elsewhere(cuts: Cuts, rows: Array, alone: Fit) -> Array | None:
    """Another cut that is likelier and worth no less for pictures held out, if there is one."""

    def apart(second: Array) -> float:
        return cuts.apart(rows[~second], rows[second])

    best, likelihood, least = None, alone.likelihood + GAINED, apart(alone.labels == 1)
    for begun in cuts.of(rows):
        fit = fitted(cuts.own(rows), cuts.bag.beside[rows], begun.astype(np.int64))
        if fit.smallest >= LEAST and fit.likelihood > likelihood and apart(fit.labels == 1) >= least:
            best, likelihood = fit.labels == 1, fit.likelihood
    return best
