"""Metrics agree with independent references: scikit-learn, scipy, and sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, rankdata

from whorl import metrics
from whorl.records import BadInput

pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
groupings = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60)
few_levels = st.integers(-3, 3).map(float)
spread_out = st.floats(-1e6, 1e6, allow_nan=False, allow_subnormal=False)
scored = st.lists(st.tuples(few_levels | spread_out, st.booleans()), min_size=2, max_size=80).filter(
    lambda rows: len({truth for _, truth in rows}) == 2
)
quick = settings(max_examples=100, deadline=None, derandomize=True)


def columns(rows):
    first, second = zip(*rows, strict=True)
    return np.array(first), np.array(second)


@quick
@given(pairs)
def test_verdict_metrics_agree_with_scikit_learn(rows):
    truth, answers = columns(rows)
    zero = {"zero_division": 0.0}
    expected = {
        "accuracy": reference.accuracy_score(truth, answers),
        "precision": reference.precision_score(truth, answers, **zero),
        "recall": reference.recall_score(truth, answers, **zero),
        "specificity": reference.recall_score(~truth, ~answers, **zero),
        "f1": reference.f1_score(truth, answers, **zero),
    }
    if len(set(truth)) == 2:
        expected["balanced_accuracy"] = reference.balanced_accuracy_score(truth, answers)
        expected["kappa"] = reference.cohen_kappa_score(truth, answers)
        expected["mcc"] = reference.matthews_corrcoef(truth, answers)
    for name, value in expected.items():
        assert getattr(metrics, name)(truth, answers) == pytest.approx(value, abs=1e-12), name


def test_verdict_metrics_by_hand():
    # PicusLabMed, submission 8 of 2023: TP 94, FP 88, FN 6, TN 12.
    truth = np.repeat([True, False, True, False], [94, 88, 6, 12])
    answers = np.repeat([True, True, False, False], [94, 88, 6, 12])
    assert metrics.f1(truth, answers) == pytest.approx(2 / 3)
    assert metrics.accuracy(truth, answers) == pytest.approx(0.53)
    assert metrics.kappa(truth, answers) == pytest.approx(0.06)
    assert metrics.specificity(truth, answers) == pytest.approx(0.12)
    assert metrics.mcc(truth, answers) == pytest.approx((94 * 12 - 88 * 6) / (182 * 18 * 100 * 100) ** 0.5)


def test_undefined_verdict_metrics_are_zero():
    truth, never = np.array([1, 0, 1, 0]), np.zeros(4, int)
    for name in ("precision", "recall", "f1", "mcc", "kappa"):
        assert getattr(metrics, name)(truth, never) == 0.0
    assert metrics.kappa([True, True], [True, True]) == 0.0
    assert metrics.specificity([True, True], [True, True]) == 0.0
    assert metrics.balanced_accuracy([True, True], [True, False]) == 0.5


def test_counts_work_on_whole_arrays_and_do_not_overflow():
    tp, fp, fn, tn = np.array([[94, 0, 10**9], [88, 0, 10**9], [6, 5, 10**9], [12, 5, 3 * 10**9]], float)
    for function in metrics.VERDICT_METRICS.values():
        together = function(tp, fp, fn, tn)
        alone = [float(function(*cells)) for cells in zip(tp, fp, fn, tn, strict=True)]
        assert together.tolist() == alone
        assert np.isfinite(together).all()


@quick
@given(scored)
def test_auc_agrees_with_scikit_learn_and_mann_whitney(rows):
    scores, truth = columns(rows)
    found = metrics.auc(scores, truth)
    assert found == pytest.approx(reference.roc_auc_score(truth, scores), abs=1e-12)
    used, unused = scores[truth], scores[~truth]
    wins = mannwhitneyu(used, unused, method="asymptotic" if len(set(scores)) > 1 else "exact").statistic
    assert found == pytest.approx(wins / (len(used) * len(unused)), abs=1e-12)
    assert metrics.mid_ranks(scores).tolist() == rankdata(scores).tolist()


@quick
@given(scored, st.sampled_from([0.0, 0.01, 0.1, 0.25, 0.5, 0.9, 1.0]))
def test_tpr_is_the_highest_point_of_the_curve_within_the_rate(rows, rate):
    scores, truth = columns(rows)
    false_alarms, found, _ = reference.roc_curve(truth, scores, drop_intermediate=False)
    expected = found[false_alarms <= rate + 1e-12].max()
    assert metrics.tpr_at_fpr(scores, truth, rate) == pytest.approx(expected, abs=1e-12)


def test_tpr_by_hand():
    unused = np.arange(100.0)
    used = np.array([98.0, 98.5, 99.0, 99.5])
    scores, truth = np.append(unused, used), np.arange(104) >= 100
    assert metrics.tpr_at_fpr(scores, truth, 0.01) == 0.75  # one alarm: strictly above 98
    assert metrics.tpr_at_fpr(scores, truth, 0.0099) == 0.25  # none: strictly above 99
    assert metrics.tpr_at_fpr(np.ones(104), truth) == 0.0
    # 0.29 * 100 is 28.999... in floating point, and still allows 29 alarms.
    assert metrics.tpr_at_fpr(np.append(unused, 71.0), np.arange(101) >= 100, 0.29) == 1.0


@quick
@given(groupings)
def test_label_metrics_agree_with_scikit_learn(rows):
    truth, labels = columns(rows)
    expected = reference.adjusted_rand_score(truth, labels)
    assert metrics.adjusted_rand_index(truth, labels) == pytest.approx(expected, abs=1e-10)
    expected = reference.normalized_mutual_info_score(truth, labels, average_method="arithmetic")
    assert metrics.normalised_mutual_information(truth, labels) == pytest.approx(expected, abs=1e-10)


@quick
@given(groupings, st.permutations(range(5)))
def test_names_of_groups_do_not_matter(rows, names):
    truth, labels = columns(rows)
    renamed = np.array([f"group {name}" for name in names])[labels]
    for function in metrics.LABEL_METRICS.values():
        assert function(truth, renamed) == pytest.approx(function(truth, labels), abs=1e-12)
        assert function(labels, truth) == pytest.approx(function(truth, labels), abs=1e-12)


def test_hungarian_accuracy_by_hand_with_more_groups_than_generators():
    truth = ["a"] * 5 + ["b"] * 5
    labels = ["x"] * 4 + ["y"] + ["y"] * 2 + ["z"] * 3
    assert metrics.hungarian_accuracy(truth, labels) == pytest.approx(0.7)
    # Naming every group after its majority would give 0.9; a name is given once only.
    assert metrics.hungarian_accuracy(["a"] * 9 + ["b"], ["x"] * 6 + ["y"] * 4) == pytest.approx(0.7)


def test_chance_levels_match_the_known_table():
    truth = np.arange(1000) < 500
    for share, f1 in ((0.9, 0.6429), (0.75, 0.6), (0.5, 0.5), (0.25, 1 / 3)):
        levels = metrics.chance_levels(truth, np.arange(1000) < 1000 * share)
        assert levels["f1"]["coin, same share"] == pytest.approx(f1, abs=1e-4)
        assert levels["recall"]["coin, same share"] == share
        assert levels["f1"]["always used"] == pytest.approx(2 / 3)
    assert metrics.chance_levels(truth)["f1"] == {"always used": pytest.approx(2 / 3)}
    assert metrics.chance_levels(truth)["auc"] == {"chance": 0.5}
    assert metrics.chance_levels(truth, fpr=0.05)["tpr_at_fpr"] == {"chance": 0.05}


def test_chance_levels_are_what_constants_and_coins_get():
    generator = np.random.default_rng(0)
    truth = generator.random(40_000) < 0.3
    answers = generator.random(40_000) < 0.8
    levels = metrics.chance_levels(truth, answers)
    constant, never = np.ones(40_000, bool), metrics.chance_levels(truth, np.zeros(40_000, bool))
    for name in metrics.VERDICT_METRICS:
        function = getattr(metrics, name)
        assert levels[name]["always used"] == pytest.approx(function(truth, constant), abs=1e-12)
        assert levels[name]["coin, same share"] == pytest.approx(function(truth, answers), abs=0.015)
        assert never[name]["coin, same share"] == pytest.approx(function(truth, ~constant), abs=1e-12)


def test_label_chance_levels():
    truth, labels = np.repeat(list("abcd"), 50), np.arange(200) % 3
    levels = metrics.label_chance_levels(truth, labels, seed=3)
    assert levels == metrics.label_chance_levels(truth, labels, seed=3)
    assert levels["adjusted_rand_index"]["shuffled labels"] == 0.0
    generator = np.random.default_rng(9)
    for name, function in metrics.LABEL_METRICS.items():
        fresh = np.mean([function(truth, generator.permutation(labels)) for _ in range(100)])
        assert levels[name]["shuffled labels"] == pytest.approx(fresh, abs=0.01)


def test_input_that_cannot_be_measured_is_refused():
    with pytest.raises(BadInput, match="only one class"):
        metrics.auc([0.1, 0.2], [True, True])
    with pytest.raises(BadInput, match="true and false only"):
        metrics.accuracy(["0", "1"], [0, 1])
    with pytest.raises(BadInput, match="true and false only"):
        metrics.accuracy([0, 2], [0, 1])
    with pytest.raises(BadInput, match="at least one"):
        metrics.accuracy([], [])
    with pytest.raises(ValueError, match="as many answers"):
        metrics.f1([True, False], [True])
    with pytest.raises(ValueError, match="NaN"):
        metrics.tpr_at_fpr([np.nan, 1.0], [True, False])
