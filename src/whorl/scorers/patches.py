"""Scorers on parts of pictures: VCMI's patch rules with linear parts in place of the authors' networks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from whorl.records import Array, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
TRANSDUCTIVE = ("matching", "replacing")
Features = Callable[[ImageSet], Array]
SLAB = 1024


def matching(
    problem: Problem, features: Features, seed: int = 0, cells: Count = 16, deviations: float = 1.0
) -> Scores:
    """Nearest generated patch, against how far two patches of one real picture lie apart.

    Problem with n queries -> Scores (n, 1), above 0 = used. Patches have half the side; one random place for
    all queries, another for their partners, a third for all generated; each is described by cell means.
    """
    real, made = features(problem.queries), features(next(iter(problem.generated.values())))
    height, width = real.shape[1:]
    generator = np.random.default_rng(seed)
    places = [
        (int(generator.integers(0, height // 2 + 1)), int(generator.integers(0, width // 2 + 1)))
        for _ in range(3)
    ]
    own = _cells(_cut(real, places[0]), cells)
    partner = _cells(_cut(real, places[1]), cells)
    other = _cells(_cut(made, places[2]), cells)
    apart = ((own - partner) ** 2).mean(axis=1)
    cut = apart.mean() - deviations * apart.std()
    return one_column(problem, cut - _nearest(own, other))


def replacing(
    problem: Problem, features: Features, seed: int = 0, components: Count = 64, deviations: float = 2.0
) -> Scores:
    """Whether a generated picture's bottom centre, put into a real one, is rebuilt better than real ones'.

    Problem with n queries -> Scores (n, 1), above 0 = used. Pictures are rebuilt from the principal
    components of generated and real ones together; the error is taken against the original.
    """
    from sklearn.decomposition import PCA

    stacks = features(problem.queries), features(next(iter(problem.generated.values())))
    height, width = stacks[0].shape[1:]
    inside = np.zeros((height, width), bool)
    inside[height // 2 :, width // 4 : width // 4 + width // 2] = True
    real, made = (stack.reshape(len(stack), -1).astype(np.float64) for stack in stacks)
    count = min(components, len(real) + len(made) - 1, real.shape[1])
    model = PCA(count, svd_solver="randomized", random_state=seed).fit(np.vstack([made, real]))
    axes, region = model.components_, inside.ravel()
    centred = real - model.mean_
    whole, kept = centred @ axes.T, (centred * ~region) @ axes.T
    constant = (centred**2).sum(axis=1) - 2 * (whole * kept).sum(axis=1) + (kept**2).sum(axis=1)
    donors = [((part - model.mean_) * region) @ axes.T for part in (made, real)]
    pixels = real.shape[1]
    errors = [
        (constant[:, None] + 2 * (kept - whole) @ donor.T + (donor**2).sum(axis=1)[None, :]) / pixels
        for donor in donors
    ]
    among = errors[1]
    np.fill_diagonal(among, among.mean(axis=1))
    cut = among.mean() - deviations * among.std()
    return one_column(problem, cut - errors[0].min(axis=1), errors[0].argmin(axis=1))


def _cut(stack: Array, place: tuple[int, int]) -> Array:
    height, width = stack.shape[1] // 2, stack.shape[2] // 2
    return stack[:, place[0] : place[0] + height, place[1] : place[1] + width]


def _cells(patches: Array, cells: int) -> Array:
    """Means over a grid, in units of 255: (n, h, w) -> (n, cells * cells)."""
    count, height, width = patches.shape
    side = min(cells, height, width)
    rows, columns = height // side, width // side
    trimmed = patches[:, : rows * side, : columns * side].astype(np.float64) / 255
    return np.asarray(trimmed.reshape(count, side, rows, side, columns).mean(axis=(2, 4)).reshape(count, -1))


def _nearest(rows: Array, gallery: Array) -> Array:
    """Smallest mean squared difference to the gallery; patches of other places are no twins to show."""
    from scipy.spatial.distance import cdist

    best = np.empty(len(rows))
    for start in range(0, len(rows), SLAB):
        table = cdist(rows[start : start + SLAB], gallery, "sqeuclidean") / rows.shape[1]
        best[start : start + SLAB] = table.min(axis=1)
    return best
