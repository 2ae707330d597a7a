"""How near generated pictures come to real ones: a poor generator leaks nothing, and that is no merit.

Kernel distance (KID, Binkowski et al. 2018), precision and recall by nearest neighbours (Kynkaanniemi et
al. 2019), on features that need no network: thumbnails, binary patterns at two radii, the radial spectrum.
Figures on other features than these compare with none of these. Beside each stands what one half of the real
pictures reaches against the other: nothing comes nearer than that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whorl.features.frequency import radial_spectrum
from whorl.features.pixels import thumbnail
from whorl.features.texture import lbp
from whorl.records import Array, BadInput, Interval

SPLITS = 20
NEIGHBOURS = 3
REACH = 2.0  # standard deviations that a feature counts at most
VERSION = 1  # of the features: another makes other figures
RINGS = 32
THUMBNAIL = 12
MOST = 1000  # pictures of a set that are compared at a time
FEWEST = 2 * (NEIGHBOURS + 2)
Rows = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Quality:
    """Generated against real pictures, `_real` one half of the real against the other; sets of one size.

    `frequencies`, in cycles a pixel, with the mean log power of generated and of real pictures at each.
    """

    kid: Interval
    kid_real: Interval
    precision: float
    recall: float
    precision_real: float
    recall_real: float
    pictures: int
    frequencies: tuple[float, ...]
    generated: tuple[float, ...]
    real: tuple[float, ...]


def quality(generated: Array, real: Array, seed: int = 0) -> Quality:
    """Compare generated with real pictures, (n, h, w) each; sets of one size are drawn many times."""
    if min(len(generated), len(real)) < FEWEST:
        raise BadInput(
            f"{min(len(generated), len(real))} pictures are too few to judge: give {FEWEST} or more"
        )
    spectra = [np.asarray(radial_spectrum(pictures, RINGS), np.float64) for pictures in (generated, real)]
    made, true = _features([generated, real], spectra)
    count = min(len(true) // 2, len(made), MOST)
    rng = np.random.default_rng(seed)
    rounds = []
    for _ in range(SPLITS):
        halves = rng.permutation(len(true))
        first, second = true[halves[:count]], true[halves[count : 2 * count]]
        drawn = made[rng.permutation(len(made))[:count]]
        rounds.append(
            [
                *(kernel_distance(one, first) for one in (drawn, second)),
                *overlap(drawn, first),
                *overlap(second, first),
            ]
        )
    table = np.asarray(rounds)
    means = table.mean(axis=0).tolist()
    ends = np.quantile(table, [0.025, 0.975], axis=0).tolist()
    return Quality(
        kid=Interval(means[0], ends[0][0], ends[1][0]),
        kid_real=Interval(means[1], ends[0][1], ends[1][1]),
        precision=means[2],
        recall=means[3],
        precision_real=means[4],
        recall_real=means[5],
        pictures=count,
        frequencies=tuple(((np.arange(RINGS) + 0.5) / (2 * RINGS)).tolist()),
        generated=tuple(spectra[0].mean(axis=0).tolist()),
        real=tuple(spectra[1].mean(axis=0).tolist()),
    )


def kernel_distance(one: Rows, other: Rows) -> float:
    """Return the squared distance of two sets of features (n, d), (m, d) under the kernel (x·y / d + 1)³.

    Free of bias, so it can be negative; 0 = no difference.
    """
    within = 0.0
    for rows in (one, other):
        table = _kernel(rows, rows)
        within += (table.sum() - np.trace(table)) / (len(rows) * (len(rows) - 1))
    return float(within - 2.0 * _kernel(one, other).mean())


def overlap(generated: Rows, real: Rows) -> tuple[float, float]:
    """Return precision and recall: the share of each set that lies in the other's balls of neighbours."""
    inside = []
    for asked, known in ((generated, real), (real, generated)):
        own = np.sort(_squares(known, known), axis=1)[:, NEIGHBOURS]  # the first is the picture itself
        inside.append(float((_squares(asked, known) <= own).any(axis=1).mean()))
    return inside[0], inside[1]


def _features(sets: list[Array], spectra: list[Rows]) -> list[Rows]:
    """Return the features of sets of pictures, every block standardised by the last set and of one weight."""
    blocks = [[np.asarray(thumbnail(one, THUMBNAIL), np.float64).reshape(len(one), -1) for one in sets]]
    blocks += [[np.asarray(lbp(one, 8, radius), np.float64) for one in sets] for radius in (1.0, 2.0)]
    blocks += [spectra]
    parts = []
    for block in blocks:
        middle, spread = block[-1].mean(axis=0), block[-1].std(axis=0) + 1e-9
        # Squashed: how far out a feature lies shall not drown that others are where they should be.
        held = [REACH * np.tanh((one - middle) / spread / REACH) for one in block]
        parts.append([one / np.sqrt(one.shape[1]) for one in held])
    joined = [np.concatenate(own, axis=1) for own in zip(*parts, strict=True)]
    # The kernel divides by the number of features: back to a unit each.
    return [one * np.sqrt(one.shape[1] / len(blocks)) for one in joined]


def _kernel(one: Rows, other: Rows) -> Rows:
    return np.asarray((one @ other.T / one.shape[1] + 1.0) ** 3)


def _squares(one: Rows, other: Rows) -> Rows:
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(lengths - 2.0 * one @ other.T, 0.0))
