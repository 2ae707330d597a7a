"""The number is told: a division cut at the wrong places is mended, a right one is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.agreement import agreement
from whorl.clusters import Bag, Part, divide, in_two, joined, labels_of, places
from whorl.cuts import worth
from whorl.metrics import adjusted_rand_index
from whorl.mixtures import fitted
from whorl.regrouping import regrouped, renumbered
from whorl.report.attribution_view import agreement_lines
from whorl.scenes import main


def bag_of(*blocks: np.ndarray) -> Bag:
    return Bag(blocks, tuple(np.zeros((block.shape[1],) * 2) for block in blocks))


def turned(block: np.ndarray, rng: np.random.Generator) -> Bag:
    return bag_of(block @ np.linalg.qr(rng.standard_normal((block.shape[1],) * 2))[0])


def planted(seed: int, groups: int = 4, each: int = 40) -> tuple[Bag, np.ndarray]:
    """Four clouds, the first two near one another, and one whose pictures vary along a line."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(groups), each))
    corners = np.eye(groups, 8) * 30
    # Far enough that Ward finds the cut in 80 pictures: what is tested is where to cut, not how.
    corners[1] = corners[0] + 15 * np.eye(8)[5]
    block = corners[truth] + rng.standard_normal((len(truth), 8))
    block[truth == 3, 6] += 4 * rng.standard_normal(int((truth == 3).sum()))
    # Turned, so that what differs is in every column, as in fingerprints: columns are brought to one spread.
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    return bag_of(block @ turn, rng.standard_normal((len(truth), 4))), truth


def parts_of(labels: np.ndarray) -> list[Part]:
    return [Part(np.flatnonzero(labels == name), np.zeros(0, bool), 1.0, 0.0) for name in np.unique(labels)]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_cut_at_the_wrong_place_is_moved(seed):
    bag, truth = planted(seed)
    wide = bag.blocks[0][truth == 3]
    along = np.linalg.svd(wide - wide.mean(axis=0))[2][0]
    wrong = np.where(truth == 1, 0, truth)
    wrong[np.flatnonzero(truth == 3)[wide @ along > np.median(wide @ along)]] = 1
    assert adjusted_rand_index(truth, wrong) < 0.75
    assert adjusted_rand_index(truth, regrouped(bag, parts_of(wrong), seed=0)) > 0.95


def test_a_right_division_stays_and_the_same_question_has_the_same_answer():
    bag, truth = planted(2)
    found = regrouped(bag, parts_of(truth), seed=0)
    assert adjusted_rand_index(truth, found) > 0.95
    np.testing.assert_array_equal(found, regrouped(bag, parts_of(truth), seed=0))
    assert adjusted_rand_index(truth, regrouped(bag, divide(bag, 0, 4)[-1], seed=0)) > 0.95


def kinds(seed: int, rare: np.ndarray) -> np.ndarray:
    """What pictures of two kinds show."""
    rng = np.random.default_rng([seed, 1])
    return main(rng.standard_normal((len(rare), 5)) + 8 * np.outer(rare, [1, 1, 0.5, 1, 0]))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_is_shown_is_beside_the_point(seed):
    """A fifth of every generator's pictures lies elsewhere and nearer to those of the others."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(4), 75)
    rare = np.arange(300) % 5 == 0
    place = np.eye(4, 8)[truth] * 30
    place[rare] *= 0.6
    place[rare, 6:] += 25
    block = place + rng.standard_normal(place.shape) * np.where(rare, 0.6, 1.0)[:, None] * 1.5
    blind = turned(block, rng)
    order = rng.permutation(300)
    bag = Bag(blind.blocks, blind.content, kinds(seed, rare)).some(order)
    parts = divide(bag, 0, 4)[-1]
    assert adjusted_rand_index(truth[order], regrouped(bag, parts, 0)) > 0.97
    assert adjusted_rand_index(truth[order], regrouped(blind.some(order), parts, 0)) < 0.8


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_generator_that_shows_something_else_is_not_mixed_with_the_others(seed):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(4), 75))
    plain = bag_of(np.eye(4, 8)[truth] * 12 + rng.standard_normal((300, 8)))
    bag = Bag(plain.blocks, plain.content, kinds(seed, truth == 3))
    assert adjusted_rand_index(truth, regrouped(bag, divide(bag, 0, 4)[-1], 0)) > 0.97


@pytest.mark.parametrize("share", [0.5, 0.3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_like_groups_are_found_though_wards_linkage_does_not(seed, share):
    """They lie apart in one direction of thirty, and pictures of both vary more in six others."""
    rng = np.random.default_rng(seed)
    truth = rng.random(200) < share
    block = rng.standard_normal((200, 30)) * np.where(np.arange(30) < 6, 3.0, 1.0)
    block[:, 10] += 5 * truth
    bag = turned(block, rng)
    assert adjusted_rand_index(truth, in_two(places(bag))) < 0.8
    parts = parts_of(in_two(places(bag)))
    assert adjusted_rand_index(truth, regrouped(bag, parts, 0)) > 0.85


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_two_odd_halves_of_one_generator_do_not_stay_apart_at_the_cost_of_two_like_ones(seed):
    """The wrong division is the likelier one; for pictures held out the like ones are worth more."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2, 3], 100)
    block = np.eye(4, 20)[np.where(truth == 1, 0, truth)] * 25 + rng.standard_normal((400, 20))
    block[truth == 1, 8] += 5.5
    odd = (truth == 3) & (rng.random(400) < 0.15)
    block[odd, 9] += 9
    bag = turned(block, rng)
    wrong = np.where(odd, 1, np.where(truth == 1, 0, truth))
    where, beside = joined(bag), bag.beside
    assert fitted(where, beside, wrong).likelihood > fitted(where, beside, truth).likelihood + 5
    assert adjusted_rand_index(truth, regrouped(bag, parts_of(wrong), 0)) > 0.95


def test_groups_too_small_for_a_look_at_some_pictures_are_left_alone(monkeypatch):
    bag, truth = planted(2)
    monkeypatch.setattr("whorl.regrouping.LOOKED_AT", 40)
    np.testing.assert_array_equal(regrouped(bag, parts_of(truth), 0), labels_of(parts_of(truth), len(truth)))
    monkeypatch.setattr("whorl.regrouping.LOOKED_AT", 120)
    assert adjusted_rand_index(truth, regrouped(bag, parts_of(truth), 0)) > 0.95


def test_one_part_and_pictures_that_do_not_differ_are_left_alone():
    bag, truth = planted(3)
    assert not regrouped(bag, parts_of(np.zeros(len(truth))), seed=0).any()
    same = np.repeat([0, 1, 2], 14)
    np.testing.assert_array_equal(regrouped(bag_of(np.ones((42, 3))), parts_of(same), seed=0), same)


def test_worth_grows_with_gap_balance_and_number():
    assert worth(50, 50, 0.0) == 0
    assert worth(50, 50, 4.0) > worth(50, 50, 3.0) > worth(90, 10, 3.0) > worth(45, 5, 3.0)
    assert worth(50, 50, 4.0) == pytest.approx(50 * np.log(5))


def test_groups_are_numbered_by_size_then_first_picture():
    assert renumbered(np.array([7, 3, 3, 5, 5, 9])).tolist() == [2, 0, 0, 1, 1, 3]


def test_other_methods_are_compared_with_the_groups():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    where = rng.standard_normal((120, 4)) + 12 * np.eye(3, 4)[labels]
    rows = agreement(where, labels, 0)
    assert [row["method"] for row in rows] == ["Ward", "Gaussian mixture", "HDBSCAN"]
    assert all(row["groups"] == 3 and row["adjusted_rand_index"] > 0.97 for row in rows)
    shuffled = agreement(where, rng.permutation(labels), 0)
    assert all(abs(row["adjusted_rand_index"]) < 0.1 for row in shuffled)
    assert rows == agreement(where, labels, 0) and agreement(where, np.zeros(120), 0) == []
    assert agreement(np.ones((20, 2)), np.repeat([0, 1], 10), 0) == []


def test_agreement_in_words():
    rows = [
        {"method": "Ward", "groups": 3, "placed": 1.0, "adjusted_rand_index": 0.98},
        {"method": "HDBSCAN", "groups": 1, "placed": 0.9, "adjusted_rand_index": 0.0},
        {"method": "HDBSCAN", "groups": 0, "placed": 0.0, "adjusted_rand_index": None},
    ]
    whole, part, none = agreement_lines(rows)
    assert whole == "Ward: ARI 0.980 (3 groups)."
    assert part.startswith("HDBSCAN: ARI 0.000 (1 group, 90.0") and part.endswith("of the pictures placed).")
    assert none == "HDBSCAN: places no picture." and agreement_lines(None) == []
