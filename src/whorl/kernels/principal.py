"""Principal axes of chosen rows of a table, which is read some rows at a time and never copied as a whole.

What several threads of a library of linear algebra add up depends on how many there are. Here each product is
one thread's, several are at work side by side, and sums are taken in order: so the same on every machine with
the same instructions, in one process or in many.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from whorl.kernels.slabs import SLAB_BYTES, release
from whorl.kernels.threads import one_thread
from whorl.records import Array, Floats

LEAST_ENERGY = 1e-3
PART_BYTES = 16 * 2**20  # of rows that are copied at a time
SPARE, PASSES = 10, 7  # directions tried beyond those asked for, and how often


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a table (m, ...), each flattened, at the given places."""

    table: Array
    places: Array

    @property
    def width(self) -> int:
        """Numbers of a row."""
        return int(np.prod(self.table.shape[1:]))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.places)

    def some(self, part: slice) -> Floats:
        """A copy of some of them."""
        rows = self.table[self.places[part]]
        return np.asarray(rows.reshape(len(rows), -1), np.float32)

    def each(self, work: Callable[[slice, Floats], Any]) -> Iterator[Any]:
        """Do something with copies of some rows after another, on all cores; yield the results in order."""
        step = max(1, PART_BYTES // (4 * max(1, self.width)))
        parts = [slice(start, min(start + step, len(self))) for start in range(0, len(self), step)]

        def done(part: slice) -> Any:
            some = self.some(part)
            release(self.table)
            return work(part, some)

        with ThreadPoolExecutor(max(1, min(len(parts), os.cpu_count() or 1))) as pool:
            yield from pool.map(done, parts)


@dataclass(frozen=True, eq=False)
class Axes:
    """The mean (d,), principal axes (count, d) and the variance along each."""

    mean: Floats
    along: Floats
    variance: Array

    def placed(self, rows: Rows) -> tuple[Floats, Array]:
        """Coordinates along the axes (n, count), and the energy that lies outside them (n,)."""
        within, energy = np.empty((len(rows), len(self.along)), np.float32), np.empty(len(rows), np.float32)

        def place(part: slice, some: Floats) -> None:
            some -= self.mean
            within[part] = some @ self.along.T
            inner = np.einsum("ij,ij->i", within[part], within[part])
            energy[part] = np.einsum("ij,ij->i", some, some) - inner

        with one_thread():
            list(rows.each(place))
        return within, np.maximum(energy, LEAST_ENERGY)


def axes(rows: Rows, count: int, seed: int) -> Axes:
    """Find the principal axes, at random beginnings where the rows are many numbers."""
    from sklearn.decomposition import PCA

    count = max(1, min(count, len(rows), rows.width))
    with one_thread():
        if 4 * len(rows) * rows.width > SLAB_BYTES:
            return _by_parts(rows, count, seed)
        with np.errstate(all="ignore"):  # one picture, or all alike: nothing varies, nothing is spanned
            model = PCA(count, random_state=seed, copy=False).fit(rows.some(slice(None)))
    return Axes(model.mean_, model.components_, np.nan_to_num(model.explained_variance_))


def _by_parts(rows: Rows, count: int, seed: int) -> Axes:
    """The same from products with some rows at a time (randomised subspace iteration)."""
    total = np.zeros(rows.width)
    for sums in rows.each(lambda _, some: some.sum(axis=0, dtype=np.float64)):
        total += sums
    mean = np.asarray(total / len(rows), np.float32)
    tried = min(count + SPARE, len(rows), rows.width)
    down = np.random.default_rng(seed).normal(size=(rows.width, tried)).astype(np.float32)
    for _ in range(PASSES):
        down = np.linalg.qr(_gone_through(rows, mean, down))[0]
    _, sizes, right = np.linalg.svd(_gone_through(rows, mean, down).T, full_matrices=False)
    return Axes(mean, right[:count], sizes[:count] / max(1, len(rows) - 1))


def _gone_through(rows: Rows, mean: Floats, factor: Floats) -> Floats:
    """The product of the rows about their mean, transposed, with themselves and a factor (d, k)."""
    out = np.zeros(factor.shape, np.float32)

    def product(_: slice, some: Floats) -> Floats:
        some -= mean
        return np.asarray(some.T @ (some @ factor))

    for one in rows.each(product):
        out += one
    return out
