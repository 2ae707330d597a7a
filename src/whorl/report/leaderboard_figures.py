"""Drawings for a leaderboard: score bars, scores of all teams, F1 against the share used, confusion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from whorl.challenge.panels import Panel, Test
from whorl.challenge.ranking import Board, Row
from whorl.report import svg
from whorl.report.svg import INK, MUTED, RULE, Scale, element, line, picture, text
from whorl.report.wording import number, percent, shorten, whole

BLUE, RED, GREY = "#0b4f8a", "#a81c16", "#8b939b"
BAR_WIDTH = 150
TEAM_STEP = 24
CELL, HEIGHT = 74, 46
LEVEL = 0.05


def score_scale(board: Board, start: float, end: float) -> Scale:
    """Return one axis that holds every score with its interval and the constants."""
    ends = [value for row in board.rows for value in (row.score.low, row.score.high)]
    ends += list(board.constants.values()) if board.metric in ("f1", "accuracy") else [0.0]
    low, high = min(ends), max(ends)
    low = 0.0 if low >= 0 else np.floor(low * 10 + 1e-9) / 10
    return Scale(float(low), float(max(np.ceil(high * 10 - 1e-9) / 10, low + 0.2)), start, end)


def rank_axis(board: Board) -> Markup:
    """Return the axis above the column of rank bars."""
    scale = _rank_scale(board)
    parts = [line(scale.start, 20, scale.end, 20, MUTED)]
    for value in sorted({1.0, *(tick for tick in svg.round_ticks(1, scale.high, 4) if tick > 1)}):
        parts.append(line(scale.at(value), 16, scale.at(value), 20, MUTED))
        parts.append(text(scale.at(value), 12, svg.tick_label(value), "middle", "tick"))
    return picture(f"Axis of ranks from 1 to {len(board.rows)}", BAR_WIDTH, 22, *parts)


def rank_bar(board: Board, row: Row) -> Markup:
    """Return a rank with its interval; the dashed line is where the best constant answer would stand."""
    scale = _rank_scale(board)
    low, high = row.ranks
    constant = scale.at(1 + sum(one.score.estimate > max(board.constants.values()) for one in board.rows))
    ends = [scale.at(float(end)) for end in (low, high)]
    middle = scale.at(float(row.rank))
    parts = [
        line(scale.start, 12, scale.end, 12, "#eceff2"),
        line(constant, 0, constant, 24, INK, 1, "3 2"),
        line(ends[0] - 1.5, 12, ends[1] + 1.5, 12, BLUE, 5),
        element("circle", cx=middle, cy=12, r=4.5, fill=BLUE, stroke="#fff", stroke_width=1.2),
    ]
    return picture(f"Rank {row.rank}, 95 % interval {low} to {high}", BAR_WIDTH, 24, *parts)


def _rank_scale(board: Board) -> Scale:
    return Scale(1, max(2, len(board.rows)), 10, BAR_WIDTH - 10)


def team_plot(board: Board, title: str) -> Markup:
    """Return the scores of all runs of every team, the best team on top."""
    teams: dict[str, list[Row]] = {}
    for row in board.rows:
        teams.setdefault(row.entry.team, []).append(row)
    bottom = 20 + TEAM_STEP * len(teams)
    scale = score_scale(board, 230, 900)
    parts = []
    for value in scale.ticks:
        parts.append(line(scale.at(value), 14, scale.at(value), bottom, RULE))
        parts.append(text(scale.at(value), bottom + 16, svg.tick_label(value), "middle", "tick"))
    for name, value in board.constants.items():
        parts.append(line(scale.at(value), 14, scale.at(value), bottom, INK, 1, "3 2"))
        if value > scale.low:
            parts.append(text(scale.at(value), 9, name, "middle", "tick strong"))
    for place, (team, rows) in enumerate(teams.items()):
        y = 14 + TEAM_STEP * (place + 0.5)
        parts.append(text(218, y + 4, shorten(team, 30), "end", "key"))
        parts.append(line(scale.start, y, scale.end, y, "#eceff2"))
        dots = [_dot(scale.at(row.score.estimate), y, verdict(row)) for row in rows]
        parts.append(svg.group([element("title", f"{team}: {len(rows)} runs"), *reversed(dots)]))
        middle = scale.at(float(np.median([row.score.estimate for row in rows])))
        parts.append(line(middle, y - 8, middle, y + 8, INK, 2))
    parts.append(text((scale.start + scale.end) / 2, bottom + 36, title, "middle", "label"))
    return picture(f"{title} of all runs, by team", 920, bottom + 46, *parts)


def share_plot(board: Board, place: int) -> Markup:
    """Return F1 against the share answered "used" on one model, with the curve of coins."""
    x, y = Scale(0, 1, 46, 500), Scale(0, 1, 330, 24)
    model = board.models[place]
    prevalence = model["used"] / model["pictures"]
    shares = np.linspace(0.001, 1, 120)
    coin = 2 * prevalence * shares / (prevalence + shares)
    parts = [
        svg.axes(x, y, ('share of pictures answered "used"', "F1")),
        svg.stroke(svg.path_of(x(shares), y(coin)), MUTED, 1.6, "5 3"),
        element(
            "circle", cx=x.at(1), cy=y.at(float(coin[-1])), r=5, fill="none", stroke=INK, stroke_width=1.5
        ),
        text(x.at(1) - 8, y.at(float(coin[-1])) - 10, "always used", "end", "tick strong"),
    ]
    for row in reversed(board.rows):
        panel = row.panels[place]
        values = panel.score.values
        words = f"{row.entry.name}: F1 {number(values['f1'])}, used {percent(values['share_used'])}"
        dot = _dot(x.at(values["share_used"]), y.at(values["f1"]), outcome(panel.tests["margins"]))
        parts.append(svg.group([element("title", words), dot]))
    return picture(f"F1 against the share answered used, model {place + 1}", 520, 372, *parts)


def share_key() -> Markup:
    """Return the legend of the dots and of the coin's curve."""
    parts = []
    words = (("better", "better than chance"), ("", "not told from chance"), ("worse", "worse than chance"))
    for place, (kind, label) in enumerate(words):
        parts += [_dot(10 + 190 * place, 11, kind), text(22 + 190 * place, 15, label, "start", "key")]
    parts += [
        line(580, 11, 606, 11, MUTED, 1.6, "5 3"),
        text(614, 15, "a coin with that share", "start", "key"),
    ]
    return picture("Key to the dots", 780, 22, *parts)


def confusion(counts: Sequence[int], model: str, several: bool) -> Markup:
    """Return one confusion matrix: truth down, answer across, 1 = used; shade is the share of the row."""
    tp, fp, fn, tn = counts
    left, top = 52, 42 if several else 26
    parts = [text(left + CELL, 14, f"model {model}", "middle", "key strong")] if several else []
    for row, (label, cells) in enumerate((("0", (tn, fp)), ("1", (fn, tp)))):
        y = top + row * HEIGHT
        parts.append(text(left - 10, y + 27, label, "end", "key"))
        for column, count in enumerate(cells):
            part = count / max(1, sum(cells))
            x, middle = left + column * CELL, left + (column + 0.5) * CELL
            box = {"width": CELL, "height": HEIGHT, "fill": BLUE, "stroke": "#fff", "stroke_width": 2}
            parts.append(element("rect", x=x, y=y, fill_opacity=0.04 + 0.4 * part, **box))
            parts.append(text(middle, y + 21, whole(count), "middle", "strong"))
            parts.append(text(middle, y + 36, percent(part), "middle", "tick"))
    for column, label in enumerate("01"):
        parts.append(text(left + (column + 0.5) * CELL, top - 6, label, "middle", "key"))
    bottom = top + 2 * HEIGHT
    parts.append(text(left + CELL, bottom + 16, "answered", "middle", "tick"))
    turned = f"translate(14 {top + HEIGHT:.0f}) rotate(-90)"
    parts.append(element("text", "true", transform=turned, text_anchor="middle", class_="tick"))
    words = f"{whole(tp)} used found, {whole(fn)} missed, {whole(fp)} false alarms, {whole(tn)} rightly left"
    return picture(f"Confusion matrix: {words}", left + 2 * CELL + 4, bottom + 22, *parts)


def outcome(test: Test) -> str:
    """Say on which side of chance a run is after the adjustment, or nothing."""
    return "" if test.adjusted > LEVEL else "better" if test.above else "worse"


def verdict(row: Row) -> str:
    """Return the outcome of a run over its models; nothing where they disagree."""
    found = {outcome(deciding(panel)) for panel in row.panels} - {""}
    return found.pop() if len(found) == 1 else ""


def deciding(panel: Panel) -> Test:
    """Return the test that tells a run from chance given how often it answered what."""
    return panel.tests["margins" if "margins" in panel.tests else "shuffled"]


def _dot(x: float, y: float, kind: str) -> Markup:
    if kind == "worse":
        cross = f"M{x - 4:.1f} {y - 4:.1f}l8 8M{x - 4:.1f} {y + 4:.1f}l8 -8"
        return element("path", d=cross, fill="none", stroke=RED, stroke_width=2)
    filled = {"fill": BLUE, "stroke": "#fff", "stroke_width": 1} if kind == "better" else {}
    return element(
        "circle", cx=x, cy=y, r=4.5, **(filled or {"fill": "#fff", "stroke": GREY, "stroke_width": 1.6})
    )
