"""One score out of many: attacks weighed by what tells members from holdout among *other* patients.

Weights are those of a ridge regression of the answers on the attacks' ranks, fitted without the patients of
the fold that is scored. Folds know no answers, and the regression is linear in them, so that every
permutation of the answers is refitted and scored exactly, at the cost of a product of matrices: choosing
the weights is paid for in full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whorl.metrics import mid_ranks
from whorl.records import Array

FOLDS = 10
RIDGE = 0.1  # of the number of pictures fitted on: the same pull whatever the size of the audit


@dataclass(frozen=True, eq=False)
class Stack:
    """A panel (n, attacks) as normal scores of its ranks, and for each fold how answers become weights.

    `solvers` are (attacks, n), zero for the own fold; `middles` (attacks,) the means fitted on.
    """

    table: Array
    place: Array
    solvers: tuple[Array, ...]
    middles: tuple[Array, ...]

    def scores(self, members: Array) -> Array:
        """Score every picture by the weights of the other folds: answers (rows, n) of bool -> (rows, n)."""
        answers = np.where(members, 1.0, -1.0)
        found = np.empty(answers.shape)
        for fold, (solver, middle) in enumerate(zip(self.solvers, self.middles, strict=True)):
            held = self.place == fold
            found[:, held] = (answers @ solver.T) @ (self.table[held] - middle).T
        return found

    def weights(self, members: Array) -> Array:
        """Return the mean weight of each attack over the folds, (attacks,), for answers (n,) of bool."""
        answers = np.where(members, 1.0, -1.0)
        return np.asarray(np.mean([solver @ answers for solver in self.solvers], axis=0))


def stack(values: Array, place: Array) -> Stack:
    """Prepare scores (n, attacks) and folds (n,), which keep patients together and were dealt blindly."""
    from scipy.special import ndtri

    ranks = np.column_stack([mid_ranks(column) for column in np.asarray(values).T])
    table = ndtri((ranks - 0.5) / len(ranks))
    solvers, middles = [], []
    for fold in range(int(place.max()) + 1):
        others = place != fold
        middle = table[others].mean(axis=0)
        centred = table[others] - middle
        normal = centred.T @ centred + RIDGE * others.sum() * np.eye(table.shape[1])
        solver = np.zeros(table.T.shape)
        solver[:, others] = np.linalg.solve(normal, centred.T)
        solvers.append(solver)
        middles.append(middle)
    return Stack(table, np.asarray(place), tuple(solvers), tuple(middles))
