"""Can a table of published results be right, and is it better than chance? All that its columns allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from whorl.challenge import crosschecks, findings, granularity, worth
from whorl.challenge.figures import OUTCOME, FigureTable, grouped, known, origin, read, titled, where
from whorl.challenge.findings import Finding, Printed
from whorl.challenge.granularity import STRICT, Counts, Denominator, Sizes
from whorl.challenge.worth import Worth
from whorl.records import Array

NEEDS: Mapping[str, tuple[str, ...]] = {
    "F1 from precision and recall": ("precision", "recall", "f1"),
    "F1 from accuracy and recall": ("accuracy", "recall", "f1", "used"),
    "accuracy from precision and recall": ("accuracy", "precision", "recall", "used"),
    "means over models": ("f1", "mean_f1"),
    "counts that give the figures, nearly constant answers": ("f1", "used"),
    "denominators": ("accuracy", "recall"),
    "chance, corrected for the table": ("accuracy", "n"),
    "F1 of answering always used": ("f1", "used"),
    "votes against their members": ("recall", "vote", "members"),
    "identical outcomes": ("run", "accuracy", "recall", "f1"),
    "bounds of the Rand index": ("ari", "classes"),
}
"""What each check needs of a table; `used` may also be found from `n`, accuracy, precision and recall."""


@dataclass(frozen=True, eq=False)
class Integrity:
    """What a table says about itself: contradictions, what its digits betray, and what chance would give.

    `runs` are the rows that stand for runs with an F1, and whether it reaches that of answering
    always used. `skipped` names the checks that lacked their columns.
    """

    table: FigureTable
    findings: tuple[Finding, ...]
    printed: tuple[Printed, ...]
    coarser: tuple[Printed, ...]
    sizes: tuple[Sizes, ...]
    denominators: tuple[Denominator, ...]
    counts: tuple[Counts | None, ...]
    outcomes: tuple[Worth, ...]
    runs: tuple[tuple[int, bool], ...]
    skipped: tuple[str, ...]

    def by_check(self, check: str) -> tuple[Finding, ...]:
        """Return the findings of one check."""
        return tuple(each for each in self.findings if each.check == check)

    def of_table(self, edition: str, source: str = "") -> tuple[Worth, ...]:
        """Return the tested outcomes of one edition, or of one of its printed tables."""
        return tuple(
            each
            for each in self.outcomes
            if origin(self.table.rows[each.row])[0] == edition
            and source in origin(self.table.rows[each.row])[1]
        )


def check_table(path: Path) -> Integrity:
    """Run every check that the columns of a CSV table of results allow.

    Columns: edition, team, run, method, model, accuracy, precision, recall, f1, mean_f1, ari, protocol,
    source, n, used, not_used, vote and members (`;` between runs), classes and clusters; all optional.
    """
    table = read(path)
    sizes, found = granularity.class_sizes(table), granularity.denominators(table)
    announced = granularity.with_sizes(table, sizes)
    used, not_used = _effective(announced, found)
    counts, strict, printed = _all_counts(table, used, not_used)
    total = np.where(np.isnan(used), table.values["n"], used + not_used)
    outcomes = worth.outcomes(table, counts, used, total)
    rows, reached = worth.runs_reaching_constant(table, used, total)
    share = used / total
    checks: list[Iterable[Finding]] = [
        findings.f1_from_precision_recall(table),
        findings.f1_from_accuracy_recall(table, share),
        findings.accuracy_from_precision_recall(table, share),
        findings.means(table),
        findings.announced_sizes(table, found),
        findings.counts_exist(table, counts, strict),
        crosschecks.votes(table, share),
        crosschecks.unanimous_and_majority(table),
        crosschecks.two_tables(table),
        crosschecks.rand_index_bounds(table),
        findings.identical_outcomes(table),
        findings.four_equal_figures(table),
        findings.constants(table, outcomes),
    ]
    return Integrity(
        table=table,
        findings=tuple(finding for check in checks for finding in check),
        printed=printed,
        coarser=crosschecks.coarser_prints(table),
        sizes=sizes,
        denominators=found,
        counts=counts,
        outcomes=outcomes,
        runs=tuple((int(row), bool(reach)) for row, reach in zip(rows, reached, strict=True)),
        skipped=_skipped(table, used),
    )


def lines(found: Integrity, most: int = 12) -> list[str]:
    """Return the result as lines of text: tables, evidence, contradictions, then what to know."""
    count = len(found.table)
    text = [f"{found.table.name}: {count} row{'s' if count != 1 else ''}"]
    text += [f"digits: {_digits(each)}" for each in found.printed]
    text += [f"digits beside another table's: {_digits(each)}" for each in found.coarser]
    for each in found.sizes:
        few, many = each.used
        between = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        text.append(f"class sizes: {each.origin}: the figures allow {between} used of {each.total:,}")
    for size in found.denominators:
        text.append(f"denominators: {size.origin}: {size.size} + {size.size} explain {len(size.rows)} rows")
    text += _evidence(found)
    for weight in ("impossible", "notable"):
        chosen = [each for each in found.findings if each.weight == weight]
        text.append(f"{weight}: {len(chosen)} finding{'s' if len(chosen) != 1 else ''}")
        shown = chosen if weight == "impossible" else chosen[:most]
        text += [
            f"  {each.check}: {each.who}: {each.printed}; {each.implied} ({each.rule})" for each in shown
        ]
        if len(shown) < len(chosen):
            text.append(f"  and {len(chosen) - len(shown)} more, all in the JSON")
    text += [f"not checked: {each}" for each in found.skipped]
    return text


def content(found: Integrity) -> dict[str, Any]:
    """Return the result as plain values for JSON; rows count from 1."""
    return {
        "table": found.table.name,
        "rows": len(found.table),
        "digits": [asdict(each) | {"verdict": each.verdict} for each in (*found.printed, *found.coarser)],
        "class_sizes": [_numbered(asdict(each)) for each in found.sizes],
        "denominators": [_numbered(asdict(each)) for each in found.denominators],
        "findings": [asdict(each) for each in found.findings],
        "outcomes": [
            asdict(each)
            | {
                "row": each.row + 1,
                "who": where(found.table, each.row),
                "beats_chance": each.beats_chance,
                "beats_chance_given_margins": each.beats_chance_given_margins,
                "below_chance": each.below_chance,
            }
            for each in found.outcomes
        ],
        "runs": [
            {
                "row": row + 1,
                "who": where(found.table, row).partition(", model")[0],
                "reaches_constant": reached,
            }
            for row, reached in found.runs
        ],
        "not_checked": list(found.skipped),
    }


def _effective(announced: tuple[Array, Array], found: Sequence[Denominator]) -> tuple[Array, Array]:
    """Replace announced class sizes by those that the digits betray."""
    used, not_used = (side.copy() for side in announced)
    for each in found:
        rows = list(each.rows)
        if each.announced is not None:
            used[rows] = not_used[rows] = each.size
    return used, not_used


def _all_counts(
    table: FigureTable, used: Array, not_used: Array
) -> tuple[tuple[Counts | None, ...], Array, tuple[Printed, ...]]:
    """Return each row's counts, whether strict digits gave them, and which digits explain which table."""
    told = np.flatnonzero(~np.isnan(used) & (not_used > 0) & known_any(table)).tolist()
    ways = {digits: granularity.table_counts(table, told, (used, not_used), digits) for digits in STRICT}
    counts: list[Counts | None] = [None] * len(table)
    strict = np.ones(len(table), np.bool_)
    printed = []
    for key, rows in grouped(table).items():
        part = [row for row in rows.tolist() if ways[STRICT[0]].get(row) is not None]
        if not part:
            continue
        explained = [sum(_any(ways[digits][row]) for row in part) for digits in STRICT]
        printed.append(Printed(titled(key), len(part), *explained))
        first, second = STRICT if explained[0] >= explained[1] else STRICT[::-1]
        for row in part:
            counts[row] = ways[first][row] if _any(ways[first][row]) else ways[second][row]
            strict[row] = _any(counts[row])
    loose = granularity.table_counts(table, np.flatnonzero(~strict).tolist(), (used, not_used), "loose")
    for row, found in loose.items():
        counts[row] = found
    return tuple(counts), strict, tuple(printed)


def known_any(table: FigureTable) -> Array:
    """Return which rows print at least one figure of a membership answer."""
    there: Array = np.any([known(table, name) for name in OUTCOME], axis=0)
    return there


def _any(counts: Counts | None) -> bool:
    return counts is not None and len(counts.tp) > 0


def _skipped(table: FigureTable, used: Array) -> tuple[str, ...]:
    if not known_any(table).any():
        other = "bounds of the Rand index"
        figures = ", ".join(OUTCOME)
        return (f"everything about membership (needs {figures})",) + (
            () if _has(table, "classes", used) else (f"{other} (needs classes)",)
        )
    skipped = []
    for check, columns in NEEDS.items():
        there = {name: _has(table, name, used) for name in columns}
        if not all(there.values()):
            missing = ", ".join(name for name, found in there.items() if not found)
            skipped.append(f"{check} (needs {missing})")
    return tuple(skipped)


def _has(table: FigureTable, name: str, used: Array) -> bool:
    if name == "used":
        return not bool(np.isnan(used).all())
    if name in table.values:
        return bool(known(table, name).any())
    return any(row.get(name) for row in table.rows)


def _evidence(found: Integrity) -> list[str]:
    """Say, table by table, how many outcomes chance does not explain."""
    text = []
    by_row = {each.row: each for each in found.outcomes}
    reached_by_row = dict(found.runs)
    for key, rows in grouped(found.table).items():
        here = [by_row[row] for row in rows.tolist() if row in by_row]
        if here:
            above = [each for each in here if each.beats_chance]
            models = Counter(each.model for each in above if each.model)
            split = ", ".join(f"{models[model]} on model {model}" for model in sorted(models))
            text.append(
                f"chance: {titled(key)}: {len(above)} of {len(here)} outcomes beat it"
                + (f" ({split})" if split else "")
                + f", {sum(each.beats_chance_given_margins for each in here)} given how often they say used, "
                f"{sum(each.below_chance for each in here)} below it (Benjamini–Hochberg, 5 %)"
            )
        judged = [reached_by_row[row] for row in rows.tolist() if row in reached_by_row]
        if judged:
            text.append(
                f"constant: {titled(key)}: {sum(judged)} of {len(judged)} runs reach the F1 of always used"
            )
    return text


def _digits(each: Printed) -> str:
    return (
        f"{each.origin}: {each.verdict} (truncation explains {each.truncated} of {each.rows} rows, "
        f"rounding {each.rounded})"
    )


def _numbered(record: dict[str, Any]) -> dict[str, Any]:
    return record | {"rows": [row + 1 for row in record["rows"]]}
