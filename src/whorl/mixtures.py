"""Groups of pictures as clouds that lean with what is shown: regressions of one shape, with heavy tails.

Pictures of one generator lie about a mean, which moves with what they show: as much as for all generators,
and somewhat in a way of its own. How they lie about it is common to all groups; Student's t, so that a few
odd pictures do not decide it. Fitted by expectation and maximisation; a picture is named by groups as they
would be without it, or it would hold on to the one that it began in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from whorl.records import Array

TAILS = 30.0  # degrees of freedom
OWN = 30.0  # pictures that the common way of leaning counts for in every group
RIDGE = 0.02  # of the mean variance, added to each
STEPS = 40
SETTLED = 0.01  # change of a chance below which nothing moves any more
NEVER = 1e-200  # the least chance that odds are made of
HELD = 0.5  # the most of a group that one picture may be taken to decide


@dataclass(frozen=True, eq=False)
class Fit:
    """Chances (n, k) of every picture to belong to each group, and the log-likelihood of all pictures."""

    chances: Array
    likelihood: float

    @property
    def labels(self) -> Array:
        """The likeliest group of every picture, (n,)."""
        return np.asarray(self.chances.argmax(axis=1))

    @property
    def smallest(self) -> int:
        """How many pictures the smallest group has."""
        return int(np.bincount(self.labels, minlength=self.chances.shape[1]).min())

    def odds(self, one: int, two: int) -> Array:
        """The logarithm of how much likelier every picture is of group `two` than of `one`, (n,)."""
        return np.asarray(np.log(np.maximum(self.chances[:, [two, one]], NEVER)) @ [1.0, -1.0])


def fitted(where: Array, shown: Array, labels: Array, steps: int = STEPS) -> Fit:
    """Fit as many groups as `labels` (n,) has numbers, beginning with these; -1 has no group yet.

    `where` (n, d) are the pictures' coordinates, `shown` (n, q) what they show, spread 1; q may be 0.
    """
    chances = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
    weights = np.ones_like(chances)
    likelihood = -np.inf
    for _ in range(steps):
        before = chances
        chances, weights, likelihood = _step(where, shown, chances, weights)
        if np.abs(chances - before).max() < SETTLED:
            break
    return Fit(chances, likelihood)


def _step(where: Array, shown: Array, chances: Array, weights: Array) -> tuple[Array, Array, float]:
    """One round: groups from chances and weights (n, k), then both and the likelihood from groups."""
    size, count = where.shape[1], max(float(chances.sum()), 1e-9)
    heavy = chances * weights
    total = heavy.sum(axis=0) + 1e-9
    middles = heavy.T @ shown / total[:, None]
    straight = where - shown @ _slope(where, shown, heavy)
    lines, squares, held = [], np.zeros((size, size)), np.empty_like(chances)
    for group, middle in enumerate(middles):
        beside = shown - middle
        pull = beside.T @ (beside * heavy[:, [group]]) + OWN * np.eye(shown.shape[1])
        mean = heavy[:, group] @ straight / total[group]
        lean = np.linalg.solve(pull, (beside * heavy[:, [group]]).T @ straight)
        lines.append(np.vstack([mean, lean]))
        squares += total[group] * np.outer(mean, mean)
        squares += lean.T @ (pull + OWN * np.eye(shown.shape[1])) @ lean
        reach = (np.linalg.solve(pull, beside.T).T * beside).sum(axis=1)
        held[:, group] = heavy[:, group] * (1 / total[group] + reach)
    spread = (straight.T @ (straight * heavy.sum(axis=1)[:, None]) - squares) / count
    spread += (RIDGE * max(np.trace(spread), 0.0) / size + 1e-12) * np.eye(size)
    root = np.linalg.inv(np.linalg.cholesky(spread))
    gaps = _gaps(straight @ root.T, shown, middles, [line @ root.T for line in lines])
    level = np.log((chances.sum(axis=0) + 1e-9) / count) + np.log(np.diag(root)).sum()
    log = level - (TAILS + size) / 2 * np.log1p(gaps / TAILS)
    without = gaps / (1 - np.minimum(held, HELD)) ** 2
    alone = level - (TAILS + size) / 2 * np.log1p(without / TAILS)
    again = np.exp(alone - alone.max(axis=1, keepdims=True))
    top = log.max(axis=1)
    likelihood = float((top + np.log(np.exp(log - top[:, None]).sum(axis=1))).sum())
    return again / again.sum(axis=1, keepdims=True), (TAILS + size) / (TAILS + gaps), likelihood


def straightened(where: Array, shown: Array, labels: Array) -> Array:
    """Coordinates (n, d) less how they move with what is shown within the groups of `labels` (n,)."""
    groups = (labels[:, None] == np.arange(labels.max() + 1)).astype(np.float64)
    return np.asarray(where - shown @ _slope(where, shown, groups))


def likest(where: Array, shown: Array, labels: Array) -> list[tuple[int, int]]:
    """Pairs of groups, first those that would lose the least as one."""
    straight = straightened(where, shown, labels)
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


def _slope(where: Array, shown: Array, heavy: Array) -> Array:
    """How coordinates move with what is shown, (q, d), within all groups."""
    total = heavy.sum(axis=0) + 1e-9
    means, middles = heavy.T @ where / total[:, None], heavy.T @ shown / total[:, None]
    each = heavy.sum(axis=1)[:, None]
    square = shown.T @ (shown * each) - middles.T @ (middles * total[:, None])
    moved = (shown * each).T @ where - (middles * total[:, None]).T @ means
    return np.asarray(np.linalg.solve(square + 1e-3 * len(where) * np.eye(shown.shape[1]), moved))


def _gaps(where: Array, shown: Array, middles: Array, lines: list[Array]) -> Array:
    """Squared distances (n, k) from where every group would have each picture."""
    own = (where**2).sum(axis=1)
    gaps = np.empty((len(where), len(lines)))
    for group, line in enumerate(lines):
        places = np.column_stack([np.ones(len(shown)), shown - middles[group]])
        across = places @ (line @ line.T) - 2 * (where @ line.T)
        gaps[:, group] = own + (across * places).sum(axis=1)
    return np.maximum(gaps, 0.0)
