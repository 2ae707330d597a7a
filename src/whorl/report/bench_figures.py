"""Drawings for a bench's tables and ranks: AUC bars, systems by edition, critical differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from whorl.evidence.ranks import cliques
from whorl.ledger import is_own
from whorl.placings import Edition
from whorl.records import Interval
from whorl.report import svg
from whorl.report.svg import INK, MUTED, RULE, Scale, element, line, picture, text
from whorl.report.wording import number, shorten
from whorl.standings import Comparison, Spread

PUBLISHED, OWN = "#0072b2", "#d55e00"
BAR_WIDTH = 190
COLUMNS = 8
CELL, ROW, LABEL = 90, 36, 170
RANK_ROW = 22


def bar_scale(intervals: Iterable[Interval | None], chance: float) -> Scale:
    """Return one axis that holds every interval and the chance line."""
    ends = [end for each in intervals if each for end in (each.low, each.estimate, each.high)]
    low = math.floor(min([*ends, chance - 0.05]) * 10 + 1e-9) / 10
    high = math.ceil(max([*ends, chance + 0.3]) * 10 - 1e-9) / 10
    return Scale(low, high, 10, BAR_WIDTH - 10)


def bar_axis(scale: Scale, chance: float) -> Markup:
    """Return the axis above a column of bars."""
    parts = [text(scale.at(chance), 12, "chance", "middle", "tick strong")]
    for value in svg.round_ticks(scale.low, scale.high, 4):
        parts.append(line(scale.at(value), 30, scale.at(value), 34, MUTED))
        parts.append(text(scale.at(value), 26, svg.tick_label(round(value, 9)), "middle", "tick"))
    parts.append(line(scale.start, 34, scale.end, 34, MUTED))
    return picture(f"Axis from {number(scale.low, 1)} to {number(scale.high, 1)}", BAR_WIDTH, 36, *parts)


def bar(value: Interval | None, scale: Scale, chance: float, own: bool) -> Markup:
    """Return an estimate with its interval; whorl's own recipes have a diamond, published ones a disc."""
    parts = [line(scale.at(tick), 0, scale.at(tick), 24, "#eceff2") for tick in scale.ticks]
    parts.append(line(scale.at(chance), 0, scale.at(chance), 24, INK, 1, "3 2"))
    if value is None:
        return picture("not measured", BAR_WIDTH, 24, *parts)
    colour = OWN if own else PUBLISHED
    parts.append(line(scale.at(value.low), 12, scale.at(value.high), 12, colour, 2.5))
    parts += [line(scale.at(end), 8, scale.at(end), 16, colour, 1.6) for end in (value.low, value.high)]
    parts.append(mark(scale.at(value.estimate), 12, own))
    title = f"{number(value.estimate)}, 95 % interval {number(value.low)} to {number(value.high)}"
    return picture(title, BAR_WIDTH, 24, *parts)


def mark(x: float, y: float, own: bool, size: float = 4.5) -> Markup:
    """Return a disc for what was published, a diamond for whorl's own."""
    if own:
        reach = size * 1.25
        sides = f"l{reach:.2f} {reach:.2f}l-{reach:.2f} {reach:.2f}l-{reach:.2f} -{reach:.2f}Z"
        data = f"M{x:.2f} {y - reach:.2f}{sides}"
        return element("path", d=data, fill=OWN, stroke="#fff", stroke_width=1)
    return element("circle", cx=x, cy=y, r=size, fill=PUBLISHED, stroke="#fff", stroke_width=1)


def mark_key() -> Markup:
    """Return the key to discs and diamonds."""
    parts = (
        mark(8, 11, False),
        text(20, 15, "published", "start", "key"),
        mark(118, 11, True),
        text(130, 15, "whorl's own", "start", "key"),
    )
    return picture("Key: disc, published; diamond, whorl's own", 230, 22, *parts)


def system_plots(spreads: Mapping[str, Mapping[int, Spread]], answered: Sequence[Edition]) -> list[Markup]:
    """Return tables of colour, systems down, editions across: median and range of the variants' AUC."""
    places = list(range(len(answered)))
    # As few drawings as hold all editions, and of one width.
    drawings = max(1, math.ceil(len(places) / COLUMNS))
    width = math.ceil(len(places) / drawings) if places else 1
    return [
        _system_plot(spreads, answered, places[start : start + width])
        for start in range(0, len(places), width)
    ]


def _system_plot(
    spreads: Mapping[str, Mapping[int, Spread]], answered: Sequence[Edition], places: Sequence[int]
) -> Markup:
    titles = [wrapped(answered[place].title, 15, 4) for place in places]
    top = 14 + 13 * max(map(len, titles))
    parts = [
        text(LABEL + CELL * (column + 0.5), top - 6 - 13 * (len(rows) - 1 - index), words, "middle", "tick")
        for column, rows in enumerate(titles)
        for index, words in enumerate(rows)
    ]
    y = float(top)
    for before, system in zip([None, *spreads], spreads, strict=False):
        # Whorl's own systems come last, a little apart.
        if before is not None and is_own(system) and not is_own(before):
            y += 8
        parts += _system_row(system, [spreads[system].get(place) for place in places], y)
        y += ROW
    title = "Median AUC of every system's variants, by edition"
    return picture(title, LABEL + CELL * len(places) + 2, y + 4, *parts)


def _system_row(system: str, found: Sequence[Spread | None], y: float) -> list[Markup]:
    variants = max((one.variants for one in found if one), default=0)
    words = f"{variants} variant{'' if variants == 1 else 's'}"
    own = is_own(system)
    parts = [
        mark(8, y + 12, own),
        text(20, y + 16, shorten(system, 20), "start", "key"),
        text(20, y + 29, words, "start", "tick"),
    ]
    for column, one in enumerate(found):
        left = LABEL + CELL * column
        middle = left + CELL / 2
        if one is None:
            parts.append(text(middle, y + 20, "not run", "middle", "tick"))
            continue
        away = one.median - 0.5
        box = {"x": left, "y": y, "width": CELL, "height": ROW, "stroke": "#fff", "stroke_width": 2}
        # Paper white at chance, so that the eye sees distance from it; never so dark that words are lost.
        shade = round(min(1.0, abs(away) * 2) * 0.6, 3)
        parts.append(element("rect", fill=OWN if away < 0 else PUBLISHED, fill_opacity=shade, **box))
        parts.append(text(middle, y + 16, number(one.median, 2), "middle", "strong"))
        reach = f"{number(one.low, 2)} to {number(one.high, 2)}" if one.variants > 1 else ""
        parts.append(text(middle, y + 29, reach, "middle", "small"))
    return parts


def rank_plot(comparison: Comparison) -> Markup | None:
    """Return mean ranks, best on top; upright strokes join what cannot be told apart."""
    if len(comparison.ranks) < 2:
        return None
    names, ranks = list(comparison.ranks), list(comparison.ranks.values())
    difference = comparison.difference
    top = 66
    bottom = top + RANK_ROW * len(names)
    x = Scale(1, len(names), 200, 640)
    joined = cliques(ranks, difference) if difference else []
    parts = [text((x.start + x.end) / 2, bottom + 34, "mean rank over the editions", "middle", "label")]
    for value in sorted({1.0, *(tick for tick in svg.round_ticks(1, len(names)) if tick >= 1)}):
        parts.append(line(x.at(value), top, x.at(value), bottom, RULE))
        parts.append(text(x.at(value), bottom + 16, svg.tick_label(value), "middle", "tick"))
    if difference:
        parts += _ruler(x, difference)
    for place, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        y = top + RANK_ROW * (place + 0.5)
        parts.append(text(188, y + 4, shorten(name, 26), "end", "key"))
        parts.append(line(x.start, y, x.end, y, "#eceff2"))
        parts.append(mark(x.at(rank), y, is_own(name)))
        parts.append(text(650, y + 4, number(rank, 1), "start", "tick"))
    for column, (first, last) in enumerate(joined):
        at = 696 + 12 * column
        ends = (top + RANK_ROW * (first + 0.25), top + RANK_ROW * (last + 0.75))
        parts.append(line(at, ends[0], at, ends[1], INK, 4))
    return picture("Mean ranks of the systems", max(760, 720 + 12 * len(joined)), bottom + 46, *parts)


def _ruler(x: Scale, difference: float) -> list[Markup]:
    end = x.at(1 + difference)
    wide = difference > x.high - x.low
    words = f"critical difference {number(difference, 1)}{': more than the whole axis' if wide else ''}"
    ends = [] if wide else [line(end, 30, end, 42, INK, 2)]
    return [
        line(x.start, 36, end, 36, INK, 2),
        line(x.start, 30, x.start, 42, INK, 2),
        *ends,
        text(x.start, 22, words, "start", "tick strong"),
    ]


def wrapped(words: str, width: int, lines: int) -> list[str]:
    """Return text in at most so many lines of at most so many signs, broken after - _ . and spaces.

    Where it does not fit the middle is left out: names of editions often differ only at their ends.
    """
    shown = shorten(words, 400)
    kept = len(shown)
    rows = _broken(shown, width)
    while len(rows) > lines:
        kept -= 1
        head = kept // 3
        rows = _broken(f"{shown[:head]}…{shown[len(shown) - (kept - head) :]}", width)
    return rows


def _broken(rest: str, width: int) -> list[str]:
    found = []
    while len(rest) > width:
        cut = max(rest.rfind(sign, 0, width) for sign in "-_. ") + 1
        cut = cut if cut >= width // 3 else width
        found.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*found, rest] if rest or not found else found
