"""What the scores of a panel are worth: each attack, all together, who is remembered, what ε at least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from whorl import setwise
from whorl.cohort import Cohort
from whorl.conclusions import Rules
from whorl.evidence.discoveries import Discoveries, patient_discoveries, picture_discoveries
from whorl.evidence.epsilon import Choice, by_patient, epsilon_clopper_pearson
from whorl.evidence.intervals import Resamples, auc_interval, bootstrap_weights, tpr_interval
from whorl.evidence.permutation import PanelTest, permutation_test
from whorl.evidence.power import detectable_auc
from whorl.evidence.rates import Recognition, supported
from whorl.evidence.sets import Kernels
from whorl.evidence.stacking import FOLDS, Stack, stack
from whorl.folding import folds_of
from whorl.outcomes import Attack, PrivacyLoss, Remembered, Remembrance
from whorl.pipeline import Settings
from whorl.records import Array, Interval, Problem, Recipe

COMBINED = "combined"
FALSE_SHARE = 0.05  # of a list of those remembered
CONFIDENCE = 0.95
RARE = 0.001


@dataclass(frozen=True, eq=False)
class Appraisal:
    """The evidence of a panel: the test, each attack, and where there are several, all of them together.

    `scores` (n,) are those that speak for the panel: of all attacks together, or of the only one.
    """

    test: PanelTest
    attacks: tuple[Attack, ...]
    combined: Attack | None
    scores: Array
    remembrance: Remembrance
    privacy_loss: PrivacyLoss
    per_patient: Recognition | None


def appraise(
    recipes: Sequence[Recipe],
    values: Array,
    real: Cohort,
    problem: Problem,
    settings: Settings,
    rules: Rules,
) -> Appraisal:
    """Test scores (n, attacks) of members and holdout; one recipe alone is not stacked."""
    stacked, kernels = _together(values, real, problem, settings) if len(recipes) > 1 else (None, None)
    members, patients = real.members, real.patients
    test = permutation_test(values, members, patients, rules.permutations, settings.seed, stacked, kernels)
    measure = _Measure(
        members,
        bootstrap_weights(patients, members, rules.draws, settings.seed),
        test,
        rules.alpha,
        real.sides,
    )
    attacks = tuple(
        measure(recipe.name, recipe.note or str(recipe.about["title"]), values[:, column], column)
        for column, recipe in enumerate(recipes)
    )
    combined, scores = None, values[:, 0].astype(np.float64)
    if stacked is not None:
        scores = stacked.scores(members[None])[0]
        combined = measure(
            COMBINED, f"All {len(recipes)} attacks together, weighed on other patients.", scores, -1
        )
        combined = replace(combined, auc=_widened(combined.auc, test))
        shares = stacked.weights(members)
        shares = shares / max(float(np.abs(shares).sum()), 1e-12)
        pairs = zip(attacks, shares, strict=True)
        attacks = tuple(replace(attack, weight=float(share)) for attack, share in pairs)
    remembrance = _remembrance(scores, real, settings.seed)
    return Appraisal(
        test,
        attacks,
        combined,
        scores,
        remembrance,
        _privacy_loss(scores, real),
        _per_patient(scores, real, rules.draws, settings.seed),
    )


@dataclass(frozen=True, eq=False)
class _Measure:
    """Turns one attack's scores into its evidence."""

    members: Array
    weights: Resamples
    test: PanelTest
    alpha: float
    sides: tuple[int, int]

    def __call__(self, name: str, title: str, scores: Array, column: int) -> Attack:
        def found_at(rate: float) -> Interval | None:
            enough = supported(rate, self.sides[1])
            return tpr_interval(scores, self.members, self.weights, rate) if enough else None

        return Attack(
            recipe=name,
            title=title,
            auc=auc_interval(scores, self.members, self.weights),
            tpr=found_at(0.01),
            p_value=float(self.test.p_value[column]),
            p_adjusted=float(self.test.p_adjusted[column]),
            detectable_auc=detectable_auc(float(self.test.null_sd[column]), self.test.critical(self.alpha)),
            tpr_rare=found_at(RARE),
        )


def _together(values: Array, real: Cohort, problem: Problem, settings: Settings) -> tuple[Stack, Kernels]:
    """What looks at the panel as a whole, and at the sets as wholes; neither is told who is a member."""
    place = real.restored([folds_of(real.queries, FOLDS, settings.seed)])[:, 0]
    patient = np.unique(np.asarray(real.patients), return_inverse=True)[1]
    settings.progress("whole sets", 0, 1)
    described = setwise.described(problem, patient[real.order], settings)
    settings.progress("whole sets", 1, 1)
    return stack(values, place), described


def _widened(auc: Interval, test: PanelTest) -> Interval:
    """The interval of the stack, which also varies because its weights were learnt.

    By as much as permutations spread it more than its parts; learning without a leak lies below one half.
    """
    factor = max(1.0, float(test.null_sd[-1] / max(np.median(test.null_sd[:-1]), 1e-12)))
    low = auc.estimate - (auc.estimate - auc.low) * factor
    high = auc.estimate + (auc.high - auc.estimate) * factor + max(0.0, 0.5 - float(test.null_mean[-1]))
    return Interval(auc.estimate, max(0.0, low), min(1.0, high))


def _per_patient(scores: Array, real: Cohort, draws: int, seed: int) -> Recognition | None:
    """Let every patient speak once, with the mean of the pictures; nothing new where each has one."""
    sides = _by_side(scores, real)
    count = [len(side) for side in sides]
    if sum(count) == len(scores):
        return None
    means, members = np.concatenate(sides), np.arange(sum(count)) < count[0]
    weights = bootstrap_weights([str(row) for row in range(len(means))], members, draws, seed)
    found = [
        tpr_interval(means, members, weights, rate) if supported(rate, count[1]) else None
        for rate in (0.01, RARE)
    ]
    return Recognition(count[0], count[1], auc_interval(means, members, weights), found[0], found[1])


def _by_side(scores: Array, real: Cohort) -> list[Array]:
    """Mean score of every patient, of members and of holdout."""
    sides = []
    for side in (real.members, ~real.members):
        owners = [patient for patient, inside in zip(real.patients, side, strict=True) if inside]
        sides.append(by_patient(scores[side], owners, "mean")[0])
    return sides


def _remembrance(scores: Array, real: Cohort, seed: int) -> Remembrance:
    """List pictures and patients that hardly any of the holdout reaches."""
    pictures = picture_discoveries(scores, real.members, real.patients, FALSE_SHARE)
    patients = patient_discoveries(scores, real.members, real.patients, FALSE_SHARE, seed=seed)
    names = [real.ids[int(row)] for row in pictures.names]
    return Remembrance(
        FALSE_SHARE,
        _listed(pictures, names),
        _listed(patients, [str(name) for name in patients.names]),
        pictures.fewest > 0,
    )


def _listed(found: Discoveries, names: Sequence[str]) -> tuple[Remembered, ...]:
    order = np.lexsort((found.p_values, found.adjusted))
    return tuple(
        Remembered(names[place], float(found.p_values[place]), float(found.adjusted[place]))
        for place in order
        if found.listed[place]
    )


def _privacy_loss(scores: Array, real: Cohort) -> PrivacyLoss:
    """Limit ε from below by what an attacker finds, a patient speaking with the mean of the pictures."""
    sides = _by_side(scores, real)
    choice = Choice()
    limit = epsilon_clopper_pearson(sides[0], sides[1], confidence=CONFIDENCE, choice=choice)
    return PrivacyLoss(limit, 0.0, CONFIDENCE, choice.strategy)
