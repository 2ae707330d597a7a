"""Pooling steps: from a block of similarities to one number per query.

Most read whole rows: every query against all generated pictures. The transductive ones read whole
columns instead (all queries against some generated pictures) and return a sum that is added up over
the generated pictures and divided by their number at the end.
"""

from __future__ import annotations

import numpy as np

from whorl.records import Array, Count, Floats

VERSION = 1
TRANSDUCTIVE = ("rank", "retrieval")


def maximum(block: Floats) -> Floats:
    """Similarity to the most similar generated picture.

    (q, g) -> (q,).
    """
    return np.asarray(block.max(axis=1), np.float32)


def kth(block: Floats, k: Count = 5) -> Floats:
    """The k-th largest similarity; the smallest where there are fewer than k.

    (q, g) -> (q,).
    """
    place = block.shape[1] - min(k, block.shape[1])
    return np.asarray(np.partition(block, place, axis=1)[:, place], np.float32)


def top_mean(block: Floats, k: Count = 10) -> Floats:
    """Mean of the k largest similarities.

    (q, g) -> (q,).
    """
    place = block.shape[1] - min(k, block.shape[1])
    best = np.sort(np.partition(block, place, axis=1)[:, place:], axis=1)
    return np.asarray(best.mean(axis=1, dtype=np.float64), np.float32)


def mean(block: Floats) -> Floats:
    """Mean similarity to all generated pictures.

    (q, g) -> (q,).
    """
    return np.asarray(block.mean(axis=1, dtype=np.float64), np.float32)


def share_within(block: Floats, radius: float = 0.9) -> Floats:
    """Share of the generated pictures at least as similar as `radius`.

    (q, g) -> (q,) in 0..1.
    """
    return np.asarray((block >= radius).mean(axis=1, dtype=np.float64), np.float32)


def rank(block: Floats, as_published: bool = False) -> Array:
    """Rank of each query among all queries, 1 = least similar, summed over the generated pictures.

    (all queries, some g) -> (q,); `as_published` repeats VCMI's single argsort, whose numbers are the
    file positions of the queries found at each rank and depend on the order of the files.
    """
    from scipy.stats import rankdata

    if as_published:
        return np.asarray((np.argsort(block, axis=0, kind="stable") + 1.0).sum(axis=1), np.float64)
    return np.asarray(rankdata(block, axis=0).sum(axis=1), np.float64)


def retrieval(block: Floats) -> Array:
    """How many generated pictures have this query as their most similar one; the first wins a tie.

    (all queries, some g) -> (q,).
    """
    return np.bincount(block.argmax(axis=0), minlength=len(block)).astype(np.float64)
