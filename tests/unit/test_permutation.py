"""The panel test keeps its word: false alarms at the level it promises, planted leaks found."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, norm, rankdata

from whorl.evidence import permutation
from whorl.evidence.permutation import permutation_test
from whorl.evidence.power import detectable_auc, least_p_value
from whorl.metrics import auc
from whorl.records import BadInput


def cohort(generator, members, holdout, attacks=1, most=6, within=0.8, between=0.6):
    """Null scores: patients with 1 to `most` pictures, alike within a patient and over attacks."""
    pictures = generator.integers(1, most + 1, size=members + holdout)
    patient = np.repeat(np.arange(members + holdout), pictures)

    def correlated(rows):
        shared, own = generator.normal(size=(rows, 1)), generator.normal(size=(rows, attacks))
        return np.sqrt(between) * shared + np.sqrt(1 - between) * own

    values = np.sqrt(within) * correlated(len(pictures))[patient] + np.sqrt(1 - within) * correlated(
        len(patient)
    )
    return values, patient < members, [f"patient {number}" for number in patient]


def outcome(panel):
    arrays = [np.atleast_1d(value) for name, value in vars(panel).items() if name != "exact"]
    return np.concatenate(arrays).tolist()


def test_null_audits_raise_false_alarms_as_often_as_promised():
    generator = np.random.default_rng(20)
    audits, honest, naive, single, below = 400, 0, 0, 0, 0
    for seed in range(audits):
        values, members, patients = cohort(generator, 15, 20, attacks=4)
        panel = permutation_test(values, members, patients, draws=199, seed=seed)
        honest += panel.p_adjusted.min() <= 0.05
        single += panel.p_value[0] <= 0.05
        below += panel.p_below.min() <= 0.05
        pictures = [str(row) for row in range(len(values))]
        naive += permutation_test(values, members, pictures, 199, seed).p_adjusted.min() <= 0.05
    least, most = binom.ppf([0.002, 0.998], audits, 0.05)
    for alarms in (honest, single, below):
        assert least <= alarms <= most
    # The control: slices of one patient taken as independent raise several times as many.
    assert naive > 2 * most


def test_a_planted_leak_is_found_and_other_attacks_are_not_blamed():
    generator = np.random.default_rng(1)
    values, members, patients = cohort(generator, 60, 60, attacks=5, between=0.0)
    values[members, 2] += 1.0
    panel = permutation_test(values, members, patients, draws=999)
    assert panel.p_adjusted[2] <= 0.01
    assert (np.delete(panel.p_adjusted, 2) > 0.05).all()
    assert (panel.p_below > 0.05).all()
    for column in range(5):
        assert panel.auc[column] == pytest.approx(auc(values[:, column], members), abs=1e-12)


def test_a_rare_leak_is_found_by_the_tail_where_the_auc_misses_it():
    found, found_by_auc = 0, 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        values, members = generator.normal(size=(1000, 3)), np.arange(1000) < 500
        values[:25, 0] += 6.0  # 5 % of the members are copied
        panel = permutation_test(values, members, [str(row) for row in range(1000)], draws=499, seed=seed)
        found += panel.p_adjusted[0] <= 0.05
        found_by_auc += panel.z_auc[0] > panel.critical(0.05)
        assert panel.z_tail[0] > panel.z_auc[0]
    assert found >= 15
    assert found_by_auc <= 6


def test_scores_below_chance_warn_of_a_shift_and_accuse_nobody():
    generator = np.random.default_rng(3)
    values, members, patients = cohort(generator, 50, 50, attacks=3)
    values[members, 1] -= 1.5
    panel = permutation_test(values, members, patients, draws=999)
    assert panel.p_below[1] <= 0.01
    assert panel.p_adjusted[1] > 0.5


def test_small_cases_are_enumerated_and_agree_with_counting_by_hand():
    values = np.array([[9.0], [8.0], [7.0], [6.0], [5.0], [4.0], [3.0]])
    members, patients = np.array([1, 1, 1, 0, 0, 0, 0], bool), list("aabcdef")
    panel = permutation_test(values, members, patients)
    assert panel.exact
    assert panel.auc[0] == 1.0
    # Of the 15 ways to choose two of six patients only the observed one separates perfectly.
    assert panel.p_value[0] == panel.p_adjusted[0] == pytest.approx(1 / 15)
    assert len(panel.null_maximum) == 14
    assert panel.p_below[0] == 1.0
    ranks, total = rankdata(values[:, 0]), []
    for pair in combinations("abcdef", 2):
        chosen = np.isin(patients, pair)
        size = chosen.sum()
        total.append((ranks[chosen].sum() - size * (size + 1) / 2) / (size * (7 - size)))
    assert panel.null_sd[0] == pytest.approx(np.std(total[1:]), abs=1e-12)


def test_sampled_permutations_approach_the_enumeration():
    values, members, patients = cohort(np.random.default_rng(5), 6, 7, attacks=3)
    values[members] += 0.8
    exact = permutation_test(values, members, patients, draws=2000)
    sampled = permutation_test(values, members, patients, draws=1700)
    assert exact.exact
    assert not sampled.exact
    assert sampled.p_value == pytest.approx(exact.p_value, abs=0.05)
    assert sampled.p_adjusted == pytest.approx(exact.p_adjusted, abs=0.05)
    assert sampled.null_sd == pytest.approx(exact.null_sd, rel=0.06)


def test_the_same_seed_gives_the_same_numbers_whatever_the_slab(monkeypatch):
    values, members, patients = cohort(np.random.default_rng(6), 20, 25, attacks=4)
    values = np.round(values, 1)  # ties, also at the border of the tail
    whole = outcome(permutation_test(values, members, patients, draws=199, seed=4))
    monkeypatch.setattr(permutation, "SLAB_BYTES", 8 * 45 * 7)
    assert outcome(permutation_test(values, members, patients, draws=199, seed=4)) == whole
    assert outcome(permutation_test(values, members, patients, draws=199, seed=5)) != whole


def test_only_ranks_count_and_the_input_is_left_alone():
    values, members, patients = cohort(np.random.default_rng(7), 20, 20, attacks=2)
    before = values.copy()
    first = permutation_test(values, members, patients, draws=99)
    assert outcome(permutation_test(np.exp(values), members, patients, draws=99)) == outcome(first)
    assert (values == before).all()


def test_ties_share_the_tail():
    # 40 pictures, a tail of two: one clear winner (a member) and three tied for the last place.
    values = np.zeros((40, 1))
    values[0], values[[1, 20, 21]] = 3.0, 2.0
    statistics = permutation._sums(values, np.arange(40)).statistics((np.arange(40) < 20)[None])
    assert statistics[0, 1, 0] == pytest.approx((1 + 1 / 3) / 2 - 0.5)


def test_a_constant_score_is_no_evidence():
    values, members, patients = cohort(np.random.default_rng(8), 10, 10, attacks=2)
    values[:, 0] = 0.25
    panel = permutation_test(values, members, patients, draws=99)
    assert panel.auc[0] == 0.5
    assert panel.z_auc[0] == 0.0
    assert panel.p_adjusted[0] > 0.5
    alone = permutation_test(np.ones((20, 1)), np.arange(20) < 10, [str(n) for n in range(20)], 99)
    assert alone.p_value[0] == alone.p_adjusted[0] == alone.p_below[0] == 1.0


def test_no_p_value_is_zero_and_adjusting_never_lowers_one():
    values, members, patients = cohort(np.random.default_rng(9), 30, 30, attacks=3)
    values[members, 0] += 50.0
    panel = permutation_test(values, members, patients, draws=99)
    assert panel.p_value[0] == panel.p_adjusted[0] == 0.01
    assert (panel.p_adjusted >= panel.p_value - 1e-12).all()


def test_the_critical_value_and_the_p_value_agree():
    for seed in range(10):
        values, members, patients = cohort(np.random.default_rng(seed), 12, 12, attacks=2)
        values[members] += 0.5
        panel = permutation_test(values, members, patients, draws=99, seed=seed)
        statistic = np.maximum(panel.z_auc, panel.z_tail)
        for alpha in (0.02, 0.05, 0.2):
            assert ((statistic > panel.critical(alpha) + 1e-9) == (panel.p_adjusted <= alpha)).all()
        assert panel.critical(0.005) == float("inf")


def test_input_that_cannot_be_tested_is_refused():
    values = np.arange(4.0)[:, None]
    with pytest.raises(BadInput, match="patient p has member and holdout pictures"):
        permutation_test(values, np.array([1, 0, 1, 0], bool), ["p", "p", "q", "r"])
    with pytest.raises(BadInput, match="all are on one side"):
        permutation_test(values, np.ones(4, bool), list("abcd"))
    with pytest.raises(ValueError, match="NaN"):
        permutation_test(np.full((4, 1), np.nan), np.arange(4) < 2, list("abcd"))
    with pytest.raises(ValueError, match="pictures, attacks"):
        permutation_test(values[:, 0], np.arange(4) < 2, list("abcd"))


def test_four_audits_in_five_notice_the_detectable_auc():
    generator, found, audits = np.random.default_rng(11), 0, 200
    values, members, patients = cohort(generator, 80, 80, attacks=3, most=3)
    null = permutation_test(values, members, patients, draws=999)
    effect = detectable_auc(null.null_sd[0], null.critical(0.05))
    assert 0.55 < effect < 0.75
    for seed in range(audits):
        values, members, patients = cohort(generator, 80, 80, attacks=3, most=3)
        values[members, 0] += np.sqrt(2) * norm.ppf(effect)
        found += permutation_test(values, members, patients, draws=199, seed=seed).p_adjusted[0] <= 0.05
    assert 0.65 <= found / audits <= 0.92


def test_power_by_hand():
    assert detectable_auc(0.05, 1.645, power=0.8) == pytest.approx(0.5 + 0.05 * (1.645 + 0.8416), abs=1e-4)
    assert detectable_auc(0.5, 2.0) == 1.0
    assert detectable_auc(0.05, float("inf")) == 1.0
    assert least_p_value(3, 3) == 1 / 20
    assert least_p_value(2, 1) == 1 / 3
    assert least_p_value(100, 100, draws=999) == 1 / 1000
    assert least_p_value(100, 100) < 1e-50
    with pytest.raises(BadInput, match="at least one member"):
        least_p_value(0, 5)
