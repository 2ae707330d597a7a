"""Intervals cover what they promise, respect patients, and never have zero width."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from whorl.evidence import intervals
from whorl.evidence.intervals import (
    auc_interval,
    bootstrap_weights,
    label_interval,
    metric_interval,
    percentile_interval,
    tpr_interval,
)
from whorl.evidence.rates import share_interval
from whorl.metrics import LABEL_METRICS, VERDICT_METRICS, adjusted_rand_index, auc, tpr_at_fpr
from whorl.records import BadInput


def cohort(generator, used, unused, shift, most=5, within=0.7):
    """Scores of patients with 1 to `most` pictures that are alike within a patient."""
    pictures = generator.integers(1, most + 1, size=used + unused)
    patient = np.repeat(np.arange(used + unused), pictures)
    scores = np.sqrt(within) * generator.normal(size=used + unused)[patient]
    scores += np.sqrt(1 - within) * generator.normal(size=len(patient))
    truth = patient < used
    return scores + shift * truth, truth, [f"p{number}" for number in patient]


def spelled_out(weights, draw):
    """Picture numbers of one draw, each as often as it was drawn."""
    return np.repeat(np.arange(len(weights.patient)), weights.counts[draw][weights.patient])


def test_whole_patients_are_drawn_within_their_stratum():
    patients, strata = list("aabbbcdde"), [1, 1, 1, 1, 1, 1, 0, 0, 0]
    weights = bootstrap_weights(patients, strata, draws=500, seed=1)
    assert (weights.counts[:, :3].sum(axis=1) == 3).all()
    assert (weights.counts[:, 3:].sum(axis=1) == 2).all()
    assert weights.counts.mean(axis=0) == pytest.approx(np.ones(5), abs=0.15)
    again = bootstrap_weights(patients, strata, draws=500, seed=1)
    assert (again.counts == weights.counts).all()
    assert (bootstrap_weights(patients, strata, draws=500, seed=2).counts != weights.counts).any()


def test_patients_of_several_strata_stay_whole():
    weights = bootstrap_weights(list("aabbccdd"), [1, 0, 1, 0, 1, 1, 0, 0], draws=50)
    assert (weights.counts[:, :2].sum(axis=1) == 2).all()
    assert (weights.counts[:, 2:] == 1).all()


def test_slabs_hold_how_often_each_picture_was_drawn(monkeypatch):
    monkeypatch.setattr(intervals, "SLAB_BYTES", 8 * 20)
    weights = bootstrap_weights(list("aabbc"), [1, 1, 0, 0, 0], draws=9)
    found = np.concatenate(list(weights.slabs(np.array([4, 0, 2]))))
    assert (found == weights.counts[:, weights.patient[[4, 0, 2]]]).all()


def test_verdict_metrics_equal_those_of_the_drawn_pictures(monkeypatch):
    found = []
    monkeypatch.setattr(intervals, "percentile_interval", lambda estimate, values, *_: found.append(values))
    scores, truth, patients = cohort(np.random.default_rng(3), 20, 30, shift=0.5)
    answers = scores > 0.3
    metric_interval(VERDICT_METRICS["mcc"], truth, answers, patients, draws=20, seed=4)
    weights = bootstrap_weights(patients, truth, draws=20, seed=4)
    for draw in range(20):
        rows = spelled_out(weights, draw)
        correlation = np.corrcoef(truth[rows], answers[rows])[0, 1]
        assert found[0][draw] == pytest.approx(correlation, abs=1e-12)


# 1,000 runs of each cell of n = 50, 100, 300, 1000 and AUC 0.5, 0.7, 0.9 cover 94.4 % or more.
@pytest.mark.parametrize(("used", "unused", "area"), [(10, 15, 0.5), (20, 20, 0.97), (50, 80, 0.9)])
def test_auc_intervals_cover_the_truth_where_picture_level_ones_do_not(used, unused, area):
    generator, shift = np.random.default_rng(7), np.sqrt(2) * norm.ppf(area)
    covered, naive, runs = 0, 0, 300
    for seed in range(runs):
        scores, truth, patients = cohort(generator, used, unused, shift, most=10)
        honest = auc_interval(scores, truth, bootstrap_weights(patients, truth, 1, seed))
        pictures = [str(row) for row in range(len(scores))]
        loose = auc_interval(scores, truth, bootstrap_weights(pictures, truth, 1, seed))
        covered += honest.low <= area <= honest.high
        naive += loose.low <= area <= loose.high
    assert covered >= binom.ppf(0.001, runs, 0.94)
    assert naive < 0.85 * runs


def test_auc_intervals_agree_with_resampling_in_the_middle_and_lean_away_from_the_end():
    generator = np.random.default_rng(13)
    scores, truth, patients = cohort(generator, 150, 200, shift=0.5)
    weights = bootstrap_weights(patients, truth, 2000)
    drawn = []
    for draw in range(400):
        rows = spelled_out(weights, draw)
        drawn.append(auc(scores[rows], truth[rows]))
    interval = auc_interval(scores, truth, weights)
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert interval.estimate == auc(scores, truth)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.012)
    near = auc_interval(scores + 3 * truth, truth, weights)
    assert near.estimate - near.low > 1.1 * (near.high - near.estimate)


def test_patients_on_both_sides_tie_them_together():
    generator = np.random.default_rng(14)
    level = 3 * generator.normal(size=60)
    scores = np.concatenate([level + 0.1 * generator.normal(size=60) for _ in range(2)])
    truth = np.arange(120) < 60
    names = [f"p{row % 60}" for row in range(120)]
    both = auc_interval(scores, truth, bootstrap_weights(names, ["all"] * 120, 1))
    apart = auc_interval(scores, truth, bootstrap_weights([str(row) for row in range(120)], truth, 1))
    assert both.low < 0.5 < both.high
    assert both.high - both.low < 0.2 * (apart.high - apart.low)


def test_tpr_intervals_are_those_of_their_patients():
    scores, truth, patients = cohort(np.random.default_rng(8), 400, 400, shift=2.0, most=4)
    found = tpr_interval(scores, truth, bootstrap_weights(patients, truth, 1))
    assert found == share_interval(scores, truth, patients, 0.01)
    alone = tpr_interval(scores, truth, bootstrap_weights([str(row) for row in range(len(scores))], truth, 1))
    assert alone.estimate == found.estimate == tpr_at_fpr(scores, truth)
    assert alone.high - alone.low < found.high - found.low


def test_kappa_intervals_cover_the_truth():
    generator, covered = np.random.default_rng(9), 0
    cut = 0.4
    recall, specificity = norm.sf(cut - 0.8), norm.cdf(cut)
    for seed in range(200):
        scores, truth, patients = cohort(generator, 30, 30, shift=0.8, most=1)
        interval = metric_interval(VERDICT_METRICS["kappa"], truth, scores > cut, patients, 300, seed)
        covered += interval.low <= recall + specificity - 1 <= interval.high
    assert covered >= 180


def test_no_interval_has_zero_width():
    truth = np.arange(30) < 10
    patients = [str(row) for row in range(30)]
    weights = bootstrap_weights(patients, truth, draws=50)
    perfect = auc_interval(truth * 1.0, truth, weights)
    assert perfect.estimate == perfect.high == 1.0
    # Clopper-Pearson for 10 of 10: the chance of no failure is 2.5 % at the lower end.
    assert binom.pmf(10, 10, perfect.low) == pytest.approx(0.025)
    reversed_scores = auc_interval(-1.0 * truth, truth, weights)
    assert reversed_scores.low == reversed_scores.estimate == 0.0
    assert reversed_scores.high == pytest.approx(1 - perfect.low)
    nothing = tpr_interval(-1.0 * truth, truth, weights)
    assert nothing.low == nothing.estimate == 0.0
    # Clopper-Pearson for none of 10: the chance of no hit is 2.5 % at the upper end.
    assert binom.pmf(0, 10, nothing.high) <= 0.025 + 1e-9
    constant = auc_interval(np.zeros(30), truth, weights)
    assert constant.low < 0.5 < constant.high


@pytest.mark.parametrize("name", sorted(VERDICT_METRICS))
@pytest.mark.parametrize("pattern", ["right", "wrong", "always", "never"])
def test_no_verdict_interval_has_zero_width(name, pattern):
    truth = np.arange(24) < 12
    answers = {"right": truth, "wrong": ~truth, "always": truth | True, "never": truth & False}[pattern]
    patients = [str(row // 2) for row in range(24)]
    interval = metric_interval(VERDICT_METRICS[name], truth, answers, patients, draws=50)
    assert interval.low <= interval.estimate <= interval.high
    assert interval.high - interval.low > 0.3
    assert interval.low >= -1.0
    assert interval.high <= 1.0


def test_a_stand_in_interval_keeps_to_the_scale_of_its_metric():
    truth, patients = np.arange(24) < 12, [str(row) for row in range(24)]
    always = metric_interval(VERDICT_METRICS["mcc"], truth, truth | True, patients, draws=50)
    assert always.low == pytest.approx(-always.high)
    assert always.low < -0.3
    below = percentile_interval(-0.3, np.full(9, -0.3), patients=8)
    assert below.low == below.estimate == -0.3 < below.high


def test_fewer_patients_give_wider_intervals():
    found = np.random.default_rng(1).normal(0.6, 0.05, size=2000)
    widths = [np.diff([(i := percentile_interval(0.6, found, n)).low, i.high])[0] for n in (3, 10, 10_000)]
    assert widths[0] > 1.2 * widths[1] > 1.2 * widths[2]
    plain = np.quantile(found, [0.025, 0.975])
    assert widths[2] == pytest.approx(np.diff(plain)[0], rel=0.01)


@pytest.mark.parametrize("name", sorted(LABEL_METRICS))
def test_label_intervals_hold_the_estimate_and_are_never_empty(name):
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, 90)
    noisy = np.where(generator.random(90) < 0.7, truth, generator.integers(0, 3, 90))
    for labels in (truth, noisy, np.zeros(90, int), generator.permutation(truth)):
        interval = label_interval(LABEL_METRICS[name], truth, labels, draws=50)
        assert interval.low <= interval.estimate <= interval.high
        assert 0.02 < interval.high - interval.low < 0.6
        assert interval == label_interval(LABEL_METRICS[name], truth, labels, draws=50)


def test_label_intervals_cover_the_truth_at_chance_and_above():
    generator, at_chance, above = np.random.default_rng(6), 0, 0
    big = generator.integers(0, 3, 200_000)
    kept = generator.random(200_000) < 0.6
    real = adjusted_rand_index(big, np.where(kept, big, generator.integers(0, 3, 200_000)))
    for seed in range(100):
        truth, noise = generator.integers(0, 3, (2, 120))
        labels = np.where(generator.random(120) < 0.6, truth, noise)
        interval = label_interval(adjusted_rand_index, truth, labels, draws=60, seed=seed)
        above += interval.low <= real <= interval.high
        interval = label_interval(adjusted_rand_index, truth, noise, draws=60, seed=seed)
        at_chance += interval.low <= 0.0 <= interval.high
    assert above >= 90
    assert at_chance >= 90


def test_the_bias_of_small_halves_stays_out_of_the_interval():
    generator = np.random.default_rng(12)
    truth, noise = generator.integers(0, 3, (2, 300))
    interval = label_interval(LABEL_METRICS["normalised_mutual_information"], truth, noise)
    assert 0.0 <= interval.low < interval.estimate < interval.high


def test_patients_kept_together_widen_label_intervals():
    generator = np.random.default_rng(10)
    truth = np.repeat(np.arange(3), 40)
    patient = np.repeat(np.arange(24), 5)
    right = (generator.random(24) < 0.6)[patient]  # a patient's pictures are right or wrong together
    labels = np.where(right, truth, (truth + 1) % 3)
    alone = label_interval(LABEL_METRICS["hungarian_accuracy"], truth, labels)
    together = label_interval(LABEL_METRICS["hungarian_accuracy"], truth, labels, [str(p) for p in patient])
    assert together.high - together.low > 1.4 * (alone.high - alone.low)


def test_input_that_cannot_be_resampled_is_refused():
    truth = np.arange(6) < 3
    weights = bootstrap_weights(list("abcdef"), truth, draws=2)
    with pytest.raises(BadInput, match="only one class"):
        auc_interval(np.arange(6.0), truth | True, weights)
    with pytest.raises(ValueError, match="expected 6 strata"):
        bootstrap_weights(list("abcdef"), [1, 2])
    with pytest.raises(ValueError, match="one score, one truth and one weight"):
        auc_interval(np.arange(5.0), truth, weights)
    with pytest.raises(BadInput, match="at least one"):
        bootstrap_weights([], [])
