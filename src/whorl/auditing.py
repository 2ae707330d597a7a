"""Question 1 for a data steward: a panel of attacks, one body of evidence, one verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whorl import pipeline
from whorl.compare import silent
from whorl.conclusions import Rules, conclude
from whorl.evidence.intervals import auc_interval, bootstrap_weights, tpr_interval
from whorl.evidence.permutation import PanelTest, member_patients, permutation_test
from whorl.evidence.power import detectable_auc
from whorl.executors import Executor, InProcess
from whorl.outcomes import Attack, Audit, Exposed
from whorl.pipeline import Settings
from whorl.records import Array, BadInput, ImageSet, Problem, Recipe, Scores

SHOWN = 24
FEW_HOLDOUT = 300  # below, the interval of the share found at 1 % covers less than it says


@dataclass(frozen=True, eq=False)
class Real:
    """The real pictures of an audit, members first, and the neutral order in which methods see them."""

    ids: tuple[str, ...]
    roles: tuple[str, ...]
    patients: tuple[str, ...]
    order: Array
    queries: ImageSet

    @property
    def members(self) -> Array:
        """Which pictures are members, (n,) of bool."""
        return np.asarray([role == "member" for role in self.roles])


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
    _check_disjoint(members, holdout)
    for images in (members, holdout):
        if reference is not None:
            _check_disjoint(images, reference)
    real = _mix(members, holdout)
    member_patients(real.members, real.patients)
    problem = Problem("membership", real.queries, {"generated": generated}, reference)
    tables = _attack(problem, recipes, settings, executor or InProcess())
    values = _in_order([table.values[:, 0] for table in tables], real.order)
    nearest = _in_order([table.nearest[:, 0] for table in tables], real.order)
    test = permutation_test(values, real.members, real.patients, rules.permutations, settings.seed)
    attacks = _evidence(recipes, values, real, test, rules, settings.seed)
    smallest = max(attack.detectable_auc for attack in attacks)
    verdict, sentence = conclude(attacks, test.p_below, _sides(real), rules)
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
        exposed=_exposed(attacks, values, nearest, real.members, rules.alpha),
        quarantined=tuple(entry for images in sets for entry in images.quarantined),
        notes=_notes(generated, members, holdout),
        provenance={**(provenance or {}), **_facts(sets, real, recipes, rules, settings.seed)},
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


def _check_disjoint(members: ImageSet, holdout: ImageSet) -> None:
    """Refuse two sets of real pictures that have any in common."""
    names = dict(zip(members.digests, members.ids, strict=True))
    shared = [
        (names[digest], name)
        for digest, name in zip(holdout.digests, holdout.ids, strict=True)
        if digest in names
    ]
    if shared:
        first, second = shared[0]
        raise BadInput(
            f"{members.name} and {holdout.name} share {len(shared)} of {len(holdout)} pictures, "
            f"first '{first}' = '{second}': they must have none in common"
        )


def _mix(members: ImageSet, holdout: ImageSet) -> Real:
    """Lay members and holdout together in an order and under names that tell nothing of their role."""
    if members.pixels.shape[1:] != holdout.pixels.shape[1:]:
        Problem("membership", members, {holdout.name: holdout})  # raises the error that names the sizes
    ids = (*members.ids, *holdout.ids)
    roles = ("member",) * len(members) + ("holdout",) * len(holdout)
    if members.patients is None or holdout.patients is None:
        patients = tuple(f"{role}/{name}" for role, name in zip(roles, ids, strict=True))
    else:
        patients = (*members.patients, *holdout.patients)
    digests = (*members.digests, *holdout.digests)
    order = np.asarray(sorted(range(len(ids)), key=lambda place: (digests[place], patients[place])))
    kind = np.result_type(members.pixels, holdout.pixels)
    pixels = np.empty((len(ids), *members.pixels.shape[1:]), kind)
    for row, place in enumerate(order):
        inside = place < len(members)
        pixels[row] = members.pixels[place] if inside else holdout.pixels[place - len(members)]
    neutral = tuple(f"query {row:07d}" for row in range(len(ids)))
    queries = ImageSet("real pictures", neutral, pixels, tuple(digests[place] for place in order))
    return Real(ids, roles, patients, order, queries)


def _in_order(columns: Sequence[Array], order: Array) -> Array:
    table = np.empty((len(order), len(columns)), columns[0].dtype)
    table[order] = np.column_stack(columns)
    return table


def _evidence(
    recipes: Sequence[Recipe], values: Array, real: Real, test: PanelTest, rules: Rules, seed: int
) -> tuple[Attack, ...]:
    weights = bootstrap_weights(real.patients, real.members, rules.draws, seed)
    critical = test.critical(rules.alpha)
    return tuple(
        Attack(
            recipe=recipe.name,
            title=recipe.note or str(recipe.about["title"]),
            auc=auc_interval(values[:, column], real.members, weights),
            tpr=tpr_interval(values[:, column], real.members, weights),
            p_value=float(test.p_value[column]),
            p_adjusted=float(test.p_adjusted[column]),
            detectable_auc=detectable_auc(float(test.null_sd[column]), critical),
        )
        for column, recipe in enumerate(recipes)
    )


def _exposed(
    attacks: Sequence[Attack], values: Array, nearest: Array, members: Array, alpha: float
) -> tuple[Exposed, ...]:
    """Members ranked by how few holdout pictures score as high, on the attacks that found something."""
    found = [column for column, attack in enumerate(attacks) if attack.p_adjusted <= alpha]
    columns = found or list(range(len(attacks)))
    rows = np.flatnonzero(members)
    beside = np.sort(values[~members][:, columns], axis=0)
    count = len(beside)
    rarity = np.empty((len(rows), len(columns)))
    height = np.empty_like(rarity)
    for place, column in enumerate(columns):
        own = values[rows, column]
        rarity[:, place] = 1 - np.searchsorted(beside[:, place], own, side="left") / count
        low, middle, high = np.quantile(beside[:, place], [0.25, 0.5, 0.75])
        height[:, place] = (own - middle) / max(high - low, 1e-12)
    best = np.lexsort((-height, rarity), axis=1)[:, 0]
    at = np.arange(len(rows))
    order = np.lexsort((-height[at, best], rarity[at, best]))[:SHOWN]
    return tuple(
        Exposed(
            row=int(rows[place]),
            twin=_twin(nearest[rows[place]], columns[best[place]]),
            recipe=attacks[columns[best[place]]].recipe,
            rarity=float(rarity[place, best[place]]),
        )
        for place in order
    )


def _twin(row: Array, column: int) -> int:
    """The nearest generated picture by this attack, or by the first attack that knows one."""
    known = [int(place) for place in (row[column], *row) if place >= 0]
    return known[0] if known else -1


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


def _sides(real: Real) -> tuple[int, int]:
    """How many patients are members, how many holdout."""
    pairs = set(zip(real.roles, real.patients, strict=True))
    members = sum(role == "member" for role, _ in pairs)
    return members, len(pairs) - members


def _facts(
    sets: Sequence[ImageSet], real: Real, recipes: Sequence[Recipe], rules: Rules, seed: int
) -> dict[str, Any]:
    generated, members, holdout = sets[:3]
    member_patients, holdout_patients = _sides(real)
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
