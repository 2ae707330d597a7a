"""What a development part promises and a test part keeps: three ways to score what one was fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whorl import pipeline
from whorl.evaluate import evaluate
from whorl.images import select
from whorl.outcomes import Gap
from whorl.pipeline import Settings
from whorl.records import (
    Answers,
    Array,
    BadInput,
    Development,
    Interval,
    Problem,
    Recipe,
    Result,
    Scores,
    Task,
    Verdicts,
)

COMPARED = {"membership": ("auc", "f1", "accuracy"), "attribution": ("adjusted_rand_index",)}


@dataclass(frozen=True)
class Protocol:
    """How a development part is scored: on itself, or by patients held out of the fit.

    Nested: nothing is fitted or chosen on a picture that it scores. Not nested: the classifier is held to
    that, but what is learned before it and the threshold after it have seen every development picture.
    """

    name: str
    folds: int = 0
    nested: bool = True

    def __post_init__(self) -> None:
        if self.folds == 1 or self.folds < 0:
            raise BadInput(f"{self.folds} folds: give 2 or more, or 0 to score what one was fitted on")


def protocols(folds: int, task: Task) -> tuple[Protocol, ...]:
    """Return the ways to score a development part: on itself and, if asked for, by cross-validation.

    Groups found in one fold have no names that another fold knows: attribution is scored on itself only.
    """
    itself = Protocol("on itself")
    if not folds or task == "attribution":
        return (itself,)
    return (
        itself,
        Protocol(f"{folds} folds, not nested", folds, nested=False),
        Protocol(f"{folds} folds, nested", folds),
    )


def validate(recipe: Recipe, part: Development, protocol: Protocol, settings: Settings) -> Result:
    """Score the development part by a protocol, whole patients on one side of every fold."""
    whole = replace(part.problem, development=part)
    if not protocol.folds:
        scores = pipeline.score(recipe, whole, settings)
        verdicts = pipeline.judge(recipe, scores, whole, settings)
        return _evaluated(recipe, scores, verdicts, part, settings, ())
    places, notes = _folds(part, protocol.folds, settings.seed)
    scores, verdicts = _out_of_fold(recipe, part, places, protocol, settings)
    return _evaluated(recipe, scores, verdicts, part, settings, notes)


def gaps(name: str, development: Result, test: Result | None) -> tuple[Gap, ...]:
    """Compare the development part's figures with those of the test part."""
    found = []
    later = {measure.name: measure for measure in test.measures} if test else {}
    for measure in development.measures:
        if measure.name not in COMPARED[development.task]:
            continue
        kept = later.get(measure.name)
        found.append(
            Gap(
                name,
                measure.name,
                measure.interval,
                kept.interval if kept else None,
                _difference(measure.interval, kept.interval) if kept else None,
            )
        )
    return tuple(found)


def _difference(one: Interval, other: Interval) -> Interval:
    """Difference of two independent figures; its 95 % interval from both (Zou and Donner 2008)."""
    gap = one.estimate - other.estimate
    below = np.hypot(one.estimate - one.low, other.high - other.estimate)
    above = np.hypot(one.high - one.estimate, other.estimate - other.low)
    return Interval(gap, float(gap - below), float(gap + above))


def _folds(part: Development, count: int, seed: int) -> tuple[Array, tuple[str, ...]]:
    """Number of the fold that holds each query back, (n,); the order of the files makes no difference."""
    from sklearn.model_selection import StratifiedGroupKFold

    queries = part.problem.queries
    owners = queries.patients or queries.digests
    notes = () if queries.patients else ("patients of the development part unknown: folds by picture",)
    order = np.asarray(sorted(range(len(queries)), key=lambda row: (owners[row], queries.digests[row])))
    truth = np.asarray([part.answers.labels[queries.ids[row]] for row in order])
    groups = np.asarray([owners[row] for row in order])
    fewest = min(len(np.unique(groups[truth == label])) for label in np.unique(truth))
    if fewest < count:
        raise BadInput(f"{count} folds: one label has only {fewest} patients in the development part")
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    places = np.empty(len(order), np.int64)
    for fold, (_, held) in enumerate(splitter.split(np.zeros(len(order)), truth, groups)):
        places[order[held]] = fold
    return places, notes


def _out_of_fold(
    recipe: Recipe, part: Development, places: Array, protocol: Protocol, settings: Settings
) -> tuple[Scores, Verdicts]:
    """Scores and labels of every query from the fold that held it back, in the order of the queries."""
    whole = replace(part.problem, development=part)
    made: list[tuple[Array, Scores]] = []
    labels = np.empty(len(places), object)
    for fold in range(protocol.folds):
        settings.progress(f"{recipe.name}: {protocol.name}", fold, protocol.folds)
        held, rows = _held_out(part, places, fold), np.flatnonzero(places == fold)
        scores = pipeline.score(recipe, held, settings, None if protocol.nested else whole)
        if protocol.nested:
            labels[rows] = pipeline.judge(recipe, scores, held, settings).labels
        made.append((rows, scores))
    settings.progress(f"{recipe.name}: {protocol.name}", protocol.folds, protocol.folds)
    pooled = _joined(part.problem, made)
    if protocol.nested:
        verdicts = Verdicts(pooled.ids, tuple(labels), None, "each fold by its own rule")
    else:
        verdicts = pipeline.judge(recipe, pooled, whole, settings, (pooled, part.answers))
    return _ranked(pooled, places), verdicts


def _held_out(part: Development, places: Array, fold: int) -> Problem:
    """The problem of one fold: its queries without answers, all others as its development part."""
    problem, held = part.problem, places == fold
    others = replace(problem, queries=select(problem.queries, np.flatnonzero(~held)))
    labels = {name: part.answers.labels[name] for name in others.queries.ids}
    queries = select(problem.queries, np.flatnonzero(held))
    return replace(problem, queries=queries, development=Development(others, Answers(labels)))


def _joined(problem: Problem, made: Sequence[tuple[Array, Scores]]) -> Scores:
    """One table of the folds' scores; groups that differ between folds are reduced to the largest score."""
    groups = made[0][1].groups
    alike = all(one.groups == groups for _, one in made)
    names = groups if alike else ("largest",)
    values = np.zeros((len(problem.queries), len(names)), np.float32)
    for rows, one in made:
        values[rows] = one.values if alike else one.values.max(axis=1, keepdims=True)
    return Scores(problem.queries.ids, names, values, np.full(values.shape, -1, np.int64))


def _ranked(scores: Scores, places: Array) -> Scores:
    """Largest scores as ranks within their fold, 0 to 1: folds fitted apart have scales of their own."""
    from scipy.stats import rankdata

    best = scores.values.max(axis=1)
    ranks = np.zeros(len(best), np.float32)
    for fold in np.unique(places):
        rows = places == fold
        ranks[rows] = (rankdata(best[rows]) - 0.5) / rows.sum()
    return Scores(scores.ids, ("rank",), ranks[:, None], np.full((len(best), 1), -1, np.int64))


def _evaluated(
    recipe: Recipe,
    scores: Scores,
    verdicts: Verdicts,
    part: Development,
    settings: Settings,
    notes: Sequence[str],
) -> Result:
    queries = part.problem.queries
    patients: dict[str, Any] = dict(zip(queries.ids, queries.patients or (), strict=False))
    answers = Answers(part.answers.labels, patients)
    result = evaluate(recipe, scores, verdicts, answers, seed=settings.seed)
    return replace(result, notes=(*result.notes, *notes))
