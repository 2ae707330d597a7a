"""What each run is worth on each model: its metrics, what chance gives, exact tests, redrawn scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from whorl.challenge.draws import patients_of, rand_index_draws, shuffled_rand_indices, verdict_draws
from whorl.challenge.scoring import Score, Truth, counts, score
from whorl.challenge.submissions import Submission
from whorl.evidence.exact import benjamini_hochberg, binomial_p, fixed_margins_p
from whorl.evidence.intervals import percentile_interval
from whorl.records import Array, Interval

SHUFFLES = 999
Runs = Sequence[Sequence[Submission]]


@dataclass(frozen=True)
class Redrawing:
    """How scores are redrawn: the metric that ranks, how often, from which seed."""

    metric: str
    draws: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Test:
    """One exact test: p, p adjusted over all runs and models, and on which side of chance the run is."""

    __test__ = False  # no test of pytest's

    p_value: float
    adjusted: float
    above: bool


Table = list[list[Test]]


@dataclass(frozen=True)
class Panel:
    """What one run is worth on one model: metrics, what chance gives for the score, exact tests.

    `tests`: `binomial` and `margins` for membership, `shuffled` for attribution. `balanced` is the
    balanced accuracy with the interval of the bootstrap over patients.
    """

    score: Score
    chance: Mapping[str, float]
    tests: Mapping[str, Test]
    balanced: Interval | None


Panels = list[tuple[Panel, ...]]


def membership(
    runs: Runs, truths: Sequence[Truth], answers: Sequence[Array], redrawing: Redrawing
) -> tuple[Panels, Array]:
    """Measure membership runs: a panel for each run and model, and redrawn mean scores (draws, runs)."""
    metrics = list(dict.fromkeys([redrawing.metric, "balanced_accuracy"]))
    redrawn = verdict_draws(truths, answers, metrics, redrawing.draws, redrawing.seed)
    tests = _verdict_tests(truths, answers)
    fewest = [fewest_patients([truth]) for truth in truths]
    panels = []
    for run, one in enumerate(runs):
        row = []
        for place, truth in enumerate(truths):
            scored = score(truth, one[place], str(place + 1))
            chance = chance_f1(truth.used / len(truth), scored.values["share_used"])
            balanced = percentile_interval(
                scored.values["balanced_accuracy"],
                redrawn["balanced_accuracy"][place, :, run],
                fewest[place],
            )
            mine = {name: each[place][run] for name, each in tests.items()}
            row.append(Panel(scored, chance, mine, balanced))
        panels.append(tuple(row))
    return panels, redrawn[redrawing.metric].mean(axis=0)


def attribution(
    runs: Runs, truths: Sequence[Truth], answers: Sequence[Array], redrawing: Redrawing
) -> tuple[Panels, Array]:
    """Measure attribution runs: a panel for each run and model, and redrawn mean scores (draws, runs)."""
    scores = [
        [score(truth, one[place], str(place + 1)) for one in runs] for place, truth in enumerate(truths)
    ]
    seen = np.array([[one.values["adjusted_rand_index"] for one in column] for column in scores])
    redrawn, p_values = [], []
    for truth, said, found in zip(truths, answers, seen, strict=True):
        halves = rand_index_draws(truth, said, redrawing.draws, redrawing.seed)
        # Halves are biased as small samples are: only their spread is used, about the score itself.
        redrawn.append(np.minimum(found + halves - halves.mean(axis=0), 1.0))
        null = shuffled_rand_indices(truth, said, SHUFFLES, redrawing.seed + 1).round(12)
        tails = np.minimum((null >= found.round(12)).sum(axis=0), (null <= found.round(12)).sum(axis=0))
        p_values.append(np.minimum(1.0, 2 * (1 + tails) / (1 + SHUFFLES)))
    tests = _tests(np.array(p_values), seen > 0)
    panels = [
        tuple(
            Panel(column[run], {"shuffled labels": 0.0}, {"shuffled": tests[place][run]}, None)
            for place, column in enumerate(scores)
        )
        for run in range(len(runs))
    ]
    return panels, np.mean(redrawn, axis=0)


def chance_f1(prevalence: float, share: float) -> dict[str, float]:
    """Return the F1 of both constants and of a coin that says "used" as often as a run does."""
    coin = 2 * prevalence * share / (prevalence + share) if share > 0 else 0.0
    return {"always used": 2 * prevalence / (1 + prevalence), "never used": 0.0, "coin, same share": coin}


def _verdict_tests(truths: Sequence[Truth], answers: Sequence[Array]) -> dict[str, Table]:
    """Test all runs on all models, the answers of each against its constant and against its margins."""
    binomial, margins, beats, leans = [], [], [], []
    for truth, said in zip(truths, answers, strict=True):
        tp, fp, _, tn = counts(truth, said)
        total, share = len(truth), truth.used / len(truth)
        constant = max(share, 1 - share)
        binomial.append(binomial_p(tp + tn, total, constant))
        beats.append(tp + tn > constant * total)
        margins.append(fixed_margins_p(tp, tp + fp, truth.used, total))
        leans.append(tp > (tp + fp) * share)
    return {
        "binomial": _tests(np.array(binomial), np.array(beats)),
        "margins": _tests(np.array(margins), np.array(leans)),
    }


def _tests(p_values: Array, above: Array) -> Table:
    """Return tests (models, runs), adjusted over all of them."""
    adjusted = benjamini_hochberg(p_values)
    return [
        [Test(float(p), float(q), bool(up)) for p, q, up in zip(*column, strict=True)]
        for column in zip(p_values, adjusted, above, strict=True)
    ]


def fewest_patients(truths: Sequence[Truth]) -> int:
    """Return on how few patients the scores rest: of the smaller class, on the smallest model."""
    sizes = []
    for truth in truths:
        names = np.array(patients_of(truth))
        sizes += [len(np.unique(names[truth.labels == label])) for label in np.unique(truth.labels)]
    return min(sizes) if truths[0].task == "membership" else sum(sizes)
