"""P-values beyond the rank: how far above all holdout pictures does a near copy lie?

A rank among n holdout pictures says 1 in n + 1 at best: too coarse for a list of few copies.
Above the highest tenth of the holdout, correlations (as Fisher's z) fall off no slower than an exponential;
its scale is taken at its upper 95 % limit. It is an extrapolation, used for near copies only, whose scores
are correlations of one picture laid over another.
"""

from __future__ import annotations

import numpy as np

from whorl.records import Array

SHARE = 0.1
IN_TAIL = 10  # holdout scores that a tail needs at least
FEWEST = 40  # holdout scores below which no tail is fitted: ranks have to do
ONE_SIDED = 1.645
ALMOST_ONE = 1 - 1e-6


def finest(count: int) -> float:
    """Return what a p-value from so many holdout scores cannot fall below; 0 where a tail is fitted."""
    return 0.0 if count >= FEWEST else 1 / (1 + count)


def copy_p_values(holdout: Array, members: Array) -> Array:
    """Return for correlations of members (m,) how often a picture not used would reach them, (m,)."""
    beside, own = (np.arctanh(np.clip(each, -1.0, ALMOST_ONE)) for each in (np.sort(holdout), members))
    count = len(beside)
    ranked = (1 + count - np.searchsorted(beside, own, side="left")) / (1 + count)
    few = max(IN_TAIL, int(SHARE * count))
    if count < FEWEST:
        return np.asarray(ranked)
    start = beside[-few - 1]
    scale = float((beside[-few:] - start).mean()) * (1 + ONE_SIDED / np.sqrt(few))
    if scale <= 0:
        return np.asarray(ranked)
    beyond = (few + 1) / (count + 1) * np.exp(-(own - start) / scale)
    return np.asarray(np.where(own > start, beyond, ranked))
