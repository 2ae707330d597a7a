"""Lower limits of ε: those of jax_privacy, silent without a leak, and not above an ε that is known."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from scipy.stats import binom, norm

from whorl.evidence.epsilon import Choice, by_patient, epsilon_clopper_pearson, epsilon_one_run, hull, ladder
from whorl.records import BadInput

# What jax_privacy 2.0.0 (PyPI; CanaryScoreAuditor) returns at significance 0.05 for the scores below.
# Sides, shift, spread and decimals → per (delta, one_sided): Bonferroni, Split(seed=7),
# MultiSplit(num_samples=9, seed=7), Explicit(1.5).
CASES = ((0.0, True), (1e-5, True), (0.01, False))
CLOPPER_PEARSON = {
    (50, 50, 0.0, 1.0, 8): ((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
    (60, 45, 1.0, 1.0, 8): (
        (0.0, 0.0, 0.0, 0.1033523081),
        (0.0, 0.0, 0.0, 0.1033029426),
        (0.0, 0.0, 0.0, 0.052727938),
    ),
    (200, 150, 1.0, 1.5, 8): (
        (0.8419170844, 0.9008280792, 0.2986936199, 0.9172081648),
        (0.841853951, 0.9007717061, 0.2986338652, 0.9171746335),
        (0.7767048212, 0.8428052944, 0.3596329947, 0.8831023351),
    ),
    (438, 437, 2.0, 1.0, 8): (
        (2.1788882445, 1.9436892191, 1.9184943047, 1.9323320295),
        (2.1788553752, 1.9436671053, 1.9184653172, 1.9323166107),
        (2.2359707234, 1.9958950761, 1.9249295364, 1.9167931705),
    ),
    (100, 300, 1.5, 2.0, 8): (
        (1.7729514961, 1.795491642, 1.1395088652, 1.3466960526),
        (1.7728919437, 1.7954232872, 1.1393977212, 1.3466703218),
        (1.7115541037, 1.9380546247, 1.1900222078, 1.320628756),
    ),
    (120, 80, 3.0, 1.0, 1): (
        (1.9761391314, 1.5812103378, 1.3103948891, 1.7332173794),
        (1.9761195917, 1.5811947033, 1.3103805516, 1.7332060607),
        (2.3308593516, 1.958184641, 1.5585617046, 1.9682026309),
    ),
    (30, 40, 4.0, 1.0, 0): (
        (1.8166654662, 1.3963096605, 1.1848893724, 1.653729718),
        (1.8166518234, 1.3962949656, 1.1848738315, 1.6537184095),
        (1.8029288117, 1.3815058794, 1.0315164819, 1.9592540682),
    ),
}
# epsilon_one_run at significance 0.05, sides of one size (it searches to 1e-6):
# size, shift, spread, decimals, delta → Bonferroni, Split(seed=7), Explicit(1.5).
ONE_RUN = {
    (50, 0.0, 1.0, 8, 1e-5): (0.0, 0.0, 0.0),
    (200, 1.0, 1.5, 8, 1e-9): (1.5022716, 1.3357808, 1.2108522),
    (200, 1.0, 1.5, 8, 1e-5): (1.4320414, 1.3328985, 1.2092076),
    (437, 2.0, 1.0, 8, 1e-9): (2.4167045, 2.619856, 2.0193246),
    (437, 2.0, 1.0, 8, 1e-5): (2.3084855, 2.6124753, 2.0177389),
    (100, 1.5, 2.0, 1, 1e-5): (1.5248441, 0.6635453, 1.2741446),
}
SAME = (Choice("hull"), Choice("split", seed=7), Choice("split", splits=9, seed=7), Choice("explicit", 1.5))


def scores(count, root, shift=0.0, spread=1.0, decimals=8):
    """Scores that no random generator has to repeat."""
    return np.round(spread * norm.ppf(np.sqrt(root) * np.arange(1, count + 1) % 1) + shift, decimals)


@pytest.mark.parametrize("sides", CLOPPER_PEARSON)
def test_same_choice_same_limit_as_jax_privacy(sides):
    members, holdout, shift, spread, decimals = sides
    own, other = scores(members, 2, shift, spread, decimals), scores(holdout, 3, decimals=decimals)
    for (delta, one_sided), expected in zip(CASES, CLOPPER_PEARSON[sides], strict=True):
        found = [
            epsilon_clopper_pearson(own, other, delta=delta, choice=choice, both_sides=not one_sided)
            for choice in SAME
        ]
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", ONE_RUN)
def test_one_run_limits_as_jax_privacy_for_sides_of_one_size(case):
    count, shift, spread, decimals, delta = case
    own, other = scores(count, 2, shift, spread, decimals), scores(count, 3, decimals=decimals)
    choices = (SAME[0], SAME[1], SAME[3])
    found = [epsilon_one_run(own, other, delta=delta, choice=choice) for choice in choices]
    assert found == pytest.approx(ONE_RUN[case], abs=3e-6)


@pytest.mark.parametrize(("members", "holdout"), [(50, 50), (200, 200), (438, 437), (300, 100)])
def test_hardly_ever_above_nothing_without_a_leak(members, holdout):
    generator, raised = np.random.default_rng(1), np.zeros(4)
    for _ in range(150):
        own, other = generator.normal(size=members), generator.normal(size=holdout)
        raised[0] += epsilon_clopper_pearson(own, other) > 0
        raised[1] += epsilon_clopper_pearson(own, other, both_sides=True) > 0
        raised[2] += epsilon_clopper_pearson(own, other, choice=Choice("split")) > 0
        raised[3] += epsilon_one_run(own, other) > 0
    # jax_privacy's one-run limit is above nothing in all runs of 300 members and 100 holdout patients.
    assert (raised <= binom.ppf(0.999, 150, 0.05)).all()


def test_never_more_often_above_a_known_epsilon_than_said():
    # Shifted by 1, a Laplace score has exactly ε = 1 beyond the shift: all thresholds there are as good.
    generator, wrong = np.random.default_rng(2), np.zeros(4)
    for _ in range(200):
        own, other = generator.laplace(size=200) + 1, generator.laplace(size=150)
        wrong[0] += epsilon_clopper_pearson(own, other) > 1
        wrong[1] += epsilon_clopper_pearson(own, other, choice=Choice("explicit", 1.0)) > 1
        wrong[2] += epsilon_clopper_pearson(own, other, both_sides=True) > 1
        wrong[3] += epsilon_one_run(own, other) > 1
    assert (wrong <= binom.ppf(0.999, 200, 0.05)).all()


def test_one_threshold_keeps_its_error_nearly_used_up():
    # Randomised answers: called with 0.3 and 0.3 / e. The exact limits are conservative, not idle.
    generator, wrong, close = np.random.default_rng(3), 0, 0
    for _ in range(300):
        own, other = generator.random(500) < 0.3, generator.random(500) < 0.3 / exp(1)
        limit = epsilon_clopper_pearson(own, other, choice=Choice("explicit", 0.5))
        wrong += limit > 1
        close += limit > 0.4
    assert wrong <= 15
    assert close >= 240


def test_paying_for_a_list_fixed_beforehand_costs_little():
    generator, gaps = np.random.default_rng(4), []
    for _ in range(60):
        own, other = generator.normal(size=438) + 2, generator.normal(size=437)
        proven = epsilon_clopper_pearson(own, other)
        gaps.append(proven - epsilon_clopper_pearson(own, other, choice=Choice("hull")))
    assert np.mean(gaps) > -0.02


def test_delta_and_confidence_lower_the_limit_and_a_leak_raises_it():
    own, other = scores(300, 2, 1.5), scores(300, 3)
    plain = epsilon_clopper_pearson(own, other)
    assert 0 < epsilon_clopper_pearson(own, other, delta=0.05) < plain
    assert 0 < epsilon_clopper_pearson(own, other, confidence=0.99) < plain
    assert epsilon_clopper_pearson(own + 2, other) > plain
    # A monotone change of the scores changes nothing; nor does their order.
    assert epsilon_clopper_pearson(np.exp(own[::-1]), np.exp(other)) == pytest.approx(plain)
    # Low scores that only the holdout has: nothing for who looks for members, much for who looks for others.
    own, other = scores(300, 2, 0.0, 0.1), scores(300, 3, 0.0, 0.1) - 5 * (np.arange(300) % 3 == 0)
    assert (
        epsilon_clopper_pearson(own, other, both_sides=True) > 1 > 0.5 > epsilon_clopper_pearson(own, other)
    )


def test_equal_scores_are_never_counted_in_favour():
    assert epsilon_clopper_pearson(np.zeros(100), np.zeros(100)) == 0.0
    assert epsilon_one_run(np.zeros(100), np.zeros(100)) == 0.0


def test_what_is_tried_depends_on_numbers_alone():
    assert ladder(20).tolist() == [0, 1, 2, 4, 8, 16]
    assert ladder(0).tolist() == [0]
    assert hull(np.array([2.0, 3.0]), np.array([0.0, 1.0])).tolist() == [0.0, 2.0, np.inf]


def test_one_score_a_patient():
    found, names = by_patient([3.0, 1.0, 5.0, 2.0], ["b", "a", "b", "a"])
    assert (found.tolist(), names) == ([2.0, 5.0], ("a", "b"))
    assert by_patient([3.0, 1.0, 5.0, 2.0], ["b", "a", "b", "a"], "mean")[0].tolist() == [1.5, 4.0]


def test_what_cannot_be_limited_is_refused():
    with pytest.raises(BadInput, match="goes with strategy 'explicit'"):
        Choice("split", threshold=1.0)
    with pytest.raises(BadInput, match="goes with strategy 'explicit'"):
        Choice("explicit")
    with pytest.raises(BadInput, match="at least one member"):
        epsilon_clopper_pearson([], [1.0])
    with pytest.raises(BadInput, match="too few patients to split"):
        epsilon_clopper_pearson([1.0], [1.0], choice=Choice("split"))
    with pytest.raises(BadInput, match="confidence"):
        epsilon_one_run([1.0], [1.0], confidence=0.2)
    with pytest.raises(ValueError, match="a number"):
        epsilon_one_run([np.nan], [1.0])
