"""Small pictures: which of a gallery are likely to be most like a query, and which are like each other."""

from __future__ import annotations

import numpy as np

from whorl.kernels.cells import means
from whorl.kernels.slabs import batches
from whorl.records import Array, Floats

THUMBNAIL = 16
ROWS_AT_ONCE = 256


def of(stack: Array) -> Floats:
    """Small pictures as rows of length 1 about their mean: means of cells, without the border's rest."""
    down, across = (max(1, side // THUMBNAIL) for side in stack.shape[1:])
    found = np.empty((len(stack), (stack.shape[1] // down) * (stack.shape[2] // across)), np.float32)
    for part, some in batches(stack, ROWS_AT_ONCE):
        small = means(some, down, across).reshape(len(some), -1)
        small -= small.mean(axis=1, keepdims=True)
        found[part] = small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-12)
    return found


def likely(queries: Floats, gallery: Floats, count: int) -> Array:
    """Places of the most alike thumbnails of every query; (q, count)."""
    near = np.empty((len(queries), count), np.int64)
    for start in range(0, len(queries), ROWS_AT_ONCE):
        # Not a product of matrices: the threads of such a library would wait for one another beside ours.
        block = np.einsum("qd,gd->qg", queries[start : start + ROWS_AT_ONCE], gallery)
        near[start : start + ROWS_AT_ONCE] = np.argpartition(-block, count - 1, axis=1)[:, :count]
    return near
