"""What other ways to cluster make of the same coordinates: evidence beside the groups, not their judge."""

from __future__ import annotations

from typing import Any

import numpy as np

from whorl.metrics import adjusted_rand_index
from whorl.records import Array

LEAST = 12  # pictures of a group that density is asked for
STARTS = 4


def agreement(where: Array, labels: Array, seed: int) -> list[dict[str, Any]]:
    """How alike the groups of Ward, a Gaussian mixture and HDBSCAN are to `labels` (n,); none for one group.

    A row for each: method, groups that it finds, share of the pictures that it places, adjusted Rand index
    on those. Ward and the mixture are told the number; HDBSCAN finds one and leaves strays out.
    """
    count = len(np.unique(labels))
    if count < 2 or len(np.unique(where.round(9), axis=0)) <= count:
        return []
    found = {
        "Ward": ward(where, count),
        "Gaussian mixture": mixture(where, count, seed),
        "HDBSCAN": density(where),
    }
    return [_row(name, other, labels) for name, other in found.items()]


def ward(where: Array, count: int) -> Array:
    """Groups of Ward's linkage, (n,)."""
    from sklearn.cluster import AgglomerativeClustering

    return np.asarray(AgglomerativeClustering(count).fit_predict(where))


def mixture(where: Array, count: int, seed: int) -> Array:
    """Groups of the likeliest of some Gaussian mixtures with one shape for all, (n,)."""
    from sklearn.mixture import GaussianMixture

    # Where columns are in small units, a fixed floor of their variance would be most of it.
    floor = max(1e-3 * float(where.var(axis=0).mean()), 1e-12)
    model = GaussianMixture(
        count, covariance_type="tied", n_init=STARTS, reg_covar=floor, random_state=seed, max_iter=500
    )
    return np.asarray(model.fit_predict(where))


def density(where: Array) -> Array:
    """Groups of HDBSCAN, (n,); -1 for strays."""
    from sklearn.cluster import HDBSCAN

    return np.asarray(HDBSCAN(min_cluster_size=min(LEAST, len(where)), copy=True).fit_predict(where))


def _row(name: str, other: Array, labels: Array) -> dict[str, Any]:
    placed = other >= 0
    alike = adjusted_rand_index(labels[placed], other[placed]) if placed.any() else None
    groups = len(np.unique(other[placed]))
    return {"method": name, "groups": groups, "placed": float(placed.mean()), "adjusted_rand_index": alike}
