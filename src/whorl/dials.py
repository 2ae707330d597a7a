"""What the dials of a generator do: the same kind made with one dial turned, all else equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from whorl.ledger import Dial
from whorl.placings import Edition, mean_interval
from whorl.records import Interval

ORDER = {"none": 0, "low": 1, "medium": 2, "high": 3}


@dataclass(frozen=True)
class Turn:
    """One dial of one kind of generator, all else equal: the AUC of every recipe at every value."""

    kind: str
    dial: str
    others: Mapping[str, Dial]
    model: str
    values: tuple[Dial, ...]
    editions: tuple[tuple[str, ...], ...]
    aucs: Mapping[str, tuple[Interval | None, ...]]


def turns(answered: Sequence[Edition]) -> tuple[Turn, ...]:
    """Return, for every kind, model and dial with two values or more, the AUCs with all other dials equal."""
    grouped: dict[tuple[object, ...], dict[Dial, list[Edition]]] = defaultdict(lambda: defaultdict(list))
    for edition in answered:
        for dial, value in edition.dials.items():
            others = tuple(sorted((name, str(one)) for name, one in edition.dials.items() if name != dial))
            grouped[edition.kind, edition.model, dial, others][value].append(edition)
    return tuple(_turn(str(key[2]), found) for key, found in grouped.items() if len(found) > 1)


def _turn(dial: str, found: Mapping[Dial, Sequence[Edition]]) -> Turn:
    values = tuple(sorted(found, key=_order))
    first = found[values[0]][0]
    aucs: dict[str, list[Interval | None]] = {}
    for place, value in enumerate(values):
        seen: dict[str, list[Interval]] = defaultdict(list)
        for row in (row for edition in found[value] for row in edition.rows):
            if row.main is not None:
                seen[row.recipe].append(row.main)
        for recipe, intervals in seen.items():
            aucs.setdefault(recipe, [None] * len(values))[place] = mean_interval(intervals)
    return Turn(
        first.kind,
        dial,
        {name: value for name, value in first.dials.items() if name != dial},
        first.model,
        values,
        tuple(tuple(edition.title for edition in found[value]) for value in values),
        {recipe: tuple(row) for recipe, row in aucs.items()},
    )


def _order(value: Dial) -> tuple[int, float, str]:
    if not isinstance(value, str):
        return 0, float(value), ""
    return (1, ORDER[value], "") if value in ORDER else (2, 0, value)
