"""The stack of attacks, whole sets and near copies: null worlds stay silent, planted truth is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from whorl.evidence.permutation import permutation_test
from whorl.evidence.sets import kernels
from whorl.evidence.stacking import FOLDS, stack
from whorl.evidence.tails import copy_p_values
from whorl.folding import folds, folds_of
from whorl.metrics import auc
from whorl.records import ImageSet


def cohort(rng, patients, most, attacks):
    """Scores of members and holdout alike: correlated over attacks and within a patient."""
    slices = rng.integers(1, most + 1, 2 * patients)
    patient = np.repeat(np.arange(2 * patients), slices)
    mixing = 0.5 * rng.normal(size=(attacks, attacks)) + np.eye(attacks)
    own = rng.normal(size=(len(patient), attacks))
    values = (np.sqrt(0.6) * rng.normal(size=(2 * patients, attacks))[patient] + np.sqrt(0.4) * own) @ mixing
    return values, patient < patients, [f"patient {number}" for number in patient]


def test_learning_the_weights_raises_no_false_alarms():
    rng, audits, alone, panel = np.random.default_rng(3), 300, 0, 0
    for seed in range(audits):
        values, members, patients = cohort(rng, 20, 5, 6)
        stacked = stack(values, folds(patients, FOLDS))
        found = permutation_test(values, members, patients, draws=99, seed=seed, stacked=stacked)
        alone += found.p_value[-1] <= 0.05
        panel += found.p_adjusted.min() <= 0.05
    least, most = binom.ppf([0.002, 0.998], audits, 0.05)
    assert least <= alone <= most and panel <= most


def test_the_stack_joins_weak_attacks_and_leaves_out_useless_ones():
    rng = np.random.default_rng(4)
    values, members = rng.normal(size=(600, 5)), np.arange(600) < 300
    values[members, :3] += 0.6
    patients = [str(row) for row in range(600)]
    stacked = stack(values, folds(patients, FOLDS))
    joined = auc(stacked.scores(members[None])[0], members)
    assert joined > max(auc(values[:, column], members) for column in range(5)) + 0.05
    weights = stacked.weights(members)
    assert weights[:3].min() > 3 * np.abs(weights[3:]).max()


def test_no_picture_is_scored_by_weights_that_saw_its_patient():
    rng = np.random.default_rng(5)
    values, members, patients = cohort(rng, 30, 4, 3)
    place = folds(patients, FOLDS)
    stacked = stack(values, place)
    told = members.copy()
    told[place == 2] = ~told[place == 2]  # other answers for one fold change the scores of all but that fold
    before, after = stacked.scores(np.stack([members, told]))
    np.testing.assert_array_equal(before[place == 2], after[place == 2])
    assert (before[place != 2] != after[place != 2]).all()
    for patient in set(patients):
        assert len({int(fold) for fold, one in zip(place, patients, strict=True) if one == patient}) == 1


def test_every_labelling_is_refitted_as_if_it_were_the_true_one():
    rng = np.random.default_rng(6)
    values, members, patients = cohort(rng, 15, 3, 4)
    stacked = stack(values, folds(patients, FOLDS))
    other = np.isin(np.asarray(patients), rng.permutation(np.unique(patients))[:15])
    together = stacked.scores(np.stack([members, other]))
    np.testing.assert_allclose(together[1], stacked.scores(other[None])[0], rtol=1e-12)
    found = permutation_test(values, other, patients, draws=99, stacked=stacked)
    assert found.auc[-1] == pytest.approx(auc(together[1], other), abs=1e-12)


def test_whole_sets_are_told_apart_only_if_one_was_used():
    rng, alarms, audits = np.random.default_rng(7), 0, 120
    for seed in range(audits):
        real, made = rng.normal(size=(60, 8)), rng.normal(size=(80, 8))
        patients = [f"patient {row // 2}" for row in range(60)]
        members = np.arange(60) < 30
        patient = np.unique(patients, return_inverse=True)[1]
        described = kernels(real, made, patient)
        found = permutation_test(rng.normal(size=(60, 1)), members, patients, 99, seed, kernels=described)
        alarms += found.p_set <= 0.05
    assert alarms <= binom.ppf(0.998, audits, 0.05)
    made = np.repeat(real[members], 3, axis=0) + 0.3 * rng.normal(size=(90, 8))
    told = permutation_test(
        rng.normal(size=(60, 1)), members, patients, 999, 0, kernels=kernels(real, made, patient)
    )
    assert told.p_set <= 0.01 and told.z_set > 3


def test_the_contrast_is_that_of_the_textbook():
    rng = np.random.default_rng(8)
    real, made, members = rng.normal(size=(12, 3)), rng.normal(size=(9, 3)), np.arange(12) < 5
    patient = np.arange(12) // 2
    labels = np.asarray([members[2 * number] for number in range(6)])
    members = labels[patient]
    squares = ((real[:, None] - real[None]) ** 2).sum(axis=2)
    width = np.median(squares[~np.eye(12, dtype=bool)])

    def kernel(one, other):
        return np.exp(-((one[:, None] - other[None]) ** 2).sum(axis=2) / width).mean()

    def discrepancy(chosen):
        return kernel(chosen, chosen) + kernel(made, made) - 2 * kernel(chosen, made)

    wanted = discrepancy(real[~members]) - discrepancy(real[members])
    assert kernels(real, made, patient).contrast(labels[None])[0] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("scale", [0.02, 0.1])
def test_copies_are_named_and_nobody_else(scale):
    rng, wrong, runs = np.random.default_rng(9), 0, 400
    for _ in range(runs):
        holdout, members = (np.tanh(0.3 + scale * rng.gumbel(size=200)) for _ in range(2))
        wrong += bool((copy_p_values(holdout, members) * len(members) <= 0.05).any())
    assert wrong <= binom.ppf(0.998, runs, 0.05)
    members[:5] = 0.9999
    assert (copy_p_values(holdout, members)[:5] * len(members) <= 0.01).all()
    assert (np.diff(copy_p_values(holdout, np.sort(members))) <= 0).all()


def test_few_holdout_scores_are_ranked_and_not_extrapolated():
    assert copy_p_values(np.linspace(0, 0.5, 8), np.asarray([0.99])).tolist() == pytest.approx([1 / 9])
    assert copy_p_values(np.zeros(50), np.asarray([0.5, 0.0])).tolist() == pytest.approx([1 / 51, 1.0])


def test_folds_depend_on_content_and_not_on_names():
    digests = tuple(f"{number:02d}" * 16 for number in range(20))
    pixels = np.zeros((20, 2, 2), np.uint8)
    owners = tuple(f"p{number // 2}" for number in range(20))
    one = ImageSet("a", tuple(f"x{n}" for n in range(20)), pixels, digests, owners)
    back = ImageSet("a", tuple(f"y{n}" for n in range(20)), pixels, digests[::-1], owners[::-1])
    np.testing.assert_array_equal(folds_of(one, 5, 1), folds_of(back, 5, 1)[::-1])
    assert (folds_of(one, 5, 1)[::2] == folds_of(one, 5, 1)[1::2]).all()
    assert not np.array_equal(folds_of(one, 5, 1), folds_of(one, 5, 2))
