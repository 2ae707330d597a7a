"""Scorers that learn from a few numbers which other models make of a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from whorl.learning import autoencoders as networks
from whorl.learning import roles
from whorl.learning.deals import Epochs, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.workplace import ALONE, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
SIDE, LATENTS = 128, 512
Features = Callable[[ImageSet], Array]


def forest(
    problem: Problem,
    features: Features,
    seed: int = 0,
    chosen: Count = 20,
    epochs: Count = 50,
    batch: Count = 32,
    rate: float = 1e-3,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Chance of used, less a half, of a forest on three numbers (Neural Nexus 2025).

    Problem with n queries -> Scores (n, 1). An autoencoder learns all generated pictures; the numbers are its
    error, the smallest cosine distance of latents to a generated picture, and the Mahalanobis distance to
    them all in the `chosen` latents and features that tell the development part's used ones best.
    """
    from sklearn.ensemble import RandomForestClassifier

    part = roles.development(problem)
    made = [*problem.generated.values(), *part.problem.generated.values()]
    maker = _Maker(epochs, batch, rate, effort, seed, workplace)
    network = maker.learnt(np.concatenate([roles.sized(one.pixels, maker.side) for one in made]))
    order = np.argsort(np.asarray(part.problem.queries.digests), kind="stable")  # not that of the files
    truth = part.used()[order]
    known, asked = (maker.seen(network, one, features) for one in (part.problem.queries, problem.queries))
    known = known.rows(order)
    others = [maker.seen(network, one, features) for one in made]
    first = RandomForestClassifier(200, random_state=seed).fit(known.table, truth)
    best = np.sort(np.argsort(-first.feature_importances_, kind="stable")[:chosen])
    near = _Nearness(
        np.vstack([one.latents for one in others]), np.vstack([one.table for one in others])[:, best]
    )
    last = RandomForestClassifier(100, random_state=seed).fit(near.numbers(known, best), truth)
    return one_column(problem, last.predict_proba(near.numbers(asked, best))[:, 1] - 0.5)


@dataclass(frozen=True, eq=False)
class _Seen:
    """What is known of some pictures: latents, latents and features in one table, and the error of each."""

    latents: Array
    table: Array
    error: Array

    def rows(self, order: Array) -> _Seen:
        return _Seen(self.latents[order], self.table[order], self.error[order])


class _Nearness:
    """How near pictures are to the generated ones."""

    def __init__(self, latents: Array, table: Array) -> None:
        self.unit, self.middle = _unit(latents), table.mean(axis=0)
        self.inverse = np.linalg.pinv(np.atleast_2d(np.cov(table, rowvar=False)), hermitian=True)

    def numbers(self, seen: _Seen, best: Array) -> Array:
        """Error, smallest cosine distance, Mahalanobis distance; (n, 3)."""
        cosine = 1.0 - (_unit(seen.latents) @ self.unit.T).max(axis=1)
        apart = seen.table[:, best] - self.middle
        squared = np.einsum("ij,jk,ik->i", apart, self.inverse, apart)
        return np.column_stack([seen.error, cosine, np.sqrt(np.maximum(squared, 0.0))])


class _Maker:
    """The autoencoder: how it is trained, and what it makes of pictures."""

    def __init__(
        self, epochs: int, batch: int, rate: float, effort: Effort, seed: int, workplace: Workplace
    ) -> None:
        self.limits = LIMITS[effort]
        self.side, self.batch = min(SIDE, self.limits.side), min(batch, self.limits.batch)
        self.epochs, self.rate, self.seed, self.workplace = epochs, rate, seed, workplace

    def learnt(self, pictures: Array) -> Any:
        """Train on pictures (n, side, side), which enter in the order of their content."""
        shown = roles.gathered({"generated": pictures}, self.side).pictures
        task = Task(
            "latents-of-generated",
            shown,
            Epochs(np.ones(len(shown), np.int64), self.batch, self.seed),
            min(self.epochs * per_epoch(len(shown), self.batch), self.limits.steps),
            self.seed,
            {"rate": self.rate, "narrow": self.limits.narrow, "latents": LATENTS},
        )
        weights = learn(
            task,
            lambda torch, course: networks.plain_lesson(
                torch, course, self._build(torch), networks.SIGNED, self.rate, absolute=True
            ),
            self.workplace,
        )
        return loaded(self._build, weights, "network", self.workplace)

    def seen(self, network: Any, images: ImageSet, features: Features) -> _Seen:
        """Return what the autoencoder and the features say of pictures."""
        stack, scale = roles.sized(images.pixels, self.side), networks.SIGNED
        latents = outputs(network.encoder, stack, scale, self.workplace).astype(np.float64)
        maps = outputs(networks.errors(network, scale), stack, scale, self.workplace)
        own = np.asarray(features(images), np.float64).reshape(len(stack), -1)
        return _Seen(latents, np.hstack([latents, own]), maps.mean(axis=(1, 2), dtype=np.float64))

    def _build(self, torch: Any) -> Any:
        return networks.rectified(torch, self.side, self.limits, LATENTS)


def _unit(rows: Array) -> Array:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-12))
