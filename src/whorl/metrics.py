"""Metrics and what chance gives for them: pure functions on arrays, no records, no models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from whorl.evidence.bounds import lowest_rand_index
from whorl.records import Array, BadInput

Counted = Callable[[Any, Any, Any, Any], Array]
Labels = Sequence[Any] | NDArray[Any]
LabelMetric = Callable[[Labels, Labels], float]


def _share(part: ArrayLike, whole: ArrayLike) -> Array:
    """Divide, giving 0 where the whole is 0: a share of nothing is reported as 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    share: Array = np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
    return share


def _accuracy(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _share(tp + tn, tp + fp + fn + tn)


def _balanced_accuracy(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    # A class that does not occur has no recall; the mean is over the classes that do.
    classes = np.asarray(tp + fn > 0, np.float64) + (tn + fp > 0)
    return _share(_recall(tp, fp, fn, tn) + _specificity(tp, fp, fn, tn), classes)


def _precision(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _share(tp, tp + fp)


def _recall(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _share(tp, tp + fn)


def _specificity(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _share(tn, tn + fp)


def _f1(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    return _share(2 * tp, 2 * tp + fp + fn)


def _mcc(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    # Roots before the product, so that large counts stay far from overflow.
    spread = np.sqrt((tp + fp) * (tn + fn)) * np.sqrt((tp + fn) * (tn + fp))
    return _share(tp * tn - fp * fn, spread)


def _kappa(tp: Array, fp: Array, fn: Array, tn: Array) -> Array:
    disagreement = (tp + fn) * (fn + tn) + (tp + fp) * (fp + tn)
    return _share(2 * (tp * tn - fp * fn), disagreement)


VERDICT_METRICS: Mapping[str, Counted] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "specificity": _specificity,
    "f1": _f1,
    "mcc": _mcc,
    "kappa": _kappa,
}
"""Verdict metrics as functions of the counts (tp, fp, fn, tn), which may be arrays of one shape."""


def confusion(truth: ArrayLike, answers: ArrayLike) -> Array:
    """Return which cell each picture is in: (n, 4) of 0 and 1, columns tp, fp, fn, tn."""
    true, said = _booleans(truth, "truth"), _booleans(answers, "answers")
    if true.shape != said.shape:
        raise ValueError(f"expected as many answers as truths, got {len(said)} and {len(true)}")
    cells = [true & said, ~true & said, true & ~said, ~true & ~said]
    return np.stack(cells, axis=1).astype(np.float64)


def accuracy(truth: ArrayLike, answers: ArrayLike) -> float:
    """Share of right answers."""
    return _counted("accuracy", truth, answers)


def balanced_accuracy(truth: ArrayLike, answers: ArrayLike) -> float:
    """Mean of recall and specificity; over the class present if the truth has only one."""
    return _counted("balanced_accuracy", truth, answers)


def precision(truth: ArrayLike, answers: ArrayLike) -> float:
    """Share of truly used among those called used; 0 when nothing is called used."""
    return _counted("precision", truth, answers)


def recall(truth: ArrayLike, answers: ArrayLike) -> float:
    """Share called used among the truly used; 0 when none is."""
    return _counted("recall", truth, answers)


def specificity(truth: ArrayLike, answers: ArrayLike) -> float:
    """Share called not used among the truly not used; 0 when all are used."""
    return _counted("specificity", truth, answers)


def f1(truth: ArrayLike, answers: ArrayLike) -> float:
    """Harmonic mean 2PR/(P+R) of precision and recall; 0 when nothing is called used."""
    return _counted("f1", truth, answers)


def mcc(truth: ArrayLike, answers: ArrayLike) -> float:
    """Matthews correlation of truth and answers; 0 when either is constant."""
    return _counted("mcc", truth, answers)


def kappa(truth: ArrayLike, answers: ArrayLike) -> float:
    """Cohen's kappa; 0 when undefined (truth and answers constant and equal)."""
    return _counted("kappa", truth, answers)


def mid_ranks(values: ArrayLike) -> Array:
    """Return ranks from 1 (smallest); equal values share the mean of their ranks."""
    _, group, sizes = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    means: Array = (ends - (sizes - 1) / 2)[group]
    return means


def auc(scores: ArrayLike, truth: ArrayLike) -> float:
    """Probability that a used picture scores above one not used; ties count half."""
    values, true = _scored(scores, truth)
    used = int(true.sum())
    wins = mid_ranks(values)[true].sum() - used * (used + 1) / 2
    return float(wins / (used * (len(true) - used)))


def allowed_alarms(negatives: ArrayLike, fpr: float) -> Array:
    """Return how many false alarms a rate allows among so many negatives (rounded down)."""
    # The small term undoes products such as 0.29 * 100 = 28.999...
    return np.floor(fpr * np.asarray(negatives, np.float64) + 1e-9)


def tpr_at_fpr(scores: ArrayLike, truth: ArrayLike, fpr: float = 0.01) -> float:
    """Share of used pictures strictly above a threshold with at most `fpr` false alarms.

    With fewer than 1 / fpr pictures not used this means no false alarm at all.
    """
    values, true = _scored(scores, truth)
    negatives = np.sort(values[~true])[::-1]
    allowed = int(allowed_alarms(len(negatives), fpr))
    if allowed >= len(negatives):
        return 1.0
    return float(np.mean(values[true] > negatives[allowed]))


def adjusted_rand_index(truth: Labels, labels: Labels) -> float:
    """Agreement of two groupings over pairs: 1 = the same, 0 = chance, below 0 = worse."""
    table = _contingency(truth, labels)
    together, rows, columns = (_pairs(part) for part in (table, table.sum(1), table.sum(0)))
    expected = rows * columns / max(_pairs(table.sum()), 1.0)
    highest = (rows + columns) / 2
    if highest == expected:  # both groupings trivial, hence equal
        return 1.0
    return float((together - expected) / (highest - expected))


def normalised_mutual_information(truth: Labels, labels: Labels) -> float:
    """Mutual information over the mean of both entropies: 0 to 1; not corrected for chance."""
    table = _contingency(truth, labels)
    joint = table / table.sum()
    rows, columns = joint.sum(1), joint.sum(0)
    mean = (_entropy(rows) + _entropy(columns)) / 2
    if mean == 0:  # one group each
        return 1.0
    information = 2 * mean - _entropy(joint)
    return float(np.clip(information / mean, 0.0, 1.0))


def hungarian_accuracy(truth: Labels, labels: Labels) -> float:
    """Accuracy under the best one-to-one naming of the groups, whose numbers may differ."""
    from scipy.optimize import linear_sum_assignment

    table = _contingency(truth, labels)
    matched = linear_sum_assignment(table, maximize=True)
    return float(table[matched].sum() / table.sum())


LABEL_METRICS: Mapping[str, LabelMetric] = {
    "adjusted_rand_index": adjusted_rand_index,
    "normalised_mutual_information": normalised_mutual_information,
    "hungarian_accuracy": hungarian_accuracy,
}
"""Metrics of two groupings, whatever their groups are called."""


def chance_levels(
    truth: ArrayLike, answers: ArrayLike | None = None, fpr: float = 0.01
) -> dict[str, dict[str, float]]:
    """Return what answering without looking gives for each membership metric.

    Verdicts: `always used`, and `coin, same share` (as often "used" as `answers`); scores: `chance`.
    """
    prevalence = float(_booleans(truth, "truth").mean())
    shares = {"always used": 1.0}
    if answers is not None:
        shares["coin, same share"] = float(_booleans(answers, "answers").mean())
    coins = {name: _coin(prevalence, share) for name, share in shares.items()}
    levels = {metric: {name: coin[metric] for name, coin in coins.items()} for metric in VERDICT_METRICS}
    return levels | {"auc": {"chance": 0.5}, "tpr_at_fpr": {"chance": fpr}}


def label_chance_levels(
    truth: Labels, labels: Labels, shuffles: int = 200, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return what the same group sizes give for each clustering metric: in random order, and at worst."""
    generator = np.random.default_rng(seed)
    shuffled = [generator.permutation(np.asarray(labels)) for _ in range(shuffles)]
    table = _contingency(truth, labels)
    least = lowest_rand_index(table.sum(axis=1), table.sum(axis=0))
    # 0 in expectation, by construction
    levels = {"adjusted_rand_index": {"shuffled labels": 0.0, "lowest possible": least}}
    for name in ("normalised_mutual_information", "hungarian_accuracy"):
        found = [LABEL_METRICS[name](truth, each) for each in shuffled]
        levels[name] = {"shuffled labels": float(np.mean(found))}
    return levels


def _coin(prevalence: float, share: float) -> dict[str, float]:
    """Expected metrics of a coin that says "used" with probability `share`."""
    return {
        "accuracy": prevalence * share + (1 - prevalence) * (1 - share),
        "balanced_accuracy": 0.5,
        "precision": prevalence if share > 0 else 0.0,
        "recall": share,
        "specificity": 1 - share,
        "f1": 2 * prevalence * share / (prevalence + share) if share > 0 else 0.0,
        "mcc": 0.0,
        "kappa": 0.0,
    }


def _counted(name: str, truth: ArrayLike, answers: ArrayLike) -> float:
    return float(VERDICT_METRICS[name](*confusion(truth, answers).sum(0)))


def _booleans(values: ArrayLike, what: str) -> NDArray[np.bool_]:
    """Check that there is at least one value and that all are true or false (or 0 and 1)."""
    array = np.asarray(values)
    if array.ndim != 1 or len(array) == 0:
        raise BadInput(f"{what}: expected one answer for each picture, found none; give at least one")
    flags: NDArray[np.bool_] = array.astype(np.bool_)
    # A text such as "0" would count as true.
    if array.dtype.kind not in "biuf" or (flags != array).any():
        raise BadInput(f"{what}: expected true and false only; write 1 for used and 0 for not used")
    return flags


def _scored(scores: ArrayLike, truth: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    """Check that scores are numbers and that both classes are present."""
    values, true = np.asarray(scores), _booleans(truth, "truth")
    if values.shape != true.shape:
        raise ValueError(f"expected as many scores as truths, got {values.shape} and {true.shape}")
    if np.isnan(values).any():
        raise ValueError("scores must not contain NaN")
    if true.all() or not true.any():
        raise BadInput("truth: only one class present; AUC and TPR need pictures used and not used")
    return values, true


def _contingency(truth: Labels, labels: Labels) -> Array:
    """Count pictures by (group of the truth, group of the labels)."""
    if len(truth) != len(labels) or len(truth) == 0:
        raise ValueError(f"expected equally many labels, got {len(truth)} and {len(labels)}")
    first, rows = np.unique(np.asarray(truth), return_inverse=True)
    second, columns = np.unique(np.asarray(labels), return_inverse=True)
    cells = np.bincount(rows * len(second) + columns, minlength=len(first) * len(second))
    return cells.reshape(len(first), len(second)).astype(np.float64)


def _pairs(sizes: Array) -> float:
    return float((sizes * (sizes - 1)).sum() / 2)


def _entropy(shares: Array) -> float:
    positive = shares[shares > 0]
    return float(max(0.0, -(positive * np.log(positive)).sum()))
