"""The page of a leaderboard: ranks as the overviews rank, and beside them what each run is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from whorl.challenge.panels import Panel
from whorl.challenge.ranking import Board, Row
from whorl.challenge.scoring import title as metric_title
from whorl.report import leaderboard_figures as figures
from whorl.report import page, wording
from whorl.report.sections import repetition

LISTED = 200
ALMOST_CONSTANT = 0.9
SIGNS = {"better": "▲", "worse": "▼", "": ""}
WORDS = {"better": "better than chance", "worse": "worse than chance", "": "not told from chance"}
NARROW = {"balanced_accuracy": "Balanced"}
COLUMNS: Mapping[str, Sequence[str]] = {
    "membership": ("f1", "accuracy", "balanced_accuracy", "mcc"),
    "attribution": ("adjusted_rand_index", "hungarian_accuracy"),
}


@dataclass(frozen=True)
class Line:
    """One run on one model, in words."""

    model: str
    values: tuple[str, ...]
    share: str
    coin: str
    p_value: str
    binomial: str
    sign: str
    words: str


@dataclass(frozen=True)
class Run:
    """One run of the table, in words."""

    rank: str
    team: str
    run: str
    organiser: bool
    bar: Markup
    score: str
    interval: str
    ranks: str
    first: str
    remark: str
    below: bool
    lines: tuple[Line, ...]


def leaderboard_page(board: Board) -> str:
    """Return the page of a leaderboard."""
    return page.render("leaderboard.html", leaderboard_view(board))


def leaderboard_view(board: Board) -> dict[str, Any]:
    """Return everything the template `leaderboard.html` names."""
    membership = board.task == "membership"
    teams = list(dict.fromkeys(row.entry.team for row in board.rows))
    best = [next(row for row in board.rows if row.entry.team == team) for team in teams]
    several = len(board.models) > 1
    return {
        "board": board,
        "name": board.provenance.get("name"),
        "membership": membership,
        "several": several,
        "score": score_name(board),
        "headline": headline(board),
        "constant": constant_sentence(board),
        "reference": _reference(board),
        "columns": [NARROW.get(name, _capital(metric_title(name))) for name in COLUMNS[board.task]],
        "axis": figures.rank_axis(board),
        "runs": [_run(board, row) for row in board.rows],
        "teams": figures.team_plot(board, score_name(board)),
        "key": figures.share_key() if membership else None,
        "shares": [figures.share_plot(board, place) for place in range(len(board.models))]
        if membership
        else [],
        "best": [(row, _matrices(row, several)) for row in best] if membership else [],
        "invalid": board.invalid[:LISTED],
        "repeat": repetition({**board.provenance, "seed": board.seed}),
    }


def score_name(board: Board) -> str:
    """Return what the board ranks by, in words."""
    return ("mean " if len(board.models) > 1 else "") + metric_title(board.metric)


def headline(board: Board) -> str:
    """Say in one sentence how many runs there are and how many are better than chance."""
    teams = len({row.entry.team for row in board.rows})
    outcomes = [figures.outcome(figures.deciding(panel)) for row in board.rows for panel in row.panels]
    better, worse = outcomes.count("better"), outcomes.count("worse")
    runs = f"{_counted(len(board.rows), 'run')} of {_counted(teams, 'team')}"
    what = "outcomes (runs × models)" if len(board.models) > 1 else "runs"
    tail = f", and {wording.whole(worse)} {'is' if worse == 1 else 'are'} worse" if worse else ""
    verb = "is" if better == 1 else "are"
    share = f"{wording.whole(better)} of {wording.whole(len(outcomes))} {what}"
    return f"{runs}: {share} {verb} better than chance{tail}."


def constant_sentence(board: Board) -> str:
    """Say where an answer that looks at nothing would stand."""
    name, value = max(board.constants.items(), key=lambda pair: pair[1])
    ahead = sum(row.score.estimate > value for row in board.rows)
    count = len(board.rows)
    words = f"The constant answer “{name}” gives {score_name(board)} {wording.number(value)}"
    if ahead == count:
        return f"{words}; every run is above it."
    behind = f"{wording.whole(count - ahead)} of {wording.whole(count)} runs are not above it"
    return f"{words} and would stand at rank {ahead + 1}: {behind}."


def _run(board: Board, row: Row) -> Run:
    return Run(
        rank=f"{'=' if row.tied else ''}{row.rank}",
        team=row.entry.team,
        run=row.entry.run,
        organiser=row.entry.organiser,
        bar=figures.rank_bar(board, row),
        score=wording.number(row.score.estimate),
        interval=f"{wording.number(row.score.low)} to {wording.number(row.score.high)}",
        ranks=str(row.ranks[0]) if row.ranks[0] == row.ranks[1] else f"{row.ranks[0]} to {row.ranks[1]}",
        first=wording.percent(row.first),
        remark=" · ".join(_remarks(board, row)),
        below=row.score.estimate <= max(board.constants.values()),
        lines=tuple(_line(board, panel) for panel in row.panels),
    )


def _line(board: Board, panel: Panel) -> Line:
    values = panel.score.values
    test = figures.deciding(panel)
    outcome = figures.outcome(test)
    return Line(
        model=panel.score.model,
        values=tuple(wording.number(values[name]) for name in COLUMNS[board.task]),
        share=wording.percent(values["share_used"]) if "share_used" in values else str(int(values["groups"])),
        coin=wording.number(panel.chance["coin, same share"]) if board.task == "membership" else "",
        p_value=wording.chance_of(test.adjusted),
        binomial=wording.chance_of(panel.tests["binomial"].adjusted) if "binomial" in panel.tests else "",
        sign=SIGNS[outcome],
        words=WORDS[outcome],
    )


def _remarks(board: Board, row: Row) -> list[str]:
    found = [row.entry.method] if row.entry.method else []
    if row.same_as:
        more = f" and {len(row.same_as) - 3} more" if len(row.same_as) > 3 else ""
        found.append(f"same answers as {', '.join(row.same_as[:3])}{more}")
    constant: dict[str, list[str]] = {}
    for panel in row.panels if board.task == "membership" else ():
        share = panel.score.values["share_used"]
        if max(share, 1 - share) > ALMOST_CONSTANT:
            word = "constant" if share in (0.0, 1.0) else "nearly constant"
            constant.setdefault(word, []).append(panel.score.model)
    for word, models in constant.items():
        found.append(word if len(models) == len(row.panels) else f"{word} on model {', '.join(models)}")
    return found


def _matrices(row: Row, several: bool) -> list[Markup]:
    return [
        figures.confusion(panel.score.counts, panel.score.model, several)
        for panel in row.panels
        if panel.score.counts is not None
    ]


def _counted(count: int, noun: str) -> str:
    return f"{wording.whole(count)} {noun}{'' if count == 1 else 's'}"


def _reference(board: Board) -> str:
    """Return the words of the line in the table where the best constant answer would stand."""
    name, value = max(board.constants.items(), key=lambda pair: pair[1])
    return f"The answer “{name}” would stand here: {score_name(board)} {wording.number(value)}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
