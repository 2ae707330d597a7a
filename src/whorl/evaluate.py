"""Join scores and verdicts with the answers; the only place where the truth comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from whorl.evidence.intervals import (
    auc_interval,
    bootstrap_weights,
    label_interval,
    metric_interval,
    tpr_interval,
)
from whorl.evidence.orders import order_notes
from whorl.evidence.permutation import PanelTest, permutation_test
from whorl.metrics import LABEL_METRICS, VERDICT_METRICS, chance_levels, label_chance_levels
from whorl.records import Answers, Array, BadInput, Interval, Measure, Recipe, Result, Scores, Verdicts

PERMUTATIONS = 9999
DRAWS = 2000


def evaluate(
    recipe: Recipe,
    scores: Scores,
    verdicts: Verdicts,
    answers: Answers,
    *,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> Result:
    """Score a run against the truth: every metric with its interval, control and chance baseline."""
    missing = [name for name in scores.ids if name not in answers.labels]
    if missing:
        raise BadInput(f"answers: {len(missing)} pictures have none, first '{missing[0]}'")
    judged = _membership if recipe.task == "membership" else _attribution
    return judged(recipe, scores, verdicts, answers, seed, provenance or {})


def label_measures(
    truth: Sequence[str], labels: Sequence[str], patients: Sequence[str] | None, seed: int
) -> tuple[Measure, ...]:
    """Compare two groupings: ARI, NMI and Hungarian accuracy, each beside shuffled labels."""
    chance = label_chance_levels(truth, labels, seed=seed)
    return tuple(
        Measure(name, label_interval(function, truth, labels, patients, seed=seed), chance[name])
        for name, function in LABEL_METRICS.items()
    )


def _membership(
    recipe: Recipe,
    scores: Scores,
    verdicts: Verdicts,
    answers: Answers,
    seed: int,
    provenance: Mapping[str, Any],
) -> Result:
    truth = np.asarray([answers.labels[name] == "used" for name in scores.ids])
    called = np.asarray([label == "used" for label in verdicts.labels])
    if truth.all() or not truth.any():
        raise BadInput("answers: all pictures have the same label; used and not used ones are needed")
    patients, notes = _patients(scores.ids, truth, answers)
    values = scores.values.max(axis=1)
    chance = chance_levels(truth, called)
    measures = [
        Measure(name, metric_interval(function, truth, called, patients, DRAWS, seed), chance[name])
        for name, function in VERDICT_METRICS.items()
    ]
    weights = bootstrap_weights(patients, truth, DRAWS, seed)
    measures.append(Measure("auc", auc_interval(values, truth, weights), chance["auc"]))
    measures.append(
        Measure("tpr_at_1_percent_fpr", tpr_interval(values, truth, weights), chance["tpr_at_fpr"])
    )
    test = permutation_test(values[:, None], truth, patients, PERMUTATIONS, seed)
    if float(called.mean()) in (0.0, 1.0):
        notes.append("the same answer for every picture: the verdict metrics are those of a constant")
    elif measures[5].interval.estimate <= chance["f1"]["always used"]:
        notes.append("F1 does not beat the constant answer 'used'")
    return Result(
        task="membership",
        recipe=recipe.name,
        measures=tuple(measures),
        control=_control(test),
        p_value=float(test.p_value[0]),
        count=len(truth),
        share_used=float(called.mean()),
        seed=seed,
        provenance=provenance,
        notes=tuple(notes),
    )


def _attribution(
    recipe: Recipe,
    scores: Scores,
    verdicts: Verdicts,
    answers: Answers,
    seed: int,
    provenance: Mapping[str, Any],
) -> Result:
    truth = [answers.labels[name] for name in scores.ids]
    patients = [answers.patients.get(name, name) for name in scores.ids]
    measures = label_measures(truth, verdicts.labels, patients, seed)
    shuffled = np.random.default_rng(seed)
    rounds = [
        LABEL_METRICS["adjusted_rand_index"](truth, shuffled.permutation(verdicts.labels)) for _ in range(999)
    ]
    low, high = np.quantile(rounds, [0.025, 0.975])
    control = Measure("adjusted_rand_index, labels shuffled", Interval(float(np.mean(rounds)), low, high))
    reached = sum(value >= measures[0].interval.estimate for value in rounds)
    return Result(
        task="attribution",
        recipe=recipe.name,
        measures=measures,
        control=control,
        p_value=(1 + reached) / (1 + len(rounds)),
        count=len(truth),
        share_used=None,
        seed=seed,
        provenance=provenance,
        notes=tuple(order_notes(scores.ids, truth, verdicts.labels)),
    )


def _patients(ids: Sequence[str], truth: Array, answers: Answers) -> tuple[list[str], list[str]]:
    """Patients of the pictures; each picture its own where they are unknown or lie on both sides."""
    if not answers.patients:
        return list(ids), ["patients unknown: every picture counts as a patient of its own"]
    patients = [answers.patients.get(name, name) for name in ids]
    used = {patient for patient, member in zip(patients, truth, strict=True) if member}
    unused = {patient for patient, member in zip(patients, truth, strict=True) if not member}
    if used & unused:
        note = (
            f"{len(used & unused)} patients have used and not used pictures: pictures were permuted instead"
        )
        return list(ids), [note]
    return patients, []


def _control(test: PanelTest) -> Measure:
    """The AUC when the answers are relabelled by whole patients: where it would lie without a leak."""
    spread = 1.96 * float(test.null_sd[0])
    return Measure("auc, answers permuted", Interval(0.5, 0.5 - spread, 0.5 + spread), {"chance": 0.5})
