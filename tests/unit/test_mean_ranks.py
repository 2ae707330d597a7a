"""Friedman, Nemenyi, cliques and fronts against scipy, published tables and counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from whorl.evidence.ranks import cliques, critical_difference, friedman_test, pareto_front, rank_table

# Demšar 2006, table 5 (a): critical values of the two-tailed Nemenyi test at 0.05 and 0.10.
DEMSAR = {
    0.05: (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164),
    0.10: (1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920),
}


@pytest.mark.parametrize("seed", range(5))
def test_friedman_is_that_of_scipy_also_with_ties(seed):
    random = np.random.default_rng(seed)
    table = np.round(random.normal(size=(int(random.integers(2, 9)), int(random.integers(3, 12)))), 1)
    expected = stats.friedmanchisquare(*table.T)
    assert friedman_test(table) == pytest.approx((expected.statistic, expected.pvalue))


def test_friedman_where_nothing_differs_or_is_too_little():
    assert friedman_test(np.ones((4, 5))) == (0.0, 1.0)
    assert friedman_test(np.ones((1, 5))) is None and friedman_test(np.ones((4, 2))) is None
    assert friedman_test(np.empty((0, 0))) is None


def test_rank_one_is_the_highest_and_ties_share():
    assert rank_table([[0.9, 0.5, 0.5, 0.1]]).tolist() == [[1, 2.5, 2.5, 4]]


@pytest.mark.parametrize("level", DEMSAR)
def test_critical_values_are_those_of_the_published_table(level):
    for systems, value in enumerate(DEMSAR[level], 2):
        editions = 14
        factor = math.sqrt(systems * (systems + 1) / (6 * editions))
        found = critical_difference(systems, editions, level)
        assert found == pytest.approx(value * factor, abs=0.0012 * factor)


def test_the_published_example_of_demsar():
    # Section 3.2.2: four classifiers on 14 data sets: CD 1.25 at 0.05 and 1.12 at 0.10.
    assert round(critical_difference(4, 14), 2) == 1.25
    assert round(critical_difference(4, 14, 0.10), 2) == 1.12
    assert critical_difference(1, 14) is None and critical_difference(4, 0) is None


def test_cliques_are_all_longest_rows_within_the_distance():
    random = np.random.default_rng(4)
    ranks = np.sort(random.uniform(1, 10, 12))
    within = [
        (first, last)
        for first in range(12)
        for last in range(first + 1, 12)
        if ranks[last] - ranks[first] <= 2.5
    ]
    longest = [
        one
        for one in within
        if not any(other != one and other[0] <= one[0] and other[1] >= one[1] for other in within)
    ]
    assert cliques(ranks, 2.5) == longest
    assert cliques(ranks, 0.0) == []


def test_front_is_what_nothing_beats():
    random = np.random.default_rng(5)
    cost, gain = random.integers(1, 9, 60).astype(float), np.round(random.random(60), 1)
    beaten = [
        any(
            cost[other] <= cost[one]
            and gain[other] >= gain[one]
            and (cost[other] < cost[one] or gain[other] > gain[one])
            for other in range(60)
        )
        for one in range(60)
    ]
    assert pareto_front(cost, gain).tolist() == [not lost for lost in beaten]
    assert pareto_front([], []).tolist() == []
