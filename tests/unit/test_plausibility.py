"""What figures imply for one another: bounds and counts against linear programs and full searches."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from whorl.challenge import granularity, plausibility, worth
from whorl.metrics import VERDICT_METRICS, adjusted_rand_index

FIGURES = ("accuracy", "precision", "recall", "f1")


def answers(tp: int, fp: int, used: int, not_used: int) -> dict[str, float]:
    return {name: float(VERDICT_METRICS[name](tp, fp, used - tp, not_used - fp)) for name in FIGURES}


@pytest.mark.parametrize("used", [30, 100, 170])
def test_figures_of_one_confusion_matrix_imply_one_another(used: int) -> None:
    pairs = [(tp, fp) for tp in range(1, used, 7) for fp in range(1, 200 - used, 9)]
    found = [answers(*pair, used, 200 - used) for pair in pairs]
    accuracy, precision, recall, f1 = ((np.array([each[name] for each in found]),) * 2 for name in FIGURES)
    share = used / 200
    assert plausibility.f1_from_precision_recall(precision, recall)[0] == pytest.approx(f1[0])
    assert plausibility.f1_from_accuracy_recall(accuracy, recall, share)[1] == pytest.approx(f1[0])
    implied = plausibility.accuracy_from_precision_recall(precision, recall, share)
    assert implied[0] == pytest.approx(accuracy[0])
    alarms = plausibility.false_alarms(accuracy, recall, share)
    assert alarms[0] == pytest.approx([fp / (200 - used) for _, fp in pairs])
    told = np.abs(recall[0] * (2 - 1 / precision[0]) - 1) > 1e-9
    assert plausibility.share_from_figures(accuracy, precision, recall)[0][told] == pytest.approx(share)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_constants_f1_is_that_of_calling_all_used(share: float) -> None:
    used = round(1000 * share)
    expected = answers(used, 1000 - used, used, 1000 - used)["f1"]
    assert float(plausibility.constant_f1(share)) == pytest.approx(expected)


@pytest.mark.parametrize("members", [2, 3, 4, 5])
def test_vote_bounds_are_those_of_a_linear_program(members: int) -> None:
    from scipy.optimize import linprog

    generator = np.random.default_rng(members)
    patterns = np.array(list(product([0, 1], repeat=members)), float)
    for needed in range(1, members + 1):
        rates = generator.random(members)
        yes = patterns.sum(1) >= needed
        constraints = {
            "A_eq": np.vstack([patterns.T, np.ones(len(patterns))]),
            "b_eq": np.append(rates, 1),
            "bounds": (0, 1),
        }
        ends = [sign * linprog(sign * yes, **constraints).fun for sign in (1.0, -1.0)]
        found = plausibility.vote_ends((rates, rates), (needed, needed))
        assert found == pytest.approx(ends, abs=1e-8)


def groupings(count: int, clusters: int) -> list[list[int]]:
    found = [[0]]
    for _ in range(count - 1):
        found = [[*one, new] for one in found for new in range(min(max(one) + 2, clusters))]
    return found


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2), (4, 1, 1), (2, 2, 2), (3, 3), (4, 4), (3, 2, 2)])
@pytest.mark.parametrize("clusters", [2, 3, None])
def test_no_grouping_falls_below_the_smallest_rand_index(
    sizes: tuple[int, ...], clusters: int | None
) -> None:
    truth = np.repeat(np.arange(len(sizes)), sizes)
    every = groupings(len(truth), clusters or len(truth))
    least = min(adjusted_rand_index(truth, labels) for labels in every)
    bound = plausibility.smallest_rand_index(sizes, clusters)
    assert bound <= least + 1e-12
    if sizes in {(2, 2), (4, 4)} and clusters == 2:  # halves crossed: the bound is reached
        assert bound == pytest.approx(least)


@pytest.mark.parametrize(
    "missing", [(), ("recall",), ("accuracy", "precision"), ("accuracy", "precision", "recall")]
)
def test_counts_are_those_of_a_full_search(missing: tuple[str, ...]) -> None:
    used, not_used = 23, 31
    for tp, fp in ((0, 5), (0, 0), (23, 31), (11, 7), (20, 30)):
        kept = {name: value for name, value in answers(tp, fp, used, not_used).items() if name not in missing}
        wanted = {name: (value - 0.004, value + 0.004) for name, value in kept.items()}
        found = granularity.possible_counts(wanted, used, not_used)
        expected = {
            pair
            for pair in product(range(used + 1), range(not_used + 1))
            if all(
                abs(answers(*pair, used, not_used)[name] - value) <= 0.004 + 1e-9
                for name, value in kept.items()
            )
        }
        assert found is not None and (tp, fp) in expected
        assert set(zip(found.tp.tolist(), found.fp.tolist(), strict=True)) == expected


def test_p_values_agree_with_scipy() -> None:
    from scipy.stats import binomtest, fisher_exact

    for right, n in ((53, 100), (2116, 4000), (1864, 4000)):
        above, below = worth.binomial_tails(right, n)
        assert float(above) == pytest.approx(binomtest(right, n, alternative="greater").pvalue)
        assert float(below) == pytest.approx(binomtest(right, n, alternative="less").pvalue)
    counts = granularity.Counts(np.array([30, 31]), np.array([20, 20]), 50, 50)
    exact = fisher_exact([[30, 20], [20, 30]], alternative="greater").pvalue
    assert worth.margins_tail(counts) == pytest.approx(exact)
