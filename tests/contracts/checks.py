"""Run recipes for the contract checks: one way through the pipeline, every result kept for the next check.

A step is checked inside a recipe made for it: the plainest steps around it on the other stages.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from contracts import problems
from contracts.problems import Toy
from whorl import pipeline, recipes, steps
from whorl.arrays import SPILL_BYTES
from whorl.compare import DEFAULT_BLOCK_BYTES
from whorl.extraction import uses_network
from whorl.learning.workplace import Workplace
from whorl.pipeline import Settings
from whorl.records import Array, Problem, Recipe, Scores, Step, Verdicts
from whorl.steps import Description

PLAIN = {
    "features": Step("features", "pixels.thumbnail", {"size": 16}),
    "similarity": Step("similarity", "vectors.correlation"),
    "pool": Step("pool", "maximum"),
    "decide": Step("decide", "half"),
}
# What a step needs around it, or of its own parameters, to have something to say on the toy problems.
AROUND: dict[tuple[str, str], dict[str, Step]] = {
    ("similarity", "maps.ssim"): {"features": Step("features", "pixels.grey")},
    ("similarity", "vectors.hamming"): {"features": Step("features", "hashes.phash")},
    ("similarity", "keypoints.ratio_matches"): {"features": Step("features", "keypoints.sift")},
    ("scorer", "patches.matching"): {"features": Step("features", "pixels.grey")},
    ("scorer", "patches.replacing"): {"features": Step("features", "pixels.grey")},
    ("scorer", "cells.coincidence"): {"features": Step("features", "texture.local_contrast")},
    ("scorer", "cells.retrieval"): {"features": Step("features", "texture.local_contrast")},
    ("calibrate", "ratio"): {"similarity": Step("similarity", "vectors.euclidean")},
}
PARAMETERS: dict[tuple[str, str], dict[str, Any]] = {
    ("pool", "share_within"): {"radius": 0.3},
    ("prepare", "crop"): {"size": 40},
    ("prepare", "random_crop"): {"size": 40},
    ("prepare", "resize"): {"size": 48},
    ("scorer", "networks.transferred"): {"sure": 0.0},
}
GREY, ERRORS = Step("features", "pixels.grey"), Step("features", "latents.error_map", {"effort": "tiny"})
AROUND |= {
    ("scorer", name): {"features": GREY}
    for name in (
        "crops.matched",
        "crops.replaced",
        "errors.contrast",
        "errors.outliers",
        "errors.outliers_of_two",
        "grouping.trained",
        "grouping.trained_pseudo",
        "networks.classified",
        "networks.transferred",
        "relation.network",
    )
}
AROUND |= {("scorer", f"errors.{name}"): {"features": ERRORS} for name in ("nearest_mean", "nearest_map")}
ATTRIBUTION_STEPS = frozenset({"embeddings.makers"})
ATTRIBUTION_FAMILIES = frozenset({"clustering", "grouping", "subsets"})
JOINED = ("one", "other")


@cache
def leaky() -> Toy:
    """A small membership problem whose generator copied."""
    return problems.membership()


@cache
def bag() -> tuple[Problem, list[str]]:
    """An attribution problem of three generators, two of them known, and which made which picture."""
    problem, made = problems.attribution(each=16)
    return replace(problem, development=problems.known_generators()), made


def toy(recipe: Recipe) -> Problem:
    """The toy problem of a recipe's question."""
    return leaky().problem if recipe.task == "membership" else bag()[0]


def around(step: Description) -> Recipe:
    """Make a recipe in which this step has plain neighbours."""
    key = (step.stage, step.name)
    parameters = dict(PARAMETERS.get(key, {}))
    if "effort" in step.parameters:
        parameters["effort"] = "tiny"
    own = step.name in ATTRIBUTION_STEPS or step.name.split(".")[0] in ATTRIBUTION_FAMILIES
    task: Any = "attribution" if own else "membership"
    chosen = {**PLAIN, **AROUND.get(key, {})}
    if task == "attribution" and key not in AROUND:
        chosen["features"] = Step("features", "texture.lbp")
    members = {}
    if "outcomes" in step.handed:
        named = [name for name, default in step.parameters.items() if default == "()"]
        parameters |= {name: list(JOINED) for name in named}
        for name, inner in zip(JOINED, _inner(task), strict=True):
            members[name] = Recipe(f"toy.{name}", task, tuple(inner.values()), {})
    if step.stage == "scorer":
        chosen.pop("pool")
    chosen[step.stage] = Step(step.stage, step.name, parameters, version=step.version)
    name = f"{step.stage}.{step.name}"
    return Recipe(name, task, tuple(chosen.values()), {"fidelity": "our own"}, members=members)


def _inner(task: str) -> list[dict[str, Step]]:
    """Two plain chains of a question, for a step that joins recipes."""
    if task == "membership":
        named = ("vectors.correlation", "vectors.cosine")
        return [{**PLAIN, "similarity": Step("similarity", name)} for name in named]
    scorers = [steps.find("scorer", name) for name in ("clustering.ward", "clustering.kmeans")]
    described, rule = Step("features", "texture.lbp"), Step("decide", "assign")
    return [
        {"features": described, "scorer": Step("scorer", one.name, version=one.version), "decide": rule}
        for one in scorers
    ]


def scoring(recipe: Recipe) -> str:
    """What the scores of a recipe depend on: all its steps but the rule, and the recipes it joins."""
    made = tuple(step for step in recipe.steps if step.stage != "decide")
    return replace(recipe, steps=made).digest


def runnable(recipe: Recipe) -> Recipe:
    """The recipe itself, its networks small, or plain features in place of one whose weights are not here."""
    recipe = recipes.with_effort(recipe, "tiny")
    if not recipes.needs_weights(recipe):
        return recipe
    plain = {"membership": "pixels.thumbnail", "attribution": "texture.lbp"}[recipe.task]
    return replace(recipes.with_features(recipe, plain), name=recipe.name)


def with_network(recipe: Recipe, name: str) -> Recipe:
    """The recipe with another network in the place of its own."""
    made = [
        replace(step, parameters={**step.parameters, "network": name}) if uses_network(step) else step
        for step in recipe.steps
    ]
    return replace(recipe, steps=tuple(made))


def distinct(catalogue: Sequence[Recipe]) -> list[Recipe]:
    """Recipes that do not compute the same as an earlier one."""
    kept: dict[str, Recipe] = {}
    for recipe in catalogue:
        kept.setdefault(recipe.digest, recipe)
    return list(kept.values())


# Steps that need files of one's own; what they refuse is tested beside them.
NEED_WEIGHTS = ("pretrained.backbone",)
# Without torch what has a network of its own is only refused in words; that too is tested beside it.
TORCH = all(importlib.util.find_spec(name) for name in ("torch", "safetensors"))
STEPS = [around(step) for step in steps.describe_all() if step.name not in NEED_WEIGHTS]
STEPS = [recipe for recipe in STEPS if TORCH or not recipes.learns(recipe)]
LISTED = [recipes.load(name) for name in recipes.names()]
CATALOGUE = distinct([runnable(recipe) for recipe in LISTED if TORCH or not recipes.learns(recipe)])
ALL = {recipe.name: recipe for recipe in [*STEPS, *CATALOGUE]}
# Recipes that differ in their rule alone have the same scores: checks of scores look at the first of them.
SCORED = {scoring(recipe): recipe.name for recipe in reversed(ALL.values())}
SCORES = [name for name in ALL if name in SCORED.values()]


def hasty(recipe: Recipe) -> bool:
    """Whether a recipe or one that it joins trained a network as little as can be, just to see it run."""
    own = any(step.parameters.get(recipes.LEARNING) == "tiny" for step in recipe.steps)
    return own or any(map(hasty, recipe.members.values()))


def is_transductive(recipe: Recipe, stages: Sequence[str] = ()) -> bool:
    """Whether a step that enters the scores needs all queries at once, in the recipe or in what it joins."""
    own = any(
        steps.find(step.stage, step.name).transductive
        for step in recipe.steps
        if step.stage in (stages or ("prepare", "features", "similarity", "pool", "calibrate", "scorer"))
    )
    joined = (is_transductive(member, ("pool", "scorer", "decide")) for member in recipe.members.values())
    return own or any(joined)


@cache
def scores(name: str) -> Scores:
    """The scores of a recipe on its toy problem, in the usual settings."""
    return run(ALL[name], toy(ALL[name]))


@cache
def verdicts(name: str) -> Verdicts:
    """The verdicts of a recipe on its toy problem, in the usual settings."""
    return pipeline.judge(ALL[name], scores(name), toy(ALL[name]), settings())


def run(
    recipe: Recipe,
    problem: Problem,
    block_bytes: int = DEFAULT_BLOCK_BYTES,
    seed: int = 0,
    spill_bytes: int = SPILL_BYTES,
) -> Scores:
    """Score with settings of its own, so that nothing is shared with another run."""
    own = replace(settings(seed, block_bytes), spill_bytes=spill_bytes)
    return pipeline.score(recipe, problem, own)


def labels(recipe: Recipe, problem: Problem, seed: int = 0) -> tuple[str, ...]:
    """Score and judge with settings of their own."""
    own = settings(seed)
    return pipeline.judge(recipe, pipeline.score(recipe, problem, own), problem, own).labels


def settings(seed: int = 0, block_bytes: int = DEFAULT_BLOCK_BYTES) -> Settings:
    """Settings of a run of its own; two threads would only wait for one another on pictures so small."""
    return Settings(seed=seed, block_bytes=block_bytes, workplace=Workplace(threads=1))


def assert_same(one: Scores, other: Scores) -> None:
    """Compare two tables byte by byte."""
    assert one.groups == other.groups
    assert one.ids == other.ids
    assert one.values.tobytes() == other.values.tobytes(), largest_gap(one, other)
    np.testing.assert_array_equal(one.nearest, other.nearest)


def is_subset(part: Scores, whole: Scores, rows: Sequence[int]) -> bool:
    """Whether a table is what the larger one says of the same queries."""
    if part.groups != whole.groups:
        return False
    picked = list(rows)
    equal = np.array_equal(part.values, whole.values[picked])
    return bool(equal and np.array_equal(part.nearest, whole.nearest[picked]))


def expect(holds: bool, name: str, exempt: Mapping[str, str], said: str) -> None:
    """Fail where a check does not hold, and where it does in spite of an exemption."""
    if name in exempt:
        assert not holds, f"{name}: the check holds, take out the exemption ({exempt[name]})"
    else:
        assert holds, f"{name}: {said}"


def largest_gap(one: Scores, other: Scores) -> str:
    """Say how far two tables of one shape are apart."""
    if one.values.shape != other.values.shape:
        return f"{one.values.shape} and {other.values.shape}"
    return f"largest gap {np.abs(one.values.astype(np.float64) - other.values).max():.3g}"


def change_batches(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Let features be made of so many bytes of pictures at a time."""
    monkeypatch.setattr(pipeline, "BATCH_BYTES", size)


def own_rows() -> list[int]:
    """The places of the held-out queries of the leaky toy problem."""
    return [int(row) for row in np.flatnonzero(~leaky().truth)]


def immutable(default: str) -> bool:
    """Whether the source text of a default is a plain value that no call can change; empty = no default."""
    if not default:
        return True
    value = ast.literal_eval(default)
    return isinstance(value, str | int | float | bool | tuple | type(None))


def first_column(table: Scores) -> Array:
    """The scores of the first group, (n,)."""
    return np.asarray(table.values[:, 0], np.float64)
