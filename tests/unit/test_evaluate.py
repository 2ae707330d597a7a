"""Evaluation of groupings: what follows the order of the files, and how low the index can fall at all."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whorl.challenge.plausibility import smallest_rand_index
from whorl.evaluate import evaluate
from whorl.evidence.bounds import lowest_rand_index
from whorl.evidence.orders import by_number, neighbours, order_notes
from whorl.metrics import adjusted_rand_index, label_chance_levels
from whorl.records import Answers, Recipe, Scores, Verdicts

RECIPE = Recipe("toy.grouping", "attribution", (), {})


def result(truth, labels, names=None):
    names = tuple(names or (f"picture_{place:04d}.png" for place in range(len(truth))))
    values = np.zeros((len(names), 1), np.float32)
    scores = Scores(names, ("x",), values, np.full(values.shape, -1, np.int64))
    said = Verdicts(names, tuple(map(str, labels)), None, "")
    answers = Answers({name: str(label) for name, label in zip(names, truth, strict=True)})
    return evaluate(RECIPE, scores, said, answers)


def shuffled(count=120, groups=3, seed=0):
    return np.random.default_rng(seed).permutation(np.arange(count) % groups)


def wrong_now_and_then(truth, seed=1):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(truth)) < 0.3, rng.integers(0, 3, len(truth)), truth)


def test_a_shuffled_list_gives_no_note():
    names = [f"picture_{place}.png" for place in range(120)]
    for seed in range(20):
        truth = shuffled(seed=seed)
        assert order_notes(names, truth, wrong_now_and_then(truth, seed)) == []
        assert order_notes(names, truth, shuffled(seed=seed + 100)) == []
    assert result(truth, truth).notes == ()


def test_a_stacked_list_is_told_and_that_right_labels_follow_it():
    stacked = np.sort(shuffled())
    answers, groups = result(stacked, wrong_now_and_then(stacked)).notes
    assert "the answers follow the file order: 98% of neighbours share a generator, 33% would" in answers
    assert "shuffle the files" in answers
    assert "follow the file order as well, no more than the answers do" in groups
    (alone,) = result(stacked, shuffled(seed=4)).notes
    assert alone == answers, "labels in random order follow nothing"


def test_taking_turns_is_an_order_too():
    turns = np.arange(120) % 3
    notes = result(turns, turns).notes
    assert "the answers follow the file order: 0% of neighbours share a generator" in notes[0]
    assert "the found groups follow" in notes[1]


def test_labels_that_follow_the_files_alone_are_told():
    (note,) = result(shuffled(), np.arange(120) // 40).notes
    assert (
        "the found groups follow the file order, the answers do not: 98% of neighbours share a group" in note
    )


def test_labels_that_follow_a_stacked_list_more_than_its_answers_are_told():
    stacked = np.sort(shuffled())
    notes = result(stacked, np.arange(120) // 20).notes
    assert len(notes) == 2
    assert "more than the answers do: among pictures of one generator 97% of neighbours" in notes[1]


def test_an_order_by_number_is_seen_where_names_are_sorted_by_spelling():
    numbers = np.unique((10 ** np.random.default_rng(1).uniform(0, 6, 120)).astype(np.int64))
    names = sorted(f"{number}.png" for number in numbers)
    turns = by_number(names).argsort() % 2
    assert not neighbours(turns).striking
    (note,) = order_notes(names, turns, shuffled(len(names), 2, seed=5))
    assert "the answers follow the order of the file numbers: 0% of neighbours" in note


@pytest.mark.parametrize("written", ["number", "spelling"])
def test_rows_that_were_mixed_up_are_told(written):
    """The labels are perfect, but were joined to the files in another order than they were made in."""
    names = sorted(f"picture_{place}.png" for place in range(120))
    truth, counted = shuffled(seed=7), by_number(names)
    labels = np.empty_like(truth)
    if written == "number":
        labels = truth[counted]
    else:
        labels[counted] = truth
    found = result(truth, labels, names)
    assert abs(found.measures[0].interval.estimate) < 0.1
    (note,) = found.notes
    assert f"rows are probably mixed up: taken as written for the files in order of {written}" in note
    assert "index of 1.000, not" in note
    assert result(truth, truth, names).notes == ()
    assert result(truth, shuffled(seed=8), names).notes == ()


def test_names_are_sorted_as_people_count():
    names = ["b2", "a10", "a9", "10", "9", "a", "a9b", "²"]
    assert [names[place] for place in by_number(names)] == ["9", "10", "a", "a9", "a9b", "a10", "b2", "²"]


def test_moments_of_neighbours_are_those_of_random_orders():
    labels = np.repeat([0, 1, 2], [9, 4, 7])
    rng = np.random.default_rng(0)
    orders = [rng.permutation(labels) for _ in range(20_000)]
    same = np.array([(one[1:] == one[:-1]).sum() for one in orders])
    found = neighbours(labels)
    assert found.share == 17 / 19
    assert found.expected == pytest.approx(same.mean() / 19, abs=0.005)
    assert found.deviation == pytest.approx((17 - same.mean()) / same.std(), abs=0.1)
    inside = neighbours(rng.permutation(labels), within=np.arange(20) % 2)
    assert abs(inside.deviation) < 3
    assert neighbours([1]).deviation == neighbours([1, 1, 1]).deviation == 0


def test_a_random_order_is_seldom_striking():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, 3], [40, 30, 20, 10])
    found = [neighbours(rng.permutation(labels)).striking for _ in range(3000)]
    assert np.mean(found) < 0.004


def least_index(classes, clusters):
    """Smallest index over all tables with these sums, by trying them all."""

    @cache
    def squares(row, left):
        if row == len(classes):
            return 0
        fills = (one for one in product(*(range(most + 1) for most in left)) if sum(one) == classes[row])
        return min(
            sum(each * each for each in one)
            + squares(row + 1, tuple(most - each for most, each in zip(left, one, strict=True)))
            for one in fills
        )

    n = sum(classes)
    together = (squares(0, tuple(clusters)) - n) / 2
    rows, columns = (sum(each * (each - 1) for each in side) / 2 for side in (classes, clusters))
    expected, highest = rows * columns / (n * (n - 1) / 2), (rows + columns) / 2
    return 1.0 if expected == highest else (together - expected) / (highest - expected)


sizes = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(sizes, sizes)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_table_falls_below_the_lowest_index(classes, clusters):
    gap = sum(classes) - sum(clusters)
    (clusters if gap > 0 else classes).extend([1] * min(abs(gap), 2))
    gap = sum(classes) - sum(clusters)
    (clusters if gap > 0 else classes)[0] += abs(gap)
    if sum(classes) < 2:
        return
    bound, least = lowest_rand_index(classes, clusters), least_index(tuple(classes), tuple(clusters))
    assert bound <= least + 1e-9
    assert bound >= smallest_rand_index(classes, len(clusters)) - 1e-9, "knowing the sizes is knowing more"
    assert least - bound < 0.2


@pytest.mark.parametrize("sizes", [(4, 4), (6, 6, 6), (12, 4)])
def test_the_lowest_index_is_reached_by_crossed_groups(sizes):
    truth = np.repeat(np.arange(len(sizes)), sizes)
    crossed = np.concatenate([np.arange(size) % 2 for size in sizes])
    found = lowest_rand_index(sizes, np.bincount(crossed))
    assert found == pytest.approx(adjusted_rand_index(truth, crossed), abs=1e-12)
    assert found == pytest.approx(least_index(sizes, tuple(np.bincount(crossed))), abs=1e-12)


def test_the_lowest_index_of_the_edition_of_2024():
    """Four classes of 750 leave no index of -0.0020, which was printed; unequal groups leave more room."""
    assert lowest_rand_index([750] * 4, [750] * 4) == pytest.approx(-0.0010, abs=5e-5)
    assert lowest_rand_index([750] * 4, [2000, 500, 300, 200]) > -0.0020
    assert lowest_rand_index([1200, 900, 600, 300], [2000, 500, 300, 200]) < -0.02
    assert lowest_rand_index([5], [5]) == lowest_rand_index([1, 1, 1], [1, 1, 1]) == 1.0
    with pytest.raises(ValueError, match="as many in classes as in clusters"):
        lowest_rand_index([3, 2], [4])


def test_the_index_stands_between_its_chance_levels():
    truth = shuffled()
    measure = result(truth, shuffled(seed=9)).measures[0]
    assert measure.name == "adjusted_rand_index"
    assert measure.chance["shuffled labels"] == 0.0
    assert -0.03 < measure.chance["lowest possible"] < 0
    assert measure.chance["lowest possible"] <= measure.interval.estimate
    assert label_chance_levels(truth, truth)["adjusted_rand_index"] == pytest.approx(measure.chance)
