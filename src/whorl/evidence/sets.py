"""Was this *set* used? Distances between whole sets, where single pictures are near chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whorl.records import Array

SLAB = 512


@dataclass(frozen=True, eq=False)
class Kernels:
    """Kernel means of real pictures, summed by patient: all that a contrast of two sets needs.

    `among` (patients, patients) sums the kernel over pairs of real pictures, `toward` (patients,) its mean
    over the generated ones, `pictures` (patients,) counts.
    """

    among: Array
    toward: Array
    pictures: Array

    def contrast(self, members: Array) -> Array:
        """Squared maximum mean discrepancy of generated to holdout minus that to members.

        Labellings (rows, patients) of bool -> (rows,); above 0: the members are the nearer set.
        """
        sides = []
        for chosen in (~members, members):
            weights = chosen.astype(np.float64)
            weights /= (weights @ self.pictures)[:, None]
            inner = np.einsum("ij,ij->i", weights @ self.among, weights)
            sides.append(inner - 2 * weights @ self.toward)
        return np.asarray(sides[0] - sides[1])


def kernels(real: Array, generated: Array, patient: Array) -> Kernels:
    """Sum a Gaussian kernel over descriptions (n, d), (g, d) by patient number (n,).

    Its width is the median distance of real pictures, the usual choice, which no answer enters.
    """
    count = int(patient.max()) + 1
    step = max(1, len(real) // SLAB)
    sample = real[::step]
    apart = _squares(sample, sample)
    width = float(np.median(apart[~np.eye(len(sample), dtype=bool)])) if len(sample) > 1 else 1.0
    sums = np.zeros((count, count))
    toward = np.zeros(count)
    owner = np.zeros((len(real), count))
    owner[np.arange(len(real)), patient] = 1.0
    for start in range(0, len(real), SLAB):
        part = slice(start, start + SLAB)
        rows = owner[part].T
        sums += rows @ (np.exp(-_squares(real[part], real) / max(width, 1e-12)) @ owner)
        near = np.exp(-_squares(real[part], generated) / max(width, 1e-12))
        toward += rows @ near.mean(axis=1)
    return Kernels(sums, toward, owner.sum(axis=0))


def _squares(rows: Array, columns: Array) -> Array:
    lengths = (rows**2).sum(axis=1)[:, None] + (columns**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(lengths - 2 * rows @ columns.T, 0.0), np.float64)
