"""Exact two-sided p-values of counted answers, and what testing many of them costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from whorl.records import Array

# Outcomes as likely as the one seen count as ties although rounding may tell them apart.
EQUAL = 1 + 1e-7


def binomial_p(hits: ArrayLike, trials: int, chance: float) -> Array:
    """Return p of so many right answers among `trials` where each is right by `chance`: the shape of `hits`.

    Two-sided: the probability of all outcomes no likelier than the one seen.
    """
    from scipy.special import gammaln, xlog1py, xlogy

    counts = np.arange(trials + 1)
    ways = gammaln(trials + 1) - gammaln(counts + 1) - gammaln(trials - counts + 1)
    return _no_likelier(ways + xlogy(counts, chance) + xlog1py(trials - counts, -chance), np.asarray(hits))


def fixed_margins_p(tp: ArrayLike, said: ArrayLike, used: int, total: int) -> Array:
    """Return p of so many hits given how many were called used and how many are: Fisher's exact test.

    `tp` and `said` are arrays of one shape; two-sided as in `binomial_p`.
    """
    from scipy.special import gammaln

    table = gammaln(np.arange(total + 1) + 1.0)

    def ways(whole: int, part: Array) -> Array:
        return np.asarray(table[whole] - table[part] - table[whole - part])

    found = np.asarray(tp).astype(np.int64)
    called = np.asarray(said).astype(np.int64)
    p_values = np.empty(found.shape)
    for place in np.ndindex(found.shape):
        share = int(called[place])
        low = max(0, share + used - total)
        hits = np.arange(low, min(used, share) + 1)
        logarithm = ways(used, hits) + ways(total - used, share - hits) - ways(total, np.array(share))
        p_values[place] = _no_likelier(logarithm, np.asarray(found[place] - low))
    return p_values


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Return p-values adjusted so that those below q hold a share of at most q false findings."""
    values = np.asarray(p_values, np.float64)
    flat = values.ravel()
    order = np.argsort(flat)[::-1]
    scaled = flat[order] * len(flat) / np.arange(len(flat), 0, -1)
    adjusted = np.empty(len(flat))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0) if len(flat) else scaled
    return adjusted.reshape(values.shape)


def _no_likelier(logarithms: Array, seen: Array) -> Array:
    """Add up the probabilities that do not exceed those of the outcomes seen (by place)."""
    chances = np.exp(logarithms)
    ordered = np.sort(chances)
    below = np.concatenate([[0.0], np.cumsum(ordered)])
    reached = np.searchsorted(ordered, chances[seen.astype(np.int64)] * EQUAL, side="right")
    # An outcome too unlikely for a double is unlikely, not impossible.
    return np.asarray(np.clip(below[reached] / below[-1], np.finfo(np.float64).tiny, 1.0))
