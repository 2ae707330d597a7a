"""Scores reduced to what a figure draws: step curves of an attack and histograms on common bins."""

from __future__ import annotations

import numpy as np

from whorl.records import Array

LIMIT = 300


def operating_curve(members: Array, holdout: Array, limit: int = LIMIT) -> tuple[Array, Array]:
    """Return false alarms and members found, at most `limit` points spread evenly on the log axis.

    Both are shares; the first point is one false alarm. Ties are never split: a threshold takes all
    pictures with one score or none.
    """
    together = np.concatenate([members, holdout]).astype(np.float64)
    is_member = np.arange(len(together)) < len(members)
    order = np.argsort(-together, kind="stable")
    last = np.flatnonzero(np.append(np.diff(together[order]) != 0, True))
    alarms = np.cumsum(~is_member[order])[last]
    found = np.cumsum(is_member[order])[last]
    allowed = np.unique(np.rint(np.geomspace(1, len(holdout), limit)).astype(np.int64))
    place = np.searchsorted(alarms, allowed, side="right") - 1
    reached = np.where(place >= 0, found[np.maximum(place, 0)], 0)
    return allowed / len(holdout), reached / len(members)


def histograms(members: Array, holdout: Array) -> tuple[Array, Array, Array, bool]:
    """Return bin edges, the share of members and of holdout in each, and whether tails were gathered.

    A few far values would squeeze all others into one bin: what lies further out than the width of the
    middle 98 % is gathered into the outermost bins.
    """
    together = np.concatenate([members, holdout]).astype(np.float64)
    lower, upper = np.quantile(together, (0.01, 0.99))
    width = upper - lower
    low = max(float(together.min()), float(lower - width))
    high = min(float(together.max()), float(upper + width))
    if not high > low:
        low, high = low - 0.5, low + 0.5
    # Few pictures in many bins would draw noise.
    bins = min(32, max(8, round(2 * float(np.cbrt(len(together))))))
    edges = np.linspace(low, high, bins + 1)
    shares = [
        np.histogram(np.clip(values, low, high), bins=edges)[0] / max(1, len(values))
        for values in (members, holdout)
    ]
    gathered = bool(together.min() < low or together.max() > high)
    return edges, shares[0], shares[1], gathered


def evenly(count: int, limit: int) -> Array:
    """Return at most `limit` indices spread evenly over `count`."""
    if count <= limit:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, limit).astype(np.int64))
