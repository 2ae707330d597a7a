"""Lists of remembered pictures and patients: rarely wrong, honest about what they could hold."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from whorl.evidence.discoveries import (
    Discoveries,
    joined,
    patient_discoveries,
    picture_discoveries,
)
from whorl.records import BadInput

Q = 0.05


def hospital(generator, members, holdout, shift, heavy=False, within=0.7):
    """Scores by slices a patient, half of the members remembered: scores, side, patient, remembered."""
    sizes = np.concatenate([members, holdout])
    patient = np.repeat(np.arange(len(sizes)), sizes)
    scores = np.sqrt(within) * generator.normal(size=len(sizes))[patient]
    scores += np.sqrt(1 - within) * generator.normal(size=len(patient))
    if heavy:
        scores /= np.sqrt(generator.chisquare(3, len(sizes)) / 3)[patient]
    remembered = patient < len(members) // 2
    side = patient < len(members)
    return scores + shift * remembered, side, [f"p{number:05d}" for number in patient], remembered


def shares(found, remembered):
    """Share of the list that is wrong, and share of the remembered that is on it."""
    listed = found.listed
    return (listed & ~remembered).sum() / max(listed.sum(), 1), listed[remembered].mean()


def sizes(kind, generator, count):
    ranges = {"one": (1, 1), "ten": (10, 10), "few": (1, 5), "many": (5, 15), "some": (1, 10)}
    low, high = ranges[kind]
    return generator.integers(low, high + 1, count)


# 60 to 400 runs of 100 and 400 patients a side, a tenth or half of the members remembered: at most 4.5 %
# of the pictures listed and 2.5 % of the patients listed were wrong.
@pytest.mark.parametrize("heavy", [False, True], ids=["normal", "heavy tails"])
@pytest.mark.parametrize(
    ("own", "other", "least"),
    [
        ("one", "one", 0.5),
        ("ten", "ten", 0.5),
        ("some", "some", 0.5),
        ("many", "few", 0.0),
        ("few", "many", 0.5),
    ],
)
def test_at_most_a_share_q_of_either_list_is_wrong(own, other, least, heavy):
    generator, shift, runs = np.random.default_rng(5), 8.0 if heavy else 3.0, 40
    pictures, patients, average = (np.zeros((runs, 2)) for _ in range(3))
    for run in range(runs):
        counts = sizes(own, generator, 100), sizes(other, generator, 100)
        scores, side, names, remembered = hospital(generator, *counts, shift, heavy)
        pictures[run] = shares(picture_discoveries(scores, side, names, Q), remembered[side])
        whole = np.arange(100) < 50
        patients[run] = shares(patient_discoveries(scores, side, names, Q, seed=run), whole)
        found = patient_discoveries(scores, side, names, Q, statistic="mean", seed=run)
        average[run] = shares(found, whole)
    for found, wanted in ((pictures, 0.5), (patients, least), (average, least)):
        wrong, power = found.mean(axis=0)
        assert wrong <= Q + 3 * found[:, 0].std() / np.sqrt(runs)
        assert power >= wanted


def test_p_values_of_members_like_the_holdout_are_valid():
    generator, reached = np.random.default_rng(6), np.zeros((3, 3))
    levels, runs = np.array([0.05, 0.1, 0.5]), 150
    for run in range(runs):
        counts = generator.integers(1, 9, 20), generator.integers(1, 5, 40)
        scores, side, names, _ = hospital(generator, *counts, 0.0)
        for row, p_values in enumerate(
            (
                picture_discoveries(scores, side, names).p_values,
                patient_discoveries(scores, side, names, slices="matched", seed=run).p_values,
                patient_discoveries(scores, side, names, statistic="mean", slices="matched").p_values,
            )
        ):
            reached[row] += (p_values[:, None] <= levels).mean(axis=0)
    assert (reached / runs <= levels + 0.02).all()


def test_comparing_all_slices_is_wrong_where_numbers_differ_and_is_not_done():
    generator, wrong = np.random.default_rng(7), np.zeros(3)
    for run in range(40):
        scores, side, names, _ = hospital(generator, np.full(20, 12), np.full(60, 2), 0.0, within=0.2)
        for place, slices in enumerate(("whole", "matched", "alike")):
            found = patient_discoveries(scores, side, names, slices=slices, seed=run)
            wrong[place] += (found.p_values <= 0.1).mean() / 40
    assert wrong[0] > 0.25
    assert (wrong[1:] <= 0.1 + 0.03).all()  # twice the error of 40 runs


def test_every_patient_counts_once_however_many_slices():
    # Two slices of one member patient, three holdout patients of eight slices, one and one.
    scores = np.array([5.0, 1.0, *[9.0] * 8, 0.0, 0.0])
    side = np.arange(12) < 2
    names = ["a", "a", *["c"] * 8, "d", "e"]
    found = picture_discoveries(scores, side, names)
    assert found.names == (0, 1)
    assert found.p_values == pytest.approx([(0.5 + 1) / 4, (1 + 1) / 4])
    assert found.least_p == pytest.approx([0.5 / 4, 1 / 4])
    assert picture_discoveries(scores + 5 * side, side, names).p_values == pytest.approx([0.125, 0.5])
    # Equal scores of a patient count against each other.
    scores[:2] = 10.0
    assert picture_discoveries(scores, side, names).p_values == pytest.approx([0.25, 0.25])


def test_few_remembered_slices_of_a_patient_are_found():
    generator = np.random.default_rng(12)
    scores, side, names, _ = hospital(generator, np.full(100, 10), np.full(100, 10), 0.0)
    remembered = side & (np.arange(len(side)) % 10 == 0)
    found = picture_discoveries(scores + 6 * remembered, side, names, Q)
    wrong, power = shares(found, remembered[side])
    assert wrong <= 0.1
    assert power > 0.9


def test_sets_of_slices_are_compared_with_sets_of_as_many():
    # One member patient of 4 slices; three holdout patients of 6 can show sets of 4 as well.
    held = np.random.default_rng(8).permutation(18).reshape(3, 6).astype(float)
    own = np.array([13.5, 2.0, 1.0, 0.0])
    scores, side = np.concatenate([own, held.ravel()]), np.arange(22) < 4
    names = ["m"] * 4 + [f"h{row}" for row in range(3) for _ in range(6)]
    found = patient_discoveries(scores, side, names, slices="matched")
    sets = [[max(chosen) > 13.5 for chosen in combinations(row, 4)] for row in held]
    assert found.p_values[0] == pytest.approx((1 + sum(np.mean(each) for each in sets)) / 4)
    assert found.least_p[0] == 0.25


def test_a_list_says_what_it_could_hold_at_all():
    generator = np.random.default_rng(9)
    counts = np.ones(30, int), np.ones(99, int)
    scores, side, names, _ = hospital(generator, *counts, 0.0)
    scores[side] += 100.0
    found = picture_discoveries(scores, side, names, Q)
    assert found.least_p == pytest.approx(np.full(30, 0.01))
    assert (found.fewest, found.listed.sum()) == (6, 30)
    # One fewer than `fewest` above all of the holdout makes no list.
    for clear, listed in ((5, 0), (6, 6)):
        values = np.where(side, -100.0, scores)
        values[:clear] = 100.0
        assert picture_discoveries(values, side, names, Q).listed.sum() == listed
    few = picture_discoveries(scores[:40], side[:40], names[:40], Q)
    assert (few.fewest, few.listed.any()) == (0, False)
    mixed = Discoveries((1, 2, 3, 4), *[np.ones(4)] * 2, np.array([0.01, 0.02, 0.5, 0.5]), Q)
    assert mixed.fewest == 1
    assert Discoveries((1, 2), *[np.ones(2)] * 2, np.array([0.03, 0.06]), Q).fewest == 0


def test_several_attacks_are_joined_without_asking_who_is_a_member():
    generator, wrong = np.random.default_rng(10), []
    for _ in range(40):
        table = generator.normal(size=(200, 6))
        side = np.arange(200) < 100
        table[:10, 2] += 9.0
        found = picture_discoveries(table, side, [str(row) for row in range(200)], 0.2)
        wrong.append(shares(found, np.arange(100) < 10))
    assert np.mean(wrong, axis=0)[0] <= 0.2
    assert np.mean(wrong, axis=0)[1] > 0.9
    scaled = joined(table * [1, 10, 100, 1, 1, 1] + [0, 5, 0, 7, 0, 0])
    assert scaled == pytest.approx(joined(table))
    assert joined(table[:, 0]) == pytest.approx(table[:, 0])
    assert np.isfinite(joined(np.zeros((5, 2)))).all()


def test_order_and_seed():
    generator = np.random.default_rng(11)
    scores, side, names, _ = hospital(generator, np.full(10, 3), np.full(20, 3), 2.0)
    first = patient_discoveries(scores, side, names)
    mixed = generator.permutation(len(scores))
    again = patient_discoveries(scores[mixed], side[mixed], [names[row] for row in mixed])
    assert first.names == again.names
    assert first.p_values == pytest.approx(again.p_values)
    assert first.names[0] == "p00000"


def test_what_cannot_be_listed_is_refused():
    with pytest.raises(ValueError, match="one score"):
        picture_discoveries([1.0, np.nan], [True, False], ["a", "b"])
    with pytest.raises(BadInput, match="member and holdout pictures"):
        patient_discoveries([1.0, 2.0], [True, False], ["a", "a"])
