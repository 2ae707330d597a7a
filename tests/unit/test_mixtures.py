"""Mixtures of leaning clouds: likelihood as scipy's, planted clouds found, nothing made of nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from whorl.metrics import adjusted_rand_index
from whorl.mixtures import OWN, RIDGE, TAILS, fitted, straightened


def planted(seed: int, lean: float = 3.0, own: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three clouds of 60 that move with what is shown: places, what is shown, who made them."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat([0, 1, 2], 60))
    shown = rng.standard_normal((180, 1))
    ways = lean * np.ones((3, 5)) + own * rng.standard_normal((3, 5))
    where = 6 * np.eye(3, 5)[truth] + shown * ways[truth] + rng.standard_normal((180, 5))
    return where, shown, truth


def blurred(truth: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(truth)) < share, rng.integers(0, 3, len(truth)), truth)


@pytest.mark.parametrize("columns", [0, 1, 2])
def test_likelihood_is_that_of_students_t_about_ridge_regressions(columns):
    """One step from known groups, against weighted least squares and scipy's density, picture by picture."""
    rng = np.random.default_rng(3)
    truth = np.repeat([0, 1, 2], [30, 25, 20])
    shown = rng.standard_normal((75, columns))
    where = rng.standard_normal((75, 4)) + 4 * np.eye(3, 4)[truth] + shown @ rng.standard_normal((columns, 4))
    centred = [
        np.concatenate([table[truth == group] - table[truth == group].mean(axis=0) for group in range(3)])
        for table in (shown, where)
    ]
    slope = np.linalg.solve(centred[0].T @ centred[0] + 0.075 * np.eye(columns), centred[0].T @ centred[1])
    straight = where - shown @ slope
    ways, left = [], np.empty_like(where)
    for group in range(3):
        rows = truth == group
        beside = shown[rows] - shown[rows].mean(axis=0)
        own = np.linalg.solve(beside.T @ beside + OWN * np.eye(columns), beside.T @ straight[rows])
        ways.append((straight[rows].mean(axis=0), own, shown[rows].mean(axis=0)))
        left[rows] = straight[rows] - straight[rows].mean(axis=0) - beside @ own
    spread = left.T @ left / 75
    spread += RIDGE * np.trace(spread) / 4 * np.eye(4)
    logs = np.column_stack(
        [
            np.log((truth == group).mean())
            + multivariate_t(shape=spread, df=TAILS).logpdf(straight - mean - (shown - middle) @ own)
            for group, (mean, own, middle) in enumerate(ways)
        ]
    )
    constant = multivariate_t(shape=np.eye(4), df=TAILS).logpdf(np.zeros(4))
    expected = np.log(np.exp(logs).sum(axis=1)).sum() - 75 * constant
    assert fitted(where, shown, truth, steps=1).likelihood == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clouds_that_move_with_what_is_shown_are_found_from_half_wrong_labels(seed):
    where, shown, truth = planted(seed)
    begun = blurred(truth, 0.5)
    found = fitted(where, shown, begun)
    assert adjusted_rand_index(truth, found.labels) > 0.97
    np.testing.assert_allclose(found.chances.sum(axis=1), 1.0)
    assert found.smallest > 50
    assert fitted(where, shown[:, :0], begun).likelihood < found.likelihood


def test_a_cloud_may_move_in_a_way_of_its_own():
    where, shown, truth = planted(4, own=2.0)
    assert adjusted_rand_index(truth, fitted(where, shown, blurred(truth, 0.3)).labels) > 0.95


def test_pictures_without_a_group_get_one_and_odd_ones_do_not_decide_it():
    where, shown, truth = planted(5)
    begun = np.where(np.arange(180) % 4 == 0, truth, -1)
    assert adjusted_rand_index(truth, fitted(where, shown, begun).labels) > 0.97
    where[:6] += 10 * np.random.default_rng(0).standard_normal((6, 5))
    found = fitted(where, shown, blurred(truth, 0.3)).labels
    assert adjusted_rand_index(truth[6:], found[6:]) > 0.95


def test_a_picture_is_named_by_groups_as_they_would_be_without_it():
    """Where there is nothing to find, labels at random are not held on to because they were there first."""
    rng = np.random.default_rng(6)
    where, begun = rng.standard_normal((120, 30)), rng.integers(0, 3, 120)
    found = fitted(where, np.zeros((120, 0)), begun, steps=1)
    own = found.chances[np.arange(120), begun]
    assert own.mean() < 0.45
    assert np.isfinite(found.likelihood)


def test_what_goes_along_with_what_is_shown_is_taken_out_within_groups():
    where, shown, truth = planted(7)
    straight = straightened(where, shown, truth)
    left = np.concatenate(
        [straight[truth == group] - straight[truth == group].mean(axis=0) for group in range(3)]
    )
    beside = np.concatenate(
        [shown[truth == group] - shown[truth == group].mean(axis=0) for group in range(3)]
    )
    assert np.abs(beside.T @ left / 180).max() < 0.02
    np.testing.assert_array_equal(straightened(where, shown[:, :0], truth), where)


@pytest.mark.parametrize("hostile", [np.zeros((40, 3)), np.repeat(np.eye(2, 3), 20, axis=0)])
def test_pictures_that_do_not_differ_give_an_answer(hostile):
    found = fitted(hostile, np.zeros((40, 1)), np.arange(40) % 2)
    assert np.isfinite(found.chances).all() and len(found.labels) == 40
