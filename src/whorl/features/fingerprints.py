"""Features of networks that are trained on the development part: PicusLabMed's two fingerprints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from whorl.learning import deforming as warps
from whorl.learning import roles
from whorl.learning import vector_net as vectors
from whorl.learning.deals import Epochs, Together, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.workplace import ALONE, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, BadInput, Count, Floats, Problem

VERSION = 1
Kind = Literal["generated", "members", "holdout"]


class vector_net:
    """Vectors of Vector-Net, learnt by triplets of generated, used and not used development pictures.

    (n, h, w) -> (n, 64) of length 1. Constraint 1: a generated picture nearer to a used than to a not used
    one; 2: a used one nearer to a generated than to a not used one; 3: nearer to a generated than to another
    used one. An epoch shows every used picture once as positive; the last weights stay.
    """

    def __init__(
        self,
        constraints: Sequence[int] = (1,),
        margin: float = 0.2,
        epochs: Count = 500,
        batch: Count = 32,
        rate: float = 1e-5,
        decay: float = 1e-4,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        if not constraints or not set(constraints) <= set(vectors.CONSTRAINTS):
            raise BadInput(f"constraints {list(constraints)}: take some of 1, 2 and 3")
        self.constraints, self.margin, self.pace = sorted(set(constraints)), margin, (rate, decay)
        self.epochs, self.batch, self.limits = epochs, batch, LIMITS[effort]
        self.seed, self.workplace, self.side = seed, workplace, min(vectors.SIDE, LIMITS[effort].side)
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn from the development part's generated, used and not used pictures."""
        known = roles.membership(problem, self.side)
        size = min(self.batch, self.limits.batch)
        pools = (known["members"], known["generated"], known["holdout"], known["members"])
        steps = min(self.epochs * per_epoch(len(pools[0]), size), self.limits.steps)
        said = {"constraints": self.constraints, "margin": self.margin, "pace": self.pace}
        task = Task(
            "vector-net",
            known.pictures,
            Together(pools, size, self.seed),
            steps,
            self.seed,
            {**said, "narrow": self.limits.narrow},
        )
        weights = learn(
            task,
            lambda torch, course: vectors.lesson(
                torch, course, self._build(torch), self.constraints, self.margin, self.pace
            ),
            self.workplace,
        )
        self.network = loaded(self._build, weights, "network", self.workplace)

    def __call__(self, images: Array) -> Floats:
        """Return the vectors."""
        return outputs(self.network, roles.sized(images, self.side), "unit", self.workplace)

    def _build(self, torch: Any) -> Any:
        return vectors.build(torch, self.side, self.limits)


class deforming:
    """Latents of a Deforming Autoencoder, learnt from the kinds of development pictures that are named.

    (n, h, w) -> (n, 128) between 0 and 1: 64 numbers of the shape, 64 of the texture; the last weights stay.
    """

    def __init__(
        self,
        kinds: Sequence[Kind] = ("generated", "members"),
        epochs: Count = 1000,
        batch: Count = 32,
        rate: float = 2e-4,
        decay: float = 1e-4,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        if not kinds:
            raise BadInput("kinds []: take some of generated, members and holdout")
        self.kinds, self.pace = sorted(set(kinds)), (rate, decay)
        self.epochs, self.batch, self.limits = epochs, batch, LIMITS[effort]
        self.seed, self.workplace, self.side = seed, workplace, min(warps.SIDE, LIMITS[effort].side)
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn to make the pictures again."""
        pictures = roles.membership(problem, self.side).stack(*self.kinds)
        size = min(self.batch, self.limits.batch)
        task = Task(
            "deforming",
            pictures,
            Epochs(np.ones(len(pictures), np.int64), size, self.seed),
            min(self.epochs * per_epoch(len(pictures), size), self.limits.steps),
            self.seed,
            {"pace": self.pace, "narrow": self.limits.narrow},
        )
        weights = learn(
            task,
            lambda torch, course: warps.lesson(torch, course, self._build(torch), self.pace),
            self.workplace,
        )
        self.network = loaded(self._build, weights, "network", self.workplace)

    def __call__(self, images: Array) -> Floats:
        """Return the latents."""
        return outputs(self.network.encoder, roles.sized(images, self.side), "unit", self.workplace)

    def _build(self, torch: Any) -> Any:
        return warps.build(torch, self.side, self.limits)
