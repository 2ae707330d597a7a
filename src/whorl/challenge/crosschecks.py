"""Checks across rows: votes against their members, one run in two tables, the Rand index's bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, groupby

import numpy as np

from whorl.challenge import plausibility
from whorl.challenge.figures import SHARES, Ends, FigureTable, ends, grouped, origin, titled, where
from whorl.challenge.findings import Finding, Printed
from whorl.challenge.granularity import STRICT
from whorl.folders import shown
from whorl.records import Array, BadInput

RULES = ("majority", "unanimity")
MOST_CLASSES = 10_000


def votes(table: FigureTable, share: Array) -> Iterator[Finding]:
    """A vote's recall and false alarms stay within what its members' rates allow."""
    accuracy, recall = _widest(table, "accuracy"), _widest(table, "recall")
    rates = {"recall": recall, "false alarms": plausibility.false_alarms(accuracy, recall, share)}
    for row, members in _ensembles(table):
        rule = table.rows[row]["vote"].lower()
        needed = _needed(rule, len(members))
        for name, (low, high) in rates.items():
            if np.isnan([low[row], *low[members]]).any():
                continue
            least, most = plausibility.vote_ends((low[members], high[members]), needed)
            if low[row] <= most + 1e-9 and high[row] >= least - 1e-9:
                continue
            yield Finding(
                check=f"{rule} against its members",
                weight="impossible",
                rows=(row + 1, *(int(member) + 1 for member in members)),
                who=where(table, row),
                printed=f"{name} {_figure(table, row, name, low, high)}",
                implied=f"at least {least:.3f}" if high[row] < least else f"at most {most:.3f}",
                rule=f"{rule} of {len(members)} runs with {name} "
                + ", ".join(_figure(table, int(member), name, low, high) for member in members),
            )


def unanimous_and_majority(table: FigureTable) -> Iterator[Finding]:
    """What all members call used, most of them call used: unanimity never has the higher recall."""
    low, high = _widest(table, "recall")
    found = [(row, frozenset(map(int, members))) for row, members in _ensembles(table)]
    by_rule = {
        rule: [each for each in found if table.rows[each[0]]["vote"].lower() == rule] for rule in RULES
    }
    for majority, members in by_rule["majority"]:
        for unanimity, others in by_rule["unanimity"]:
            if members != others or not low[unanimity] > high[majority]:
                continue
            yield Finding(
                check="unanimity above majority",
                weight="impossible",
                rows=(unanimity + 1, majority + 1),
                who=f"{where(table, unanimity)} and {where(table, majority)}",
                printed=f"recall {table.rows[unanimity]['recall']} and {table.rows[majority]['recall']}",
                implied="the first at most the second",
                rule="what all members call used, most of them call used",
            )


def two_tables(table: FigureTable) -> Iterator[Finding]:
    """A run printed in two tables has the same figures, up to their digits."""
    for one, other, name in _pairs(table):
        clash = all(
            plausibility.apart(*(_one(ends(table, name, digits), row) for row in (one, other)))[0]
            for digits in STRICT
        )
        # Two papers need not print in the same way: one truncated, the other rounded, may both be right.
        mixed = plausibility.apart(_one(_widest(table, name), one), _one(_widest(table, name), other))[0]
        if clash and mixed:
            yield Finding(
                check="one run in two tables",
                weight="impossible",
                rows=(one + 1, other + 1),
                who=where(table, one),
                printed=f"{name} {table.rows[one][name]} and {table.rows[other][name]}",
                implied="one figure",
                rule=" and ".join(f"printed in {titled(origin(table.rows[row]))}" for row in (one, other)),
            )


def coarser_prints(table: FigureTable) -> tuple[Printed, ...]:
    """Compare figures that another table prints with more digits: were they truncated or rounded?

    Counts a figure only where both readings differ, so that each one decides.
    """
    found: dict[str, dict[tuple[str, ...], str]] = {}
    for one, other, name in _pairs(table):
        units = table.units[name]
        coarse, fine = (one, other) if units[one] > units[other] else (other, one)
        if units[coarse] <= units[fine]:
            continue
        value, unit, printed = table.values[name][fine], units[coarse], table.values[name][coarse]
        truncated = np.trunc(value / unit + 1e-9) * unit
        rounded = np.round(value / unit) * unit
        if abs(truncated - rounded) < unit / 2:
            continue
        reading = "truncated" if abs(printed - truncated) < unit / 2 else "rounded"
        if reading == "truncated" or abs(printed - rounded) < unit / 2:
            # A mean stands beside every model of its run, but is one figure.
            model = "" if name == "mean_f1" else table.rows[coarse].get("model", "")
            key = (where(table, coarse).partition(",")[0], model, name, table.rows[fine][name])
            found.setdefault(titled(origin(table.rows[coarse])), {})[key] = reading
    return tuple(
        Printed(name, len(readings), *(list(readings.values()).count(each) for each in STRICT))
        for name, readings in found.items()
    )


def rand_index_bounds(table: FigureTable) -> Iterator[Finding]:
    """An adjusted Rand index stays above the smallest value that the class sizes allow."""
    index = ends(table, "ari", "loose")
    for row in np.flatnonzero(~np.isnan(table.values["ari"])):
        cells = table.rows[row]
        sizes, assumed = _classes(table, int(row))
        if sum(sizes) < 2:
            continue
        asked = table.values["clusters"][row]
        clusters = None if np.isnan(asked) else int(asked)
        least = plausibility.smallest_rand_index(sizes, clusters)
        if index[1][row] >= least:
            continue
        anyhow = plausibility.smallest_rand_index(sizes)
        words = f"at least {least:.7f}"
        words += "" if clusters is None else f" for {clusters} clusters, {anyhow:.7f} for any number"
        yield Finding(
            check="rand index bounds",
            weight="impossible",
            rows=(int(row) + 1,),
            who=where(table, int(row)),
            printed=f"ari {cells['ari']}",
            implied=words,
            rule=_sizes_in_words(sizes) + (", assumed equal" if assumed else ""),
        )


def _ensembles(table: FigureTable) -> Iterator[tuple[int, Array]]:
    """Yield the rows that are votes, each with the rows of its members on the same model."""
    for numbers in grouped(table, "team", "model").values():
        by_run = {table.rows[row].get("run", ""): int(row) for row in numbers}
        for row in map(int, numbers):
            cells = table.rows[row]
            names = [name.strip() for name in cells.get("members", "").split(";") if name.strip()]
            if not names or not cells.get("vote"):
                continue
            if cells["vote"].lower() not in RULES:
                raise BadInput(
                    f"{table.name}, row {row + 1}: vote {shown(cells['vote'])!r} is unknown; "
                    "write majority or unanimity"
                )
            missing = [name for name in names if name not in by_run]
            if missing:
                raise BadInput(
                    f"{table.name}, row {row + 1}: member {shown(missing[0])!r} is no run of this team "
                    "and model; separate the runs by semicolons"
                )
            yield row, np.array([by_run[name] for name in names])


def _sizes_in_words(sizes: tuple[int, ...]) -> str:
    if len(set(sizes)) == 1:
        return f"{len(sizes)} classes of {sizes[0]:,} pictures"
    return f"{len(sizes)} classes of {min(sizes):,} to {max(sizes):,} pictures"


def _needed(rule: str, members: int) -> tuple[int, int]:
    """Return the fewest and the most votes that may be needed; what becomes of a tie is not told."""
    if rule == "unanimity":
        return members, members
    return (members + 1) // 2, members // 2 + 1


def _figure(table: FigureTable, row: int, name: str, low: Array, high: Array) -> str:
    return table.rows[row].get(name) or f"{low[row]:.3f} to {high[row]:.3f}"


def _widest(table: FigureTable, column: str) -> Ends:
    """Return the ends that hold for truncated and for rounded figures alike."""
    sides = [ends(table, column, digits) for digits in STRICT]
    return np.minimum(sides[0][0], sides[1][0]), np.maximum(sides[0][1], sides[1][1])


def _one(sides: Ends, row: int) -> Ends:
    return sides[0][row : row + 1], sides[1][row : row + 1]


def _pairs(table: FigureTable) -> Iterator[tuple[int, int, str]]:
    """Yield the figures that two tables print for one run: both rows and the column."""

    def key(row: int) -> tuple[str, ...]:
        cells: Mapping[str, str] = table.rows[row]
        return tuple(cells.get(name, "") for name in ("edition", "team", "run", "protocol"))

    named = [row for row in range(len(table)) if table.rows[row].get("run")]
    for _, rows in groupby(sorted(named, key=lambda row: (key(row), row)), key):
        for one, other in combinations(rows, 2):
            cells = table.rows[one], table.rows[other]
            if origin(cells[0]) == origin(cells[1]):
                continue
            same_model = cells[0].get("model") == cells[1].get("model")
            for name in (*SHARES, "ari"):
                if cells[0].get(name) and cells[1].get(name) and (same_model or name == "mean_f1"):
                    yield one, other, name


def _classes(table: FigureTable, row: int) -> tuple[tuple[int, ...], bool]:
    """Return the class sizes of a row, and whether equal ones had to be assumed."""
    text, n = table.rows[row].get("classes", ""), table.values["n"][row]
    words = [word.strip() for word in text.split(";") if word.strip()]
    if len(words) > MOST_CLASSES or not all(word.isdecimal() and 0 < len(word) < 10 for word in words):
        raise BadInput(
            f"{table.name}, row {row + 1}: classes {shown(text)!r} is neither a number nor sizes such as "
            "750;750;750"
        )
    numbers = tuple(int(word) for word in words if int(word))
    if len(numbers) != 1:
        return numbers, False
    count = numbers[0]
    if np.isnan(n) or count > min(n, MOST_CLASSES):
        return (), True
    whole, more = divmod(int(n), count)
    return tuple(whole + (each < more) for each in range(count)), True
