"""All editions of a bench together: mean AUC and rank, systems by their variants, dials, cost, counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from whorl.dials import Turn, turns
from whorl.evidence.ranks import critical_difference, friedman_test, pareto_front, rank_table
from whorl.ledger import Bench, Failure, is_own
from whorl.placings import Edition, Placing, editions, mean_interval
from whorl.records import Interval

HEADER = (
    *("task", "edition", "model", "recipe", "system", "own", "fidelity", "untrained", "seeds"),
    *("auc", "auc_low", "auc_high", "auc_seed_spread", "tpr_at_1_percent_fpr", "tpr_low", "tpr_high"),
    *("f1", "f1_low", "f1_high", "f1_constant", "share_used", "adjusted_rand_index", "ari_low", "ari_high"),
    *("normalised_mutual_information", "hungarian_accuracy", "p_value", "q_value", "outcome"),
    *("gap_auc", "gap_f1", "seconds", "device"),
)

MEASURES = (
    *("auc", "tpr_at_1_percent_fpr", "f1"),
    *("adjusted_rand_index", "normalised_mutual_information", "hungarian_accuracy"),
)
ITSELF = "on itself"


@dataclass(frozen=True)
class Overall:
    """One recipe over the editions of membership it ran on.

    `rank` is the mean over all editions, for those that ran on all; `ranks` are the best and the worst.
    `front` says that no other ranked recipe is both cheaper and better.
    """

    recipe: str
    system: str
    own: bool
    untrained: bool
    fidelity: str
    editions: int
    auc: Interval
    found: int
    seconds: float
    devices: tuple[str, ...]
    rank: float | None = None
    ranks: tuple[float, float] | None = None
    front: bool = False


@dataclass(frozen=True)
class Spread:
    """The variants of one system on one edition: the median AUC and the range, none chosen."""

    median: float
    low: float
    high: float
    variants: int


@dataclass(frozen=True)
class Comparison:
    """Mean ranks (name → rank, best first), Friedman's test of no difference, Nemenyi's distance."""

    ranks: Mapping[str, float]
    editions: int
    statistic: float | None
    p_value: float | None
    difference: float | None


@dataclass(frozen=True, eq=False)
class Standings:
    """What the lines of a bench say together."""

    editions: tuple[Edition, ...]
    failures: tuple[Failure, ...]

    @cached_property
    def membership(self) -> tuple[Edition, ...]:
        """The editions that ask whose pictures were used."""
        return tuple(edition for edition in self.editions if edition.task == "membership")

    @cached_property
    def attribution(self) -> tuple[Edition, ...]:
        """The editions that ask which generator made which picture, as they are."""
        return tuple(one for one in self.editions if one.task == "attribution" and not one.altered)

    def alterations(self, edition: Edition) -> tuple[Edition, ...]:
        """The same edition with its test pictures altered, one way each."""
        asked = (edition.task, edition.name, edition.model)
        return tuple(one for one in self.editions if one.altered and (one.task, one.name, one.model) == asked)

    @cached_property
    def overall(self) -> tuple[Overall, ...]:
        """Every recipe: those on all editions by mean rank, then the others by mean AUC."""
        return _overall(self.membership)

    @property
    def ranked(self) -> tuple[Overall, ...]:
        """The recipes that ran on every edition, best mean rank first."""
        return tuple(row for row in self.overall if row.rank is not None)

    @cached_property
    def comparison(self) -> Comparison:
        """The ranked recipes compared."""
        table = _table(self.membership)
        return compared({row.recipe: table[row.recipe] for row in self.ranked}, len(self.membership))

    @cached_property
    def spreads(self) -> Mapping[str, Mapping[int, Spread]]:
        """System → place of the edition → its variants there; systems by their mean median, best first."""
        return _spreads(self.membership)

    @cached_property
    def systems(self) -> Comparison:
        """The systems compared, each by the median of its variants: only those on every edition."""
        count = len(self.membership)
        rows = {
            system: [places[place].median for place in range(count)]
            for system, places in self.spreads.items()
            if len(places) == count
        }
        return compared(rows, count)

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """What every dial with two values or more does."""
        return turns(self.membership)


def standings(bench: Bench) -> Standings:
    """Return the statistics of a bench."""
    return Standings(editions(bench), bench.failures)


def compared(rows: Mapping[str, Sequence[float]], count: int) -> Comparison:
    """Rank named rows of values (one an edition, higher is better) and test whether they differ."""
    if not rows or not count:
        return Comparison({}, count, None, None, None)
    values = np.asarray(list(rows.values()), np.float64).T
    means = rank_table(values).mean(axis=0)
    ranks = sorted(zip(rows, map(float, means), strict=True), key=lambda pair: (pair[1], pair[0]))
    statistic, p_value = friedman_test(values) or (None, None)
    difference = critical_difference(len(rows), count) if count > 1 else None
    return Comparison(dict(ranks), count, statistic, p_value, difference)


def _rows(answered: Sequence[Edition]) -> dict[str, list[Placing]]:
    found: dict[str, list[Placing]] = defaultdict(list)
    for row in (row for edition in answered for row in edition.rows):
        if row.main is not None:
            found[row.recipe].append(row)
    return found


def _table(answered: Sequence[Edition]) -> dict[str, list[float]]:
    """Return recipe → AUC on every edition, of the recipes that ran on all."""
    return {
        recipe: [row.main.estimate for row in rows if row.main]
        for recipe, rows in _rows(answered).items()
        if len(rows) == len(answered)
    }


def _overall(answered: Sequence[Edition]) -> tuple[Overall, ...]:
    table = _table(answered)
    ranks = rank_table(np.asarray(list(table.values()), np.float64).T) if table else np.empty((0, 0))
    by_name = dict(zip(table, ranks.T, strict=True))
    rows = [_one(found, by_name.get(recipe)) for recipe, found in _rows(answered).items()]
    ranked = [row for row in rows if row.rank is not None]
    front = pareto_front([row.seconds for row in ranked], [row.auc.estimate for row in ranked])
    best = {row.recipe for row, on in zip(ranked, front, strict=True) if on}
    rows = [replace(row, front=row.recipe in best) for row in rows]
    rows.sort(key=lambda row: (row.rank is None, row.rank or 0.0, -row.auc.estimate, row.recipe))
    return tuple(rows)


def _one(rows: Sequence[Placing], ranks: Any) -> Overall:
    return Overall(
        recipe=rows[0].recipe,
        system=rows[0].system,
        own=rows[0].own,
        untrained=any(row.untrained for row in rows),
        fidelity=rows[0].fidelity,
        editions=len(rows),
        auc=mean_interval(row.main for row in rows if row.main),
        found=sum(row.outcome == "better" for row in rows),
        seconds=float(np.mean([row.seconds for row in rows])),
        devices=tuple(sorted({device for row in rows for device in row.devices})),
        rank=None if ranks is None else float(np.mean(ranks)),
        ranks=None if ranks is None else (float(np.min(ranks)), float(np.max(ranks))),
    )


def _spreads(answered: Sequence[Edition]) -> dict[str, dict[int, Spread]]:
    grouped: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for place, edition in enumerate(answered):
        for row in edition.rows:
            if row.main is not None:
                grouped[row.system][place].append(row.main.estimate)
    found = {
        system: {
            place: Spread(float(np.median(values)), min(values), max(values), len(values))
            for place, values in places.items()
        }
        for system, places in grouped.items()
    }
    means = {name: float(np.mean([one.median for one in places.values()])) for name, places in found.items()}
    return dict(sorted(found.items(), key=lambda pair: (is_own(pair[0]), -means[pair[0]], pair[0])))


def table(bench: Bench) -> tuple[tuple[str, ...], list[list[object]]]:
    """Return header and rows of a CSV, one row a recipe and edition; an empty cell is not known."""
    found = standings(bench)
    return HEADER, [_cells(row) for edition in found.editions for row in edition.rows]


def _cells(row: Placing) -> list[object]:
    cells: list[object] = [
        row.task,
        row.edition,
        row.model,
        row.recipe,
        row.system,
        _yes(row.own),
        row.fidelity,
    ]
    cells += [_yes(row.untrained), row.seeds]
    auc, tpr, f1, ari, nmi, named = (_three(row.measures.get(name)) for name in MEASURES)
    cells += [*auc, _known(row.spread), *tpr, *f1, _known(row.constant), _known(row.share_used), *ari]
    cells += [nmi[0], named[0], _known(row.p_value), _known(row.q_value), row.outcome]
    cells += [_three(row.gaps.get((ITSELF, metric)))[0] for metric in ("auc", "f1")]
    return [*cells, row.seconds, " ".join(row.devices)]


def content(bench: Bench) -> dict[str, Any]:
    """Return everything as plain values for JSON: editions with their rows, overall, systems, dials."""
    found = standings(bench)
    header, rows = table(bench)
    return {
        "rows": [
            dict(zip(header, (None if cell == "" else cell for cell in row), strict=True)) for row in rows
        ],
        "editions": [
            {"edition": each.name, "model": each.model, "task": each.task, "generator": each.generator}
            | {
                "kind": each.kind,
                "dials": dict(each.dials),
                "pictures": each.count,
                "recipes": len(each.rows),
            }
            | {"quality": each.quality and asdict(each.quality)}
            for each in found.editions
        ],
        "overall": [asdict(row) for row in found.overall],
        "recipes_compared": asdict(found.comparison),
        "systems_compared": asdict(found.systems),
        "systems": {
            system: [
                {"edition": found.membership[place].title, **asdict(spread)}
                for place, spread in places.items()
            ]
            for system, places in found.spreads.items()
        },
        "dials": [asdict(turn) for turn in found.turns],
        "failures": [asdict(failure) for failure in found.failures],
        "cut": bench.cut,
    }


def _three(interval: Interval | None) -> tuple[object, object, object]:
    return ("", "", "") if interval is None else (interval.estimate, interval.low, interval.high)


def _known(value: float | None) -> object:
    return "" if value is None else value


def _yes(value: bool) -> str:
    return "yes" if value else "no"
