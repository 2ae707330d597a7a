"""Every recipe on every edition of a bench: means over seeds, adjusted p-values, what is above chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from whorl.evidence.exact import benjamini_hochberg
from whorl.ledger import Bench, Dial, Quality, Question, Run
from whorl.records import Interval

Outcome = Literal["better", "worse", ""]
LEVEL = 0.05
NORMAL = 1.959964
ROUNDING = 1e-6  # lines hold six decimals: what equals the constant may be above it by so much
MAIN: Mapping[Question, str] = {"membership": "auc", "attribution": "adjusted_rand_index"}
CHANCE: Mapping[Question, float] = {"membership": 0.5, "attribution": 0.0}


@dataclass(frozen=True)
class Placing:
    """One recipe on one edition, over its seeds.

    `p_value` is of seeing more than chance, `q_value` adjusted over the edition's recipes; `below` is the
    adjusted p of a measure under chance. `spread` is from the lowest seed to the highest, `constant` the F1
    of the answer "used" for everything, `gaps` are by protocol and metric.
    """

    edition: str
    model: str
    task: Question
    recipe: str
    system: str
    own: bool
    untrained: bool
    fidelity: str
    seeds: int
    measures: Mapping[str, Interval]
    spread: float | None
    constant: float | None
    share_used: float | None
    p_value: float | None
    gaps: Mapping[tuple[str, str], Interval]
    seconds: float
    devices: tuple[str, ...]
    q_value: float | None = None
    below: float | None = None

    @property
    def main(self) -> Interval | None:
        """The measure that its question is ranked by."""
        return self.measures.get(MAIN[self.task])

    @property
    def outcome(self) -> Outcome:
        """On which side of chance it is after the adjustment, or nothing."""
        if self.q_value is not None and self.q_value <= LEVEL:
            return "better"
        return "worse" if self.below is not None and self.below <= LEVEL else ""

    @property
    def surely_useful(self) -> bool:
        """Whether the whole interval of its F1 is above what a constant answer gets."""
        found = self.measures.get("f1")
        return found is not None and self.constant is not None and found.low > self.constant + ROUNDING


@dataclass(frozen=True)
class Edition:
    """One generator, or one mixture of them, with known answers: its recipes, the best first."""

    name: str
    model: str
    task: Question
    generator: str
    kind: str
    dials: Mapping[str, Dial]
    count: int | None
    rows: tuple[Placing, ...]
    quality: Quality | None = None
    altered: str = ""

    @property
    def title(self) -> str:
        """The name, with the model where an edition has several, and what its pictures went through."""
        return " · ".join(filter(None, (self.name, self.model, self.altered)))


def editions(bench: Bench) -> tuple[Edition, ...]:
    """Return the editions in the order of the lines, membership before attribution."""
    grouped: dict[tuple[Question, str, str, str], dict[str, list[Run]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in bench.runs:
        grouped[run.task, run.edition, run.model, run.altered][run.recipe].append(run)
    qualities = {(quality.edition, quality.model): quality for quality in bench.qualities}
    found = [
        _edition(recipes, qualities.get((name, model))) for (_, name, model, _), recipes in grouped.items()
    ]
    return tuple(sorted(found, key=lambda edition: edition.task != "membership"))


def mean_interval(intervals: Iterable[Interval]) -> Interval:
    """Return the mean with the mean of the ends: it covers whatever the correlation of the estimates."""
    rows = np.asarray([(each.estimate, each.low, each.high) for each in intervals], np.float64)
    return Interval(*map(float, rows.mean(axis=0)))


def mean_p(p_values: Sequence[float]) -> float:
    """Return a p-value from several that may depend in any way: twice the mean (Rüschendorf 1982)."""
    return p_values[0] if len(p_values) == 1 else min(1.0, 2 * float(np.mean(p_values)))


def _edition(recipes: Mapping[str, Sequence[Run]], quality: Quality | None) -> Edition:
    rows = [_placing(runs) for runs in recipes.values()]
    first = next(iter(recipes.values()))[0]
    above = _adjusted([row.p_value for row in rows])
    under = _adjusted([_under(row) for row in rows])
    judged = [
        replace(row, q_value=q_value, below=below)
        for row, q_value, below in zip(rows, above, under, strict=True)
    ]
    judged.sort(key=lambda row: (row.main is None, -row.main.estimate if row.main else 0.0, row.recipe))
    return Edition(
        first.edition,
        first.model,
        first.task,
        first.generator,
        first.kind,
        first.dials,
        max((run.count or 0 for runs in recipes.values() for run in runs), default=0) or None,
        tuple(judged),
        quality,
        first.altered,
    )


def _placing(runs: Sequence[Run]) -> Placing:
    """Bring the seeds of one recipe together; without random numbers one run stands for all."""
    ordered = sorted(runs, key=lambda run: run.seed)
    used = ordered if all(run.seeded for run in ordered) else ordered[:1]
    first = used[0]
    names = [name for name in first.measures if all(name in run.measures for run in used)]
    main = [run.measures[MAIN[first.task]].estimate for run in used if MAIN[first.task] in run.measures]
    p_values = [run.p_value for run in used if run.p_value is not None]
    constants = [run.chance["f1"]["always used"] for run in used if "always used" in run.chance.get("f1", {})]
    shares = [run.share_used for run in used if run.share_used is not None]
    return Placing(
        edition=first.edition,
        model=first.model,
        task=first.task,
        recipe=first.recipe,
        system=first.system,
        own=first.own,
        untrained=any(run.untrained for run in used),
        fidelity=first.fidelity,
        seeds=len(used),
        measures={name: mean_interval(run.measures[name] for run in used) for name in names},
        spread=max(main) - min(main) if len(main) > 1 else None,
        constant=float(np.mean(constants)) if constants else None,
        share_used=float(np.mean(shares)) if shares else None,
        p_value=mean_p(p_values) if len(p_values) == len(used) else None,
        gaps=_gaps(used),
        seconds=float(np.mean([run.seconds for run in used])),
        devices=tuple(sorted({run.device for run in used if run.device})),
    )


def _gaps(runs: Sequence[Run]) -> dict[tuple[str, str], Interval]:
    found: dict[tuple[str, str], list[Interval]] = defaultdict(list)
    for run in runs:
        for gap in run.development:
            if gap.gap is not None:
                found[gap.protocol, gap.metric].append(gap.gap)
    return {name: mean_interval(values) for name, values in found.items()}


def _under(row: Placing) -> float | None:
    """Return p of a measure under chance, read off its interval: the runs test the other side only."""
    from scipy.stats import norm

    if row.main is None:
        return None
    error = (row.main.high - row.main.low) / (2 * NORMAL)
    distance = row.main.estimate - CHANCE[row.task]
    if error <= 0:
        return 0.0 if error == 0 and distance < 0 else 1.0
    return float(norm.cdf(distance / error))


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjust the known p-values for one another (Benjamini–Hochberg)."""
    known = [place for place, value in enumerate(p_values) if value is not None]
    values = benjamini_hochberg([value for value in p_values if value is not None])
    found: list[float | None] = [None] * len(p_values)
    for place, value in zip(known, values, strict=True):
        found[place] = float(value)
    return found
