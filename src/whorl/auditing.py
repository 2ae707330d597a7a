"""Question 1 for a data steward: a panel of attacks, one body of evidence, one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whorl import pipeline, setwise
from whorl.cohort import Cohort, check_disjoint, cohort
from whorl.compare import silent
from whorl.conclusions import Found, Rules, conclude
from whorl.evidence.intervals import Resamples, auc_interval, bootstrap_weights, tpr_interval
from whorl.evidence.permutation import PanelTest, member_patients, permutation_test
from whorl.evidence.power import detectable_auc
from whorl.evidence.sets import Kernels
from whorl.evidence.stacking import FOLDS, Stack, stack
from whorl.executors import Executor, InProcess
from whorl.exposure import copies_column, exposed, near_copies
from whorl.folding import folds_of
from whorl.outcomes import Attack, Audit, Planted, WholeSet
from whorl.pipeline import Settings
from whorl.planting import plant
from whorl.records import Array, BadInput, ImageSet, Interval, Problem, Recipe, Scores

COMBINED = "combined"
FEW_HOLDOUT = 300  # below, the interval of the share found at 1 % covers less than it says


def audit(
    *,
    generated: ImageSet,
    members: ImageSet,
    holdout: ImageSet,
    reference: ImageSet | None = None,
    recipes: Sequence[Recipe],
    settings: Settings,
    rules: Rules | None = None,
    executor: Executor | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Audit:
    """Attack the generated pictures with every recipe and weigh members against holdout."""
    rules = rules or Rules()
    if not recipes:
        raise BadInput("an audit needs at least one recipe")
    check_disjoint(members, holdout)
    for images in (members, holdout):
        if reference is not None:
            check_disjoint(images, reference)
    real = cohort(members, holdout)
    patient, _ = member_patients(real.members, real.patients)
    problem = Problem("membership", real.queries, {"generated": generated}, reference)
    tables = _attack(problem, recipes, settings, executor or InProcess())
    values = real.restored([table.values[:, 0] for table in tables])
    nearest = real.restored([table.nearest[:, 0] for table in tables])
    together = _together(values, real, problem, patient, settings) if len(recipes) > 1 else (None, None)
    test = permutation_test(values, real.members, real.patients, rules.permutations, settings.seed, *together)
    attacks, combined, scores = _evidence(recipes, values, real, test, together[0], rules, settings.seed)
    smallest = max(attack.detectable_auc for attack in attacks)
    copies = near_copies(recipes, values, nearest, real)
    found = Found(attacks, combined, test.p_below, WholeSet(test.z_set, test.p_set), copies)
    verdict, sentence = conclude(found, real.sides, rules)
    sets = tuple(images for images in (generated, members, holdout, reference) if images is not None)
    return Audit(
        verdict=verdict,
        sentence=sentence,
        attacks=attacks,
        detectable_auc=smallest,
        alpha=rules.alpha,
        ids=real.ids,
        roles=real.roles,
        patients=real.patients,
        values=values,
        nearest=nearest,
        generated_ids=generated.ids,
        exposed=exposed(attacks, values, nearest, real.members, rules.alpha),
        quarantined=tuple(entry for images in sets for entry in images.quarantined),
        notes=_notes(generated, members, holdout),
        provenance={**(provenance or {}), **_facts(sets, real, recipes, rules, settings.seed)},
        combined=combined,
        combined_scores=scores,
        whole_set=found.whole_set if combined else None,
        near_copies=copies,
        planted=_planted(recipes, problem, values, real, settings),
    )


def score_job(shared: tuple[Problem, Settings], recipe: Recipe) -> Scores:
    """Score one recipe: the task that executors spread."""
    problem, settings = shared
    return pipeline.score(recipe, problem, settings)


def _attack(
    problem: Problem, recipes: Sequence[Recipe], settings: Settings, executor: Executor
) -> list[Scores]:
    shared = settings if isinstance(executor, InProcess) else replace(settings, progress=silent)
    found: dict[int, Scores] = {}
    for place, scores in executor.run(score_job, (problem, shared), recipes):
        found[place] = scores
        settings.progress("attacks", len(found), len(recipes))
    return [found[place] for place in range(len(recipes))]


def _together(
    values: Array, real: Cohort, problem: Problem, patient: Array, settings: Settings
) -> tuple[Stack, Kernels]:
    """What looks at the panel as a whole, and at the sets as wholes; neither is told who is a member."""
    place = real.restored([folds_of(real.queries, FOLDS, settings.seed)])[:, 0]
    settings.progress("whole sets", 0, 1)
    described = setwise.described(problem, patient[real.order], settings)
    settings.progress("whole sets", 1, 1)
    return stack(values, place), described


def _evidence(
    recipes: Sequence[Recipe],
    values: Array,
    real: Cohort,
    test: PanelTest,
    stacked: Stack | None,
    rules: Rules,
    seed: int,
) -> tuple[tuple[Attack, ...], Attack | None, Array]:
    """Return what each attack found, what all together found, and the score of all together, (n,)."""
    weights = bootstrap_weights(real.patients, real.members, rules.draws, seed)
    titles = [(recipe.name, recipe.note or str(recipe.about["title"])) for recipe in recipes]
    shares = stacked.weights(real.members) if stacked else np.zeros(len(recipes))
    shares = shares / max(float(np.abs(shares).sum()), 1e-12)
    attacks = tuple(
        replace(
            _measured(title, values[:, column], real.members, weights, test, column, rules.alpha),
            weight=float(shares[column]) if stacked else None,
        )
        for column, title in enumerate(titles)
    )
    if stacked is None:
        return attacks, None, np.zeros(0)
    scores = stacked.scores(real.members[None])[0]
    title = (COMBINED, f"All {len(recipes)} attacks together, weighed on other patients.")
    combined = _measured(title, scores, real.members, weights, test, len(recipes), rules.alpha)
    return attacks, replace(combined, auc=_widened(combined.auc, test)), scores


def _measured(
    title: tuple[str, str],
    scores: Array,
    members: Array,
    weights: Resamples,
    test: PanelTest,
    column: int,
    alpha: float,
) -> Attack:
    return Attack(
        recipe=title[0],
        title=title[1],
        auc=auc_interval(scores, members, weights),
        tpr=tpr_interval(scores, members, weights),
        p_value=float(test.p_value[column]),
        p_adjusted=float(test.p_adjusted[column]),
        detectable_auc=detectable_auc(float(test.null_sd[column]), test.critical(alpha)),
    )


def _widened(auc: Interval, test: PanelTest) -> Interval:
    """The interval of the stack, which also varies because its weights were learnt.

    By as much as permutations spread it more than its parts; learning without a leak lies below one half.
    """
    factor = max(1.0, float(test.null_sd[-1] / max(np.median(test.null_sd[:-1]), 1e-12)))
    low = auc.estimate - (auc.estimate - auc.low) * factor
    high = auc.estimate + (auc.high - auc.estimate) * factor + max(0.0, 0.5 - float(test.null_mean[-1]))
    return Interval(auc.estimate, max(0.0, low), min(1.0, high))


def _planted(
    recipes: Sequence[Recipe], problem: Problem, values: Array, real: Cohort, settings: Settings
) -> tuple[Planted, ...]:
    column = copies_column(recipes)
    if column is None:
        return ()
    scores, members = values[real.order, column], real.members[real.order]
    return plant(recipes[column], problem, scores, members, settings)


def _notes(generated: ImageSet, members: ImageSet, holdout: ImageSet) -> tuple[str, ...]:
    notes = [f"{images.name}: {note}" for images in (generated, members, holdout) for note in images.notes]
    made = set(generated.digests)
    for images in (members, holdout):
        copies = [name for name, digest in zip(images.ids, images.digests, strict=True) if digest in made]
        if copies:
            share = f"{len(copies)} of the {images.name} are among the generated pictures"
            notes.append(f"{share} pixel by pixel, first '{copies[0]}'")
    if members.patients is None or holdout.patients is None:
        alone = "patients unknown: every picture counts as a patient of its own"
        notes.append(f"{alone}, which makes p-values too small where patients have several pictures")
    if len(set(holdout.patients or holdout.ids)) < FEW_HOLDOUT:
        found = "the share found at 1 % false alarms rests on one or two holdout pictures"
        notes.append(f"fewer than {FEW_HOLDOUT} holdout patients: {found}; go by the AUC and the p-values")
    return tuple(notes)


def _facts(
    sets: Sequence[ImageSet], real: Cohort, recipes: Sequence[Recipe], rules: Rules, seed: int
) -> dict[str, Any]:
    generated, members, holdout = sets[:3]
    member_patients, holdout_patients = real.sides
    return {
        "seed": seed,
        "alpha": rules.alpha,
        "permutations": rules.permutations,
        "bootstrap_draws": rules.draws,
        "counts": {
            "generated": len(generated),
            "members": len(members),
            "holdout": len(holdout),
            "member_patients": member_patients,
            "holdout_patients": holdout_patients,
        },
        "patients_known": members.patients is not None and holdout.patients is not None,
        "picture_size": list(generated.pixels.shape[1:]),
        "digests": {images.name: images.digest for images in sets},
        "recipes": {recipe.name: recipe.digest for recipe in recipes},
    }
