"""Similarities between sets of key points."""

from __future__ import annotations

import numpy as np

from whorl.records import Array, Floats

VERSION = 1


def ratio_matches(queries: Array, gallery: Array, ratio: float = 0.75) -> Floats:
    """Number of a query's key points whose best match beats the second best by Lowe's ratio.

    (q, k, d), (g, k, d) -> (q, g); unit descriptors, zero rows are absent.
    """
    out = np.zeros((len(queries), len(gallery)), np.float32)
    kept = [rows[np.any(rows != 0, axis=1)] for rows in gallery]
    for row, points in enumerate(queries):
        own = points[np.any(points != 0, axis=1)]
        for column, other in enumerate(kept):
            if len(own) == 0 or len(other) < 2:
                continue
            closeness = own @ other.T
            best = np.partition(closeness, -2, axis=1)[:, -2:]
            distance = np.sqrt(np.maximum(2 - 2 * best, 0))
            out[row, column] = np.count_nonzero(distance[:, 1] < ratio * distance[:, 0])
    return out
