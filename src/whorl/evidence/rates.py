"""The share found at few false alarms: what it may be printed for, and how sure it is.

A threshold is known from the holdout only as well as the holdout's patients allow; the share of members
above it is known as well as the members' patients allow. Both doubts enter the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whorl.metrics import allowed_alarms, tpr_at_fpr
from whorl.records import Array, Interval

OUTSIDE = 0.025  # what a 95 % interval leaves out on either side
RULE_OF_THREE = 3  # with 3 / rate patients the highest of them lies above the threshold, 95 times in 100
SETTLED = 10  # patients on the rarer side after which the data's own likeness of slices counts half


@dataclass(frozen=True)
class Recognition:
    """How well members are told from holdout when every patient counts once: so many of either side."""

    members: int
    holdout: int
    auc: Interval
    tpr: Interval | None
    tpr_rare: Interval | None


def least_patients(fpr: float) -> int:
    """Return how many holdout patients a share found at `fpr` false alarms needs before it is printed."""
    return math.ceil(RULE_OF_THREE / fpr - 1e-9)


def supported(fpr: float, holdout_patients: int) -> bool:
    """Return whether so many holdout patients can show a threshold for `fpr` at all: 3 / fpr or more.

    With n patients the threshold lies beyond all of them with probability (1 - fpr) ** n: 5 % at 3 / fpr.
    """
    return holdout_patients >= least_patients(fpr)


def clopper_pearson(hits: float, trials: float, outside: float = OUTSIDE) -> tuple[float, float]:
    """Return the exact limits of a share, `outside` left out on either side; counts may be fractions."""
    from scipy.special import betaincinv

    hits = min(max(hits, 0.0), trials)
    misses = trials - hits
    low = 0.0 if hits < 1e-9 else float(betaincinv(hits, misses + 1, outside))
    high = 1.0 if misses < 1e-9 else float(betaincinv(hits + 1, misses, 1 - outside))
    return low, high


def effective_count(hits: ArrayLike, patient: ArrayLike) -> float:
    """Return how many independent pictures the pictures (n,) of some patients are worth for a share.

    Between what it is if all slices of a patient were alike and n. How alike they are is taken from
    the data, the less so the fewer patients have any hit (or any miss).
    """
    hit = np.asarray(hits, np.float64)
    _, owner, sizes = np.unique(np.asarray(patient), return_inverse=True, return_counts=True)
    pictures, patients = len(hit), len(sizes)
    worst = float((sizes.astype(np.float64) ** 2).sum() / pictures)
    share = float(hit.mean())
    if patients == pictures or patients < 2 or share in (0.0, 1.0):
        return pictures / worst
    sums = np.bincount(owner.ravel(), hit - share)
    variance = float((sums**2).sum()) * patients / (patients - 1)
    effect = variance / (pictures * share * (1 - share))
    rarer = hit if share < 0.5 else 1 - hit
    telling = int((np.bincount(owner.ravel(), rarer) > 0).sum())
    trust = telling / (telling + SETTLED)
    effect = min(max(trust * effect + (1 - trust) * worst, 1.0), worst)
    return pictures / effect


def share_interval(scores: ArrayLike, truth: ArrayLike, patient: ArrayLike, fpr: float) -> Interval:
    """Return the share of used pictures found at `fpr` false alarms with its 95 % interval, by patient.

    Order statistics bound the threshold, Clopper and Pearson the share above it, both on effective
    counts; the two distances from the estimate add as squares (Zou and Donner 2008). Where the holdout
    cannot show the threshold, the lower end is 0.
    """
    values, true, owner = np.asarray(scores), np.asarray(truth, np.bool_), np.asarray(patient)
    estimate = tpr_at_fpr(values, true, fpr)
    held = np.sort(values[~true])[::-1]
    allowed = int(allowed_alarms(len(held), fpr))
    if allowed >= len(held):
        return Interval(1.0, 1.0, 1.0)
    cut = held[allowed]
    fewest, most = _placed(held, effective_count(values[~true] >= cut, owner[~true]), fpr)
    found = values[true]
    above = float(np.mean(found > held[fewest])) if fewest >= 0 else 0.0
    below = float(np.mean(found >= held[most - 1])) if most <= len(held) else 1.0
    trials = effective_count(found > cut, owner[true])
    low, high = clopper_pearson(estimate * trials, trials)
    down = math.hypot(estimate - low, estimate - min(above, estimate))
    up = math.hypot(high - estimate, max(below, estimate) - estimate)
    return Interval(estimate, max(0.0, estimate - down), min(1.0, estimate + up))


def _placed(held: Array, trials: float, fpr: float) -> tuple[int, int]:
    """Count the holdout pictures above the highest and the lowest threshold that the rate may belong to.

    The first is -1 where no threshold is high enough, the second larger than all where none is low enough.
    """
    from scipy.special import betainc

    counts = np.arange(len(held) + 1) * (trials / len(held))
    # Upper limit of the rate at a count at most fpr; lower limit at least fpr.
    high = betainc(counts[:-1] + 1, np.maximum(trials - counts[:-1], 1e-12), fpr) >= 1 - OUTSIDE
    low = betainc(counts[1:], trials - counts[1:] + 1, fpr) <= OUTSIDE
    fewest = int(high.sum()) - 1
    most = int((~low).sum()) + 1
    return fewest, most
