"""Was this *set* used? Distances between whole sets, where single pictures are near chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whorl.arrays import allocate
from whorl.kernels.slabs import release, slabs
from whorl.records import Array

SAMPLE = 512  # pictures whose distances tell the width of the kernel
PAIRS = 2**22  # of pictures that are compared at a time
AMONG_BYTES = 64 * 2**20  # above which sums over pairs of patients lie in a temporary file


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
            inner = np.zeros(len(weights))
            for part, sums in slabs(self.among):
                inner += np.einsum("ij,ij->i", weights[:, part] @ sums, weights)
            sides.append(inner - 2 * weights @ self.toward)
        return np.asarray(sides[0] - sides[1])


def kernels(real: Array, generated: Array, patient: Array) -> Kernels:
    """Sum a Gaussian kernel over descriptions (n, d), (g, d) by patient number (n,).

    Its width is the median distance of real pictures, the usual choice, which no answer enters.
    """
    step = max(1, len(real) // SAMPLE)
    sample = real[::step]
    apart = _squares(sample, sample)
    width = float(np.median(apart[~np.eye(len(sample), dtype=bool)])) if len(sample) > 1 else 1.0
    width = max(width, 1e-12)
    order = np.argsort(patient, kind="stable")
    ordered, pictures = real[order], np.bincount(patient)
    last = np.cumsum(pictures)
    first = last - pictures
    most = max(1, PAIRS // max(len(real), len(generated)))
    among = allocate((len(pictures), len(pictures)), np.float64, AMONG_BYTES)
    toward = np.zeros(len(pictures))
    begin = 0
    while begin < len(pictures):  # whole patients, as many as have so few pictures together
        end = max(begin + 1, int(np.searchsorted(last, first[begin] + most, side="right")))
        rows, starts = ordered[first[begin] : last[end - 1]], first[begin:end] - first[begin]
        near = np.add.reduceat(np.exp(-_squares(rows, ordered) / width), first, axis=1)
        among[begin:end] = np.add.reduceat(near, starts, axis=0)
        near = np.exp(-_squares(rows, generated) / width).mean(axis=1)
        toward[begin:end] = np.add.reduceat(near, starts)
        release(among)
        begin = end
    return Kernels(among, toward, pictures.astype(np.float64))


def _squares(rows: Array, columns: Array) -> Array:
    lengths = (rows**2).sum(axis=1)[:, None] + (columns**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(lengths - 2 * rows @ columns.T, 0.0), np.float64)
