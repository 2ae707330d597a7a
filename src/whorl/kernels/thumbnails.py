"""Small pictures: which of a gallery are likely to be most like a query, and which are like each other."""

from __future__ import annotations

import numpy as np

from whorl.kernels.slabs import batches
from whorl.records import Array, Floats

THUMBNAIL = 16
ROWS_AT_ONCE = 256


def of(stack: Array) -> Floats:
    """Small pictures as rows of length 1 about their mean."""
    rows = np.linspace(0, stack.shape[1], min(THUMBNAIL, stack.shape[1]) + 1).astype(int)[:-1]
    columns = np.linspace(0, stack.shape[2], min(THUMBNAIL, stack.shape[2]) + 1).astype(int)[:-1]
    small = np.empty((len(stack), len(rows) * len(columns)), np.float32)
    for part, some in batches(stack, ROWS_AT_ONCE):
        for row, image in zip(small[part], some, strict=True):
            cells = np.add.reduceat(np.add.reduceat(image.astype(np.float64), rows, 0), columns, 1).ravel()
            cells -= cells.mean()
            row[:] = cells / max(float(np.linalg.norm(cells)), 1e-12)
    return small


def likely(queries: Floats, gallery: Floats, count: int) -> Array:
    """Places of the most alike thumbnails of every query; (q, count)."""
    near = np.empty((len(queries), count), np.int64)
    for start in range(0, len(queries), ROWS_AT_ONCE):
        # Not a product of matrices: the threads of such a library would wait for one another beside ours.
        block = np.einsum("qd,gd->qg", queries[start : start + ROWS_AT_ONCE], gallery)
        near[start : start + ROWS_AT_ONCE] = np.argpartition(-block, count - 1, axis=1)[:, :count]
    return near
