"""Decision rules: from a table of scores to a label for every query.

Membership rules call a query used when its largest score lies above a threshold (strictly); what a rule
needs besides the scores it is handed: `development` (scores and answers of the development part) or
`reference` (for every query its similarities to the other queries: largest, mean, spread).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from whorl.records import Answers, Array, BadInput, Count, Scores, Share, Verdicts

VERSION = 1
TRANSDUCTIVE = ("quantile", "half", "ranking", "real_real", "two_means", "average", "mode", "dual")


def fixed(scores: Scores, threshold: float = 0.0) -> Verdicts:
    """Used above a number given in advance.

    Scores (n, g) -> n labels.
    """
    return _above(scores, threshold, "fixed")


def quantile(scores: Scores, share: Share = 0.5) -> Verdicts:
    """Used for the given share of the queries, highest scores first; ties at the cut are not used.

    Scores (n, g) -> n labels.
    """
    values = _own(scores)
    ordered = np.sort(values)[::-1]
    keep = int(np.clip(round(share * len(values)), 0, len(values)))
    if keep == len(values):
        return _above(scores, -np.inf, f"the top {share:.0%}")
    return _above(scores, float(ordered[keep]), f"the top {share:.0%}")


def half(scores: Scores) -> Verdicts:
    """Used for the upper half of the queries.

    Scores (n, g) -> n labels.
    """
    return quantile(scores, 0.5)


def tuned(
    scores: Scores,
    development: tuple[Scores, Answers] | None = None,
    metric: Literal["f1", "accuracy", "balanced_accuracy"] = "f1",
) -> Verdicts:
    """Used above the threshold that does best on the development part.

    Scores (n, g) -> n labels.
    """
    values, truth = _development(development, "tuned")
    order = np.sort(np.unique(values))
    cuts = np.concatenate([[order[0] - 1.0], (order[:-1] + order[1:]) / 2])
    called = values[None, :] > cuts[:, None]
    hits = (called & truth).sum(axis=1)
    false = (called & ~truth).sum(axis=1)
    misses, clear = truth.sum() - hits, (~truth).sum() - false
    quality = {
        "f1": 2 * hits / np.maximum(2 * hits + false + misses, 1),
        "accuracy": (hits + clear) / len(truth),
        "balanced_accuracy": hits / max(1, truth.sum()) / 2 + clear / max(1, (~truth).sum()) / 2,
    }[metric]
    return _above(scores, float(cuts[int(np.argmax(quality))]), f"best {metric} on the development part")


def centroid(scores: Scores, development: tuple[Scores, Answers] | None = None) -> Verdicts:
    """Used when nearer to the mean score of the used than of the not used development pictures.

    Scores (n, g) -> n labels.
    """
    values, truth = _development(development, "centroid")
    return _above(scores, float(values[truth].mean() + values[~truth].mean()) / 2, "between the class means")


def real_real(
    scores: Scores,
    reference: Scores | None = None,
    statistic: Literal["maximum", "mean", "mean_2sd", "mean_3sd", "mean_of_max"] = "maximum",
) -> Verdicts:
    """Used when more alike to a generated picture than real pictures are to one another.

    Scores (n, g), reference (n, [largest, mean, spread]) -> n labels.
    """
    if reference is None:
        raise BadInput("decide.real_real needs similarities between the real pictures")
    largest, average, spread = reference.values.astype(np.float64).T
    whole = float(average.mean())
    deviation = float(np.sqrt(np.mean(spread**2 + average**2) - whole**2))
    threshold = {
        "maximum": float(largest.max()),
        "mean": whole,
        "mean_2sd": whole + 2 * deviation,
        "mean_3sd": whole + 3 * deviation,
        "mean_of_max": float(largest.mean()),
    }[statistic]
    return _above(scores, threshold, f"real-real similarity, {statistic}")


def retrieval(scores: Scores) -> Verdicts:
    """Used when some generated picture has this query as its most similar one.

    Scores (n, 1) of retrieval counts -> n labels.
    """
    return _above(scores, 0.0, "retrieved at least once")


def ranking(scores: Scores) -> Verdicts:
    """Used when the mean rank lies in the upper half of the possible ranks.

    Scores (n, 1) of mean ranks 1..n -> n labels.
    """
    return _above(scores, (len(scores.ids) + 1) / 2, "mean rank above the middle")


def two_means(scores: Scores) -> Verdicts:
    """Used for the upper of two groups found by one-dimensional 2-means, solved exactly.

    Scores (n, g) -> n labels.
    """
    ordered = np.sort(_own(scores))
    if ordered[0] == ordered[-1]:
        return _above(scores, float(ordered[0]), "two means")
    left = np.arange(1, len(ordered))
    total = np.cumsum(ordered)[:-1]
    between = total**2 / left + (ordered.sum() - total) ** 2 / (len(ordered) - left)
    between[ordered[1:] == ordered[:-1]] = -np.inf
    cut = int(np.argmax(between))
    return _above(scores, float(ordered[cut] + ordered[cut + 1]) / 2, "two means")


def average(scores: Scores) -> Verdicts:
    """Used above the mean score of the queries.

    Scores (n, g) -> n labels.
    """
    return _above(scores, float(_own(scores).mean()), "above the mean")


def mode(scores: Scores, bins: Count = 64) -> Verdicts:
    """Used above the commonest score of the queries: the centre of the fullest bin.

    Scores (n, g) -> n labels.
    """
    return _above(scores, _mode(_own(scores), bins), "above the mode")


def dual(scores: Scores, bins: Count = 64) -> Verdicts:
    """Used above both the mean and the mode of the queries' scores.

    Scores (n, g) -> n labels.
    """
    values = _own(scores)
    return _above(scores, max(float(values.mean()), _mode(values, bins)), "above mean and mode")


def assign(scores: Scores) -> Verdicts:
    """The group with the highest score; the first wins a tie.

    Scores (n, g) -> n group names.
    """
    best = scores.values.argmax(axis=1)
    return Verdicts(scores.ids, tuple(scores.groups[index] for index in best), None, "highest score")


def _own(scores: Scores) -> Array:
    return np.asarray(scores.values.max(axis=1), np.float64)


def _mode(values: Array, bins: int) -> float:
    counts, edges = np.histogram(values, bins)
    fullest = int(np.argmax(counts))
    return float(edges[fullest] + edges[fullest + 1]) / 2


def _above(scores: Scores, threshold: float, rule: str) -> Verdicts:
    labels = tuple("used" if value > threshold else "not_used" for value in _own(scores))
    return Verdicts(scores.ids, labels, threshold, rule)


def _development(development: tuple[Scores, Answers] | None, rule: str) -> tuple[Array, Array]:
    if development is None:
        raise BadInput(f"decide.{rule} needs a development part with answers: dev/ in the edition")
    scores, answers = development
    truth = np.asarray([answers.labels[name] == "used" for name in scores.ids])
    if truth.all() or not truth.any():
        raise BadInput(f"decide.{rule} needs used and not used pictures in the development part")
    return _own(scores), truth
