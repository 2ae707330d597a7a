"""How much privacy was lost at least: a lower limit of ε from scores of members and holdout.

One score a patient (`by_patient`), higher = more likely a member. A rule that calls a share TPR of the
members and FPR of the holdout contradicts every (ε, δ) with TPR > exp(ε) FPR + δ. The limits hold for any
rule fixed beforehand; a rule chosen by its result has to be paid for, in the way that `Choice` names.
Scores of different patients are taken as independent, as in every such audit of one generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whorl.records import Array, BadInput

Strategy = Literal["bonferroni", "split", "explicit", "hull"]
Rule = Callable[[Array, Array, float, float | None], tuple[float, float]]
HIGHEST = 100.0  # no number of patients supports more


@dataclass(frozen=True)
class Choice:
    """How the threshold is chosen, and how choosing is paid for.

    `bonferroni`: the best of a list fixed by the number of holdout patients, each at its share of the error.
    `split`: chosen on one part of the patients, tested on the rest; of several splits the median at half
    the error. `explicit`: `threshold`, called at or above it. `hull`: as jax_privacy's Bonferroni, the
    corners of the ROC hull, each at its share; the scores decide how many: kept for comparison, not proven.
    """

    strategy: Strategy = "bonferroni"
    threshold: float | None = None
    splits: int = 1
    share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.strategy == "explicit") != (self.threshold is not None):
            raise BadInput("epsilon: a threshold goes with strategy 'explicit', and with no other")
        if self.splits < 1 or not 0 < self.share < 1:
            raise BadInput("epsilon: at least one split, its share between 0 and 1")


def by_patient(
    scores: ArrayLike, patients: Sequence[str], statistic: Literal["max", "mean"] = "max"
) -> tuple[Array, tuple[str, ...]]:
    """Return one score a patient, (patients,), and the patients' names in that order.

    Comparable where members and holdout have like numbers of pictures: the highest of more is higher.
    """
    values = np.asarray(scores, np.float64)
    names, owner, sizes = np.unique(np.asarray(patients), return_inverse=True, return_counts=True)
    if statistic == "mean":
        found = np.bincount(owner.ravel(), values) / sizes
    else:
        found = np.full(len(names), -np.inf)
        np.maximum.at(found, owner.ravel(), values)
    return found, tuple(str(name) for name in names)


def epsilon_clopper_pearson(
    members: ArrayLike,
    holdout: ArrayLike,
    *,
    confidence: float = 0.95,
    delta: float = 0.0,
    choice: Choice | None = None,
    both_sides: bool = False,
) -> float:
    """Return a lower limit of ε from exact limits of TPR and FPR (Jagielski and others 2020).

    `both_sides` also takes calling low scores not used as an attack: the same two limits serve it.
    """
    own, other = _checked(members, holdout, confidence, delta)

    def limit(first: Array, second: Array, error: float, threshold: float | None) -> tuple[float, float]:
        cuts = hull(first, second) if threshold is None else np.asarray([threshold])
        missed, alarms = _called(first, second, cuts)
        found = _losses(missed, alarms, (len(first), len(second)), error, delta, both_sides)
        best = int(np.argmax(found))
        return max(0.0, float(found[best])), float(cuts[best]) if found[best] > -np.inf else np.inf

    choice = choice or Choice()
    if choice.strategy != "bonferroni":
        return _chosen(limit, own, other, 1 - confidence, choice)
    missed, alarms = _ranked(own, other, both_sides)
    error = (1 - confidence) / len(alarms)
    found = _losses(missed, alarms, (len(own), len(other)), error, delta, both_sides)
    return max(0.0, float(found.max()))


def epsilon_one_run(
    members: ArrayLike,
    holdout: ArrayLike,
    *,
    confidence: float = 0.95,
    delta: float = 1e-5,
    choice: Choice | None = None,
) -> float:
    """Return a lower limit of ε from right guesses of "member" (Steinke, Nasr and Jagielski 2023).

    A guess is right with at most the odds exp(ε) × members / holdout, so that sides of different size
    raise no alarm; the theorem wants every patient's side drawn by a coin.
    """
    own, other = _checked(members, holdout, confidence, delta)
    total = len(own) + len(other)

    def limit(first: Array, second: Array, error: float, threshold: float | None) -> tuple[float, float]:
        cuts = hull(first, second) if threshold is None else np.asarray([threshold])
        missed, alarms = _called(first, second, cuts)
        right = len(first) - missed
        odds = len(first) / len(second)
        found = [
            _guessed(int(hits), int(hits + wrong), len(first) + len(second), odds, error, delta)
            for hits, wrong in zip(right, alarms, strict=True)
        ]
        best = int(np.argmax(found))
        return found[best], float(cuts[best]) if found[best] > 0 else np.inf

    choice = choice or Choice()
    if choice.strategy != "bonferroni":
        return _chosen(limit, own, other, 1 - confidence, choice)
    # Equal scores: holdout first, which can only lower the limit.
    order = np.lexsort((np.r_[np.ones(len(own)), np.zeros(len(other))], -np.r_[own, other]))
    right = np.cumsum(order < len(own))
    guesses = ladder(total // 2)[1:]
    error = (1 - confidence) / len(guesses)
    odds = len(own) / len(other)
    return max(_guessed(int(right[count - 1]), int(count), total, odds, error, delta) for count in guesses)


def ladder(most: int) -> NDArray[np.int64]:
    """Return the counts that are tried: 0, 1, 2, 4, 8 and so on up to `most`."""
    return np.asarray([0, *(2**step for step in range(max(most, 0).bit_length()))], np.int64)


def hull(members: Array, holdout: Array) -> Array:
    """Return the thresholds, rising, at the corners of the upper convex hull of the ROC."""
    cuts = np.append(np.unique(np.concatenate([members, holdout])), np.inf)
    missed, alarms = _called(members, holdout, cuts)
    kept: list[int] = []
    for place in range(len(cuts)):
        x, y = int(missed[place]), len(holdout) - int(alarms[place])
        while len(kept) > 1:
            one, two = kept[-2], kept[-1]
            x1, y1 = int(missed[one]), len(holdout) - int(alarms[one])
            x2, y2 = int(missed[two]), len(holdout) - int(alarms[two])
            if (y2 - y1) * (x - x2) > (y - y2) * (x2 - x1):
                break
            kept.pop()
        kept.append(place)
    return np.asarray(cuts[kept])


def _checked(members: ArrayLike, holdout: ArrayLike, confidence: float, delta: float) -> tuple[Array, Array]:
    own, other = np.asarray(members, np.float64), np.asarray(holdout, np.float64)
    if own.ndim != 1 or other.ndim != 1 or np.isnan(own).any() or np.isnan(other).any():
        raise ValueError("expected one score, a number, for each patient")
    if not len(own) or not len(other):
        raise BadInput("epsilon: at least one member and one holdout patient are needed; add pictures")
    if not 0.5 < confidence < 1 or not 0 <= delta <= 1:
        raise BadInput("epsilon: confidence lies between 0.5 and 1, delta between 0 and 1")
    return own, other


def _chosen(limit: Rule, own: Array, other: Array, error: float, choice: Choice) -> float:
    """Apply a rule with a given threshold, with one chosen on another part, or with the hull's."""
    if choice.strategy == "explicit":
        return limit(own, other, error, choice.threshold)[0]
    if choice.strategy == "hull":
        return limit(own, other, error / len(hull(own, other)), None)[0]
    if choice.splits == 1:
        return _split(limit, own, other, error, choice.share, choice.seed)
    seeds = np.random.default_rng(choice.seed).integers(np.iinfo(np.int64).max, size=choice.splits)
    found = [_split(limit, own, other, error / 2, choice.share, int(seed)) for seed in seeds]
    return float(np.median(found))


def _split(limit: Rule, own: Array, other: Array, error: float, share: float, seed: int) -> float:
    """Choose the threshold on a random part of both sides and test it on the rest."""
    generator = np.random.default_rng(seed)
    parts: list[tuple[Any, Any]] = []
    for scores in (own, other):
        mixed = scores[generator.permutation(len(scores))]
        first = int(len(mixed) * share)
        if not 0 < first < len(mixed):
            raise BadInput("epsilon: too few patients to split; use strategy 'bonferroni'")
        parts.append((mixed[:first], mixed[first:]))
    _, threshold = limit(parts[0][0], parts[1][0], error, None)
    return limit(parts[0][1], parts[1][1], error, threshold)[0]


def _called(members: Array, holdout: Array, cuts: Array) -> tuple[Array, Array]:
    """Count members below each threshold and holdout at or above it."""
    missed = np.searchsorted(np.sort(members), cuts, side="left")
    return missed, len(holdout) - np.searchsorted(np.sort(holdout), cuts, side="left")


def _ranked(members: Array, holdout: Array, both: bool) -> tuple[Array, Array]:
    """Count members missed where so many holdout patients are called: thresholds are holdout scores.

    How many are called is fixed by the number of holdout patients alone. The threshold does not depend
    on the members, and the rate beyond the (k + 1)-th highest of n scores is Beta(k + 1, n - k): exactly
    the law that Clopper and Pearson's limit for k alarms is made for. So paying for this list is enough.
    """
    alarms = ladder(len(holdout) // 2)
    if both:
        alarms = np.union1d(alarms, len(holdout) - 1 - alarms)
    alarms = alarms[(alarms >= 0) & (alarms < len(holdout))]
    cuts = np.sort(holdout)[::-1][alarms]
    return np.searchsorted(np.sort(members), cuts, side="right"), alarms


def _losses(
    missed: Array, alarms: Array, sides: tuple[int, int], error: float, delta: float, both: bool
) -> Array:
    """Return the ε that each pair of counts contradicts, -inf for none; half the error for either limit."""
    miss_rate, alarm_rate = _upper(missed, sides[0], error / 2), _upper(alarms, sides[1], error / 2)
    found = _log_ratio(1 - miss_rate - delta, alarm_rate)
    return np.maximum(found, _log_ratio(1 - alarm_rate - delta, miss_rate)) if both else found


def _log_ratio(above: Array, below: Array) -> Array:
    ratio: Array = np.log(np.maximum(above, 1e-300)) - np.log(below)
    return np.where(above > 0, ratio, -np.inf)


def _upper(hits: Array, trials: int, error: float) -> Array:
    """Return the exact upper limit of a rate."""
    from scipy.stats import beta

    below: NDArray[np.bool_] = hits < trials
    return np.where(below, beta.ppf(1 - error, hits + 1, np.maximum(trials - hits, 1)), 1.0)


def _guessed(right: int, guesses: int, total: int, odds: float, error: float, delta: float) -> float:
    """Return the largest ε that so many right guesses contradict; 0 for none."""
    from scipy.optimize import brentq

    def excess(epsilon: float) -> float:
        return error - _one_run_p(right, guesses, total, odds * float(np.exp(epsilon)), delta)

    if not guesses or excess(0.0) <= 0:
        return 0.0
    return HIGHEST if excess(HIGHEST) > 0 else float(brentq(excess, 0.0, HIGHEST, xtol=1e-9))


def _one_run_p(right: int, guesses: int, total: int, odds: float, delta: float) -> float:
    """Return how likely so many right guesses are at most if each has these odds (theorem 5.2)."""
    from scipy.stats import binom

    chance = odds / (1 + odds)
    beyond = float(binom.sf(right - 1, guesses, chance))
    if not delta or not right:
        return beyond
    steps = np.arange(1, right + 1)
    gained = (binom.sf(right - steps - 1, guesses, chance) - beyond) / steps
    return min(1.0, beyond + 2 * total * delta * max(0.0, float(gained.max())))
