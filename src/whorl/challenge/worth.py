"""What published outcomes are worth: exact tests against chance, corrected for a whole table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from whorl.challenge.figures import FigureTable, grouped
from whorl.challenge.granularity import Counts
from whorl.challenge.plausibility import constant_f1
from whorl.evidence.exact import benjamini_hochberg
from whorl.records import Array

LEVEL = 0.05


@dataclass(frozen=True)
class Worth:
    """One outcome against chance; `row` counts from 0, None stands for what the figures do not tell.

    `p_above` is the exact one-sided binomial of the right answers, `p_below` its lower tail, and
    `p_margins` Fisher's exact test given the share answered "used" (the largest over all counts that
    give the figures); `adjusted` values control the false discovery rate over the row's table.
    """

    row: int
    model: str
    n: int
    right: int
    accuracy: float
    mcc: float | None
    share_used: float | None
    p_above: float
    adjusted_above: float
    p_below: float
    adjusted_below: float
    p_margins: float | None
    adjusted_margins: float | None
    f1: float | None
    constant_f1: float | None

    @property
    def beats_chance(self) -> bool:
        """Whether there are more right answers than chance allows, the whole table considered."""
        return self.adjusted_above <= LEVEL

    @property
    def below_chance(self) -> bool:
        """Whether there are fewer right answers than chance allows, the whole table considered."""
        return self.adjusted_below <= LEVEL

    @property
    def beats_chance_given_margins(self) -> bool:
        """The same given how often "used" was answered, which is fairer to lopsided answers."""
        return self.adjusted_margins is not None and self.adjusted_margins <= LEVEL


def binomial_tails(right: ArrayLike, n: ArrayLike, chance: ArrayLike = 0.5) -> tuple[Array, Array]:
    """Return the probability of at least, and of at most, so many right answers by chance."""
    from scipy.stats import binom

    hits = np.asarray(right)
    return binom.sf(hits - 1, n, chance), binom.cdf(hits, n, chance)


def margins_tail(counts: Counts) -> float:
    """Return the probability of at least so many hits given the margins, the largest over all counts."""
    from scipy.stats import hypergeom

    # For one number of pictures called used, the fewest hits have the largest tail.
    order = np.lexsort((counts.tp, counts.tp + counts.fp))
    called, first = np.unique((counts.tp + counts.fp)[order], return_index=True)
    hits = counts.tp[order][first]
    return float(hypergeom.sf(hits - 1, counts.used + counts.not_used, counts.used, called).max())


def outcomes(
    table: FigureTable, counts: Sequence[Counts | None], used: Array, total: Array
) -> tuple[Worth, ...]:
    """Test every row whose right answers are known from its accuracy, or bounded by its counts.

    A row without a printed accuracy stands at the least, for the lower tail at the most, that its
    counts allow. Chance is a coin that says "used" as often as the row does.
    """
    bounds = [_right(table, row, counts[row], total[row]) for row in range(len(table))]
    rows = [row for row, bound in enumerate(bounds) if bound is not None]
    right = np.array([bounds[row] or (0, 0) for row in rows]).reshape(-1, 2)
    chance = np.array([_chance_accuracy(counts[row]) for row in rows])
    tails = np.full((3, len(table)), np.nan)
    tails[0, rows] = binomial_tails(right[:, 0], total[rows], chance)[0]
    tails[1, rows] = binomial_tails(right[:, 1], total[rows], chance)[1]
    for row in rows:
        found = counts[row]
        if found is not None and len(found.tp):
            tails[2, row] = margins_tail(found)
    adjusted = _by_table(table, tails, rows)
    return tuple(
        _worth(
            table,
            row,
            (bounds[row] or (0, 0))[0],
            counts[row],
            tails[:, row],
            adjusted[:, row],
            (used[row], total[row]),
        )
        for row in rows
    )


def runs_reaching_constant(table: FigureTable, used: Array, total: Array) -> tuple[Array, Array]:
    """Return the rows that stand for runs with a printed F1, and whether it reaches the constant's.

    A run is judged by its mean over models where one is printed, else by the F1 of its only row.
    """
    first: list[int] = []
    for rows in grouped(table, "team", "run").values():
        judged = ~np.isnan(table.values["mean_f1"][rows])
        alone = len(rows) == 1 and not np.isnan(table.values["f1"][rows[0]])
        if judged.any() or alone:
            first.append(int(rows[np.argmax(judged)]))
    rows = np.array(sorted(first), np.intp)
    best = constant_f1(used[rows] / total[rows])
    mean = table.values["mean_f1"][rows]
    score = np.where(np.isnan(mean), table.values["f1"][rows], mean)
    told = ~np.isnan(best)
    return rows[told], score[told] >= best[told]


def _right(table: FigureTable, row: int, counts: Counts | None, n: float) -> tuple[int, int] | None:
    accuracy = table.values["accuracy"][row]
    if np.isnan(n):
        return None
    if not np.isnan(accuracy):
        right = round(accuracy * n)
        return right, right
    if counts is None or not len(counts.tp):
        return None
    right_answers = counts.tp + counts.not_used - counts.fp
    return int(right_answers.min()), int(right_answers.max())


def _chance_accuracy(counts: Counts | None) -> float:
    """Return the accuracy of a coin that says "used" as often as the run, one half where unknown."""
    if counts is None or not len(counts.tp):
        return 0.5
    total = counts.used + counts.not_used
    share, said = counts.used / total, np.median(counts.tp + counts.fp) / total
    return float(share * said + (1 - share) * (1 - said))


def _by_table(table: FigureTable, tails: Array, rows: Sequence[int]) -> Array:
    adjusted = np.full(tails.shape, np.nan)
    for group in grouped(table).values():
        part = np.intersect1d(group, np.array(rows, np.intp))
        for kind in range(len(tails)):
            told = part[~np.isnan(tails[kind, part])]
            adjusted[kind, told] = benjamini_hochberg(tails[kind, told])
    return adjusted


def _worth(
    table: FigureTable,
    row: int,
    right: int,
    counts: Counts | None,
    tails: Array,
    adjusted: Array,
    sizes: tuple[float, float],
) -> Worth:
    used, n = sizes[0], int(sizes[1])
    accuracy = table.values["accuracy"][row]
    listed = counts if counts is not None and len(counts.tp) else None
    return Worth(
        row=row,
        model=table.rows[row].get("model", ""),
        n=n,
        right=right,
        accuracy=float(right / n if np.isnan(accuracy) else accuracy),
        mcc=_middle(listed, lambda found: found.metric("mcc")),
        share_used=_middle(listed, lambda found: (found.tp + found.fp) / n),
        p_above=float(tails[0]),
        adjusted_above=float(adjusted[0]),
        p_below=float(tails[1]),
        adjusted_below=float(adjusted[1]),
        p_margins=_told(tails[2]),
        adjusted_margins=_told(adjusted[2]),
        f1=_told(table.values["f1"][row]),
        constant_f1=_told(float(constant_f1(used / n))),
    )


def _middle(counts: Counts | None, function: Callable[[Counts], Array]) -> float | None:
    return None if counts is None else float(np.median(function(counts)))


def _told(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
