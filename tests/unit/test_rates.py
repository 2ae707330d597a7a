"""Shares found at few false alarms: printed only where they can be known, and as sure as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from whorl.evidence.rates import clopper_pearson, effective_count, least_patients, share_interval, supported
from whorl.metrics import tpr_at_fpr


def cohort(generator, patients, slices, shift, within=0.7):
    """Scores, truth and patients: as many patients on either side, slices alike within a patient."""
    patient = np.repeat(np.arange(2 * patients), slices)
    scores = np.sqrt(within) * generator.normal(size=2 * patients)[patient]
    scores += np.sqrt(1 - within) * generator.normal(size=len(patient))
    truth = patient < patients
    return scores + shift * truth, truth, patient


@pytest.mark.parametrize(("rate", "least"), [(0.01, 300), (0.001, 3000), (0.05, 60), (0.07, 43)])
def test_a_rate_needs_three_patients_for_one_alarm(rate, least):
    assert least_patients(rate) == least
    assert supported(rate, least)
    assert not supported(rate, least - 1)
    # With so many patients the threshold lies among them 19 times in 20.
    assert (1 - rate) ** least <= 0.05 < (1 - rate) ** (0.97 * least - 1)


# 1,000 runs of each cell of n = 50, 100, 300, 1000 cover 95.8 % or more at either rate.
@pytest.mark.parametrize("slices", [1, 10])
@pytest.mark.parametrize(("patients", "area"), [(50, 0.9), (100, 0.7), (300, 0.5), (300, 0.9)])
def test_intervals_cover_the_share_at_the_true_threshold(patients, area, slices):
    generator, shift, runs = np.random.default_rng([patients, slices]), np.sqrt(2) * norm.ppf(area), 100
    for rate in (0.01, 0.05):
        real, covered = norm.sf(norm.isf(rate) - shift), 0
        for _ in range(runs):
            interval = share_interval(*cohort(generator, patients, slices, shift), rate)
            covered += interval.low <= real <= interval.high
        assert covered >= binom.ppf(0.001, runs, 0.94)


def test_too_few_patients_show_no_lower_end_and_enough_do():
    generator = np.random.default_rng(1)
    few = share_interval(*cohort(generator, 100, 1, 3.0), 0.01)
    assert few.low == 0.0 < 0.4 < few.estimate
    many = share_interval(*cohort(generator, 1000, 1, 3.0), 0.01)
    assert 0.5 < many.low < many.estimate < many.high < 0.95
    # Ten slices alike of a patient are worth one.
    scores, truth, patient = cohort(generator, 100, 10, 3.0, within=1.0)
    assert share_interval(scores, truth, patient, 0.01).low == 0.0


def test_the_estimate_is_the_metric_and_lies_inside():
    generator = np.random.default_rng(2)
    for rate in (0.0, 0.01, 0.3, 1.0):
        scores, truth, patient = cohort(generator, 40, 3, 1.0)
        scores = np.round(scores, 1)
        interval = share_interval(scores, truth, patient, rate)
        assert interval.estimate == tpr_at_fpr(scores, truth, rate)
        assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_limits_are_exact_at_the_ends():
    assert clopper_pearson(0, 20)[0] == 0.0
    assert binom.pmf(0, 20, clopper_pearson(0, 20)[1]) == pytest.approx(0.025)
    assert clopper_pearson(20, 20)[1] == 1.0
    low, high = clopper_pearson(7, 20)
    assert binom.sf(6, 20, low) == pytest.approx(0.025) == pytest.approx(binom.cdf(7, 20, high))


def test_pictures_count_between_patients_and_pictures():
    generator = np.random.default_rng(3)
    patient = np.repeat(np.arange(200), 5)
    alone = generator.random(1000) < 0.4
    alike = (generator.random(200) < 0.4)[patient]
    assert effective_count(alone, np.arange(1000)) == 1000
    assert 200 <= effective_count(alike, patient) < 260 < 700 < effective_count(alone, patient) <= 1000
    # Nothing says how alike slices are where none was a hit.
    assert effective_count(np.zeros(1000), patient) == pytest.approx(200)
    assert effective_count(np.arange(1000) == 3, patient) < 300
