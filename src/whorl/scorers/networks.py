"""Scorers that train a whole network on pictures: classifiers of used or real ones, transfer in stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from PIL import Image

from whorl.learning import roles, transfer
from whorl.learning.backbones import Colour, Weights, side_of
from whorl.learning.classifiers import Form
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.transfer import Pace, Stage
from whorl.learning.workplace import ALONE, Workplace
from whorl.records import Array, Count, ImageSet, Problem, Scores, Share, one_column

VERSION = 1
TRANSDUCTIVE = ("transferred",)
Features = Callable[[ImageSet], Array]
BITS = 16  # a side of the perceptual hash


def classified(
    problem: Problem,
    features: Features,
    seed: int = 0,
    network: str = "resnet152",
    weights: Weights = "pretrained",
    target: Literal["used", "real"] = "used",
    within: int = -1,
    moves: bool = False,
    colour: Colour = "copy",
    dropout: Share = 0.0,
    size: Count = 224,
    epochs: Count = 10,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """How far a trained network prefers used to not used, or real to generated.

    Problem with n queries -> Scores (n, 1), above 0 = used (or real). Learnt on the development part.
    `within` adds generated pictures whose perceptual hash is within so many of 256 bits of a used one to the
    used (DMK-SSN 2023); `moves` turns, scales and shifts what is learnt from (KDElab 2024).
    """
    limits = LIMITS[effort]
    side = side_of(network, size, limits)
    form = Form(network, side, limits, weights, colour, dropout, workplace.networks)
    known = roles.membership(problem, form.side, features)
    liked = known.some("members", "holdout") if target == "real" else known["members"]
    other = known["generated"] if target == "real" else known["holdout"]
    if within >= 0:
        liked = np.concatenate([liked, _near(known, within)])
    labels = np.concatenate([np.ones(len(liked), np.int64), np.zeros(len(other), np.int64)])
    stage = Stage("classified", known.pictures[np.concatenate([liked, other])], tuple(labels.tolist()))
    pace = Pace(epochs, min(batch, limits.batch), rate, limits.steps, moves)
    found = transfer.learnt(form, [stage], pace, seed, workplace)
    chances = transfer.judged(form, found, 2, roles.sized(features(problem.queries), form.side), workplace)
    return one_column(problem, chances[:, 1] - chances[:, 0])


def transferred(
    problem: Problem,
    features: Features,
    seed: int = 0,
    network: str = "resnet18",
    weights: Weights = "pretrained",
    stages: Sequence[str] = (),
    sure: Share = 0.9,
    size: Count = 224,
    epochs: Count = 20,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """How far a network prefers used to not used that went through several trainings (KDE-lab 2023).

    Problem with n queries -> Scores (n, 1), above 0 = used. First every folder of `stages`, one folder of
    pictures per class inside; then the development part; then the queries whose label it is `sure` of.
    """
    limits = LIMITS[effort]
    side = side_of(network, size, limits)
    form = Form(network, side, limits, weights, networks=workplace.networks)
    pace = Pace(epochs, min(batch, limits.batch), rate, limits.steps)
    path = [transfer.folder_stage(folder, form.side) for folder in stages]
    path.append(transfer.used_stage(problem, form.side, features))
    found = transfer.learnt(form, path, pace, seed, workplace)
    queries = roles.sized(features(problem.queries), form.side)
    logits = transfer.judged(form, found, 2, queries, workplace)
    certain = _chances(logits).max(axis=1) >= sure
    if certain.any():
        own = roles.ordered(queries[certain], logits[certain].argmax(axis=1))
        path.append(Stage("pseudo-labels", own[0], tuple(own[1].tolist())))
        found = transfer.learnt(form, path, pace, seed, workplace)
        logits = transfer.judged(form, found, 2, queries, workplace)
    return one_column(problem, logits[:, 1] - logits[:, 0])


def _chances(logits: Array) -> Array:
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _near(known: roles.Roles, most: int) -> Array:
    """Rows of the generated pictures that lie within so many bits of a used one."""
    import imagehash

    def hashes(rows: Array) -> Array:
        pictures = (Image.fromarray(known.pictures[row]) for row in rows)
        return np.asarray([imagehash.phash(picture, BITS).hash.ravel() for picture in pictures])

    made, used = hashes(known["generated"]), hashes(known["members"])
    apart = np.asarray([(one != used).sum(axis=1).min() for one in made])
    return np.asarray(known["generated"][apart <= most])
