"""Preparations applied: to one picture, and to all that something is fitted on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whorl import steps
from whorl.learning.workplace import Workplace
from whorl.records import Array, ImageSet, Problem, Recipe, Side, Step, digest_of

Prepared = tuple[Step, Callable[..., Any]]


def resolved(chosen: Sequence[Step], workplace: Workplace) -> list[Prepared]:
    """Return the functions of preparations, those that need a network told where to compute."""
    found: list[Prepared] = []
    for step in chosen:
        handed = steps.find("prepare", step.name).handed
        place = {"workplace": workplace} if "workplace" in handed else {}
        found.append((step, functools.partial(steps.resolve(step), **step.parameters, **place)))
    return found


def prepared(functions: Sequence[Prepared], image: Array, digest: str, seed: int) -> Array:
    """Apply preparations to one picture; noise is drawn from the seed and the picture's own pixels."""
    picture = np.asarray(image, np.float32)
    for step, function in functions:
        drawn = {}
        if "seed" in steps.find("prepare", step.name).handed:
            drawn["seed"] = int(digest_of(seed, digest, step.digest)[:12], 16)
        picture = function(picture, **drawn)
    return picture


def prepared_problem(recipe: Recipe, problem: Problem, seed: int, workplace: Workplace) -> Problem:
    """Return the problem as what is fitted sees it: prepared, as the pictures are that it is asked about."""
    if not any(steps.find(step.stage, step.name).fitted for step in recipe.steps):
        return problem
    return _ready(recipe, problem, seed, workplace) if recipe.chain("prepare") else problem


def _ready(recipe: Recipe, problem: Problem, seed: int, workplace: Workplace) -> Problem:
    def ready(images: ImageSet, side: Side) -> ImageSet:
        chosen = [step for step in recipe.chain("prepare") if step.on in ("both", side)]
        functions = resolved(chosen, workplace)
        rows = zip(images.pixels, images.digests, strict=True)
        return replace(
            images, pixels=np.stack([prepared(functions, one, digest, seed) for one, digest in rows])
        )

    part = problem.development
    known = part and replace(part, problem=_ready(recipe, part.problem, seed, workplace))
    made = {name: ready(images, "generated") for name, images in problem.generated.items()}
    return Problem(problem.task, ready(problem.queries, "queries"), made, None, known, problem.count)
