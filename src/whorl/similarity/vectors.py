"""Similarities between vectors; arrays of more dimensions are flattened.

Products are taken in float64 over slabs of the gallery and rounded to float32, so that the size of a
block changes no byte of the answer.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whorl.kernels.slabs import SLAB_BYTES, slabs
from whorl.records import Array, Floats

VERSION = 1
# Squared distances this small, measured in units of the squared lengths, are rounding and not distance.
GRAIN = 2.0**-32


def cosine(queries: Array, gallery: Array) -> Floats:
    """Cosine of the angle; 0 where a vector has no length.

    (q, ...), (g, ...) -> (q, g) in -1..1.
    """
    return _products(queries, gallery, centred=False)


def correlation(queries: Array, gallery: Array) -> Floats:
    """Pearson correlation; 0 where a vector is constant.

    (q, ...), (g, ...) -> (q, g) in -1..1.
    """
    return _products(queries, gallery, centred=True)


def euclidean(queries: Array, gallery: Array) -> Floats:
    """Minus the Euclidean distance.

    (q, ...), (g, ...) -> (q, g), 0 for equal vectors.
    """
    rows = _flat(queries)
    lengths = np.einsum("ij,ij->i", rows, rows)
    out = np.empty((len(queries), len(gallery)), np.float32)
    for part, slab in _slabs(gallery):
        squares = np.einsum("ij,ij->i", slab, slab)
        scale = lengths[:, None] + squares[None, :]
        gap = scale - 2.0 * (rows @ slab.T)
        grain = np.maximum(scale * GRAIN, np.finfo(np.float64).tiny)
        out[:, part] = -np.sqrt(np.maximum(np.rint(gap / grain), 0.0) * grain)
    return out


def mean_square(queries: Array, gallery: Array) -> Floats:
    """One minus the mean squared difference (VCMI 2023).

    (q, ...), (g, ...) -> (q, g), 1 for equal vectors and without a lower bound.
    """
    width = max(1, int(np.prod(gallery.shape[1:])))
    return np.asarray(1.0 - euclidean(queries, gallery).astype(np.float64) ** 2 / width, np.float32)


def manhattan(queries: Array, gallery: Array) -> Floats:
    """Minus the sum of absolute differences.

    (q, ...), (g, ...) -> (q, g), 0 for equal vectors.
    """
    return _pairwise(queries, gallery, "cityblock")


def hamming(queries: Array, gallery: Array) -> Floats:
    """Minus the share of places that differ.

    (q, ...), (g, ...) -> (q, g) in -1..0.
    """
    return _pairwise(queries, gallery, "hamming")


def _products(queries: Array, gallery: Array, *, centred: bool) -> Floats:
    if len(queries) > len(gallery):  # the smaller side is prepared at once, the other in slabs
        return np.ascontiguousarray(_products(gallery, queries, centred=centred).T)
    rows = _unit(_flat(queries), centred)
    out = np.empty((len(queries), len(gallery)), np.float32)
    for part, slab in _slabs(gallery):
        out[:, part] = rows @ _unit(slab, centred).T
    return np.clip(out, -1.0, 1.0)


def _pairwise(queries: Array, gallery: Array, metric: str) -> Floats:
    from scipy.spatial.distance import cdist

    rows = _flat(queries)
    out = np.empty((len(queries), len(gallery)), np.float32)
    for part, slab in _slabs(gallery):
        out[:, part] = -cdist(rows, slab, metric)
    return out


def _flat(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)


def _unit(rows: Array, centred: bool) -> Array:
    """Rows of length 1, of a copy; those of length 0 stay so."""
    rows = rows - (rows.mean(axis=1, keepdims=True) if centred else 0.0)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    rows[length[:, 0] <= 1e-9] = 0.0
    return np.asarray(np.divide(rows, length, out=rows, where=length > 1e-9))


def _slabs(gallery: Array) -> Iterator[tuple[slice, Array]]:
    """The gallery as float64 rows, a bounded number at a time."""
    for part, rows in slabs(gallery, most=SLAB_BYTES):
        yield part, _flat(rows)
