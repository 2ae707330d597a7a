"""Tables of published results: the figures as they are printed, and what their digits leave open."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from whorl.decode import Limits, Unreadable, read_bytes
from whorl.folders import shown, some
from whorl.records import Array, BadInput

SHARES = ("accuracy", "precision", "recall", "f1", "mean_f1")
COUNTS = ("n", "used", "not_used", "clusters")
OUTCOME = ("accuracy", "precision", "recall", "f1")
Digits = Literal["truncated", "rounded", "loose"]
"""How a printed figure stands for the true one; `loose`: within one unit of the last digit."""
Ends = tuple[Array, Array]
ROUNDING = 1e-9  # floating-point dust, far below any printed digit
MOST_PICTURES = 10**9


@dataclass(frozen=True, eq=False)
class FigureTable:
    """Rows of a table of results; `values` and `units` hold one (n,) array for each column, NaN if absent.

    A unit is what one step of a figure's last digit is worth.
    """

    name: str
    rows: tuple[Mapping[str, str], ...]
    values: Mapping[str, Array]
    units: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.rows)


def published(name: str) -> Path:
    """Return a table of published figures that comes with whorl: membership, attribution or sources."""
    return Path(str(files("whorl") / "challenge" / "published" / f"{name}.csv"))


def read(path: Path) -> FigureTable:
    """Read a CSV table of results; every trouble is one clear line."""
    where = shown(path)
    rows = _rows(path, where)
    values = {name: _column(rows, name, where) for name in (*SHARES, "ari", *COUNTS)}
    for name in SHARES:
        _check_range(values[name], 0.0, 1.0, name, where)
    _check_range(values["ari"], -0.5, 1.0, "ari", where)
    units = {name: _units(rows, name) for name in (*SHARES, "ari")}
    return FigureTable(where, tuple(rows), _with_sizes(values, where), units)


def ends(table: FigureTable, column: str, digits: Digits) -> Ends:
    """Return the lowest and highest true value behind each printed figure: two (n,) arrays."""
    if digits not in get_args(Digits):
        raise ValueError(f"unknown way of printing: {digits}")
    values, units = table.values[column], table.units[column]
    if digits == "truncated":  # towards zero; the next figure itself is out of reach
        reach = units * (1 - 1e-6)
        low, high = values - np.where(values < 0, reach, 0), values + np.where(values < 0, 0, reach)
    else:
        reach = units / 2 if digits == "rounded" else units
        low, high = values - reach, values + reach
    least = -0.5 if column == "ari" else 0.0
    return np.clip(low, least, 1.0), np.clip(high, least, 1.0)


def known(table: FigureTable, *columns: str) -> Array:
    """Return which rows print all these figures: (n,) booleans."""
    there = np.ones(len(table), np.bool_)
    for column in columns:
        there &= ~np.isnan(table.values[column])
    return there


def where(table: FigureTable, row: int) -> str:
    """Name the run of a row: edition, team, run and model."""
    cells = table.rows[row]
    words = " ".join(cells[name] for name in ("edition", "team", "run") if cells.get(name))
    model = cells.get("model")
    return (words or f"row {row + 1}") + (f", model {model}" if model else "")


def origin(row: Mapping[str, str]) -> tuple[str, ...]:
    """Return what tells one printed table from another: edition, source and protocol."""
    return tuple(row.get(name, "") for name in ("edition", "source", "protocol"))


def grouped(table: FigureTable, *columns: str) -> dict[tuple[str, ...], Array]:
    """Return the row numbers by origin and by further columns, in the order of the table."""
    found: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(table.rows):
        found.setdefault((*origin(row), *(row.get(name, "") for name in columns)), []).append(number)
    return {key: np.array(numbers) for key, numbers in found.items()}


def titled(key: Sequence[str]) -> str:
    """Return a group's name for people."""
    return ", ".join(word for word in key if word) or "the table"


def _rows(path: Path, where: str) -> list[dict[str, str]]:
    try:
        data = read_bytes(path, Limits())
        text = data.decode("utf-8-sig")
    except Unreadable as error:
        raise BadInput(f"{where}: {error}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: not UTF-8 at byte {error.start:,}; save it as UTF-8") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[dict[str, str]] = []
    try:
        header = [word.strip().lower() for word in next(lines, [])]
        _check_header(header, where)
        for cells in lines:
            if len(cells) not in (0, len(header)):
                raise BadInput(f"{where}, line {lines.line_num}: {len(cells)} cells, not {len(header)}")
            if any(cell.strip() for cell in cells):
                rows.append({word: cell.strip() for word, cell in zip(header, cells, strict=True)})
    except csv.Error as error:
        raise BadInput(f"{where}, line {lines.line_num}: {error}; save the table as plain CSV") from None
    if not rows:
        raise BadInput(f"{where}: the table has no rows; give one row for each run and model")
    return rows


def _check_header(header: list[str], where: str) -> None:
    for word in header:
        if header.count(word) > 1:
            raise BadInput(f"{where}: two columns are called `{shown(word)}`; rename one")
    figures = (*SHARES, "ari")
    if not set(header) & set(figures):
        found = some(header) or "nothing"
        raise BadInput(f"{where}: no column of figures (found: {found}); name one of {', '.join(figures)}")


def _column(rows: Sequence[Mapping[str, str]], name: str, where: str) -> Array:
    found = np.full(len(rows), np.nan)
    for number, row in enumerate(rows):
        text = row.get(name, "")
        if not text:
            continue
        value = _decimal(text)
        whole = name in COUNTS
        if value is None or (
            whole and not (value == value.to_integral_value() and 0 < value <= MOST_PICTURES)
        ):
            wanted = "a whole number above 0" if whole else "a number such as 0.512"
            raise BadInput(
                f"{where}, row {number + 1}: {name} {shown(text)!r} is not {wanted}; "
                "mend it or leave it empty"
            )
        found[number] = float(value)
    return found


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    # Figures beyond this are slips, and would not fit a float.
    return value if value.is_finite() and abs(value.adjusted()) < 30 else None


def _check_range(values: Array, least: float, most: float, name: str, where: str) -> None:
    wrong = np.flatnonzero((values < least) | (values > most))
    if len(wrong):
        first = wrong[0]
        raise BadInput(
            f"{where}, row {first + 1}: {name} {values[first]:g} is outside {least:g} to {most:g}; "
            "write shares, not percentages"
        )


def _units(rows: Sequence[Mapping[str, str]], name: str) -> Array:
    """Return the worth of the last digit of each figure of a column.

    A table that prints trailing zeros anywhere is taken at its word; in others a zero at the end was
    dropped, so that all figures have as many digits as the longest.
    """
    texts = [row.get(name, "") for row in rows]
    own = np.array([_places(text) for text in texts])
    places = own.copy()
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        groups.setdefault(origin(row), []).append(number)
    for numbers in groups.values():
        group = np.array(numbers)
        zeros = any(texts[row].endswith("0") and own[row] > 0 for row in numbers)
        longest = own[group].max()
        places[group] = np.where((own[group] == 0) | (not zeros), longest, own[group])
    return np.where([bool(text) for text in texts], 10.0 ** -places.astype(np.float64), np.nan)


def _places(text: str) -> int:
    value = _decimal(text) if text else None
    return 0 if value is None else max(0, -int(value.as_tuple().exponent))


def _with_sizes(values: Mapping[str, Array], where: str) -> dict[str, Array]:
    """Fill in `n` where both class sizes are given."""
    total = values["used"] + values["not_used"]
    clash = np.flatnonzero(np.abs(total - values["n"]) > 0)
    if len(clash):
        first = clash[0]
        raise BadInput(
            f"{where}, row {first + 1}: used and not_used make {total[first]:.0f}, n says "
            f"{values['n'][first]:.0f}; correct one of them"
        )
    return {**values, "n": np.where(np.isnan(values["n"]), total, values["n"])}
