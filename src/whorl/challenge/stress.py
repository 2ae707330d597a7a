"""Put a recipe through what must not change its answer: order of files, names, batches, blocks.

Published systems failed here: a ranking whose numbers are file positions, a network whose output depends on
the other pictures of its batch, labels written down in another order than the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whorl import images, pipeline
from whorl.challenge.editions import Edition
from whorl.pipeline import Settings
from whorl.records import Answers, Array, Problem, Recipe
from whorl.store import Shelf

TOLERANCE = 1e-5
ROUNDS = 5


@dataclass(frozen=True)
class Trial:
    """One change that should not matter: how far scores moved, how many labels changed, accuracy if known.

    `gap` is the largest change of a score in units of the scores' spread.
    """

    name: str
    gap: float
    changed: float
    accuracy: float | None

    @property
    def passed(self) -> bool:
        """Whether the answer stayed the same."""
        return self.gap <= TOLERANCE and self.changed == 0


@dataclass(frozen=True, eq=False)
class _Outcome:
    """Scores and labels by picture, in the order of the edition."""

    scores: Array
    labels: tuple[str, ...]


def stress(recipe: Recipe, edition: Edition, settings: Settings) -> tuple[Trial, ...]:
    """Run a recipe as it is and under every change; the first trial is the run itself."""
    count = len(edition.problem.queries)
    generator = np.random.default_rng(settings.seed)
    usual = _run(recipe, edition.problem, np.arange(count), settings)
    orders = {f"files shuffled, {turn + 1}": generator.permutation(count) for turn in range(ROUNDS)}
    orders["files backwards"] = np.arange(count)[::-1]
    if edition.answers is not None:
        orders["files stacked by class"] = _stacked(edition.problem, edition.answers)
    trials = [_trial("as it is", usual, usual, edition)]
    for place, (name, order) in enumerate(orders.items()):
        settings.progress("stress", place, len(orders) + 1)
        trials.append(_trial(name, usual, _run(recipe, edition.problem, order, settings), edition))
    small = replace(settings, block_bytes=1, batch_bytes=1, store=None, shelf=Shelf())
    found = _run(recipe, edition.problem, np.arange(count), small)
    trials.append(_trial("one picture a batch, small blocks", usual, found, edition))
    settings.progress("stress", len(orders) + 1, len(orders) + 1)
    return tuple(trials)


def content(recipe: Recipe, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return what a machine reads."""
    rows = [{**vars(trial), "passed": trial.passed} for trial in trials]
    passed = all(trial.passed for trial in trials)
    return {"schema": "whorl.stress/1", "recipe": recipe.name, "passed": passed, "trials": rows}


def _run(recipe: Recipe, problem: Problem, order: Array, settings: Settings) -> _Outcome:
    """Run with the queries in another order, renamed so that the order is also that of the names."""
    turned = images.select(problem.queries, [int(place) for place in order])
    names = tuple(f"query {place:07d}" for place in range(len(order)))
    changed = replace(problem, queries=replace(turned, ids=names))
    alone = replace(settings, store=None)
    scores = pipeline.score(recipe, changed, alone)
    verdicts = pipeline.judge(recipe, scores, changed, alone)
    by_name = {name: row for row, name in enumerate(scores.ids)}
    labelled = dict(zip(verdicts.ids, verdicts.labels, strict=True))
    back = np.argsort(order)
    rows = [by_name[names[place]] for place in back]
    return _Outcome(scores.values[rows], tuple(labelled[names[place]] for place in back))


def _trial(name: str, usual: _Outcome, found: _Outcome, edition: Edition) -> Trial:
    spread = max(float(usual.scores.std()), 1e-12)
    same = usual.scores.shape == found.scores.shape
    gap = float(np.abs(usual.scores - found.scores).max()) / spread if same else float("inf")
    pairs = list(zip(usual.labels, found.labels, strict=True))
    accuracy = None
    if edition.answers is not None and edition.problem.task == "membership":
        truth = [edition.answers.labels[picture] for picture in edition.problem.queries.ids]
        accuracy = float(np.mean([one == other for one, other in zip(truth, found.labels, strict=True)]))
    return Trial(name, gap, float(np.mean([one != other for one, other in pairs])), accuracy)


def _stacked(problem: Problem, answers: Answers) -> Array:
    labels = [answers.labels[name] for name in problem.queries.ids]
    return np.argsort(np.unique(labels, return_inverse=True)[1][: len(labels)], kind="stable")[::-1]
