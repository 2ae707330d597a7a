"""Pictures are named between two groups at a time: a body that went to the wrong one comes back."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.clusters import COORDINATES, LEAST, Bag, coordinates
from whorl.cuts import Cuts
from whorl.metrics import adjusted_rand_index
from whorl.mixtures import fitted
from whorl.renaming import ALL, renamed


def planted(seed: int, groups: int = 20, each: int = 40) -> tuple[Bag, np.ndarray]:
    """Groups far apart, each in a direction of its own, but for the first two, told apart by a weaker one."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(groups), each))
    block = rng.standard_normal((len(truth), 40))
    block += 12 * np.eye(groups, 40)[np.where(truth == 1, 0, truth)]
    block[:, 20:35] *= 1.5  # what else pictures differ in: of all, more than in the weaker direction
    block[truth == 1, 35] += 6
    turn = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    return Bag((block @ turn,), (np.zeros((40, 40)),)), truth


def astray(truth: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The truth, but for a share of the second group's pictures that went to the first."""
    gone = (truth == 1) & (np.random.default_rng([seed, 1]).random(len(truth)) < share)
    return np.where(gone, 0, truth)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_body_of_pictures_that_went_to_a_like_group_comes_back(seed):
    bag, truth = planted(seed)
    wrong = astray(truth, 0.4, seed)
    together = fitted(coordinates(bag, ALL), bag.beside, wrong).labels
    assert adjusted_rand_index(truth, together) < 0.97
    assert adjusted_rand_index(truth, renamed(bag, wrong, 0)) > 0.985


def test_right_names_stay_and_the_same_question_has_the_same_answer():
    bag, truth = planted(3)
    found = renamed(bag, truth, 0)
    assert adjusted_rand_index(truth, found) > 0.985
    np.testing.assert_array_equal(found, renamed(bag, truth, 0))
    assert np.mean(found == truth) > 0.99  # names are not exchanged either


@pytest.mark.parametrize("seed", [0, 1])
def test_no_group_vanishes_where_none_differ(seed):
    """One cloud under three names, one of them for as few pictures as make a generator."""
    rng = np.random.default_rng(seed)
    bag = Bag((rng.standard_normal((150, 12)),), (np.zeros((12, 12)),))
    labels = rng.permutation(np.repeat([0, 1, 2], [80, 58, LEAST]))
    assert np.bincount(renamed(bag, labels, 0), minlength=3).min() >= LEAST


def test_pictures_that_do_not_differ_keep_their_names():
    labels = np.repeat([0, 1], 20)
    np.testing.assert_array_equal(renamed(Bag((np.ones((40, 3)),), (np.zeros((3, 3)),)), labels, 0), labels)


def test_odds_are_of_two_groups_and_finite():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 50)
    where = rng.standard_normal((150, 3)) + 40 * np.eye(3)[labels]
    fit = fitted(where, np.zeros((150, 0)), labels)
    assert (fit.odds(0, 1)[labels == 1] > 5).all() and (fit.odds(0, 1)[labels == 0] < -5).all()
    np.testing.assert_allclose(fit.odds(0, 1), -fit.odds(1, 0))
    assert np.isfinite(fit.odds(0, 2)).all()


def test_very_many_pictures_are_not_cut_anew(monkeypatch):
    bag, truth = planted(0, groups=2)
    rows = np.arange(len(truth))
    assert Cuts(bag, 0).of(rows)
    monkeypatch.setattr("whorl.cuts.LOOKED_AT", 60)
    assert not Cuts(bag, 0).of(rows)


def test_as_many_coordinates_as_pictures_allow():
    bag, _ = planted(0)
    assert coordinates(bag, COORDINATES).shape[1] == 20  # of one block
    assert coordinates(bag.some(np.arange(48)), COORDINATES).shape[1] == 6
    assert Cuts(bag, 0).own(np.arange(48)).shape[1] == 6
