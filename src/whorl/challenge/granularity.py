"""Whole numbers behind printed shares: which counts, and how many pictures, can give the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whorl.challenge.figures import OUTCOME, ROUNDING, Digits, FigureTable, ends, grouped, known, titled
from whorl.challenge.plausibility import share_from_figures
from whorl.metrics import VERDICT_METRICS
from whorl.records import Array

MOST_COUNTS = 2_000_000  # pairs of counts listed for one row
MOST_SIZES = 5_000  # class sizes tried for one table
MOST_CELLS = 10_000_000  # class sizes × rows tried for one table
SURPRISE = 1e-3  # a denominator counts only if chance explains as many rows less often than this
STRICT: tuple[Digits, Digits] = ("truncated", "rounded")
Printing = Literal["truncated", "rounded", "either", "neither"]


@dataclass(frozen=True, eq=False)
class Counts:
    """Every pair of counts that gives a row's figures: true positives and false positives, (m,) each."""

    tp: Array
    fp: Array
    used: int
    not_used: int

    @property
    def cells(self) -> tuple[Array, Array, Array, Array]:
        """Counts of true positives, false positives, false negatives and true negatives."""
        return self.tp, self.fp, self.used - self.tp, self.not_used - self.fp

    def metric(self, name: str) -> Array:
        """Return a verdict metric for each of the pairs."""
        return VERDICT_METRICS[name](*self.cells)


@dataclass(frozen=True)
class Sizes:
    """What a table's digits say about its class sizes; rows are numbers from 0."""

    origin: str
    rows: tuple[int, ...]
    used: tuple[int, int]
    total: int


@dataclass(frozen=True)
class Denominator:
    """A class size n that the digits of some rows betray (n used and n not used)."""

    origin: str
    size: int
    rows: tuple[int, ...]
    announced: int | None


def possible_counts(figures: Mapping[str, tuple[float, float]], used: int, not_used: int) -> Counts | None:
    """Return all counts that give figures within their ends, or nothing where there are too many to list."""
    low, high = figures.get("recall", (0.0, 1.0))
    first = max(0, int(np.ceil(low * used - 1e-6)))
    last = min(used, int(np.floor(high * used + 1e-6)))
    if last - first >= MOST_COUNTS:
        return None
    hits = np.arange(first, last + 1)
    fewest, most = _false_alarms(figures, hits, used, not_used)
    width = np.maximum(0, most - fewest + 1)
    if width.sum() > MOST_COUNTS:
        return None
    place = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
    every = Counts(np.repeat(hits, width), np.repeat(fewest, width) + place, used, not_used)
    kept = np.ones(len(every.tp), np.bool_)
    for name, (lowest, highest) in figures.items():
        found = every.metric(name)
        kept &= (found >= lowest - ROUNDING) & (found <= highest + ROUNDING)
    return Counts(every.tp[kept], every.fp[kept], used, not_used)


def table_counts(
    table: FigureTable, rows: Sequence[int], sizes: tuple[Array, Array], digits: Digits
) -> dict[int, Counts | None]:
    """Return all counts that give the figures of some rows; nothing for a row whose counts are too many.

    `sizes` are the pictures used and not used, (n,) each.
    """
    sides = {name: ends(table, name, digits) for name in OUTCOME}
    found = {}
    for row in rows:
        figures = {
            name: (float(low[row]), float(high[row]))
            for name, (low, high) in sides.items()
            if not np.isnan(low[row])
        }
        found[row] = possible_counts(figures, *(int(side[row]) for side in sizes)) if figures else None
    return found


def class_sizes(table: FigureTable) -> tuple[Sizes, ...]:
    """Find how many pictures were used where a table gives n but not the shares.

    Every row with accuracy, precision and recall bounds the share used; what all rows of one table and
    model allow is kept, and equal halves are preferred where they are among it.
    """
    found = []
    for key, rows in grouped(table, "model").items():
        total = table.values["n"][rows]
        open_rows = np.isnan(table.values["used"][rows]) & ~np.isnan(total)
        if not open_rows.any() or len(set(total[open_rows])) > 1:
            continue
        count = int(total[open_rows][0])
        shares = [_shared(table, rows[open_rows], digits) for digits in STRICT]
        possible = [_whole(low, high, count) for low, high in shares if low <= high]
        possible = [(least, most) for least, most in possible if 0 < least <= most < count]
        if possible:
            numbers = tuple(int(row) for row in rows[open_rows])
            model = f"model {key[-1]}" if key[-1] else ""
            found.append(Sizes(titled((*key[:-1], model)), numbers, possible[0], count))
    return tuple(found)


def with_sizes(table: FigureTable, found: Sequence[Sizes]) -> tuple[Array, Array]:
    """Return pictures used and not used for each row, (n,) each, as announced or as found; else NaN."""
    used, total = table.values["used"].copy(), table.values["n"]
    for sizes in found:
        least, most = sizes.used
        half = sizes.total // 2
        used[list(sizes.rows)] = half if least <= half <= most else (least + most) // 2
    return used, total - used


def denominators(table: FigureTable) -> tuple[Denominator, ...]:
    """Find the class sizes that explain the digits of accuracy, recall and F1, table by table.

    Tries n + n pictures for every n that the digits can tell from its neighbours. The n whose success
    is least likely by chance is taken first, then the next on the rows left, until chance could do it.
    """
    found: list[Denominator] = []
    for key, rows in grouped(table).items():
        there = rows[known(table, "accuracy", "recall")[rows]]
        for size, explained in _betrayed(table, there).items() if len(there) > 1 else ():
            numbers = there[explained]
            announced = set(table.values["used"][numbers])
            one = announced.pop() if len(announced) == 1 else np.nan
            rows_found = tuple(int(number) for number in numbers)
            found.append(Denominator(titled(key), size, rows_found, None if np.isnan(one) else int(one)))
    return tuple(found)


def _betrayed(table: FigureTable, rows: Array) -> dict[int, list[int]]:
    """Return class sizes with the positions of the rows that they explain."""
    unit = float(np.max([table.units[name][rows].max() for name in ("accuracy", "recall")]))
    largest = min(0.25 / unit, MOST_SIZES, MOST_CELLS / len(rows))
    sizes = np.arange(2, int(largest) + 1)
    if not len(sizes):
        return {}
    strict = [_fits(table, rows, sizes, digits) for digits in STRICT]
    # An outcome that several runs share says no more than one.
    figures = np.stack([table.values[name][rows] for name in OUTCOME], axis=1)
    new = np.zeros(len(rows), np.bool_)
    new[np.unique(np.nan_to_num(figures, nan=-1.0), axis=0, return_index=True)[1]] = True
    covers = [_cover(fit, sizes, unit, new) for fit in strict]
    chosen = max(covers, key=lambda cover: sum(len(part) for part in cover.values()))
    _prefer_announced(chosen, strict, sizes, table.values["used"][rows])
    return _widened(chosen, _fits(table, rows, sizes, "loose"), sizes)


def _false_alarms(
    figures: Mapping[str, tuple[float, float]], hits: Array, used: int, not_used: int
) -> tuple[Array, Array]:
    """Return the fewest and the most false positives that the figures allow for each number of hits.

    All three metrics fall as false positives rise; one of margin is left for the exact check.
    """
    low, high = np.zeros(len(hits)), np.full(len(hits), float(not_used))
    told = hits > 0  # without hits precision and F1 are 0 for any number of false positives
    for name, (least, most) in figures.items():
        if name == "recall":
            continue
        edges = [_edge(name, max(value, 1e-12), hits, used, not_used) for value in (most, least)]
        bound = told | (name == "accuracy")
        low = np.where(bound, np.maximum(low, edges[0] - 1), low)
        high = np.where(bound, np.minimum(high, edges[1] + 1), high)
    return np.ceil(low).astype(np.int64), np.floor(high).astype(np.int64)


def _edge(name: str, value: float, hits: Array, used: int, not_used: int) -> Array:
    """Return the (real) number of false positives at which a metric has this value."""
    edges: dict[str, Array] = {
        "accuracy": hits + not_used - value * (used + not_used),
        "precision": hits / value - hits,
        "f1": 2 * hits / value - hits - used,
    }
    return edges[name]


def _shared(table: FigureTable, rows: Array, digits: Digits) -> tuple[float, float]:
    """Return the share used that all rows allow; empty (low > high) where none does."""
    low, high = share_from_figures(*(ends(table, name, digits) for name in OUTCOME[:3]))
    both = ~np.isnan(low[rows]) & ~np.isnan(high[rows])
    if not both.any():
        return 1.0, 0.0
    return float(low[rows][both].max()), float(high[rows][both].min())


def _whole(low: float, high: float, count: int) -> tuple[int, int]:
    return int(np.ceil(low * count - ROUNDING)), int(np.floor(high * count + ROUNDING))


def _fits(table: FigureTable, rows: Array, sizes: Array, digits: Digits) -> Array:
    """Return which class sizes can give the figures of which rows: (sizes, rows) booleans.

    Sizes are small enough that at most one count lies between the ends of a figure.
    """
    n = sizes[:, None].astype(np.float64)
    accuracy, recall, f1, precision = (
        tuple(side[rows] for side in ends(table, name, digits))
        for name in ("accuracy", "recall", "f1", "precision")
    )
    tp = np.ceil(recall[0] * n - 1e-6)
    right = np.ceil(accuracy[0] * 2 * n - 1e-6)
    fp = n - (right - tp)
    fit = (tp <= recall[1] * n + 1e-6) & (right <= accuracy[1] * 2 * n + 1e-6) & (fp >= 0) & (fp <= n)
    for name, (low, high) in (("f1", f1), ("precision", precision)):
        value = VERDICT_METRICS[name](tp, np.maximum(fp, 0), n - tp, n - np.maximum(fp, 0))
        fit &= np.isnan(low) | ((value >= low - ROUNDING) & (value <= high + ROUNDING))
    every: Array = fit
    return every


def _cover(fit: Array, sizes: Array, unit: float, new: Array) -> dict[int, list[int]]:
    """Choose sizes that explain rows beyond chance: size → positions of the rows it explains.

    `new` (rows,) says which rows count as evidence.
    """
    from scipy.stats import binom

    # A made-up row fits n + n pictures no more often than this: recall n ways, accuracy 2n ways.
    chance = np.minimum(1, sizes * unit) * np.minimum(1, 2 * sizes * unit)
    left = np.ones(fit.shape[1], np.bool_)
    chosen: dict[int, list[int]] = {}
    while left.any():
        explained = (fit & left & new).sum(axis=1)
        luck = binom.logsf(explained - 1, (left & new).sum(), chance)
        best = int(np.argmin(luck))
        if luck[best] > np.log(SURPRISE / len(sizes)):
            break
        chosen[int(sizes[best])] = [int(row) for row in np.flatnonzero(fit[best] & left)]
        left &= ~fit[best]
    return chosen


def _prefer_announced(
    chosen: dict[int, list[int]], strict: Sequence[Array], sizes: Array, announced: Array
) -> None:
    """Give rows that several chosen sizes explain to the size that was announced for them."""
    for size in chosen:
        fits = np.any([fit[int(size - sizes[0])] for fit in strict], axis=0) & (announced == size)
        rows = {int(row) for row in np.flatnonzero(fits)}
        for other in chosen:
            chosen[other] = [row for row in chosen[other] if row not in rows]
        chosen[size] = sorted([*chosen[size], *rows])


def _widened(chosen: Mapping[int, list[int]], loose: Array, sizes: Array) -> dict[int, list[int]]:
    """Add the rows that a chosen size explains up to one unit of the last digit."""
    taken = {row for rows in chosen.values() for row in rows}
    wider = {size: list(rows) for size, rows in chosen.items()}
    for size in wider:
        place = int(size - sizes[0])
        more = {int(row) for row in np.flatnonzero(loose[place])} - taken
        wider[size] = sorted([*wider[size], *more])
        taken |= more
    return wider
