"""Which pictures, and which patients, are remembered: lists of which at most a share q is there by mistake.

Every p-value compares with holdout patients, who count alike however many pictures they have. It rests on
this: were nothing remembered, a member patient would be one more holdout patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whorl.evidence.conformal import at_least
from whorl.evidence.exact import benjamini_hochberg
from whorl.evidence.permutation import member_patients
from whorl.records import Array

Statistic = Literal["max", "mean"]
Slices = Literal["alike", "matched", "whole"]
SUBSETS = 25  # random sets of slices a holdout patient gives where its mean is compared
EQUAL = 1e-12
UNLIKE = 0.1  # p of the numbers of slices on both sides below which they do not count as alike


@dataclass(frozen=True, eq=False)
class Discoveries:
    """P-values of members (m,), what they become for the whole list, and who is on it at share `q`.

    `names` are rows of the scores (pictures) or patients; `adjusted` is the smallest q at which each is
    listed. `least_p` (m,) are the p-values if all members scored above the whole holdout; `fewest` is the
    smallest number that a list can hold at all besides none: 0 where none is possible.
    """

    names: tuple[int | str, ...]
    p_values: Array
    adjusted: Array
    least_p: Array
    q: float

    @property
    def listed(self) -> NDArray[np.bool_]:
        """Which are on the list, (m,)."""
        return np.asarray(self.adjusted <= self.q + EQUAL)

    @property
    def fewest(self) -> int:
        """The smallest list possible besides the empty one; 0: no outcome could have filled it."""
        sizes = np.arange(1, len(self.least_p) + 1)
        allowed = self.q * sizes / len(self.least_p)
        enough = np.searchsorted(np.sort(self.least_p), allowed + EQUAL, side="right") >= sizes
        return int(sizes[enough][0]) if enough.any() else 0


def joined(values: ArrayLike) -> Array:
    """Return one score a picture (n,) from several attacks (n, attacks): the highest, on one scale.

    The scale of an attack, median and lower quartile, comes from all real pictures whatever their side, so
    holdout pictures take their best attack too: choosing is paid for without a further correction. The
    lower side, because leaks are on the upper. A single good attack among many poor ones does better alone.
    """
    table = np.asarray(values, np.float64)
    if table.ndim == 1:
        return table
    least, lower, middle = np.quantile(table, [0.0, 0.25, 0.5], axis=0)
    spread = np.where(middle > lower, middle - lower, middle - least)
    return np.asarray(((table - middle) / np.where(spread > 0, spread, 1.0)).max(axis=1))


def picture_discoveries(
    values: ArrayLike, members: ArrayLike, patients: Sequence[str], q: float = 0.05
) -> Discoveries:
    """List the remembered pictures by scores (n,) or (n, attacks), higher = more likely a member.

    p = Σ over the holdout patients and the picture's own of the share of their pictures that score as high,
    divided by the number of these patients: the rank of a random picture of a random one among them. For
    the list by Benjamini and Hochberg, scores of one patient should go up and down together.
    """
    scores, owner, used = _sides(values, members, patients)
    own = used[owner]
    sizes = np.bincount(owner)
    order = np.argsort(scores[~own], kind="stable")
    # Weight above each place of the sorted holdout, each patient weighing 1.
    weights = np.append(np.cumsum((1 / sizes[owner[~own][order]])[::-1])[::-1], 0.0)
    above = weights[np.searchsorted(scores[~own][order], scores[own], side="left")]
    reached, places = _own_ranks(scores[own], owner[own])
    pictures, count = sizes[owner[own]], 1 + int((~used).sum())
    p_values = np.minimum((reached / pictures + above) / count, 1.0)
    rows = tuple(int(row) for row in np.flatnonzero(own))
    return Discoveries(rows, p_values, benjamini_hochberg(p_values), places / pictures / count, q)


def _own_ranks(scores: Array, owner: NDArray[np.intp]) -> tuple[Array, Array]:
    """Count for each score those of its patient that reach it, and its place among them from the top."""
    order = np.lexsort((-scores, owner))
    first = np.append(True, np.diff(owner[order]) != 0)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    places = np.arange(len(order)) - starts + 1
    last = np.append((np.diff(scores[order]) != 0) | first[1:], True)  # of equal scores
    ends = np.minimum.accumulate(np.where(last, np.arange(len(order)), len(order))[::-1])[::-1]
    found = np.empty((2, len(order)), np.int64)
    found[:, order] = places + ends - np.arange(len(order)), places
    return found[0], found[1]


def patient_discoveries(
    values: ArrayLike,
    members: ArrayLike,
    patients: Sequence[str],
    q: float = 0.05,
    *,
    statistic: Statistic = "max",
    slices: Slices = "alike",
    seed: int = 0,
) -> Discoveries:
    """List the remembered patients by scores (n,) or (n, attacks) of their pictures.

    `whole` compares statistics of all slices: valid where members and holdout have like numbers of slices.
    `matched` is valid whatever the numbers, at the price of a coarser p: see `_matched`. `alike` does the
    first unless the numbers of slices differ visibly (Kolmogorov and Smirnov), then the second.
    """
    scores, owner, used = _sides(values, members, patients)
    pictures = _by_patient(scores, owner, np.random.default_rng(seed))
    own = [pictures[place] for place in np.flatnonzero(used)]
    held = [pictures[place] for place in np.flatnonzero(~used)]
    if slices == "whole" or (slices == "alike" and _alike(own, held)):
        found, beside = (np.asarray([_of(each, statistic) for each in side]) for side in (own, held))
        p_values = (1 + at_least(beside, found)) / (1 + len(beside))
        least = np.full(len(own), 1 / (1 + len(beside)))
    else:
        p_values, least = _matched(own, held, statistic, seed)
    names = np.unique(np.asarray(patients))[used]
    chosen = tuple(str(name) for name in names)
    return Discoveries(chosen, p_values, benjamini_hochberg(p_values), least, q)


def _sides(
    values: ArrayLike, members: ArrayLike, patients: Sequence[str]
) -> tuple[Array, NDArray[np.intp], NDArray[np.bool_]]:
    """Return one score a picture, the number of each picture's patient, and which patients are members."""
    scores = joined(values)
    if len(scores) != len(patients) or len(scores) != len(np.asarray(members)) or np.isnan(scores).any():
        raise ValueError("expected one score, a number, one side and one patient for each picture")
    owner, used = member_patients(np.asarray(members, np.bool_), patients)
    return scores, np.asarray(owner, np.intp).ravel(), used


def _by_patient(scores: Array, owner: NDArray[np.intp], generator: np.random.Generator) -> list[Array]:
    """Return the scores of each patient in random order."""
    mixed = generator.permutation(len(scores))
    mixed = mixed[np.argsort(owner[mixed], kind="stable")]
    return np.split(scores[mixed], np.flatnonzero(np.diff(owner[mixed])) + 1)


def _of(scores: Array, statistic: Statistic) -> float:
    return float(scores.max() if statistic == "max" else scores.mean())


def _alike(own: list[Array], held: list[Array]) -> bool:
    """Return whether the patients of both sides have like numbers of slices."""
    from scipy.stats import ks_2samp

    first, second = [len(each) for each in own], [len(each) for each in held]
    return float(ks_2samp(first, second, method="asymp").pvalue) >= UNLIKE


def _matched(own: list[Array], held: list[Array], statistic: Statistic, seed: int) -> tuple[Array, Array]:
    """Return p-values (m,) of patients and the least possible ones, slices compared in like numbers.

    A patient of s slices is cut at random into b sets of d slices, each set compared with a random set of d
    slices of every holdout patient who has as many; p is b times the least of the b p-values. The depth d
    follows from numbers of slices alone: that with the smallest possible p. A random set of a larger
    patient's slices must be like the slices of a smaller one; nothing else about numbers is assumed.
    """
    sizes = np.asarray([len(each) for each in held])
    generator = np.random.default_rng([seed, 1])
    known: dict[int, tuple[Array, Array]] = {}
    p_values, least = np.empty(len(own)), np.empty(len(own))
    depths = {size: _depth(size, sizes) for size in {len(each) for each in own}}
    for depth in sorted(set(depths.values())):
        known[depth] = _levels([each for each in held if len(each) >= depth], depth, statistic, generator)
    for place, scores in enumerate(own):
        depth = depths[len(scores)]
        starts = [*range(0, len(scores) - depth, depth), len(scores) - depth]  # the last set may overlap
        found = np.asarray([_of(scores[start : start + depth], statistic) for start in starts])
        levels, above = known[depth]
        single = (1 + above[np.searchsorted(levels, found, side="left")]) / (1 + int((sizes >= depth).sum()))
        p_values[place] = min(1.0, len(starts) * float(single.min()))
        least[place] = min(1.0, len(starts) / (1 + int((sizes >= depth).sum())))
    return p_values, least


def _depth(size: int, held: Array) -> int:
    """Return how many slices to compare at a time: what allows the smallest p; of equal ones the most."""
    depths = np.arange(1, size + 1)
    reached = (held[None, :] >= depths[:, None]).sum(axis=1)
    least = -(-size // depths) / (1 + reached)
    return int(depths[np.flatnonzero(least <= least.min() + EQUAL)[-1]])


def _levels(
    held: list[Array], depth: int, statistic: Statistic, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Return values, rising, and the expected number of patients whose random set reaches each.

    The second has one entry more, 0 for what lies above all values.
    """
    values, weights = [], []
    for scores in held:
        if statistic == "max":
            mine = np.sort(scores)
            weight = _highest(len(mine), depth)
        elif len(scores) == depth:
            mine, weight = np.asarray([scores.mean()]), np.ones(1)
        else:
            picked = generator.permuted(np.tile(scores, (SUBSETS, 1)), axis=1)[:, :depth]
            mine, weight = picked.mean(axis=1), np.full(SUBSETS, 1 / SUBSETS)
        values.append(mine)
        weights.append(weight)
    if not values:
        return np.zeros(0), np.zeros(1)
    every, weight = np.concatenate(values), np.concatenate(weights)
    order = np.argsort(every, kind="stable")
    return every[order], np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)


def _highest(count: int, depth: int) -> Array:
    """Return how likely each of `count` sorted scores is the highest of a random set of `depth`."""
    chance = np.zeros(count)
    chance[-1] = depth / count
    for place in range(count - 2, depth - 2, -1):
        # C(place, depth - 1) / C(count, depth), from the one above
        chance[place] = chance[place + 1] * (place + 2 - depth) / (place + 1)
    return chance
