"""A classifier trained in stages, each from where the one before ended; the last layer is new every time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whorl import images
from whorl.folders import shown
from whorl.learning import classifiers, roles
from whorl.learning.classifiers import Form
from whorl.learning.deals import Epochs, per_epoch
from whorl.learning.devices import Weights
from whorl.learning.lessons import Learning
from whorl.learning.workplace import Task, Workplace, learn, loaded, outputs
from whorl.records import Array, BadInput, Floats, Problem

TURN, ZOOM, SHIFT = 10.0, 0.1, 0.1  # degrees, and shares of the side


@dataclass(frozen=True, eq=False)
class Stage:
    """Pictures (n, side, side) and the class of each, from 0."""

    name: str
    pictures: Array
    labels: tuple[int, ...]

    @property
    def classes(self) -> int:
        """How many classes there are; one alone is told from nothing, so there are at least two."""
        return max(2, max(self.labels) + 1)


@dataclass(frozen=True)
class Pace:
    """Epochs of every stage, pictures of a step, rate, most steps, whether pictures are moved by chance."""

    epochs: int
    batch: int
    rate: float
    most: int
    moves: bool = False


def folder_stage(folder: str, side: int) -> Stage:
    """Read a stage from disk: one folder of pictures per class."""
    root = Path(folder)
    classes = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    if len(classes) < 2:
        raise BadInput(f"{shown(root)}: a stage is a folder with a folder of pictures for every class")
    stacks = {path.name: images.load(path, name=path.name, size=side).pixels for path in classes}
    known = roles.gathered(stacks, side)
    return Stage(root.name, known.pictures, tuple(roles.labels_of(known, list(stacks)).tolist()))


def used_stage(problem: Problem, side: int, read: roles.Reader = roles.pixels_of) -> Stage:
    """Return the development part's real pictures: 1 for those that were used, 0 for those that were not."""
    known = roles.membership(problem, side, read)
    labels = np.repeat([0, 1], [len(known["holdout"]), len(known["members"])])
    return Stage("development", known.stack("holdout", "members"), tuple(labels.tolist()))


def learnt(form: Form, path: Sequence[Stage], pace: Pace, seed: int, workplace: Workplace) -> Weights:
    """Train through all stages; return the weights after the last."""
    weights: Weights = {}
    for stage in path:
        weights = _stage(form, stage, pace, seed, workplace, weights)
    return weights


def judged(form: Form, weights: Weights, classes: int, pictures: Array, workplace: Workplace) -> Floats:
    """Return a number per class for pictures (n, side, side), (n, classes)."""

    def build(torch: Any) -> Any:
        return classifiers.build(torch, form, classes, fresh=False)

    return outputs(loaded(build, weights, "network", workplace), pictures, "unit", workplace)


def seen(form: Form, weights: Weights, classes: int, pictures: Array, workplace: Workplace) -> Floats:
    """Return what is there before the last layer, (n, width)."""

    def build(torch: Any) -> Any:
        return classifiers.build(torch, form, classes, fresh=False)

    return outputs(loaded(build, weights, "network", workplace).body, pictures, "unit", workplace)


def _stage(form: Form, stage: Stage, pace: Pace, seed: int, workplace: Workplace, before: Weights) -> Weights:
    body = {key: value for key, value in before.items() if key.startswith("network.body.")}
    count = len(stage.labels)
    said = {"network": form.network, "weights": form.weights, "colour": form.colour, "drop": form.dropout}
    said |= {"from": form.identity}
    task = Task(
        stage.name,
        stage.pictures,
        Epochs(np.ones(count, np.int64), pace.batch, seed),
        min(pace.epochs * per_epoch(count, pace.batch), pace.most),
        seed,
        {
            **said,
            "labels": list(stage.labels),
            "rate": pace.rate,
            "moves": pace.moves,
            "narrow": form.limits.narrow,
            "before": _digest(body),
        },
    )

    def lesson(torch: Any, course: Any) -> Learning:
        network = classifiers.build(torch, form, stage.classes, fresh=not body)
        if body:
            state = {key.removeprefix("network."): torch.from_numpy(value) for key, value in body.items()}
            network.load_state_dict(state, strict=False)
        changed = classifiers.moved(torch, TURN, ZOOM, SHIFT) if pace.moves else None
        return classifiers.lesson(torch, course, network, stage.labels, pace.rate, changed=changed)

    return learn(task, lesson, workplace)


def _digest(weights: Weights) -> str:
    """Digest of the weights that a stage starts from, empty where there are none."""
    total = hashlib.sha256()
    for key in sorted(weights):
        total.update(key.encode() + np.ascontiguousarray(weights[key]).tobytes())
    return total.hexdigest()[:32] if weights else ""
