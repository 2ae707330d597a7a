"""Scorers that join the outcomes of other recipes of the same system, one level deep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from whorl.records import Array, Problem, Scores, Verdicts

VERSION = 1
TRANSDUCTIVE = ("mean_rank",)
Outcomes = Mapping[str, tuple[Scores, Verdicts]]


def vote(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """Share of the recipes that say used.

    Problem with n queries -> Scores (n, 1) in 0..1.
    """
    return _column(problem, _answers(outcomes, recipes).mean(axis=0))


def agreement(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """1 where all recipes say used.

    Problem with n queries -> Scores (n, 1) of 0 and 1.
    """
    return _column(problem, _answers(outcomes, recipes).min(axis=0))


def gate(
    problem: Problem, outcomes: Outcomes, required: Sequence[str] = (), any_of: Sequence[str] = ()
) -> Scores:
    """1 where all required recipes and at least one of the others say used.

    Problem with n queries -> Scores (n, 1) of 0 and 1.
    """
    needed = _answers(outcomes, required).min(axis=0)
    return _column(problem, np.minimum(needed, _answers(outcomes, any_of).max(axis=0)))


def mean_rank(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """Mean over the recipes of the rank of each query's score, scaled to 0..1.

    Problem with n queries -> Scores (n, 1).
    """
    from scipy.stats import rankdata

    ranks = [rankdata(outcomes[name][0].values.max(axis=1)) for name in recipes]
    return _column(problem, np.mean(ranks, axis=0) / len(problem.queries))


def _answers(outcomes: Outcomes, recipes: Sequence[str]) -> Array:
    return np.asarray(
        [[label == "used" for label in outcomes[name][1].labels] for name in recipes], np.float64
    )


def _column(problem: Problem, values: Array) -> Scores:
    table = np.asarray(values, np.float32)[:, None]
    return Scores(problem.queries.ids, ("generated",), table, np.full(table.shape, -1, np.int64))
