"""Many systems on several editions: mean ranks, whether they differ at all, and by how much they must."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whorl.records import Array


def rank_table(values: ArrayLike) -> Array:
    """Return ranks within every edition (1 = highest value, ties share) of a table (editions, systems)."""
    from scipy.stats import rankdata

    table = np.asarray(values, np.float64)
    return np.asarray(rankdata(-table, axis=1)) if table.size else table


def friedman_test(values: ArrayLike) -> tuple[float, float] | None:
    """Return Friedman's statistic and its p-value of a table (editions, systems).

    Nothing with fewer than three systems or two editions. Friedman 1937, corrected for ties.
    """
    from scipy.stats import chi2

    ranks = rank_table(values)
    if ranks.ndim != 2 or ranks.shape[0] < 2 or ranks.shape[1] < 3:
        return None
    editions, systems = ranks.shape
    between = float(((ranks.mean(axis=0) - (systems + 1) / 2) ** 2).sum()) * editions**2
    within = float(((ranks - (systems + 1) / 2) ** 2).sum()) / (systems - 1)
    if within == 0:
        return 0.0, 1.0
    statistic = between / within
    return statistic, float(chi2.sf(statistic, systems - 1))


@cache
def critical_difference(systems: int, editions: int, level: float = 0.05) -> float | None:
    """Return how far two mean ranks must lie apart to differ: Nemenyi's test (Demšar 2006)."""
    from scipy.stats import studentized_range

    if systems < 2 or editions < 1:
        return None
    quantile = float(studentized_range.ppf(1 - level, systems, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(systems * (systems + 1) / (6 * editions))


def cliques(mean_ranks: ArrayLike, difference: float) -> list[tuple[int, int]]:
    """Return first and last place of every longest row of sorted mean ranks that do not differ."""
    ordered = np.asarray(mean_ranks, np.float64)
    lasts = np.searchsorted(ordered, ordered + difference, side="right") - 1
    found: list[tuple[int, int]] = []
    for first, last in enumerate(map(int, lasts)):
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def pareto_front(costs: ArrayLike, gains: ArrayLike) -> NDArray[np.bool_]:
    """Return which of (n,) costs and gains nothing beats: cheaper and no worse, or better and no dearer."""
    cost, gain = np.asarray(costs, np.float64), np.asarray(gains, np.float64)
    front = np.zeros(len(cost), np.bool_)
    best, at = -math.inf, math.nan
    for place in np.lexsort((-gain, cost)):
        equal = gain[place] == best and cost[place] == at
        if gain[place] > best or equal:
            front[place], best, at = True, float(gain[place]), float(cost[place])
    return front
