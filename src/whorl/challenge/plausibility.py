"""What printed figures imply for one another: pure arithmetic on intervals, for a whole table at once.

Every `Ends` is a pair of (n,) arrays, the lowest and the highest value possible; NaN means unknown.
`share` is the part of the real pictures that was used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from whorl.challenge.figures import ROUNDING, Ends
from whorl.records import Array


def f1_from_precision_recall(precision: Ends, recall: Ends) -> Ends:
    """Return 2PR/(P+R), which rises with both; 0 where both are 0."""
    low, high = (_harmonic(p, r) for p, r in zip(precision, recall, strict=True))
    return low, high


def f1_from_accuracy_recall(accuracy: Ends, recall: Ends, share: ArrayLike) -> Ends:
    """Return 2πR/(2πR + 1 − A), which rises with both: hits against hits and errors."""
    found = []
    for right, hit in zip(accuracy, recall, strict=True):
        hits = 2 * np.asarray(share) * hit
        found.append(_ratio(hits, hits + 1 - right))
    return found[0], found[1]


def accuracy_from_precision_recall(precision: Ends, recall: Ends, share: ArrayLike) -> Ends:
    """Return 1 − π(1 − R(2 − 1/P)); unknown where the precision may be 0."""
    part = np.asarray(share)
    return _corners(lambda p, r: 1 - part * (1 - r * (2 - _inverse(p))), precision, recall)


def share_from_figures(accuracy: Ends, precision: Ends, recall: Ends) -> Ends:
    """Return the share used that accuracy, precision and recall imply: (1 − A)/(1 − R(2 − 1/P))."""
    # The denominator is (1 − R) + R(1/P − 1): never negative, and 0 for a perfect answer only.
    return _corners(lambda a, p, r: _ratio(1 - a, 1 - r * (2 - _inverse(p))), accuracy, precision, recall)


def false_alarms(accuracy: Ends, recall: Ends, share: ArrayLike) -> Ends:
    """Return the share of pictures not used that were called used."""
    part = np.asarray(share)
    low, high = _corners(lambda a, r: 1 - _ratio(a - part * r, 1 - part), accuracy, recall)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def apart(one: Ends, other: Ends) -> Array:
    """Return where two intervals have nothing in common; unknown counts as not apart."""
    gap: Array = (one[0] > other[1] + ROUNDING) | (other[0] > one[1] + ROUNDING)
    return gap


def constant_f1(share: ArrayLike) -> Array:
    """Return the F1 of calling every picture used: 2π/(1 + π)."""
    part = np.asarray(share, np.float64)
    best: Array = 2 * part / (1 + part)
    return best


def vote_ends(rates: Ends, needed: tuple[int, int]) -> tuple[float, float]:
    """Return the least and the most that a vote can say "used", given how often its members do.

    `needed` holds the fewest and the most votes that may have been needed (they differ where a tie is
    possible). The same bounds hold for recall, for false alarms and for the share answered "used".
    """
    lows, highs = (np.asarray(each, np.float64) for each in rates)
    fewest, most = needed
    # "Used" fails where enough members say "not used" for it.
    least = 1 - at_least(1 - lows, len(lows) - most + 1)
    return least, at_least(highs, fewest)


def at_least(rates: Array, needed: int) -> float:
    """Return the largest share of pictures on which `needed` members can agree.

    Leave out the j most generous members: among the others at least `needed` − j must still say yes,
    and they have only so many to give (Rüger 1978; the smallest of these bounds can be reached).
    """
    rising = np.sort(rates)
    left_out = np.arange(needed)
    given = np.array([rising[: len(rising) - j].sum() for j in left_out])
    return float(min(1.0, (given / (needed - left_out)).min()))


def smallest_rand_index(class_sizes: Sequence[int], clusters: int | None = None) -> float:
    """Return a value that no grouping into at most so many clusters can fall below.

    With class sizes a, cluster sizes b, n pictures, r classes and k clusters, let A = Σa² and B = Σb².
    Over all real tables with these margins Σn_ij² is least for n_ij = a_i/k + b_j/r − n/(rk), hence
    Σn_ij² ≥ A/k + B/r − n²/(rk); whole numbers also give Σn_ij² ≥ n. Put into the index this is, in B,
    a ratio of straight lines on either side of the point where both bounds meet, and such a ratio is
    monotone: only the ends and that point need be tried. It is a bound, not always reached.
    """
    sizes = np.asarray(class_sizes, np.float64)
    n, r, squares = sizes.sum(), len(sizes), float((sizes**2).sum())
    if n < 2 or (sizes < 1).any() or (clusters is not None and clusters < 1):
        raise ValueError("expected classes of at least one picture, two in all, and a cluster")
    # More clusters only loosen the bound: any number is as good as one for each picture.
    k = n if clusters is None else min(float(clusters), n)
    least = max(n**2 / k, n)
    meeting = np.clip(r * (n - squares / k) + n**2 / k, least, n**2)
    b = np.array([least, meeting, n**2])
    together = (np.maximum(n, squares / k + b / r - n**2 / (r * k)) - n) / 2
    pairs, in_classes, in_clusters = n * (n - 1) / 2, (squares - n) / 2, (b - n) / 2
    expected = in_classes * in_clusters / pairs
    possible = (in_classes + in_clusters) / 2 - expected
    # Where nothing is possible both groupings are trivial, and the index is 1 by definition.
    return float(np.where(possible > 0, _ratio(together - expected, possible), 1.0).min())


def _harmonic(one: Array, other: Array) -> Array:
    total = one + other
    return np.where(total == 0, 0.0, _ratio(2 * one * other, total))


def _inverse(values: Array) -> Array:
    return _ratio(np.ones_like(values), values)


def _ratio(part: Array, whole: Array) -> Array:
    """Divide; what would be divided by 0 is unknown."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    quotient: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)
    return quotient


def _corners(function: Callable[..., Array], *sides: Ends) -> Ends:
    """Return the ends of a function that is monotone in each argument while the others are held."""
    found = np.stack([function(*corner) for corner in product(*sides)])
    return found.min(axis=0), found.max(axis=0)
