"""Scorers that join the outcomes of other recipes of the same system, one level deep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from whorl.records import Array, Problem, Scores, Verdicts, one_column

VERSION = 1
TRANSDUCTIVE = ("mean_rank", "regroup")
Outcomes = Mapping[str, tuple[Scores, Verdicts]]


def vote(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """Share of the recipes that say used.

    Problem with n queries -> Scores (n, 1) in 0..1.
    """
    return one_column(problem, _answers(outcomes, recipes).mean(axis=0))


def agreement(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """1 where all recipes say used.

    Problem with n queries -> Scores (n, 1) of 0 and 1.
    """
    return one_column(problem, _answers(outcomes, recipes).min(axis=0))


def gate(
    problem: Problem, outcomes: Outcomes, required: Sequence[str] = (), any_of: Sequence[str] = ()
) -> Scores:
    """1 where all required recipes and at least one of the others say used.

    Problem with n queries -> Scores (n, 1) of 0 and 1.
    """
    needed = _answers(outcomes, required).min(axis=0)
    return one_column(problem, np.minimum(needed, _answers(outcomes, any_of).max(axis=0)))


def regroup(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """Two clusters of the earlier decisions (Hamming, average linkage); the one with more votes is used.

    Problem with n queries -> Scores (n, 1) of 0 and 1.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    answers = _answers(outcomes, recipes).T
    if len(np.unique(answers, axis=0)) < 2:
        return one_column(problem, (answers.mean(axis=1) > 0.5).astype(np.float64))
    order = np.lexsort(answers.T)  # ties between equal distances shall not depend on the order of the files
    groups = np.empty(len(answers), np.int64)
    groups[order] = fcluster(linkage(answers[order], "average", metric="hamming"), 2, "maxclust")
    shares = [answers[groups == name].mean() if (groups == name).any() else -1.0 for name in (1, 2)]
    return one_column(problem, (groups == 1 + int(np.argmax(shares))).astype(np.float64))


def mean_rank(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """Mean over the recipes of the rank of each query's score, scaled to 0..1.

    Problem with n queries -> Scores (n, 1).
    """
    from scipy.stats import rankdata

    ranks = [rankdata(outcomes[name][0].values.max(axis=1)) for name in recipes]
    return one_column(problem, np.mean(ranks, axis=0) / len(problem.queries))


def _answers(outcomes: Outcomes, recipes: Sequence[str]) -> Array:
    return np.asarray(
        [[label == "used" for label in outcomes[name][1].labels] for name in recipes], np.float64
    )
