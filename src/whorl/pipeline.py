"""From a problem and a recipe to scores and verdicts: one short function per arrow."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike

from whorl import compare, steps
from whorl.arrays import SPILL_BYTES
from whorl.compare import DEFAULT_BLOCK_BYTES, Loop, Progress, silent
from whorl.extraction import BATCH_BYTES, Extraction, identity, weights_of
from whorl.folding import folds_of
from whorl.learning.devices import Device
from whorl.learning.workplace import ALONE, Workplace
from whorl.networks.embedding import Networks
from whorl.preparation import prepared_problem
from whorl.records import (
    Answers,
    Array,
    BadInput,
    ImageSet,
    Problem,
    Recipe,
    Scores,
    Step,
    Verdicts,
    digest_of,
)
from whorl.store import Shelf, Store

Side = Literal["queries", "generated"]
Known = tuple[Scores, Answers]


@dataclass(frozen=True, eq=False)
class Settings:
    """How to run, none of which changes a number except the seed and the weights of networks.

    Features of networks are kept in the store only if `keep_features` says so (decision 0006).
    """

    seed: int = 0
    block_bytes: int = DEFAULT_BLOCK_BYTES
    store: Store | None = None
    progress: Progress = silent
    shelf: Shelf = field(default_factory=Shelf)
    batch_bytes: int | None = None
    spill_bytes: int = SPILL_BYTES
    networks: Networks = field(default_factory=Networks)
    keep_features: bool = False
    workplace: Workplace = ALONE

    def place(self) -> Workplace:
        """Return where networks learn: their checkpoints go into the store."""
        folder = self.workplace.running.folder or (self.store.root / "networks" if self.store else None)
        running = replace(self.workplace.running, folder=folder, progress=self.progress)
        device: Device = "gpu" if self.networks.device == "cuda" else self.workplace.device
        return replace(self.workplace, running=running, networks=self.networks, device=device)


@dataclass(frozen=True, eq=False)
class Parts:
    """The functions of a recipe, imported, fitted where they need to be, bound to their parameters."""

    recipe: Recipe
    features: Callable[[ImageSet, Side], Array]
    similarity: Callable[[Array, Array], Any] | None
    loop: Loop


def score(recipe: Recipe, problem: Problem, settings: Settings, fitted_on: Problem | None = None) -> Scores:
    """Score every query: one column per generator or cluster, higher = more likely.

    What is fitted before the scores sees `fitted_on`, the problem itself unless told otherwise.
    """
    if recipe.task != problem.task:
        asked = f"{recipe.name} answers the {recipe.task} question, this is one of {problem.task}"
        raise BadInput(f"{asked}: `whorl recipes` tells which answers which")
    try:
        for step in recipe.steps:
            steps.resolve(step)  # a wrong parameter shall stop a run before its first picture
        weights_of(recipe, settings.networks)  # and so shall missing weights
    except BadInput as error:
        raise BadInput(f"{recipe.name}: {error}") from None
    return _score(recipe, problem, fitted_on or problem, settings)


def judge(
    recipe: Recipe, scores: Scores, problem: Problem, settings: Settings, known: Known | None = None
) -> Verdicts:
    """Turn scores into labels by the recipe's rule, with the development part and real-real similarities.

    `known`, scores with their answers, takes the place of the development part.
    """
    step = _needed(recipe, "decide")
    offered: dict[str, Callable[[], object]] = {
        "development": lambda: known or _development(recipe, problem, settings),
        "reference": lambda: _among_queries(recipe, problem, settings, step),
    }
    verdicts: Verdicts = _bind(step, offered)(scores)
    return verdicts


def blocks(recipe: Recipe, problem: Problem, settings: Settings, kind: DTypeLike = np.float64) -> list[Array]:
    """Return the queries' features, one flat table (n, d) for each features step of the recipe."""
    found: list[Array] = []
    chain = recipe.chain("features")
    for number, step in enumerate(chain):
        settings.progress(f"fingerprints: {step.name}", number, len(chain))
        alone = tuple(other for other in recipe.steps if other.stage != "features" or other is step)
        features = _assemble(replace(recipe, steps=alone), problem, settings).features
        found.append(np.asarray(_flat(features(problem.queries, "queries")), kind))
        settings.progress(f"fingerprints: {step.name}", number + 1, len(chain))
    return found


def _score(recipe: Recipe, problem: Problem, whole: Problem, settings: Settings) -> Scores:
    """Score `problem` with parts fitted on `whole`, of which it may be the development part."""
    key = digest_of("scores", _digest(recipe, settings), problem.digest, whole.digest, settings.seed)
    kept = settings.store.get_scores(key) if settings.store else None
    if kept is not None:
        return replace(kept, recipe=recipe.name)
    parts = _assemble(recipe, whole, settings)
    made = _by_scorer(parts, problem, settings) if recipe.one("scorer") else _by_pooling(parts, problem)
    scores = Scores(made.ids, made.groups, made.values, made.nearest, recipe.name, problem.digest)
    if settings.store:
        settings.store.put_scores(key, scores)
    return scores


def _digest(recipe: Recipe, settings: Settings) -> str:
    """Digest of what makes a recipe's scores: its steps, and the weights of the networks that they name."""
    weights = weights_of(recipe, settings.networks)
    return digest_of(recipe.scoring_digest, weights) if weights else recipe.scoring_digest


def _assemble(recipe: Recipe, problem: Problem, settings: Settings) -> Parts:
    drawn: dict[str, Callable[[], object]] = {
        "seed": lambda: settings.seed,
        "networks": lambda: settings.networks,
        "workplace": settings.place,
    }
    shown = prepared_problem(recipe, problem, settings.seed, settings.place())
    extractors = tuple((step, _bind(step, drawn, fit_on=shown)) for step in recipe.chain("features"))
    similarity = recipe.one("similarity")
    compared = _bind(similarity, drawn, fit_on=shown) if similarity else None
    loop = Loop(settings.block_bytes, settings.progress, recipe.name)
    digest = digest_of([step.digest for step in (*recipe.chain("prepare"), *recipe.chain("features"))])
    fitted = any(steps.find("features", step.name).fitted for step in recipe.chain("features"))

    def features(images: ImageSet, side: Side = "queries") -> Array:
        prepared = any(step.on != "both" for step in recipe.chain("prepare"))
        weights = [identity(step, settings.networks) for step in recipe.chain("features")]
        key = digest_of(
            digest,
            images.digest,
            side if prepared else "",
            problem.digest if fitted else "",
            settings.seed,
            weights,
        )
        return settings.shelf.get(key, lambda: _extraction(recipe, extractors, side, settings)(images))

    return Parts(recipe, features, compared, loop)


def _extraction(
    recipe: Recipe, extractors: tuple[tuple[Step, Callable[..., Array]], ...], side: Side, settings: Settings
) -> Extraction:
    return Extraction(
        name=recipe.name,
        preparations=tuple(step for step in recipe.chain("prepare") if step.on in ("both", side)),
        extractors=extractors,
        networks=settings.networks,
        workplace=settings.place(),
        seed=settings.seed,
        batch_bytes=settings.batch_bytes or BATCH_BYTES,
        spill_bytes=settings.spill_bytes,
        progress=settings.progress,
        store=settings.store if settings.keep_features else None,
    )


def _by_pooling(parts: Parts, problem: Problem) -> Scores:
    recipe = parts.recipe
    if not problem.generated:
        raise BadInput(
            f"{recipe.name} compares with real subsets, which this edition has not: it needs dev/real/<class>"
        )
    step = _needed(recipe, "pool")
    pool = functools.partial(steps.resolve(step), **step.parameters)
    walk = compare.pool_columns if steps.find("pool", step.name).transductive else compare.pool_rows
    calibrate = recipe.one("calibrate")
    similarity = _similarity(parts)
    queries = parts.features(problem.queries, "queries")
    columns, nearest = [], []
    for images in problem.generated.values():
        gallery = parts.features(images, "generated")
        own, place = walk(parts.loop, similarity, pool, queries, gallery)
        if calibrate is not None:
            if problem.reference is None:
                raise BadInput(
                    f"{recipe.name} needs a reference set, real pictures known not to be used: "
                    "give --reference FOLDER to an audit, or test/reference in an edition"
                )
            beside = parts.features(problem.reference, "generated")
            other, _ = walk(parts.loop, similarity, pool, queries, beside)
            own = _bind(calibrate, {})(own, other)
        columns.append(own)
        nearest.append(place)
    return Scores(
        problem.queries.ids, tuple(problem.generated), np.column_stack(columns), np.column_stack(nearest)
    )


def _by_scorer(parts: Parts, problem: Problem, settings: Settings) -> Scores:
    step = _needed(parts.recipe, "scorer")
    offered: Mapping[str, Callable[[], object]] = {
        "features": lambda: parts.features,
        "compare": lambda: functools.partial(parts.loop.rows, _similarity(parts)),
        "outcomes": lambda: _outcomes(parts.recipe, problem, settings),
        "folds": lambda: functools.partial(folds_of, problem.queries, seed=settings.seed),
        "seed": lambda: settings.seed,
        "workplace": settings.place,
    }
    scores: Scores = _bind(step, offered)(problem)
    return scores


def _outcomes(recipe: Recipe, problem: Problem, settings: Settings) -> dict[str, tuple[Scores, Verdicts]]:
    found = {}
    for name, member in recipe.members.items():
        scores = score(member, problem, settings)
        found[name] = (scores, judge(member, scores, problem, settings))
    return found


def _development(recipe: Recipe, problem: Problem, settings: Settings) -> object:
    part = problem.development
    return None if part is None else (_score(recipe, part.problem, problem, settings), part.answers)


def _among_queries(recipe: Recipe, problem: Problem, settings: Settings, rule: Step) -> Scores:
    # The largest alone is found without all pairs; means and spreads are not.
    largest = rule.parameters.get("statistic", "maximum") == "maximum"
    key = digest_of(
        "largest among" if largest else "among",
        _digest(recipe, settings),
        problem.queries.digest,
        settings.seed,
    )
    kept = settings.store.get_scores(key) if settings.store else None
    if kept is not None:
        return kept
    parts = _assemble(recipe, problem, settings)
    queries = parts.features(problem.queries, "queries")
    walk = compare.largest_among if largest else compare.among_themselves
    values = walk(parts.loop, _similarity(parts), queries)
    groups = ("largest", "mean", "spread")
    made = Scores(problem.queries.ids, groups, values, np.full(values.shape, -1, np.int64), recipe.name)
    if settings.store:
        settings.store.put_scores(key, made)
    return made


def _bind(
    step: Step, offered: Mapping[str, Callable[[], object]], fit_on: Problem | None = None
) -> Callable[..., Any]:
    """Return the step's function with its parameters and what it asks to be handed; classes are fitted."""
    description = steps.find(step.stage, step.name)
    function = steps.resolve(step)
    given = {name: make() for name, make in offered.items() if name in description.handed}
    if description.fitted:
        machine: Callable[..., Any] = function(**step.parameters, **given)
        machine.fit(fit_on)  # type: ignore[attr-defined]
        return machine
    return functools.partial(function, **step.parameters, **given)


def _similarity(parts: Parts) -> Callable[[Array, Array], Any]:
    if parts.similarity is None:
        raise BadInput(f"{parts.recipe.name} has no similarity step")
    return parts.similarity


def _needed(recipe: Recipe, stage: str) -> Step:
    step = recipe.one(stage)
    if step is None:
        raise BadInput(f"{recipe.name} has no {stage} step")
    return step


def _flat(array: Array) -> Array:
    return array.reshape(len(array), -1)
