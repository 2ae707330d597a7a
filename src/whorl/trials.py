"""One recipe on one edition: fitted on the development part, scored on the test part, compared with both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whorl import pipeline
from whorl.challenge.editions import Edition
from whorl.evaluate import evaluate
from whorl.outcomes import Gap
from whorl.pipeline import Settings
from whorl.protocols import Protocol, gaps, validate
from whorl.records import BadInput, Problem, Recipe, Result, Scores, Verdicts


@dataclass(frozen=True, eq=False)
class Trial:
    """What a recipe said of an edition and, where answers are there, what it was worth.

    `development` says for every protocol what the development part promised beside what the test part kept.
    """

    recipe: Recipe
    edition: Edition
    scores: Scores
    verdicts: Verdicts
    result: Result | None
    development: tuple[Gap, ...]


def trial(
    recipe: Recipe,
    edition: Edition,
    settings: Settings,
    *,
    ways: Sequence[Protocol] = (),
    provenance: Mapping[str, Any] | None = None,
) -> Trial:
    """Run a recipe on an edition."""
    problem = edition.problem
    scores = pipeline.score(recipe, problem, settings)
    verdicts = pipeline.judge(recipe, scores, problem, settings)
    result = None
    if edition.answers is not None:
        result = evaluate(
            recipe, scores, verdicts, edition.answers, seed=settings.seed, provenance=provenance
        )
    development = _gaps(recipe, problem, ways, settings, result)
    return Trial(recipe, edition, scores, verdicts, result, development)


def _gaps(
    recipe: Recipe, problem: Problem, ways: Sequence[Protocol], settings: Settings, test: Result | None
) -> tuple[Gap, ...]:
    part = problem.development
    if part is None:
        if len(ways) > 1:
            raise BadInput(f"{ways[-1].folds} folds: the edition has no development part with answers")
        return ()
    found = ((protocol.name, validate(recipe, part, protocol, settings)) for protocol in ways)
    return tuple(gap for name, result in found for gap in gaps(name, result, test))
