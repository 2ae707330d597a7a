"""P-values by rank among held-out scores: what share of known pictures is at least as strange?"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from whorl.records import Array

DRAWS = 1999
SLAB = 2_000_000  # numbers drawn at a time
EQUAL = 1e-9  # p-values closer than this are the same: they differ by rounding only


def least_count(alpha: float) -> int:
    """Return how many held-out scores a p-value below `alpha` needs at least."""
    return math.floor(1 / alpha + EQUAL)


def at_least(held: Array, scores: Array) -> NDArray[np.int64]:
    """Count the held-out scores (n,) that reach each of the scores (m,); higher is stranger."""
    return np.asarray(len(held) - np.searchsorted(np.sort(held), scores, side="left"), np.int64)


def p_values(counts: Array, held: Array | int) -> Array:
    """Return the p-values of pictures that so many of the held-out scores reach."""
    return np.asarray((1 + counts) / (1 + np.asarray(held)))


def folder_p_value(singles: Array, held: int, seed: int, draws: int = DRAWS) -> float:
    """Test whether all pictures come from the source that gave each its p-value (m,).

    The statistic is Fisher's, the sum of -log p. All its parts rest on the same held-out scores, so
    chi-squared tails would be wrong; the null is drawn from the orders in which m new and `held` known
    scores of one source can fall, all of which are equally likely.
    """
    if len(singles) == 1:
        return float(singles[0])
    observed = float(-np.log(singles).sum())
    reached = int((_null(len(singles), held, seed, draws) >= observed * (1 - EQUAL)).sum())
    return (1 + reached) / (1 + draws)


@lru_cache(maxsize=64)
def _null(count: int, held: int, seed: int, draws: int) -> Array:
    """Draw Fisher's statistic for `count` pictures of the source itself, (draws,).

    The known scores cut the unit interval into gaps that are jointly Dirichlet; new scores fall into them.
    """
    generator = np.random.default_rng(seed)
    worth = -np.log(np.arange(1, held + 2) / (held + 1))
    size = max(1, SLAB // (held + 1))
    found = []
    for start in range(0, draws, size):
        gaps = generator.standard_exponential((min(size, draws - start), held + 1))
        gaps /= gaps.sum(axis=1, keepdims=True)
        found.append(generator.multinomial(count, gaps) @ worth)
    return np.concatenate(found)
