"""Features of autoencoders that are trained on the problem's own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from whorl.learning import autoencoders as networks
from whorl.learning import roles
from whorl.learning.autoencoders import Block
from whorl.learning.deals import Deal, Epochs, Together, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.workplace import ALONE, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, BadInput, Count, Floats, Problem

VERSION = 1
TRANSDUCTIVE = ("autoencoder",)


class autoencoder:
    """Latents of an autoencoder of the generated pictures and the queries together (VCMI 2023).

    (n, h, w) -> (n, 128). With two decoders one makes the queries again and one the generated pictures, from
    the same latents. `generated` limits how many of these are learnt from, 0 = all.
    """

    def __init__(
        self,
        blocks: Block = "plain",
        decoders: Count = 1,
        generated: int = 0,
        epochs: Count = 200,
        batch: Count = 32,
        rate: float = 1e-4,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        if decoders > 2:
            raise BadInput(f"latents.autoencoder: {decoders} decoders; give 1 or 2")
        self.blocks, self.decoders, self.generated = blocks, decoders, generated
        self.epochs, self.batch, self.rate, self.limits = epochs, batch, rate, LIMITS[effort]
        self.seed, self.workplace, self.side = seed, workplace, min(networks.SIDE, LIMITS[effort].side)
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn to make the pictures again."""
        if not problem.generated:
            raise BadInput("latents.autoencoder learns from generated and real pictures: it needs both")
        known = roles.gathered(self._stacks(problem), self.side)
        made = known["generated"][: self.generated or None]
        size = min(self.batch, self.limits.batch)
        both = np.concatenate([known["queries"], made])
        pictures = known.pictures[both]
        real, others = np.arange(len(known["queries"])), np.arange(len(known["queries"]), len(both))
        deal: Deal = Epochs(np.ones(len(both), np.int64), size, self.seed)
        shown = len(both)
        if self.decoders == 2:
            deal, shown = Together((real, others), size, self.seed), len(real)
        steps = min(self.epochs * per_epoch(shown, size), self.limits.steps)
        said = {"blocks": self.blocks, "rate": self.rate, "narrow": self.limits.narrow}
        task = Task(f"autoencoder-{self.decoders}", pictures, deal, steps, self.seed, said)
        self.network = loaded(
            self._build, learn(task, self._lesson, self.workplace), "network", self.workplace
        )

    def __call__(self, images: Array) -> Floats:
        """Return the latents."""
        stack = roles.sized(images, self.side)
        return outputs(self.network.encoder, stack, networks.SIGNED, self.workplace)

    def _stacks(self, problem: Problem) -> Mapping[str, Array]:
        made = [images.pixels for images in problem.generated.values()]
        return {"queries": problem.queries.pixels, "generated": np.concatenate(made)}

    def _build(self, torch: Any) -> Any:
        return networks.several(torch, self.side, self.limits, self.blocks, self.decoders)

    def _lesson(self, torch: Any, course: Any) -> Any:
        if self.decoders == 2:
            return networks.split_lesson(torch, course, self._build(torch), self.rate)
        return networks.plain_lesson(torch, course, self._build(torch), networks.SIGNED, self.rate)


class error_map:
    """Squared error of every pixel under an autoencoder of the development part's generated pictures.

    (n, h, w) -> (n, side, side), grey from 0 to 1 (AI Multimedia Lab 2024, approach B).
    """

    def __init__(
        self,
        epochs: Count = 30,
        batch: Count = 64,
        rate: float = 1e-3,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        self.epochs, self.batch, self.rate, self.limits = epochs, batch, rate, LIMITS[effort]
        self.seed, self.workplace, self.side = seed, workplace, min(networks.SIDE, LIMITS[effort].side)
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn to make generated pictures again."""
        known = roles.membership(problem, self.side)
        pictures, size = known.stack("generated"), min(self.batch, self.limits.batch)
        task = Task(
            "error-map",
            pictures,
            Epochs(np.ones(len(pictures), np.int64), size, self.seed),
            min(self.epochs * per_epoch(len(pictures), size), self.limits.steps),
            self.seed,
            {"rate": self.rate, "narrow": self.limits.narrow},
        )
        weights = learn(
            task,
            lambda torch, course: networks.plain_lesson(
                torch, course, self._build(torch), networks.UNIT, self.rate
            ),
            self.workplace,
        )
        self.network = loaded(self._build, weights, "network", self.workplace)

    def __call__(self, images: Array) -> Floats:
        """Return the error maps."""
        stack = roles.sized(images, self.side)
        return outputs(networks.errors(self.network, networks.UNIT), stack, networks.UNIT, self.workplace)

    def _build(self, torch: Any) -> Any:
        return networks.halved(torch, self.side, self.limits)
