"""Linear classifiers fitted on other patients than they judge, the fit repeated for every permutation.

All that a fit in closed form needs of the labels are sums over patients, so that a thousand labellings cost
a product of matrices. Labels are permuted within the folds: given the folds these are exchangeable, and what
a fit learns says nothing about the labels of the fold that it judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from whorl.evidence.permutation import EQUAL
from whorl.metrics import mid_ranks
from whorl.records import Array

FOLDS = 5
RIDGE = 0.3  # added to the correlations, so that 60 columns can be weighed with 100 pictures
SLAB_BYTES = 8 << 20


@dataclass(frozen=True, eq=False)
class Crossfit:
    """What classifiers on several tables say of each picture, and whether labels matter to them.

    `scores` is (n, tables), higher = more like a member; `p_value`, `p_adjusted` (for all tables) and
    `inflation` are (tables,): the last is how much wider the differences of refitted classifiers spread
    than those of fixed scores, at least 1.
    """

    scores: Array
    p_value: Array
    p_adjusted: Array
    inflation: Array


def crossfit(
    tables: Sequence[Array],
    patient: Array,
    is_member: NDArray[np.bool_],
    permutations: int = 1999,
    seed: int = 0,
) -> Crossfit | None:
    """Fit on each table (n, d) and on all together, the last; nothing if a side has fewer than 2 patients.

    `patient` (n,) numbers each picture's patient, `is_member` (patients,) is their side.
    """
    folds = deal(is_member, seed)
    if folds.max() == 0:
        return None
    ends = np.cumsum([0, *(table.shape[1] for table in tables)])
    places = [np.arange(*pair) for pair in pairwise(ends)] + [np.arange(ends[-1])]
    every = normal_scores(np.concatenate(list(tables), axis=1))
    fits = [_Fit.of(every[:, place], folds[patient], place) for place in places]
    observed = _sums(_by_patient(every, patient), folds, is_member[None])
    scores = np.stack([fit.scores(observed) for fit in fits], axis=1)
    whole = _by_patient(np.concatenate([every, scores], axis=1), patient)
    slabs = []
    for labels in (is_member[None], *labellings(is_member, folds, permutations, seed)):
        sums = _sums(whole, folds, labels)
        refitted = [fit.above(sums) for fit in fits]
        fixed = sums[:, :, -len(fits) :].sum(axis=0).T
        count = sums[:, :, 0].sum(axis=0)
        slabs.append(np.stack([refitted, fixed]) * (1 / count + 1 / (len(every) - count)))
    found, fixed = np.concatenate(slabs, axis=2)
    alone, adjusted = _p_values(found.T)
    narrow, wide = fixed.std(axis=1), found.std(axis=1)
    inflation = np.where(narrow > 1e-12, wide / np.where(narrow > 1e-12, narrow, 1), 1.0)
    return Crossfit(scores, alone, adjusted, np.maximum(inflation, 1.0))


@dataclass(frozen=True, eq=False)
class _Fit:
    """One classifier: the columns it looks at, and of each fold what no label changes.

    `inverse` (folds, d, d) is that of the training pictures' covariance with the ridge, `centre` (folds, d)
    their mean; `mean` and `spread` are those of the fold's own pictures.
    """

    table: Array
    home: Array
    columns: Array
    inverse: Array
    centre: Array
    mean: Array
    spread: Array

    @classmethod
    def of(cls, table: Array, home: Array, columns: Array) -> _Fit:
        """Prepare normal scores (n, d) that lie at `columns` of the sums."""
        inverse, centre, mean, spread = [], [], [], []
        for fold in range(home.max() + 1):
            inside, outside = table[home == fold], table[home != fold]
            covariance = np.atleast_2d(np.cov(outside.T, bias=True))
            inverse.append(np.linalg.inv(covariance + RIDGE * np.eye(table.shape[1])))
            centre.append(outside.mean(axis=0))
            mean.append(inside.mean(axis=0))
            spread.append(np.atleast_2d(np.cov(inside.T, bias=True)))
        return cls(table, home, columns, *map(np.asarray, (inverse, centre, mean, spread)))

    def above(self, sums: Array) -> Array:
        """Return the members' summed scores under the labellings that gave the sums, (rows,)."""
        total = sums.sum(axis=0)
        found = np.zeros(len(total))
        for fold, own in enumerate(sums):
            weights, width = self._weights(fold, total - own)
            inside = own[:, 1 + self.columns] - own[:, :1] * self.mean[fold]
            found += (inside * weights).sum(axis=1) / width
        return found

    def scores(self, observed: Array) -> Array:
        """Return the score of every picture by the fit on the other folds, (n,): mean 0, spread 1 a fold."""
        found = np.zeros(len(self.table))
        for fold, own in enumerate(observed):
            weights, width = self._weights(fold, observed.sum(axis=0) - own)
            inside = self.home == fold
            found[inside] = (self.table[inside] - self.mean[fold]) @ weights[0] / width[0]
        return np.round(found, 7)  # pictures with the same facts shall tie, whatever the order of summing

    def _weights(self, fold: int, training: Array) -> tuple[Array, Array]:
        """Fit on the other folds' sums, (rows, 1 + columns): weights (rows, d), and the spread they give."""
        weights = (training[:, 1 + self.columns] - training[:, :1] * self.centre[fold]) @ self.inverse[fold]
        variance = ((weights @ self.spread[fold]) * weights).sum(axis=1)
        # Without spread there is no score: divided by infinity it is 0.
        return weights, np.sqrt(np.where(variance > 1e-18, variance, np.inf))


def deal(is_member: NDArray[np.bool_], seed: int) -> Array:
    """Deal the patients of both sides alike into folds, (patients,): each has its share of members."""
    sides = [np.flatnonzero(is_member == side) for side in (True, False)]
    count = min(FOLDS, *map(len, sides))
    folds = np.empty(len(is_member), np.int64)
    generator = np.random.default_rng([seed, 1])
    for side in sides:
        folds[generator.permutation(side)] = np.arange(len(side)) % count
    return folds


def labellings(
    is_member: NDArray[np.bool_], folds: Array, permutations: int, seed: int
) -> Iterator[NDArray[np.bool_]]:
    """Yield slabs of random labellings (rows, patients) that keep the number of members in every fold."""
    generator = np.random.default_rng([seed, 2])
    rows = max(1, SLAB_BYTES // (4 * len(is_member)))
    for start in range(0, permutations, rows):
        labels = np.zeros((min(rows, permutations - start), len(is_member)), np.bool_)
        keys = generator.random(labels.shape, np.float32)
        for fold in range(folds.max() + 1):
            home = np.flatnonzero(folds == fold)
            chosen = int(is_member[home].sum())
            drawn = home[np.argpartition(keys[:, home], chosen - 1, axis=1)[:, :chosen]]
            np.put_along_axis(labels, drawn, True, axis=1)
        yield labels


def normal_scores(table: Array) -> Array:
    """Turn each column (n, d) into normal scores of its ranks, of spread 1; a constant one becomes 0."""
    from scipy.special import ndtri

    ranks = np.stack([mid_ranks(np.round(column, 9)) for column in table.T], axis=1)
    scores = ndtri((ranks - 0.5) / len(table))
    scores -= scores.mean(axis=0)
    spread = scores.std(axis=0)
    return np.asarray(np.where(spread > 1e-9, scores, 0) / np.where(spread > 1e-9, spread, 1))


def _by_patient(columns: Array, patient: Array) -> Array:
    """Return each patient's number of pictures and summed columns, (patients, 1 + columns)."""
    counted = np.concatenate([np.ones((len(columns), 1)), columns], axis=1)
    order = np.argsort(patient, kind="stable")
    whole = np.add.reduceat(counted[order], np.flatnonzero(np.diff(patient[order], prepend=-1)), axis=0)
    # Half the digits take half the time, and sums of a few thousand ranks need no more.
    return np.asarray(whole, np.float32)


def _sums(whole: Array, folds: Array, labels: NDArray[np.bool_]) -> Array:
    """Return the members' pictures and summed columns in each fold, (folds, rows, 1 + columns)."""
    homes = [np.flatnonzero(folds == fold) for fold in range(folds.max() + 1)]
    return np.stack([labels[:, home].astype(np.float32) @ whole[home] for home in homes]).astype(np.float64)


def _p_values(found: Array) -> tuple[Array, Array]:
    """Return p-values alone and adjusted for all tables; `found` is (1 + permutations, tables)."""
    spread = found.std(axis=0)
    z = np.where(spread > 1e-12, found - found.mean(axis=0), 0) / np.where(spread > 1e-12, spread, 1)
    alone = (z[1:] >= z[0] - EQUAL).sum(axis=0)
    adjusted = (z[1:].max(axis=1)[:, None] >= z[0] - EQUAL).sum(axis=0)
    return (1 + alone) / len(z), (1 + adjusted) / len(z)
