"""The leaderboard: ranks as the overviews rank, and beside them what each run is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from whorl.challenge import submissions
from whorl.challenge.draws import ranks
from whorl.challenge.entries import Entry
from whorl.challenge.panels import Panel, Redrawing, attribution, fewest_patients, membership
from whorl.challenge.scoring import ERRATUM, Truth
from whorl.challenge.submissions import Form, Submission
from whorl.evidence.intervals import percentile_interval
from whorl.metrics import VERDICT_METRICS
from whorl.records import Array, BadInput, Interval, Task

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Row:
    """One run: its rank and score, how sure both are, whose answers it repeats."""

    entry: Entry
    rank: int
    tied: bool
    score: Interval
    ranks: tuple[int, int]
    first: float
    same_as: tuple[str, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """A leaderboard: rows best first, runs that were not valid, and all that is needed to repeat it."""

    task: Task
    metric: str
    rows: tuple[Row, ...]
    models: tuple[Mapping[str, Any], ...]
    constants: Mapping[str, float]
    invalid: tuple[tuple[str, str], ...]
    draws: int
    seed: int
    notes: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settings:
    """How a leaderboard is made: the format of the runs, how scores are redrawn, who watches."""

    form: Form
    redrawing: Redrawing
    progress: Progress = lambda label, done, total: None


def leaderboard(
    entries: Sequence[Entry],
    truths: Sequence[Truth],
    settings: Settings,
    provenance: Mapping[str, Any] | None = None,
) -> Board:
    """Read, score and rank runs; those that are not valid are listed with their first fault."""
    valid, invalid = _read(entries, truths, settings)
    redrawing = settings.redrawing
    answers = [np.stack([runs[place].values for _, runs in valid]) for place in range(len(truths))]
    task = truths[0].task
    measured = membership if task == "membership" else attribution
    panels, redrawn = measured([runs for _, runs in valid], truths, answers, redrawing)
    scores = np.array([np.mean([one.score.values[redrawing.metric] for one in row]) for row in panels])
    rows = _rows([entry for entry, _ in valid], panels, scores, redrawn, truths, redrawing.metric)
    digests = {f"answers of model {place}": truth.digest for place, truth in enumerate(truths, start=1)}
    return Board(
        task=task,
        metric=redrawing.metric,
        rows=_with_twins(rows, [entry.name for entry, _ in valid], answers, task),
        models=tuple(_model(truth, place) for place, truth in enumerate(truths, start=1)),
        constants=_constants(truths, redrawing.metric),
        invalid=tuple(invalid),
        draws=redrawing.draws,
        seed=redrawing.seed,
        notes=_notes(truths),
        provenance={**(provenance or {}), "digests": digests},
    )


def _read(
    entries: Sequence[Entry], truths: Sequence[Truth], settings: Settings
) -> tuple[list[tuple[Entry, list[Submission]]], list[tuple[str, str]]]:
    models = [str(place) for place in range(1, len(truths) + 1)]
    valid, invalid = [], []
    for done, entry in enumerate(entries, start=1):
        try:
            if sorted(entry.files) != models:
                raise BadInput(f"files for model {', '.join(sorted(entry.files))}, not {', '.join(models)}")
            runs = [
                submissions.check(entry.files[model], truth.ids, settings.form, truth.task)
                for model, truth in zip(models, truths, strict=True)
            ]
            valid.append((entry, runs))
        except BadInput as error:
            invalid.append((entry.name, str(error)))
        settings.progress("reading runs", done, len(entries))
    if not valid:
        raise BadInput(f"none of the {len(entries)} runs is valid; {invalid[0][0]}: {invalid[0][1]}")
    return valid, invalid


def _rows(
    entries: Sequence[Entry],
    panels: Sequence[tuple[Panel, ...]],
    scores: Array,
    redrawn: Array,
    truths: Sequence[Truth],
    metric: str,
) -> list[Row]:
    own, drawn = ranks(scores), ranks(redrawn)
    low, high = (np.quantile(drawn, end, axis=0, method="nearest").astype(int) for end in (0.025, 0.975))
    first = (drawn == 1) / (drawn == 1).sum(axis=1, keepdims=True)
    patients = fewest_patients(truths)
    worst = VERDICT_METRICS.get(metric, lambda *_: -0.5)(0.0, 1.0, 1.0, 0.0)  # -0.5: crossed groupings
    return [
        Row(
            entry=entry,
            rank=int(own[run]),
            tied=bool((own == own[run]).sum() > 1),
            score=percentile_interval(float(scores[run]), redrawn[:, run], patients, float(worst)),
            ranks=(min(int(low[run]), int(own[run])), max(int(high[run]), int(own[run]))),
            first=float(first[:, run].mean()),
            same_as=(),
            panels=panels[run],
        )
        for run, entry in enumerate(entries)
    ]


def _with_twins(
    rows: Sequence[Row], names: Sequence[str], answers: Sequence[Array], task: Task
) -> tuple[Row, ...]:
    """Mark runs whose answers are those of another run, on every model; best first."""
    seals = [b"".join(_canonical(said[run], task) for said in answers) for run in range(len(rows))]
    alike: dict[bytes, list[int]] = {}
    for run, seal in enumerate(seals):
        alike.setdefault(seal, []).append(run)
    marked = [
        replace(row, same_as=tuple(names[other] for other in alike[seals[run]] if other != run))
        for run, row in enumerate(rows)
    ]
    return tuple(sorted(marked, key=lambda row: (row.rank, row.entry.team.casefold(), row.entry.run)))


def _canonical(values: Array, task: Task) -> bytes:
    """Return answers as bytes; groups by where they first occur, since their names are free."""
    if task == "attribution":
        _, first, group = np.unique(values, return_index=True, return_inverse=True)
        values = np.argsort(np.argsort(first))[group]
    return np.asarray(values, np.int16).tobytes()


def _constants(truths: Sequence[Truth], metric: str) -> dict[str, float]:
    if truths[0].task == "attribution":
        return {"one group for all": 0.0}
    function = VERDICT_METRICS[metric]
    sizes = [(float(truth.used), float(len(truth) - truth.used)) for truth in truths]
    return {
        "always used": float(np.mean([function(used, unused, 0.0, 0.0) for used, unused in sizes])),
        "never used": float(np.mean([function(0.0, 0.0, used, unused) for used, unused in sizes])),
    }


def _model(truth: Truth, place: int) -> dict[str, Any]:
    found: dict[str, Any] = {"model": str(place), "pictures": len(truth)}
    if truth.task == "membership":
        found |= {"used": truth.used, "not_used": len(truth) - truth.used}
    else:
        found |= {"groups": len(truth.groups)}
    return found | {"patients": len(set(truth.patients)) if truth.patients else None}


def _notes(truths: Sequence[Truth]) -> tuple[str, ...]:
    notes = [ERRATUM] if truths[0].task == "membership" else []
    if not all(truth.patients for truth in truths):
        notes.append(
            "Patients are not known: every picture counts as a patient of its own. If some patients "
            "have several pictures, intervals are too narrow and p-values too small."
        )
    elif any(len(set(truth.patients)) < len(truth) for truth in truths):
        notes.append(
            "Some patients have several pictures. Intervals resample whole patients; the exact tests "
            "take pictures for independent, so their p-values are too small."
        )
    return tuple(notes)


def table(board: Board) -> tuple[list[str], list[list[object]]]:
    """Return a leaderboard as header and rows, one row a run, each model's columns after another's."""
    rows = [_cells(board, row) for row in board.rows]
    return list(rows[0]), [list(row.values()) for row in rows]


def content(board: Board) -> dict[str, Any]:
    """Return a leaderboard as plain data, as `leaderboard.json` holds it."""
    return {
        "schema": "whorl.leaderboard/1",
        "task": board.task,
        "ranked_by": f"mean_{board.metric}",
        "models": board.models,
        "constants": board.constants,
        "draws": board.draws,
        "seed": board.seed,
        "rows": [_cells(board, row) | {"same_as": row.same_as} for row in board.rows],
        "invalid": [{"run": name, "reason": reason} for name, reason in board.invalid],
        "notes": board.notes,
        "provenance": board.provenance,
    }


def _cells(board: Board, row: Row) -> dict[str, object]:
    score = f"mean_{board.metric}"
    cells: dict[str, object] = {
        "rank": row.rank,
        "tied": int(row.tied),
        "team": row.entry.team,
        "run": row.entry.run,
        "organiser": int(row.entry.organiser),
        score: row.score.estimate,
        f"{score}_low": row.score.low,
        f"{score}_high": row.score.high,
        "rank_low": row.ranks[0],
        "rank_high": row.ranks[1],
        "share_of_draws_first": row.first,
        "same_answers_as": "; ".join(row.same_as),
        "method": row.entry.method,
    }
    for panel in row.panels:
        found: dict[str, object] = dict(panel.score.values)
        if panel.score.counts is not None:
            found |= dict(zip(("tp", "fp", "fn", "tn"), panel.score.counts, strict=True))
        for name, test in panel.tests.items():
            found |= {f"p_{name}": test.p_value, f"p_{name}_adjusted": test.adjusted}
        found |= {
            f"by_chance_{name.replace(', ', '_').replace(' ', '_')}": v for name, v in panel.chance.items()
        }
        if panel.balanced is not None:
            found |= {
                "balanced_accuracy_low": panel.balanced.low,
                "balanced_accuracy_high": panel.balanced.high,
            }
        cells |= {f"model_{panel.score.model}_{name}": value for name, value in found.items()}
    return cells
