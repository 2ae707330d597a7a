"""How sure a number is: 95 % intervals with whole patients as units, never of zero width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whorl.evidence.rates import OUTSIDE, clopper_pearson, share_interval
from whorl.metrics import Counted, LabelMetric, Labels, auc, confusion
from whorl.records import Array, BadInput, Interval

SLAB_BYTES = 8 << 20
PRIOR = 0.25  # patients


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
    """Return the AUC of (n,) scores, higher = more likely used, with its interval.

    From the variance over patients (DeLong 1988, Obuchowski 1997) on the logit scale, as far out as
    Student's t is: near 1 resamples are too narrow below. A quarter of a patient that knows nothing is
    added to each side, so that a perfect AUC keeps a width. It is no wider than that of a share among the
    patients of the smaller side, as no AUC varies more (Birnbaum and Klose 1957).
    """
    from scipy.special import expit, logit, stdtrit

    values, true = _matched(scores, truth, weights)
    estimate = auc(values, true)
    variance, freedom = _auc_variance(values, true, weights.patient, estimate)
    patients = min(_worth(weights.patient[side]) for side in (true, ~true))
    least, most = clopper_pearson(estimate * patients, patients)
    if variance < 1e-15 or patients < 2:
        return Interval(estimate, least, most)
    centre = (patients * estimate + PRIOR / 2) / (patients + PRIOR)
    reach = stdtrit(max(freedom, 1.0), 1 - OUTSIDE) * np.sqrt(variance) / (centre * (1 - centre))
    low, high = (float(expit(logit(centre) + way * reach)) for way in (-1, 1))
    return Interval(estimate, min(max(low, least), estimate), max(min(high, most), estimate))


def tpr_interval(scores: ArrayLike, truth: ArrayLike, weights: Resamples, fpr: float = 0.01) -> Interval:
    """Return the share of used pictures found at `fpr` false alarms, with its interval.

    Resampling knows no threshold beyond the highest holdout score, so its interval would be too narrow:
    this one comes from order statistics by patient, see `rates.share_interval`.
    """
    values, true = _matched(scores, truth, weights)
    return share_interval(values, true, weights.patient, fpr)


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
        share = (estimate - lowest) / scale
        low, high = (lowest + scale * end for end in clopper_pearson(share * patients, patients))
    return Interval(estimate, low, high)


def _auc_variance(
    values: Array, true: NDArray[np.bool_], patient: NDArray[np.intp], estimate: float
) -> tuple[float, float]:
    """Return the variance of an AUC over patients and its degrees of freedom (Satterthwaite)."""
    used, unused = np.sort(values[true]), np.sort(values[~true])
    sums = np.zeros((int(patient.max()) + 1, 2))
    parts, counts = [], []
    for side, own, other in ((0, true, unused), (1, ~true, used)):
        each = values[own]
        place = np.searchsorted(other, each, "left") + np.searchsorted(other, each, "right")
        share = place / (2 * len(other))
        np.add.at(sums[:, side], patient[own], ((1 - share) if side else share) - estimate)
        count = len(np.unique(patient[own]))
        sums[:, side] *= count / own.sum()
        spare = max(count * (count - 1), 1)
        parts.append((float((sums[:, side] ** 2).sum()) + PRIOR * (0.5 - estimate) ** 2) / spare)
        counts.append(count)
    freedom = sum(parts) ** 2 / max(
        sum(part**2 / max(n - 1, 1) for part, n in zip(parts, counts, strict=True)), 1e-30
    )
    # Patients with pictures on both sides tie the two sides together.
    shared = 2 * float((sums[:, 0] * sums[:, 1]).sum()) / (counts[0] * counts[1])
    return max(sum(parts) + shared, 0.0), freedom


def _worth(patient: NDArray[np.intp]) -> float:
    """Return how many patients of one size the pictures' patients are worth."""
    sizes = np.bincount(patient).astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def _matched(scores: ArrayLike, truth: ArrayLike, weights: Resamples) -> tuple[Array, NDArray[np.bool_]]:
    values, true = np.asarray(scores), np.asarray(truth, np.bool_)
    if len(values) != len(true) or len(true) != len(weights.patient):
        raise ValueError("expected one score, one truth and one weight for each picture")
    return values, true


def _patients_of_each_class(truth: ArrayLike, weights: Resamples) -> tuple[int, int]:
    """Count the patients with used pictures and those with unused ones."""
    true = np.asarray(truth, np.bool_)
    return len(np.unique(weights.patient[true])), len(np.unique(weights.patient[~true]))


def _numbered(names: Sequence[Any] | Array) -> NDArray[np.intp]:
    if len(names) == 0:
        raise BadInput("pictures: none given; give at least one")
    numbers: NDArray[np.intp] = np.unique(np.asarray(names), return_inverse=True)[1]
    return numbers
