"""What pictures show in large: soft tissue or lungs, near or far. Generators of one question share it.

Where what is shown falls into two kinds, a fingerprint looks different in each, and pictures of the rarer one
are told apart by what they show. Then the common kind is divided alone; the others get the names of those
groups, in coordinates in which both kinds lie and spread alike.
"""

from __future__ import annotations

import numpy as np

from whorl.clusters import LEAST, Bag, Part, divide, joined, principal, supported
from whorl.compare import Progress, silent
from whorl.evidence.modes import one_hump_p, valley
from whorl.kernels.cells import means
from whorl.kernels.slabs import batches
from whorl.metrics import adjusted_rand_index
from whorl.records import Array
from whorl.regrouping import regrouped, renumbered

BATCH = 256
GRID = 16  # cells on each side of a picture
LEVELS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
DIRECTIONS = 3
SIGNIFICANT = 0.05
RARE = 4 * LEAST  # pictures of the rarer kind that are worth a look of their own
WIDTH = 0.75  # of the kernel that a density is smoothed with, in those of Silverman's rule
COMPONENTS = 50
ALIKE = 0.7  # adjusted Rand index of the common kind alone and among all, below which kinds are not trusted
STEPS = 30
OWN = 2.0  # pictures that the common kind's mean of a group counts for among the rarer kind
SHARES = 10.0  # pictures that equal shares of the groups count for
SPREAD = 20.0  # pictures that the common kind's spread counts for


def described(pixels: Array) -> Array:
    """How bright the parts of a picture are, and how much neighbouring ones differ; (n, 9)."""
    return np.concatenate([_some_described(stack) for _, stack in batches(pixels, BATCH)])


def _some_described(stack: Array) -> Array:
    down, across = (max(side // GRID, 1) for side in stack.shape[1:])
    cells = np.asarray(means(stack, down, across), np.float64)
    flat = cells.reshape(len(cells), -1)
    steps = sum(np.abs(np.diff(cells, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    levels = np.quantile(flat, LEVELS, axis=1)
    return np.column_stack([levels.T, flat.mean(axis=1), flat.std(axis=1), np.log(steps + 0.1)])


def rarer(scenes: Array, seed: int) -> Array | None:
    """Which pictures (n,) show what fewer show, if what is shown falls into two kinds; else None."""
    spread = scenes.std(axis=0)
    varied = scenes[:, spread > 1e-9] / spread[spread > 1e-9]
    if len(varied) < 2 * RARE or not varied.shape[1]:
        return None
    along = principal(varied, DIRECTIONS)[:, 0]
    if one_hump_p(along, seed) > SIGNIFICANT:
        return None
    cut = valley(along, WIDTH * 1.06 * float(along.std()) * len(along) ** -0.2)
    if cut is None:
        return None
    beyond = along > cut
    return beyond if 2 * beyond.sum() <= len(beyond) else ~beyond


def told(bag: Bag, parts: list[Part], seed: int, progress: Progress = silent) -> tuple[Array, int]:
    """Labels (n,) of the number of groups that was told, from a division into so many, the largest first.

    Second, how many pictures show something rarer and got the names of groups of the others.
    """
    labels = regrouped(bag, parts, seed, progress)
    again, named = mended(bag, labels, seed, progress)
    return renumbered(again), named


def mended(bag: Bag, labels: Array, seed: int, progress: Progress = silent) -> tuple[Array, int]:
    """The same number of groups, found where the common kind is shown and carried to so many others.

    Labels (n,) stay as they are where pictures show one kind of thing. They also stay where generators may
    differ in what they show, so that it is not beside the point: the common kind must evidently fall into as
    many groups by itself, or into much the same ones as among all pictures, each of them with some of it.
    """
    count = len(np.unique(labels))
    rest = None if bag.scenes is None or count < 2 else rarer(bag.scenes, seed)
    if rest is None or rest.sum() < max(RARE, 5 * count) or (~rest).sum() < 2 * LEAST * count:
        return labels, 0
    core = bag.some(np.flatnonzero(~rest))
    divisions = divide(core, seed, count, progress)
    found = regrouped(core, divisions[-1], seed, progress)
    if len(np.unique(found)) != count:
        return labels, 0
    before = labels[~rest]
    fewest = np.bincount(before, minlength=int(labels.max()) + 1)[np.unique(labels)].min()
    alike = fewest >= LEAST and adjusted_rand_index(before, found) >= ALIKE
    if not alike and supported(divisions) < count:
        return labels, 0
    again = labels.copy()
    again[~rest] = found
    again[rest] = carried(joined(bag, whole=COMPONENTS), rest, found)
    return again, int(rest.sum())


def carried(where: Array, rest: Array, groups: Array) -> Array:
    """Groups of the pictures `rest` of (n, c) coordinates, from those of the others, numbered from 0."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    core, other = where[~rest], where[rest]
    moved = (other - other.mean(axis=0)) / np.maximum(other.std(axis=0), 1e-12)
    moved = moved * core.std(axis=0) + core.mean(axis=0)
    count = int(groups.max()) + 1
    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", priors=np.full(count, 1 / count))
    model.fit(core, groups)
    return _adapted(model.transform(core), groups, model.transform(moved))


def _adapted(core: Array, groups: Array, other: Array) -> Array:
    """The likeliest group of each of `other`: bells of one shape, expected and fitted in turn."""
    count, size = int(groups.max()) + 1, other.shape[1]
    known = np.stack([core[groups == group].mean(axis=0) for group in range(count)])
    apart = core - known[groups]
    usual = apart.T @ apart / len(core) + 1e-9 * np.eye(size)
    middles, shape, shares = known, usual, np.full(count, 1 / count)
    for _ in range(STEPS):
        gaps = other[:, None, :] - middles
        chances = np.log(shares) - 0.5 * np.einsum("ngc,cd,ngd->ng", gaps, np.linalg.inv(shape), gaps)
        chances = np.exp(chances - chances.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        weight = chances.sum(axis=0)
        middles = (chances.T @ other + OWN * known) / (weight + OWN)[:, None]
        shares = (weight + SHARES) / (weight + SHARES).sum()
        gaps = other[:, None, :] - middles
        spread = np.einsum("ng,ngc,ngd->cd", chances, gaps, gaps)
        shape = (spread + SPREAD * usual) / (len(other) + SPREAD)
    return np.asarray(chances.argmax(axis=1))
