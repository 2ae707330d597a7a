"""The block loop: similarities of queries to a gallery, a bounded number of bytes at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from whorl.kernels.slabs import release
from whorl.records import Array, Floats
from whorl.records import Progress as Progress
from whorl.records import silent as silent
from whorl.shortlists import closest, shortlist

Similarity = Callable[[Array, Array], Floats]
DEFAULT_BLOCK_BYTES = 128 * 2**20
# Queries of one search for the most similar: it prepares the gallery anew for every few hundred of them.
SEARCHED_AT_ONCE = 768
BLOCKS_OF_A_SEARCH = 8  # what a search may take, beside one block


@dataclass(frozen=True)
class Loop:
    """How to walk over all pairs: bytes per block, and where to report progress."""

    block_bytes: int = DEFAULT_BLOCK_BYTES
    progress: Progress = silent
    label: str = ""

    def rows(self, similarity: Similarity, queries: Array, gallery: Array) -> Iterator[tuple[int, Floats]]:
        """Yield (first query, block): some queries against the whole gallery."""
        step = self._step(queries, len(gallery))
        for start in range(0, len(queries), step):
            self.progress(self.label, start, len(queries))
            yield start, similarity(queries[start : start + step], gallery)
            release(queries)
        self.progress(self.label, len(queries), len(queries))

    def columns(self, similarity: Similarity, queries: Array, gallery: Array) -> Iterator[tuple[int, Floats]]:
        """Yield (first of the gallery, block): all queries against some of the gallery."""
        step = self._step(gallery, len(queries))
        for start in range(0, len(gallery), step):
            self.progress(self.label, start, len(gallery))
            yield start, similarity(queries, gallery[start : start + step])
            release(gallery)
        self.progress(self.label, len(gallery), len(gallery))

    def _step(self, along: Array, across: int) -> int:
        # A few arrays of the block's shape live at once: the block, its float64 form, its order; and two of
        # the rows themselves in float64.
        width = max(24 * across, 16 * math.prod(along.shape[1:]), 1)
        # Small enough that somebody who watches sees it move; every call prepares the whole other side anew.
        return max(1, min(self.block_bytes // width, max(64, len(along) // 5)))


def pool_rows(
    loop: Loop, similarity: Similarity, pool: Callable[[Floats], Floats], queries: Array, gallery: Array
) -> tuple[Floats, Array]:
    """Pool every query's whole row; also return the place of its most similar gallery picture."""
    values = np.empty(len(queries), np.float32)
    nearest = np.empty(len(queries), np.int64)
    search = shortlist(similarity, pool)
    if search is not None:
        for start in range(0, len(queries), SEARCHED_AT_ONCE):
            loop.progress(loop.label, start, len(queries))
            part = slice(start, start + SEARCHED_AT_ONCE)
            largest, places = search(queries[part], gallery, BLOCKS_OF_A_SEARCH * loop.block_bytes)
            values[part], nearest[part] = pool(largest), places[:, 0]
        loop.progress(loop.label, len(queries), len(queries))
        return values, nearest
    for start, block in loop.rows(similarity, queries, gallery):
        part = slice(start, start + len(block))
        values[part] = pool(block)
        nearest[part] = block.argmax(axis=1)
    return values, nearest


def pool_columns(
    loop: Loop, similarity: Similarity, tally: Callable[[Floats], Array], queries: Array, gallery: Array
) -> tuple[Floats, Array]:
    """Add up a tally over column blocks and divide by the gallery's size; also the nearest of each query."""
    total = np.zeros(len(queries), np.float64)
    best = np.full(len(queries), -np.inf, np.float32)
    nearest = np.zeros(len(queries), np.int64)
    for start, block in loop.columns(similarity, queries, gallery):
        total += tally(block)
        place = block.argmax(axis=1)
        value = block[np.arange(len(block)), place]
        nearest = np.where(value > best, start + place, nearest)
        best = np.maximum(value, best)
    return np.asarray(total / len(gallery), np.float32), nearest


def among_themselves(loop: Loop, similarity: Similarity, pictures: Array) -> Floats:
    """For every picture its similarities to the others of its set: largest, mean, spread; (n, 3).

    The similarity to itself is replaced by the mean of its row, itself included (VCMI's rule).
    """
    out = np.empty((len(pictures), 3), np.float32)
    for start, part in loop.rows(similarity, pictures, pictures):
        block = part.astype(np.float64)
        here = np.arange(len(block))
        block[here, start + here] = block.mean(axis=1)
        inside = slice(start, start + len(block))
        out[inside, 1], out[inside, 2] = block.mean(axis=1), block.std(axis=1)
        if block.shape[1] > 1:
            block[here, start + here] = -np.inf
        out[inside, 0] = block.max(axis=1)
    return out


def largest_among(loop: Loop, similarity: Similarity, pictures: Array) -> Floats:
    """As `among_themselves`, for a rule that asks for the largest of all alone; (n, 3).

    Where it can be searched for, every row has the largest of the whole set, and no mean and spread.
    """
    search = closest(similarity)
    if search is None or len(pictures) < 2:
        return among_themselves(loop, similarity, pictures)
    loop.progress(loop.label, 0, len(pictures))
    out = np.zeros((len(pictures), 3), np.float32)
    out[:, 0] = search(pictures, BLOCKS_OF_A_SEARCH * loop.block_bytes)
    loop.progress(loop.label, len(pictures), len(pictures))
    return out
