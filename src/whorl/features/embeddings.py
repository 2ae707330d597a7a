"""Features learnt on the development part: by triplets, from known generators or used ones, by pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from whorl.learning import classifiers, roles, transfer
from whorl.learning import siamese as distances
from whorl.learning.backbones import Start, Weights, side_of
from whorl.learning.classifiers import Form
from whorl.learning.deals import Epochs, Pairs, Together, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.transfer import Pace
from whorl.learning.workplace import ALONE, Task, Workplace, learn, loaded, outputs
from whorl.records import Array, BadInput, Count, Floats, Problem

VERSION = 1
HELD = 5  # one picture in so many of every generator is held back for the check


class triplet:
    """A pretrained network and a dense layer, trained so that generated are nearer to used pictures.

    (n, h, w) -> (n, outputs); anchors are generated, positives used, negatives not used (one five one zero).
    """

    def __init__(
        self,
        network: str = "resnet50",
        weights: Weights = "pretrained",
        outputs: Count = 128,
        margin: float = 1.0,
        epochs: Count = 20,
        batch: Count = 32,
        rate: float = 1e-4,
        size: Count = 256,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        self.start = Start(network, weights, LIMITS[effort], workplace.networks)
        self.width, self.margin = outputs, margin
        self.epochs, self.batch, self.rate, self.limits = epochs, batch, rate, LIMITS[effort]
        self.seed, self.workplace, self.side = seed, workplace, side_of(network, size, self.limits)
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn from the development part."""
        known, size = roles.membership(problem, self.side), min(self.batch, self.limits.batch)
        pools = (known["generated"], known["members"], known["holdout"])
        steps = min(self.epochs * per_epoch(len(pools[0]), size), self.limits.steps)
        said = {"network": self.start.name, "weights": self.start.weights, "from": self.start.identity}
        task = Task(
            "triplet",
            known.pictures,
            Together(pools, size, self.seed),
            steps,
            self.seed,
            {
                **said,
                "width": self.width,
                "margin": self.margin,
                "rate": self.rate,
                "narrow": self.limits.narrow,
            },
        )
        weights = learn(
            task,
            lambda torch, course: distances.triplet_lesson(
                torch, course, self._build(torch), self.margin, self.rate
            ),
            self.workplace,
        )
        self.network = loaded(
            lambda torch: self._build(torch, fresh=False), weights, "network", self.workplace
        )

    def __call__(self, images: Array) -> Floats:
        """Return the embeddings."""
        return outputs(self.network, roles.sized(images, self.side), "unit", self.workplace)

    def _build(self, torch: Any, fresh: bool = True) -> Any:
        return distances.embedder(torch, self.start, self.width, fresh)


class makers:
    """What a classifier of the development part's generators sees before its last layer (GAN-Amis 2024).

    (n, h, w) -> (n, 64), or as wide as the network that is named. A fifth of every generator's pictures is
    held back; the weights that do best on them stay, and so many epochs without a better check end it.
    """

    def __init__(
        self,
        network: str = "amis",
        weights: Weights = "pretrained",
        epochs: Count = 200,
        patience: Count = 50,
        batch: Count = 16,
        rate: float = 1e-4,
        size: Count = 256,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        self.limits = LIMITS[effort]
        side = side_of(network, size, self.limits)
        self.form = Form(network, side, self.limits, weights, networks=workplace.networks)
        self.epochs, self.patience, self.batch, self.rate = epochs, patience, batch, rate
        self.seed, self.workplace = seed, workplace
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn which generator made which development picture."""
        known = roles.makers(problem, self.form.side)
        names = sorted(known.rows)
        labels = roles.labels_of(known, names)
        held = np.concatenate([known[name][::HELD] for name in names])
        shown = np.ones(len(labels), np.int64)
        shown[held] = 0
        if not shown.any():
            raise BadInput("the development part has too few pictures to hold some back")
        size = min(self.batch, self.limits.batch)
        epoch = per_epoch(int(shown.sum()), size)
        steps = min(self.epochs * epoch, self.limits.steps)
        said = {"network": self.form.network, "weights": self.form.weights, "from": self.form.identity}
        said |= {"labels": labels.tolist()}
        task = Task(
            "makers",
            known.pictures,
            Epochs(shown, size, self.seed),
            steps,
            self.seed,
            {**said, "rate": self.rate, "narrow": self.limits.narrow},
            best=True,
            check_every=min(epoch, steps),
            patience=self.patience,
        )
        weights = learn(
            task,
            lambda torch, course: classifiers.lesson(
                torch,
                course,
                classifiers.build(torch, self.form, len(names)),
                labels.tolist(),
                self.rate,
                held.tolist(),
            ),
            self.workplace,
        )
        self.network = loaded(
            lambda torch: classifiers.build(torch, self.form, len(names), fresh=False),
            weights,
            "network",
            self.workplace,
        )

    def __call__(self, images: Array) -> Floats:
        """Return what the classifier sees before its last layer."""
        return outputs(self.network.body, roles.sized(images, self.form.side), "unit", self.workplace)


class transferred:
    """What a network trained in stages, at last on used and not used, sees before its last layer.

    (n, h, w) -> (n, features). First every folder of `stages`, one folder of pictures per class inside; then
    the development part (KDE-med-lab 2024).
    """

    def __init__(
        self,
        network: str = "densenet121",
        weights: Weights = "pretrained",
        stages: Sequence[str] = (),
        epochs: Count = 20,
        batch: Count = 32,
        rate: float = 1e-4,
        size: Count = 224,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        limits = LIMITS[effort]
        side = side_of(network, size, limits)
        self.form = Form(network, side, limits, weights, networks=workplace.networks)
        self.pace = Pace(epochs, min(batch, limits.batch), rate, limits.steps)
        self.stages, self.seed, self.workplace = stages, seed, workplace
        self.found: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn from the folders, then from the development part."""
        path = [transfer.folder_stage(folder, self.form.side) for folder in self.stages]
        path.append(transfer.used_stage(problem, self.form.side))
        self.found = transfer.learnt(self.form, path, self.pace, self.seed, self.workplace)

    def __call__(self, images: Array) -> Floats:
        """Return what the network sees before its last layer."""
        stack = roles.sized(images, self.form.side)
        return transfer.seen(self.form, self.found, 2, stack, self.workplace)


class siamese:
    """Vectors of length 1, learnt from pairs of real and generated pictures of one class or of two.

    (n, h, w) -> (n, 256), none of them below 0. Classes are the subsets of the development part, with real
    pictures of their own; of a membership problem used and not used, the generated ones being of the used
    (AI Multimedia Lab 2025). `as_published` learns from grey of 0 to 255 and sees 0 to 1 later.
    """

    def __init__(
        self,
        margin: float = 1.0,
        epochs: Count = 50,
        batch: Count = 32,
        rate: float = 1e-4,
        as_published: bool = False,
        effort: Effort = "full",
        seed: int = 0,
        workplace: Workplace = ALONE,
    ) -> None:
        self.margin, self.epochs, self.batch, self.rate = margin, epochs, batch, rate
        self.scale, self.limits = "raw" if as_published else "unit", LIMITS[effort]
        self.seed, self.workplace, self.side = seed, workplace, min(distances.SIDE, self.limits.side)
        self.network: Any = None

    def fit(self, problem: Problem) -> None:
        """Learn which real and generated pictures are of a class."""
        size = min(self.batch, self.limits.batch)
        known, real, deal = self._pairs(problem, size)
        steps = min(self.epochs * per_epoch(real, size), self.limits.steps)
        said = {"margin": self.margin, "rate": self.rate, "scale": self.scale, "narrow": self.limits.narrow}
        task = Task("siamese", known.pictures, deal, steps, self.seed, said)
        weights = learn(
            task,
            lambda torch, course: distances.pair_lesson(
                torch, course, self._build(torch), deal.same, self.margin, (self.rate, self.scale)
            ),
            self.workplace,
        )
        self.network = loaded(self._build, weights, "network", self.workplace)

    def __call__(self, images: Array) -> Floats:
        """Return the vectors."""
        return outputs(self.network, roles.sized(images, self.side), "unit", self.workplace)

    def _build(self, torch: Any) -> Any:
        return distances.siamese(torch, self.side, self.limits)

    def _pairs(self, problem: Problem, size: int) -> tuple[roles.Roles, int, Pairs]:
        """Pictures of every class in one stack, how many of them are real, and the pairs they make."""
        if problem.task == "membership":
            known = roles.membership(problem, self.side)
            made, count = known["generated"], len(known["members"]) + len(known["holdout"])
            used, unused = ((known["members"], made),), ((known["holdout"], made),)
            return known, count, Pairs(used, unused, size, self.seed)
        part = roles.development(problem)
        labels = np.asarray([part.answers.labels[name] for name in part.problem.queries.ids])
        names = sorted(set(labels.tolist()) & problem.generated.keys())
        if not names:
            raise BadInput("this recipe learns from real pictures of every subset: dev/real/<class>")
        stacks = {f"real {name}": problem.generated[name].pixels for name in names}
        stacks |= {f"made {name}": part.problem.queries.pixels[labels == name] for name in names}
        known = roles.gathered(stacks, self.side)
        pairs = [
            (one == other, (known[f"real {one}"], known[f"made {other}"])) for one in names for other in names
        ]
        alike, unlike = (tuple(pair for same, pair in pairs if same is kind) for kind in (True, False))
        count = sum(len(known[f"real {name}"]) for name in names)
        return known, count, Pairs(alike, unlike, size, self.seed)
