"""The least adjusted Rand index that the sizes of the groups leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from whorl.records import Array

ROUNDS = 500


def lowest_rand_index(class_sizes: ArrayLike, cluster_sizes: ArrayLike) -> float:
    """Return a value that no grouping of these sizes falls below: the least adjusted Rand index.

    The index rises with Σn_ij². Any prices u_i, v_j bound that sum from below by weak duality,
    Σ2a_i·u_i + Σ2b_j·v_j + Σ_ij min_x (x² − 2(u_i + v_j)x) over whole x ≥ 0; the prices are those
    that solve the problem without the whole numbers. A bound, met or missed by a picture or two.
    """
    a, b = np.asarray(class_sizes, np.float64), np.asarray(cluster_sizes, np.float64)
    n = a.sum()
    if n != b.sum() or (a < 1).any() or (b < 1).any():
        raise ValueError("expected groups of at least one picture, as many in classes as in clusters")
    in_classes, in_clusters = ((one * (one - 1)).sum() / 2 for one in (a, b))
    expected = in_classes * in_clusters / max(n * (n - 1) / 2, 1.0)
    possible = (in_classes + in_clusters) / 2 - expected
    if possible <= 0:  # both groupings are trivial, hence equal
        return 1.0
    u, v = _prices(a, b)
    worth = u[:, None] + v[None, :]
    cells = np.rint(np.maximum(worth, 0.0))
    squares = 2 * (a @ u + b @ v) + (cells**2 - 2 * worth * cells).sum()
    together = (max(squares, n) - n) / 2
    return float((together - expected) / possible)


def _prices(a: Array, b: Array) -> tuple[Array, Array]:
    """Prices at which max(0, u_i + v_j) has the row sums a and the column sums b, nearly."""
    u, v = a / len(b), np.zeros(len(b))
    for _ in range(ROUNDS):
        u = _levels(a, v)
        fresh = _levels(b, u)
        settled = np.abs(fresh - v).max() < 1e-10 * (1 + np.abs(fresh).max())
        v = fresh
        if settled:
            break
    return u, v


def _levels(wanted: Array, prices: Array) -> Array:
    """For each wanted sum s the u with Σ_j max(0, u + prices_j) = s, (len(wanted),)."""
    falling = np.sort(prices)[::-1]
    taken = np.arange(1, len(prices) + 1)
    level = (wanted[:, None] - np.cumsum(falling)[None, :]) / taken
    used = np.maximum((level + falling > 0).sum(axis=1), 1)
    return np.asarray(level[np.arange(len(wanted)), used - 1])
