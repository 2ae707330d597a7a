"""How sure a number is: 95 % intervals from resampling whole patients, never of zero width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whorl.metrics import Counted, LabelMetric, Labels, allowed_alarms, auc, confusion, tpr_at_fpr
from whorl.records import Array, BadInput, Interval

SLAB_BYTES = 8 << 20
OUTSIDE = 0.025  # what a 95 % interval leaves out on either side


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each picture occurs in each draw.

    `counts` is (draws, patients) of whole numbers, `patient` (n,) the number of each picture's patient.
    """

    counts: NDArray[np.uint16]
    patient: NDArray[np.intp]

    def slabs(self, pictures: Array) -> Iterator[Array]:
        """Yield the weights (rows, pictures) of pictures given by number, some draws at a time."""
        rows = max(1, SLAB_BYTES // (8 * len(pictures)))
        for start in range(0, len(self.counts), rows):
            yield self.counts[start : start + rows][:, self.patient[pictures]].astype(np.float64)


def bootstrap_weights(
    patients: Sequence[str], strata: Sequence[Any] | Array, draws: int = 2000, seed: int = 0
) -> Resamples:
    """Resample whole patients with replacement within each stratum, such as member and holdout.

    Patients with pictures in several strata form strata of their own, by combination.
    """
    patient, stratum = _numbered(patients), _numbered(strata)
    if len(patient) != len(stratum):
        raise ValueError(f"expected {len(patient)} strata, got {len(stratum)}")
    if draws < 1:
        raise ValueError("at least one draw is needed")
    touched = np.zeros((patient.max() + 1, stratum.max() + 1), np.bool_)
    touched[patient, stratum] = True
    combination = np.unique(touched, axis=0, return_inverse=True)[1].ravel()
    counts = np.zeros((draws, len(touched)), np.uint16)
    generator = np.random.default_rng(seed)
    for each in np.unique(combination):
        pool = np.flatnonzero(combination == each)
        drawn = generator.integers(len(pool), size=(draws, len(pool)))
        cells = (drawn + len(pool) * np.arange(draws)[:, None]).ravel()
        counts[:, pool] = np.bincount(cells, minlength=draws * len(pool)).reshape(draws, -1)
    return Resamples(counts, patient)


def auc_interval(scores: ArrayLike, truth: ArrayLike, weights: Resamples) -> Interval:
    """Return the AUC of (n,) scores, higher = more likely used, with its interval."""
    found = []
    for used, unused in _tie_groups(scores, truth, weights):
        below = unused.sum(axis=1, keepdims=True) - np.cumsum(unused, axis=1)
        wins = np.einsum("dg,dg->d", used, below + unused / 2)
        found.append(wins / (used.sum(axis=1) * unused.sum(axis=1)))
    fewest = min(_patients_of_each_class(truth, weights))
    return percentile_interval(auc(scores, truth), np.concatenate(found), fewest)


def tpr_interval(scores: ArrayLike, truth: ArrayLike, weights: Resamples, fpr: float = 0.01) -> Interval:
    """Return the share of used pictures found at `fpr` false alarms, with its interval.

    With fewer than about 3 / fpr patients not used no data can tell where the threshold for that rate
    lies: the interval then speaks of the threshold found here, and its lower end is too high for others.
    """
    found = []
    for used, unused in _tie_groups(scores, truth, weights):
        allowed = allowed_alarms(unused.sum(axis=1, keepdims=True), fpr)
        called = np.cumsum(unused, axis=1) <= allowed
        found.append((used * called).sum(axis=1) / used.sum(axis=1))
    used_patients, _ = _patients_of_each_class(truth, weights)
    return percentile_interval(tpr_at_fpr(scores, truth, fpr), np.concatenate(found), used_patients)


def metric_interval(
    function: Counted,
    truth: ArrayLike,
    answers: ArrayLike,
    patients: Sequence[str],
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a verdict metric with its interval; `function` takes arrays of tp, fp, fn and tn."""
    cells = confusion(truth, answers)
    weights = bootstrap_weights(patients, np.asarray(truth), draws, seed)
    by_patient = np.zeros((weights.counts.shape[1], 4))
    np.add.at(by_patient, weights.patient, cells)
    counted = weights.counts.astype(np.float64) @ by_patient
    fewest = min(each for each in _patients_of_each_class(truth, weights) if each)
    estimate = float(function(*cells.sum(axis=0)))
    lowest = float(function(0.0, 1.0, 1.0, 0.0))  # all wrong: 0, or -1 for a correlation
    return percentile_interval(estimate, function(*counted.T), fewest, lowest)


def label_interval(
    function: LabelMetric,
    truth: Labels,
    labels: Labels,
    patients: Sequence[str] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> Interval:
    """Return a clustering metric with its interval, from random halves of the patients.

    Halves, because a picture drawn twice would count as a pair that every grouping keeps together;
    the spread over halves is that over resamples of full size (delete-half jackknife). What a metric
    owes to chance at this size stays in it: read it beside `label_chance_levels`.
    """
    true, said = np.asarray(truth), np.asarray(labels)
    patient = np.arange(len(true)) if patients is None else _numbered(patients)
    total = int(patient.max()) + 1
    estimate = float(function(true, said))
    if total < 2:
        return percentile_interval(estimate, np.array([estimate]), total)
    half = total // 2
    generator = np.random.default_rng(seed)
    found = np.empty(draws)
    for draw in range(draws):
        kept = np.isin(patient, generator.permutation(total)[:half])
        found[draw] = function(true[kept], said[kept])
    # Halves are biased as small samples are: only their spread is used, about the estimate.
    spread = (found - found.mean()) * np.sqrt(half / (total - half))
    # Crossed groupings agree least: -0.5 for the adjusted Rand index; shares end at 0.
    lowest = min(0.0, float(function(list("aabb"), list("abab"))))
    return percentile_interval(estimate, np.clip(estimate + spread, lowest, 1.0), total)


def percentile_interval(estimate: float, found: Array, patients: int, lowest: float = 0.0) -> Interval:
    """Return the 95 % percentile interval of resampled values, wider where patients are few.

    Hesterberg (2015): percentiles taken as far out as Student's t is beyond the normal.
    Without any spread the exact binomial interval for that many patients stands in.
    """
    from scipy.special import ndtr, stdtrit

    level = 0.0
    if patients > 1:
        freedom = patients - 1
        level = float(ndtr(-np.sqrt(patients / freedom) * stdtrit(freedom, 1 - OUTSIDE)))
    low, high = np.quantile(found, [level, 1 - level])
    low, high = min(float(low), estimate), max(float(high), estimate)
    if high - low < 1e-12:
        lowest = min(lowest, estimate)
        scale = 1 - lowest
        low, high = (lowest + scale * end for end in _binomial((estimate - lowest) / scale, patients))
    return Interval(estimate, low, high)


def _binomial(share: float, trials: int) -> tuple[float, float]:
    """Return the Clopper–Pearson interval of a share among so many trials."""
    from scipy.special import betaincinv

    hits = min(max(share, 0.0), 1.0) * trials
    misses = trials - hits
    low = 0.0 if hits < 1e-9 else float(betaincinv(hits, misses + 1, OUTSIDE))
    high = 1.0 if misses < 1e-9 else float(betaincinv(hits + 1, misses, 1 - OUTSIDE))
    return low, high


def _tie_groups(scores: ArrayLike, truth: ArrayLike, weights: Resamples) -> Iterator[tuple[Array, Array]]:
    """Yield the weight of used and unused pictures by score, falling: two (rows, groups) arrays."""
    values, true = np.asarray(scores), np.asarray(truth, np.bool_)
    if len(values) != len(true) or len(true) != len(weights.patient):
        raise ValueError("expected one score, one truth and one weight for each picture")
    order = np.argsort(values)[::-1]
    starts = np.flatnonzero(np.append(True, np.diff(values[order]) != 0))
    for weight in weights.slabs(order):
        used = np.add.reduceat(weight * true[order], starts, axis=1)
        unused = np.add.reduceat(weight * ~true[order], starts, axis=1)
        drawn = (used.sum(axis=1) > 0) & (unused.sum(axis=1) > 0)
        if not drawn.all():
            raise BadInput("patients: some resamples hold one class only; resample members and holdout apart")
        yield used, unused


def _patients_of_each_class(truth: ArrayLike, weights: Resamples) -> tuple[int, int]:
    """Count the patients with used pictures and those with unused ones."""
    true = np.asarray(truth, np.bool_)
    return len(np.unique(weights.patient[true])), len(np.unique(weights.patient[~true]))


def _numbered(names: Sequence[Any] | Array) -> NDArray[np.intp]:
    if len(names) == 0:
        raise BadInput("pictures: none given; give at least one")
    numbers: NDArray[np.intp] = np.unique(np.asarray(names), return_inverse=True)[1]
    return numbers
