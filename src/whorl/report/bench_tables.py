"""The tables of a bench in words: leaderboards of an edition, mean ranks, quality, attribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from whorl.ledger import Dial, Failure, Quality
from whorl.placings import CHANCE, Edition, Placing
from whorl.records import Interval
from whorl.report import bench_figures, svg, wording
from whorl.report.bench_words import duration, remarks
from whorl.report.svg import Scale
from whorl.standings import ITSELF, Overall

SIGNS = {"better": "▲", "worse": "▼", "": ""}
WORDS = {"better": "better than chance", "worse": "worse than chance", "": "not told from chance"}
FAILURES = 60
SHARES = ("tpr_at_1_percent_fpr",)
NAMED = ("normalised_mutual_information", "hungarian_accuracy")


@dataclass(frozen=True)
class Line:
    """One recipe on one edition, in words."""

    recipe: str
    remark: str
    own: bool
    bar: Markup
    main: str
    seeds: str
    values: tuple[str, ...]
    f1: str
    constant: str
    useful: bool
    share: str
    q_value: str
    sign: str
    words: str
    falls: tuple[str, str]
    seconds: str
    device: str


@dataclass(frozen=True)
class Ranked:
    """One recipe over all editions, in words."""

    place: str
    recipe: str
    remark: str
    own: bool
    rank: str
    ranks: str
    bar: Markup
    auc: str
    found: str
    seconds: str
    front: bool


def edition_lines(edition: Edition, scale: Scale) -> list[Line]:
    """Return an edition's leaderboard."""
    return [_line(row, scale) for row in edition.rows]


def _line(row: Placing, scale: Scale) -> Line:
    others = SHARES if row.task == "membership" else NAMED
    f1 = row.measures.get("f1")
    spread = f", seeds {wording.number(row.spread)} apart" if row.spread is not None else ""
    return Line(
        recipe=row.recipe,
        remark=remarks(row),
        own=row.own,
        bar=bench_figures.bar(row.main, scale, CHANCE[row.task], row.own),
        main=interval(row.main),
        seeds=f"{row.seeds} seed{'' if row.seeds == 1 else 's'}{spread}",
        values=tuple(_value(row.measures.get(name), name in SHARES) for name in others),
        f1=number(f1.estimate if f1 else None),
        constant=number(row.constant),
        useful=row.surely_useful,
        share=wording.MISSING if row.share_used is None else wording.percent(row.share_used),
        q_value=probability(row.q_value),
        sign=SIGNS[row.outcome],
        words=WORDS[row.outcome],
        falls=(_fall(row, "auc"), _fall(row, "f1")),
        seconds=duration(row.seconds),
        device=", ".join(row.devices) or wording.MISSING,
    )


def ranked_lines(rows: Iterable[Overall], scale: Scale) -> list[Ranked]:
    """Return recipes over all editions, in the order given."""
    return [
        Ranked(
            place=str(place) if row.rank is not None else "",
            recipe=row.recipe,
            remark=remarks(row),
            own=row.own,
            rank=wording.MISSING if row.rank is None else wording.number(row.rank, 1),
            ranks="" if row.ranks is None else f"{row.ranks[0]:.4g} to {row.ranks[1]:.4g}",
            bar=bench_figures.bar(row.auc, scale, 0.5, row.own),
            auc=wording.interval(row.auc),
            found=f"{row.found} of {row.editions}",
            seconds=duration(row.seconds),
            front=row.front,
        )
        for place, row in enumerate(rows, 1)
    ]


def edition_row(edition: Edition, href: str) -> dict[str, object]:
    """Return one edition's line on the front page."""
    outcomes = Counter(row.outcome for row in edition.rows)
    published = [row for row in edition.rows if not row.own]
    return {
        "title": edition.title,
        "href": href,
        "task": edition.task,
        "made": edition.generator or edition.kind or wording.MISSING,
        # The full name of a generator says its dials; where only its kind is known they stand below.
        "dials": "" if "=" in edition.generator else dials_of(edition.dials),
        "count": wording.MISSING if edition.count is None else wording.whole(edition.count),
        "recipes": wording.whole(len(edition.rows)),
        "better": wording.whole(outcomes["better"]),
        "worse": wording.whole(outcomes["worse"]),
        "useful": wording.whole(sum(row.surely_useful for row in published)),
        "published": wording.whole(len(published)),
    }


def quality_row(edition: Edition, quality: Quality) -> dict[str, str]:
    """Return how good an edition's pictures are, beside halves of the real ones."""
    return {
        "title": edition.title,
        "kid": interval(quality.kid),
        "kid_real": interval(quality.kid_real),
        "precision": number(quality.precision, 2),
        "precision_real": number(quality.precision_real, 2),
        "recall": number(quality.recall, 2),
        "recall_real": number(quality.recall_real, 2),
        "pictures": wording.MISSING if quality.pictures is None else wording.whole(quality.pictures),
    }


def robustness(edition: Edition, altered: Sequence[Edition]) -> dict[str, object] | None:
    """Return the ARI of every recipe as its pictures are and after each alteration, a column each."""
    if not altered:
        return None
    columns = [edition, *altered]
    found = [{row.recipe: row.main for row in one.rows} for one in columns]
    rows = [
        (
            row.recipe,
            row.own,
            [number(one.estimate if (one := known.get(row.recipe)) else None, 2) for known in found],
        )
        for row in edition.rows
    ]
    return {"columns": ["as it is", *(one.altered for one in altered)], "rows": rows}


def failure_rows(failures: Sequence[Failure]) -> tuple[list[dict[str, str]], int]:
    """Return what could not be run, the same reasons of a recipe together, and how many are not listed."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for each in failures:
        where = f"{each.edition} · {each.model}" if each.model else each.edition
        places = grouped.setdefault((each.recipe, each.reason), [])
        if where not in places:
            places.append(where)
    rows = [
        {"recipe": recipe, "where": _some(places), "reason": wording.shorten(reason, 300)}
        for (recipe, reason), places in grouped.items()
    ]
    return rows[:FAILURES], max(0, len(rows) - FAILURES)


def dials_of(dials: Mapping[str, Dial]) -> str:
    """Return dials as words."""
    return ", ".join(f"{name} {dial_of(value)}" for name, value in dials.items())


def dial_of(value: Dial) -> str:
    """Return the value of a dial as words."""
    return value if isinstance(value, str) else svg.tick_label(value)


def interval(value: Interval | None) -> str:
    """Return an interval, or a dash."""
    return wording.MISSING if value is None else wording.interval(value)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number, or a dash."""
    return wording.MISSING if value is None else wording.number(value, digits)


def probability(value: float | None) -> str:
    """Return a p-value, or a dash."""
    return wording.MISSING if value is None else wording.chance_of(value)


def _value(value: Interval | None, share: bool) -> str:
    if value is None:
        return wording.MISSING
    return wording.interval_percent(value) if share else wording.interval(value)


def _fall(row: Placing, metric: str) -> str:
    found = row.gaps.get((ITSELF, metric)) or next(
        (gap for (_, name), gap in row.gaps.items() if name == metric), None
    )
    return wording.MISSING if found is None else wording.number(found.estimate, 2)


def _some(places: Sequence[str]) -> str:
    shown = ", ".join(wording.shorten(place, 60) for place in places[:4])
    return shown if len(places) <= 4 else f"{shown} and {len(places) - 4} more"
