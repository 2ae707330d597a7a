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
COLUMNS: Mapping[str, Sequence[str]] = {
    "membership": ("accuracy", "balanced_accuracy", "mcc", "kappa", "f1"),
    "attribution": ("adjusted_rand_index", "hungarian_accuracy"),
}


@dataclass(frozen=True)
class Line:
    """One run on one model, in words."""

    model: str
    values: tuple[str, ...]
    share: str
    coin: str
    balanced: str
    p_value: str
    binomial: str
    verdict: str


@dataclass(frozen=True)
class Run:
    """One run of the table, in words."""

    rank: str
    team: str
    run: str
    method: str
    organiser: bool
    bar: Markup
    score: str
    interval: str
    ranks: str
    first: str
    remarks: tuple[str, ...]
    lines: tuple[Line, ...]


def leaderboard_page(board: Board) -> str:
    """Return the page of a leaderboard."""
    return page._render("leaderboard.html", leaderboard_view(board))


def leaderboard_view(board: Board) -> dict[str, Any]:
    """Return everything the template `leaderboard.html` names."""
    membership = board.task == "membership"
    score = ("mean " if len(board.models) > 1 else "") + metric_title(board.metric)
    teams = list(dict.fromkeys(row.entry.team for row in board.rows))
    best = [next(row for row in board.rows if row.entry.team == team) for team in teams]
    several = len(board.models) > 1
    return {
        "board": board,
        "name": board.provenance.get("name"),
        "membership": membership,
        "several": several,
        "score": score,
        "headline": headline(board),
        "constant": constant_sentence(board, score),
        "columns": [metric_title(name) for name in COLUMNS[board.task]],
        "axis": figures.score_axis(board),
        "runs": [_run(board, row) for row in board.rows],
        "teams": figures.team_plot(board, score),
        "key": figures.share_key() if membership else None,
        "shares": [figures.share_plot(board, place) for place in range(len(board.models))]
        if membership
        else [],
        "best": [(row, _matrices(row, several)) for row in best] if membership else [],
        "invalid": board.invalid[:LISTED],
        "repeat": repetition({**board.provenance, "seed": board.seed}),
    }


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


def constant_sentence(board: Board, score: str) -> str:
    """Say where an answer that looks at nothing would stand."""
    name, value = max(board.constants.items(), key=lambda pair: pair[1])
    ahead = sum(row.score.estimate > value for row in board.rows)
    count = len(board.rows)
    words = f"The answer “{name}” has a {score} of {wording.number(value)}"
    if ahead == count:
        return f"{words}; every run is above it."
    behind = f"{wording.whole(count - ahead)} of {wording.whole(count)} runs are not above it"
    return f"{words} and would stand at rank {ahead + 1}: {behind}."


def _run(board: Board, row: Row) -> Run:
    return Run(
        rank=f"{row.rank}{' =' if row.tied else ''}",
        team=row.entry.team,
        run=row.entry.run,
        method=row.entry.method,
        organiser=row.entry.organiser,
        bar=figures.score_bar(board, row.score),
        score=wording.number(row.score.estimate),
        interval=f"{wording.number(row.score.low)} to {wording.number(row.score.high)}",
        ranks=str(row.ranks[0]) if row.ranks[0] == row.ranks[1] else f"{row.ranks[0]} to {row.ranks[1]}",
        first=wording.percent(row.first),
        remarks=tuple(_remarks(board, row)),
        lines=tuple(_line(board, panel) for panel in row.panels),
    )


def _line(board: Board, panel: Panel) -> Line:
    values = panel.score.values
    test = figures.deciding(panel)
    words = {"better": "better", "worse": "worse", "": "not told from chance"}
    return Line(
        model=panel.score.model,
        values=tuple(wording.number(values[name]) for name in COLUMNS[board.task]),
        share=wording.percent(values["share_used"]) if "share_used" in values else str(int(values["groups"])),
        coin=wording.number(panel.chance["coin, same share"]) if board.task == "membership" else "",
        balanced=""
        if panel.balanced is None
        else f"{wording.number(panel.balanced.low)} to {wording.number(panel.balanced.high)}",
        p_value=wording.chance_of(test.adjusted),
        binomial=wording.chance_of(panel.tests["binomial"].adjusted) if "binomial" in panel.tests else "",
        verdict=words[figures.outcome(test)],
    )


def _remarks(board: Board, row: Row) -> list[str]:
    found = []
    if row.same_as:
        more = f" and {len(row.same_as) - 3} more" if len(row.same_as) > 3 else ""
        found.append(f"same answers as {', '.join(row.same_as[:3])}{more}")
    if board.task == "membership":
        shares = [panel.score.values["share_used"] for panel in row.panels]
        if any(share in (0.0, 1.0) for share in shares):
            found.append("the same answer for every picture")
        elif any(max(share, 1 - share) > ALMOST_CONSTANT for share in shares):
            found.append("nearly the same answer for every picture")
    if row.score.estimate <= max(board.constants.values()):
        found.append("not above a constant answer")
    return found


def _matrices(row: Row, several: bool) -> list[Markup]:
    return [
        figures.confusion(panel.score.counts, panel.score.model, several)
        for panel in row.panels
        if panel.score.counts is not None
    ]


def _counted(count: int, noun: str) -> str:
    return f"{wording.whole(count)} {noun}{'' if count == 1 else 's'}"
