"""Curves of a bench: cost against quality, what dials do, what development promised, spectra."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from whorl.dials import Turn
from whorl.ledger import Spectrum, is_own
from whorl.records import Interval
from whorl.report import svg
from whorl.report.bench_figures import OWN, mark
from whorl.report.svg import INK, MUTED, RULE, Scale, element, line, picture, text
from whorl.report.wording import number, shorten
from whorl.standings import Overall

LEADERS = 5
FASTEST = 0.01
GAP_ROW = 26


def cost_plot(rows: Sequence[Overall]) -> Markup | None:
    """Return mean AUC against mean seconds on a logarithmic axis; the steps join what nothing beats."""
    if not rows:
        return None
    seconds = [max(row.seconds, FASTEST) for row in rows]
    values = [row.auc.estimate for row in rows]
    start, end = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9)
    x = Scale(10.0**start, 10.0 ** max(end, start + 1), 52, 560, log=True)
    y = Scale(*_reach([*values, 0.5, 0.6]), 400, 30)
    parts = [
        svg.axes(x, y, ("mean seconds a run, logarithmic", "mean AUC")),
        line(x.start, y.at(0.5), x.end, y.at(0.5), INK, 1, "3 2"),
    ]
    front = sorted((row for row in rows if row.front), key=lambda row: row.seconds)
    if front:
        xs = np.array([x.at(max(row.seconds, FASTEST)) for row in front] + [x.end])
        ys = np.array([y.at(row.auc.estimate) for row in front] + [y.at(front[-1].auc.estimate)])
        parts.append(svg.stroke(svg.path_of(xs, ys, steps=True), MUTED, 1.4, "5 3"))
    for row in sorted(rows, key=lambda row: row.front):
        dot = mark(x.at(max(row.seconds, FASTEST)), y.at(row.auc.estimate), row.own, 5 if row.front else 3.5)
        words = f"{row.recipe}: AUC {number(row.auc.estimate)}, {row.seconds:.3g} s"
        parts.append(svg.group((element("title", words), dot), opacity=1 if row.front else 0.55))
    parts += _front_names(front, x, y)
    height = max(446, 80 + 20 * len(front))
    return picture("Mean AUC against mean seconds", 900, height, *parts)


def _front_names(front: Sequence[Overall], x: Scale, y: Scale) -> list[Markup]:
    parts = [text(590, 38, "Nothing is cheaper and better than", "start", "key strong")] if front else []
    for place, row in enumerate(front, 1):
        at = x.at(max(row.seconds, FASTEST))
        parts.append(text(at - 3, y.at(row.auc.estimate) - 9, place, "end", "tick strong"))
        parts.append(text(604, 42 + 20 * place, place, "end", "tick strong"))
        words = f"{shorten(row.recipe, 34)} · {number(row.auc.estimate)}"
        parts.append(text(612, 42 + 20 * place, words, "start", "key"))
    return parts


def turn_plot(turn: Turn, leaders: Sequence[str], owned: Mapping[str, bool]) -> Markup:
    """Return AUC at every value of a dial: the leading recipes, the mean and range of the published ones."""
    shown = [name for name in leaders if name in turn.aucs]
    published = [
        [row[place] for name, row in turn.aucs.items() if not owned.get(name, False)]
        for place in range(len(turn.values))
    ]
    known = [[each.estimate for each in column if each] for column in published]
    drawn = [each for name in shown for each in turn.aucs[name] if each]
    ends = [end for each in drawn for end in (each.low, each.high, each.estimate)]
    y = Scale(*_reach([*ends, *(value for column in known for value in column), 0.5, 0.6]), 290, 30)
    x = Scale(0, len(turn.values) - 1, 90, 480)
    parts = _turn_axes(turn, x, y)
    complete = [place for place, column in enumerate(known) if column]
    entries = []
    if complete:
        xs = x(np.array(complete, float))
        low, high = (y(np.array([edge(known[place]) for place in complete])) for edge in (min, max))
        outline = svg.path_of(np.append(xs, xs[::-1]), np.append(low, high[::-1])) + "Z"
        parts.append(element("path", d=outline, fill=MUTED, fill_opacity=0.14))
        mean = y(np.array([np.mean(known[place]) for place in complete]))
        parts.append(svg.stroke(svg.path_of(xs, mean), INK, 3))
        entries.append(("mean of the published; grey: their range", line(0, 0, 26, 0, INK, 3)))
    for index, name in enumerate(shown):
        colour, dash = svg.style_of(index if index < 4 else index + 1)
        parts += _turn_curve(name, turn.aucs[name], (x, y), (colour, dash), (index - len(shown) / 2) * 3)
        entries.append((shorten(name, 38), line(0, 0, 26, 0, colour, 2.4, dash)))
    parts.append(svg.legend(entries, 510, 44, 22))
    height = max(356, 60 + 22 * len(entries))
    return picture(f"AUC against {shorten(turn.dial, 40)}", 820, height, *parts)


def _turn_axes(turn: Turn, x: Scale, y: Scale) -> list[Markup]:
    parts = [text(50, 18, "AUC", "start", "label")]
    for value in y.ticks:
        parts.append(line(50, y.at(value), 500, y.at(value), RULE))
        parts.append(text(44, y.at(value) + 4, svg.tick_label(round(value, 9)), "end", "tick"))
    parts.append(line(50, y.at(0.5), 500, y.at(0.5), INK, 1, "3 2"))
    # The values stand at equal distances: between "low" and "high" there is no other.
    for place, setting in enumerate(turn.values):
        words = shorten(setting, 14) if isinstance(setting, str) else svg.tick_label(setting)
        parts.append(text(x.at(place), y.start + 18, words, "middle", "tick"))
    parts.append(line(50, y.start, 500, y.start, MUTED))
    parts.append(text(275, y.start + 40, shorten(turn.dial, 60), "middle", "label"))
    return parts


def _turn_curve(
    name: str,
    row: Sequence[Interval | None],
    axes: tuple[Scale, Scale],
    style: tuple[str, str],
    shift: float,
) -> list[Markup]:
    x, y = axes
    places = [place for place, each in enumerate(row) if each]
    values = [each for each in row if each]
    xs = x(np.array(places, float)) + shift
    parts = [
        svg.stroke(svg.path_of(xs, y(np.array([each.estimate for each in values]))), style[0], 2, style[1])
    ]
    for at, each in zip(map(float, xs), values, strict=True):
        parts.append(line(at, y.at(each.low), at, y.at(each.high), style[0], 1.2))
        parts.append(element("circle", cx=at, cy=y.at(each.estimate), r=3, fill=style[0]))
    return [svg.group([element("title", name), *parts])]


def gap_plot(falls: Mapping[str, Sequence[float]], metric: str) -> Markup:
    """Return how much a measure falls from development to test: a dot a recipe, rows are systems."""
    values = [value for row in falls.values() for value in row]
    low, high = _reach([*values, 0.0, 0.1])
    x = Scale(low, high, 150, 470)
    bottom = 20 + GAP_ROW * len(falls)
    parts = []
    for value in svg.round_ticks(low, high, 5):
        parts.append(line(x.at(value), 14, x.at(value), bottom, RULE))
        parts.append(text(x.at(value), bottom + 16, svg.tick_label(round(value, 9)), "middle", "tick"))
    parts.append(line(x.at(0), 10, x.at(0), bottom, INK, 1.2))
    for place, (system, row) in enumerate(falls.items()):
        y = 14 + GAP_ROW * (place + 0.5)
        parts.append(text(140, y + 4, shorten(system, 20), "end", "key"))
        parts.append(line(x.start, y, x.end, y, "#eceff2"))
        dots = [mark(x.at(value), y, is_own(system), 4) for value in row]
        parts.append(svg.group([element("title", f"{system}: {len(row)} recipes"), *dots], opacity=0.7))
        middle = x.at(float(np.median(row)))
        parts.append(line(middle, y - 9, middle, y + 9, INK, 2))
    words = f"{metric} on development − {metric} on test"
    parts.append(text((x.start + x.end) / 2, bottom + 36, words, "middle", "label"))
    return picture(f"How much {metric} falls from development to test", 490, bottom + 46, *parts)


def spectrum_plot(spectrum: Spectrum, title: str) -> Markup:
    """Return the radial power of generated pictures beside that of real ones."""
    frequencies = np.array(spectrum.frequencies)
    levels = np.array([*spectrum.generated, *spectrum.real])
    x = Scale(*_reach(spectrum.frequencies, 0.0), 44, 336)
    y = Scale(*_reach(levels), 164, 16)
    parts = [line(x.start, y.start, x.end, y.start, MUTED)]
    for value in svg.round_ticks(x.low, x.high, 5):
        parts.append(text(x.at(value), y.start + 16, svg.tick_label(round(value, 9)), "middle", "tick"))
    for value in svg.round_ticks(y.low, y.high, 4):
        parts.append(line(x.start, y.at(value), x.end, y.at(value), RULE))
        parts.append(text(x.start - 6, y.at(value) + 4, svg.tick_label(round(value, 9)), "end", "tick"))
    parts.append(svg.stroke(svg.path_of(x(frequencies), y(np.array(spectrum.real))), INK, 1.8))
    parts.append(svg.stroke(svg.path_of(x(frequencies), y(np.array(spectrum.generated))), OWN, 2, "6 3"))
    parts.append(text((x.start + x.end) / 2, y.start + 34, "cycles per pixel", "middle", "label"))
    return picture(f"Log power by frequency: {title}", 350, 204, *parts)


def spectrum_key() -> Markup:
    """Return the key to the two lines of a spectrum."""
    parts = (
        line(0, 11, 26, 11, INK, 1.8),
        text(34, 15, "real", "start", "key"),
        line(100, 11, 126, 11, OWN, 2, "6 3"),
        text(134, 15, "generated", "start", "key"),
    )
    return picture("Key: solid line, real; dashed line, generated", 230, 22, *parts)


def _reach(values: Sequence[float] | np.ndarray, margin: float = 0.04) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    # All values alike would leave an axis without length.
    room = max(high - low, 1e-3 * max(1.0, abs(low))) if high - low < 1e-9 else (high - low)
    return low - margin * room, (high if high > low else low + room) + margin * room
