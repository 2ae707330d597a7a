"""Checks of published tables, one function each: what is printed, what it implies, and by which rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from whorl.challenge import plausibility
from whorl.challenge.figures import OUTCOME, Ends, FigureTable, ends, grouped, known, titled, where
from whorl.challenge.granularity import STRICT, Counts, Denominator, Printing
from whorl.challenge.worth import Worth
from whorl.records import Array

Weight = Literal["impossible", "notable"]
LOPSIDED = 0.9  # a share answered "used" beyond this, or below its complement, is nearly a constant


@dataclass(frozen=True)
class Finding:
    """One thing that a table says about itself; `rows` count from 1, after the header.

    `impossible`: the figures cannot all be right. `notable`: they can, but a reader should know.
    """

    check: str
    weight: Weight
    rows: tuple[int, ...]
    who: str
    printed: str
    implied: str
    rule: str


@dataclass(frozen=True)
class Printed:
    """How many rows of a table each way of printing explains."""

    origin: str
    rows: int
    truncated: int
    rounded: int

    @property
    def verdict(self) -> Printing:
        """Return which of both explains more rows."""
        if not self.truncated and not self.rounded:
            return "neither"
        if self.truncated == self.rounded:
            return "either"
        return "truncated" if self.truncated > self.rounded else "rounded"


def f1_from_precision_recall(table: FigureTable) -> Iterator[Finding]:
    """F1 is 2PR/(P+R), up to truncation or rounding of all three."""
    implied = [
        plausibility.f1_from_precision_recall(ends(table, "precision", digits), ends(table, "recall", digits))
        for digits in STRICT
    ]
    yield from _clashes(table, "f1 from precision and recall", "f1", implied, "F1 = 2PR/(P + R)")


def f1_from_accuracy_recall(table: FigureTable, share: Array) -> Iterator[Finding]:
    """F1 is 2πR/(2πR + 1 − A), up to truncation or rounding of all three."""
    implied = [
        plausibility.f1_from_accuracy_recall(
            ends(table, "accuracy", digits), ends(table, "recall", digits), share
        )
        for digits in STRICT
    ]
    rule = "F1 = 2πR/(2πR + 1 − A) with accuracy A, recall R and the share used π"
    yield from _clashes(table, "f1 from accuracy and recall", "f1", implied, rule)


def accuracy_from_precision_recall(table: FigureTable, share: Array) -> Iterator[Finding]:
    """Accuracy follows from precision, recall and the share used."""
    implied = [
        plausibility.accuracy_from_precision_recall(
            ends(table, "precision", digits), ends(table, "recall", digits), share
        )
        for digits in STRICT
    ]
    rule = "A = 1 − π(1 − R(2 − 1/P)) with the share used π"
    yield from _clashes(table, "accuracy from precision and recall", "accuracy", implied, rule)


def means(table: FigureTable) -> Iterator[Finding]:
    """A run's printed mean is the mean of its F1 over the models."""
    for rows in grouped(table, "team", "run").values():
        if len(rows) < 2 or not known(table, "f1", "mean_f1")[rows].all():
            continue
        clash = np.ones(1, np.bool_)
        for digits in STRICT:
            low, high = (side[rows].mean() for side in ends(table, "f1", digits))
            mean = ends(table, "mean_f1", digits)
            own = mean[0][rows[:1]], mean[1][rows[:1]]
            clash &= plausibility.apart(own, (np.array([low]), np.array([high])))
        if clash[0]:
            implied = f"{table.values['f1'][rows].mean():.4f}"
            printed = f"mean_f1 {_text(table, int(rows[0]), 'mean_f1')}"
            rule = "the mean of F1 over the models"
            yield Finding("mean", "impossible", _numbers(rows), _run(table, rows[0]), printed, implied, rule)


def counts_exist(table: FigureTable, found: Sequence[Counts | None], strict: Array) -> Iterator[Finding]:
    """Some whole numbers of pictures must give all figures of a row at once.

    `strict` says for which rows counts were found without allowing a unit of the last digit.
    """
    for row, counts in enumerate(found):
        if counts is None or (len(counts.tp) and strict[row]):
            continue
        exact = not len(counts.tp)
        printed = ", ".join(
            f"{name} {_text(table, row, name)}" for name in OUTCOME if _text(table, row, name)
        )
        sizes = f"{counts.used:,} used + {counts.not_used:,} not used"
        implied = "no counts" if exact else "only counts one unit of the last digit away"
        rule = f"whole numbers of pictures, {sizes}"
        weight: Weight = "impossible" if exact else "notable"
        yield Finding("granularity", weight, (row + 1,), where(table, row), printed, implied, rule)


def announced_sizes(table: FigureTable, found: Sequence[Denominator]) -> Iterator[Finding]:
    """The class sizes that the digits betray are those announced."""
    for each in found:
        if each.announced is None or each.size == each.announced:
            continue
        yield Finding(
            check="denominators",
            weight="impossible",
            rows=tuple(row + 1 for row in each.rows),
            who=each.origin,
            printed=f"{each.announced} + {each.announced} pictures announced",
            implied=f"{each.size} + {each.size} explain {len(each.rows)} rows",
            rule="accuracy, recall and F1 are ratios of whole numbers",
        )


def identical_outcomes(table: FigureTable) -> Iterator[Finding]:
    """Different runs rarely have the same three or four figures to the last digit."""
    for rows in grouped(table, "model").values():
        same: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            figures = tuple(_text(table, int(row), name) for name in OUTCOME)
            if sum(map(bool, figures)) >= 3:
                same.setdefault(figures, []).append(int(row))
        for figures, sharing in same.items():
            runs = sorted({_run(table, row) for row in sharing})
            if len(runs) < 2:
                continue
            teams = sorted({table.rows[row].get("team", "") for row in sharing})
            model = table.rows[sharing[0]].get("model")
            who = ", ".join(runs) + (f"; model {model}" if model else "")
            between = f"{len(teams)} teams" if len(teams) > 1 else "one team"
            yield Finding(
                check="identical outcomes across teams"
                if len(teams) > 1
                else "identical outcomes of one team",
                weight="notable",
                rows=_numbers(sharing),
                who=who,
                printed="/".join(word or "–" for word in figures),
                implied=f"{len(runs)} runs of {between} with one outcome",
                rule="equal to the last digit in accuracy, precision, recall and F1",
            )


def four_equal_figures(table: FigureTable) -> Iterator[Finding]:
    """Accuracy, precision, recall and F1 are all equal if exactly half is answered "used"."""
    equal = known(table, *OUTCOME)
    for name in OUTCOME[1:]:
        equal &= table.values[name] == table.values["accuracy"]
    for row in np.flatnonzero(equal):
        printed = f"{_text(table, int(row), 'accuracy')} four times"
        implied = "as many pictures called used as were used, or averages over both classes"
        rule = "accuracy = precision = recall = F1"
        yield Finding(
            "four equal figures", "notable", (int(row) + 1,), where(table, int(row)), printed, implied, rule
        )


def constants(table: FigureTable, found: Sequence[Worth]) -> Iterator[Finding]:
    """An answer that is nearly always the same looks at nothing."""
    for worth in found:
        share = worth.share_used
        if share is None or 1 - LOPSIDED <= share <= LOPSIDED:
            continue
        f1 = _text(table, worth.row, "f1")
        beats = worth.f1 is not None and worth.constant_f1 is not None and worth.f1 > worth.constant_f1
        comparison = "" if beats else ", not beaten"
        constant = "" if worth.constant_f1 is None else f"; F1 of always used {worth.constant_f1:.4f}"
        yield Finding(
            check="nearly constant answers",
            weight="notable",
            rows=(worth.row + 1,),
            who=where(table, worth.row),
            printed=f"f1 {f1}" if f1 else "no f1",
            implied=f"{share:.1%} called used{constant}" + (comparison if constant else ""),
            rule=f"more than {LOPSIDED:.0%} or less than {1 - LOPSIDED:.0%} of the answers are used",
        )


def _clashes(
    table: FigureTable, check: str, column: str, implied: Sequence[Ends], rule: str
) -> Iterator[Finding]:
    """Yield the rows whose figure fits neither the truncated nor the rounded reading of the others."""
    clash = known(table, column)
    for digits, side in zip(STRICT, implied, strict=True):
        clash &= plausibility.apart(ends(table, column, digits), side)
    low, high = np.minimum(*(side[0] for side in implied)), np.maximum(*(side[1] for side in implied))
    for row in np.flatnonzero(clash):
        printed = f"{column} {_text(table, int(row), column)}"
        between = f"{low[row]:.4f} to {high[row]:.4f}"
        yield Finding(check, "impossible", (int(row) + 1,), where(table, int(row)), printed, between, rule)


def _text(table: FigureTable, row: int, column: str) -> str:
    return table.rows[row].get(column, "")


def _run(table: FigureTable, row: int) -> str:
    cells = table.rows[row]
    return " ".join(cells[name] for name in ("team", "run") if cells.get(name)) or titled((f"row {row + 1}",))


def _numbers(rows: Sequence[int] | Array) -> tuple[int, ...]:
    return tuple(int(row) + 1 for row in rows)
