"""Question 1 for a data steward: a panel of attacks, one body of evidence, one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from whorl import pipeline
from whorl.appraisal import Appraisal, appraise
from whorl.blind import Blind, blind, margin
from whorl.cohort import Cohort, check_disjoint, cohort
from whorl.compare import silent
from whorl.conclusions import Found, Rules, conclude
from whorl.evidence.permutation import member_patients
from whorl.evidence.rates import least_patients
from whorl.executors import Executor, InProcess
from whorl.exposure import copies_column, exposed, near_copies
from whorl.headers import Header, headers
from whorl.hygiene import hygiene
from whorl.outcomes import Audit, NearCopy, Planted, WholeSet
from whorl.pipeline import Settings
from whorl.planting import plant
from whorl.policy import Policy, decide, default, figures
from whorl.records import Array, BadInput, ImageSet, Interval, Problem, Recipe, Scores
from whorl.subgroups import Attributes, Subgroup, subgroups


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
    files: Mapping[str, Mapping[str, Path]] | None = None,
    policy: Policy | None = None,
    attributes: Attributes | None = None,
) -> Audit:
    """Attack the generated pictures with every recipe and weigh members against holdout.

    `files` (`generated`, `members` or `holdout` → picture id → path) lets the files themselves be looked at;
    `policy` says what may be released; `attributes` (column → patient → value) make groups of patients.
    """
    rules = rules or Rules()
    if not recipes:
        raise BadInput("an audit needs at least one recipe")
    check_disjoint(members, holdout)
    for images in (members, holdout):
        if reference is not None:
            check_disjoint(images, reference)
    real = cohort(members, holdout, settings.spill_bytes)
    member_patients(real.members, real.patients)  # refuses a patient on both sides
    problem = Problem("membership", real.queries, {"generated": generated}, reference)
    named = {"generated": generated, "members": members, "holdout": holdout}
    known = {role: headers(images.ids, (files or {}).get(role, {})) for role, images in named.items()}
    tables = _attack(problem, recipes, settings, executor or InProcess())
    values = real.restored([table.values[:, 0] for table in tables])
    nearest = real.restored([table.nearest[:, 0] for table in tables])
    worth = appraise(recipes, values, real, problem, settings, rules)
    found = _found(worth, near_copies(recipes, values, nearest, real))
    found = replace(found, blind=_blind(members, holdout, known, settings))
    found = replace(found, margin=_margin(found, worth, values, settings.seed, rules.alpha))
    record = _record(found, worth, real, values, nearest, rules)
    sets = tuple(images for images in (*named.values(), reference) if images is not None)
    record = replace(
        record,
        generated_ids=generated.ids,
        quarantined=tuple(entry for images in sets for entry in images.quarantined),
        notes=_notes(*named.values()),
        provenance={**(provenance or {}), **_facts(sets, real, recipes, rules, settings.seed)},
        planted=_planted(recipes, problem, values, real, settings),
        subgroups=_groups(worth, real, attributes or {}, rules, settings.seed),
        hygiene=hygiene(**named, reference=reference, files=files, headers=known),
    )
    return replace(record, decision=decide(policy or default(), figures(record), record.verdict))


def _found(worth: Appraisal, copies: tuple[NearCopy, ...]) -> Found:
    whole = WholeSet(worth.test.z_set, worth.test.p_set)
    return Found(worth.attacks, worth.combined, worth.test.p_below, whole, copies)


def _record(
    found: Found, worth: Appraisal, real: Cohort, values: Array, nearest: Array, rules: Rules
) -> Audit:
    """The audit as far as members and holdout tell it."""
    verdict, sentence = conclude(found, real.sides, rules)
    return Audit(
        verdict=verdict,
        sentence=sentence,
        attacks=worth.attacks,
        detectable_auc=max(attack.detectable_auc for attack in worth.attacks),
        alpha=rules.alpha,
        ids=real.ids,
        roles=real.roles,
        patients=real.patients,
        values=values,
        nearest=nearest,
        generated_ids=(),
        exposed=exposed(worth.attacks, values, nearest, real.members, rules.alpha),
        quarantined=(),
        notes=(),
        provenance={},
        combined=worth.combined,
        combined_scores=worth.scores,
        whole_set=found.whole_set if worth.combined else None,
        near_copies=tuple(found.near_copies),
        remembrance=worth.remembrance,
        privacy_loss=worth.privacy_loss,
        blind=found.blind,
        margin=found.margin,
        per_patient=worth.per_patient,
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


def _blind(
    members: ImageSet, holdout: ImageSet, known: Mapping[str, Sequence[Header | None]], settings: Settings
) -> Blind:
    settings.progress("without generated pictures", 0, 1)
    sides = [known[role] for role in ("members", "holdout")]
    told = all(any(each) for each in sides)  # arrays beside files differ in that alone
    own, other = sides if told else (None, None)
    found = blind(members, holdout, own, other, settings.seed)
    settings.progress("without generated pictures", 1, 1)
    return found


def _margin(found: Found, worth: Appraisal, values: Array, seed: int, alpha: float) -> Interval | None:
    """What the strongest attack has over the blind baseline, or over chance."""
    if found.blind is None or not found.blind.families:
        return None
    best = min(found.tried, key=lambda attack: (attack.p_adjusted, -attack.auc.estimate))
    own = worth.scores if best is found.combined else values[:, list(worth.attacks).index(best)]
    return margin(found.blind, own, seed=seed, alpha=alpha)


def _groups(
    worth: Appraisal, real: Cohort, attributes: Attributes, rules: Rules, seed: int
) -> tuple[Subgroup, ...]:
    listed = {one.name for one in worth.remembrance.patients}
    of_whom = real.members, real.patients
    return subgroups(worth.scores, *of_whom, attributes, listed, draws=rules.draws, seed=seed)


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
    if members.patients is None or holdout.patients is None:
        alone = "patients unknown: every picture counts as a patient of its own"
        notes.append(f"{alone}, which makes p-values too small where patients have several pictures")
    needed = least_patients(0.01)
    if len(set(holdout.patients or holdout.ids)) < needed:
        found = "no share found at 1 % false alarms is given"
        notes.append(f"fewer than {needed} holdout patients: {found}; go by the AUC and the p-values")
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
