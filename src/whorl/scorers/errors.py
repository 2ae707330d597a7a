"""Scorers by how well an autoencoder makes a picture again: outlier rules and nearest class means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from whorl.learning import autoencoders as networks
from whorl.learning import roles
from whorl.learning.autoencoders import Block
from whorl.learning.deals import Deal, Epochs, Together, per_epoch
from whorl.learning.effort import LIMITS, Effort, Limits
from whorl.learning.workplace import ALONE, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, Count, ImageSet, Problem, Scores, Share, one_column

VERSION = 1
TRANSDUCTIVE = ("outliers_of_two", "contrast")
Features = Callable[[ImageSet], Array]
Folds = Callable[[int], Array]
FOLDS = 3  # each is a training
LEAST_ERROR = 1e-9


def outliers(
    problem: Problem,
    features: Features,
    seed: int = 0,
    blocks: Block = "plain",
    held: Share = 0.05,
    deviations: float = 3.0,
    epochs: Count = 200,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """How far a query's error stays below that of held-out generated pictures (VCMI 2023, basic).

    Problem with n queries and g groups -> Scores (n, g), above 0 = used. An autoencoder learns a group's
    pictures but for a share; the cut is the mean of the share's errors and so many of their deviations.
    """
    limits = LIMITS[effort]
    side, size = min(networks.SIDE, limits.side), min(batch, limits.batch)

    def learnt(shown: Array) -> Any:
        pace = min(epochs * per_epoch(len(shown), size), limits.steps), size, rate, seed
        return _of_one_set("outliers", shown, (side, limits, blocks), pace, workplace)

    values = np.empty((len(problem.queries), len(problem.generated)), np.float32)
    queries = roles.sized(features(problem.queries), side)
    for column, images in enumerate(problem.generated.values()):
        made = roles.gathered({"generated": features(images)}, side).pictures
        kept = max(1, round(held * len(made)))
        shown = made[kept:] if len(made) > kept else made
        network = learnt(shown)
        apart, usual = (_errors(network, stack, workplace) for stack in (queries, made[:kept]))
        values[:, column] = usual.mean() + deviations * usual.std() - apart
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))


def outliers_of_two(
    problem: Problem,
    features: Features,
    seed: int = 0,
    blocks: Block = "plain",
    deviations: float = 1.0,
    epochs: Count = 200,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """How far a query's error under the generated pictures' decoder stays below their own (VCMI 2023).

    Problem with n queries and g groups -> Scores (n, g), above 0 = used. One encoder with a decoder for the
    queries and one for a group's pictures; the cut is the mean of these' errors and a deviation.
    """
    limits = LIMITS[effort]
    side, size = min(networks.SIDE, limits.side), min(batch, limits.batch)

    def build(torch: Any) -> Any:
        return networks.several(torch, side, limits, blocks, 2)

    values = np.empty((len(problem.queries), len(problem.generated)), np.float32)
    real = features(problem.queries)
    for column, images in enumerate(problem.generated.values()):
        known = roles.gathered({"queries": real, "generated": features(images)}, side)
        deal: Deal = Together((known["queries"], known["generated"]), size, seed)
        steps = min(epochs * per_epoch(len(real), size), limits.steps)
        said = {"blocks": blocks, "rate": rate, "narrow": limits.narrow}
        task = Task("outliers-of-two", known.pictures, deal, steps, seed, said)
        weights = learn(
            task, lambda torch, course: networks.split_lesson(torch, course, build(torch), rate), workplace
        )
        network = loaded(build, weights, "network", workplace)
        apart = _errors(network, roles.sized(real, side), workplace)
        usual = _errors(network, known.stack("generated"), workplace)
        values[:, column] = usual.mean() + deviations * usual.std() - apart
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))


def contrast(
    problem: Problem,
    features: Features,
    folds: Folds,
    seed: int = 0,
    blocks: Block = "plain",
    epochs: Count = 100,
    batch: Count = 32,
    rate: float = 1e-3,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """How much better an autoencoder of generated pictures makes a query again than one of other real ones.

    Problem with n queries and g groups -> Scores (n, g): log of the ratio of the errors, above 0 = better.
    Other real ones: the reference, if there is one, and queries of other folds; nothing tells who was used.
    """
    limits = LIMITS[effort]
    side, size = min(networks.SIDE, limits.side), min(batch, limits.batch)

    def learnt(shown: Array) -> Any:
        pace = min(epochs * per_epoch(len(queries), size), limits.steps), size, rate, seed  # of all the same
        return _of_one_set("contrast", shown, (side, limits, blocks), pace, workplace)

    queries, fold = roles.sized(features(problem.queries), side), folds(FOLDS)
    digests = list(problem.queries.digests)
    others = [] if problem.reference is None else [_by_content(problem.reference, features, side)]
    apart = np.empty(len(queries))
    for place in range(int(fold.max()) + 1):
        asked, rest = np.flatnonzero(fold == place), np.flatnonzero(fold != place)
        rest = rest if len(rest) else asked
        known = queries[sorted(rest, key=lambda row: digests[row])]
        apart[asked] = _errors(learnt(np.concatenate([known, *others])), queries[asked], workplace)
    values = np.empty((len(queries), len(problem.generated)), np.float32)
    for column, images in enumerate(problem.generated.values()):
        near = _errors(learnt(_by_content(images, features, side)), queries, workplace)
        values[:, column] = np.log(np.maximum(apart, LEAST_ERROR)) - np.log(np.maximum(near, LEAST_ERROR))
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))


def nearest_mean(problem: Problem, features: Features) -> Scores:
    """Whether a query's mean error is nearer to that of the used than of the not used (AI Multimedia Lab).

    Problem with n queries -> Scores (n, 1), above 0 = used. Features (n, h, w): error maps.
    """
    used, unused = (stack.mean() for stack in _known(problem, features))
    own = features(problem.queries).reshape(len(problem.queries), -1).mean(axis=1, dtype=np.float64)
    return one_column(problem, np.abs(own - unused) - np.abs(own - used))


def nearest_map(problem: Problem, features: Features, window: Count = 7) -> Scores:
    """Whether a query's error map is more alike (SSIM) to the mean map of the used than of the not used.

    Problem with n queries -> Scores (n, 1), above 0 = used. Features (n, h, w): error maps.
    """
    from skimage.metrics import structural_similarity

    used, unused = (stack.mean(axis=0, dtype=np.float64) for stack in _known(problem, features))
    reach = max(float(used.max()), float(unused.max()), 1e-12)
    size = min(window, *used.shape)
    said = {"win_size": size - 1 + size % 2, "data_range": reach}
    gaps = [
        structural_similarity(own, used, **said) - structural_similarity(own, unused, **said)
        for own in features(problem.queries).astype(np.float64)
    ]
    return one_column(problem, np.asarray(gaps))


def _known(problem: Problem, features: Features) -> tuple[Array, Array]:
    """Error maps of the development part's used and not used pictures."""
    part = roles.development(problem)
    maps, used = features(part.problem.queries), part.used()
    return maps[used], maps[~used]


def _of_one_set(
    name: str,
    shown: Array,
    form: tuple[int, Limits, Block],
    pace: tuple[int, int, float, int],
    workplace: Workplace,
) -> Any:
    """Return an autoencoder of one set: its side, limits and blocks; its steps, batch, rate and seed."""
    (side, limits, blocks), (steps, batch, rate, seed) = form, pace

    def build(torch: Any) -> Any:
        return networks.several(torch, side, limits, blocks, 1)

    said = {"blocks": blocks, "rate": rate, "narrow": limits.narrow}
    weights = learn(
        Task(name, shown, Epochs(np.ones(len(shown), np.int64), batch, seed), steps, seed, said),
        lambda torch, course: networks.plain_lesson(torch, course, build(torch), networks.SIGNED, rate),
        workplace,
    )
    return loaded(build, weights, "network", workplace)


def _by_content(images: ImageSet, features: Features, side: int) -> Array:
    """Pictures in an order that only their content decides, so that file names change nothing."""
    return roles.sized(features(images), side)[np.argsort(np.asarray(images.digests), kind="stable")]


def _errors(network: Any, pictures: Array, workplace: Workplace) -> Array:
    """Mean squared error of every picture, (n,)."""
    maps = outputs(networks.errors(network, networks.SIGNED), pictures, networks.SIGNED, workplace)
    return np.asarray(maps.mean(axis=(1, 2), dtype=np.float64))
