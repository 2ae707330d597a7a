"""Can members be told from the holdout without the generated pictures? Then an attack proves less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whorl.appearance import Facts, of_files, of_pixels
from whorl.evidence.crossfit import crossfit
from whorl.evidence.intervals import Resamples, auc_interval, bootstrap_weights, percentile_interval
from whorl.evidence.permutation import member_patients
from whorl.headers import Header
from whorl.metrics import auc
from whorl.records import Array, ImageSet, Interval

DRAWS = 1000
TOGETHER = "all together"
SHOWN = 3
SURE = 0.05
SLAB_BYTES = 8 << 20


@dataclass(frozen=True)
class Family:
    """How well one kind of facts tells members from holdout.

    `p_value` counts permutations of whole patients with the fit repeated, `p_adjusted` also pays for all
    kinds tried. `leading` are the facts that differ most: name, and the medians of members and holdout.
    `inflation` is how much the fitting widened the interval.
    """

    name: str
    what: str
    auc: Interval
    p_value: float
    p_adjusted: float
    leading: tuple[tuple[str, float, float], ...] = ()
    inflation: float = 1.0


@dataclass(frozen=True, eq=False)
class Blind:
    """The blind baseline: its kinds of facts, and what each says of every picture, members first.

    `scores` is (n, families), higher = more like the members, each picture judged by a fit on others.
    """

    families: tuple[Family, ...]
    scores: Array
    members: NDArray[np.bool_]
    patients: tuple[str, ...]

    def confounded(self, alpha: float = SURE) -> tuple[Family, ...]:
        """Return the kinds of facts that tell members from holdout, by falling AUC."""
        found = [one for one in self.families if one.p_adjusted <= alpha]
        return tuple(sorted(found, key=lambda one: (-one.auc.estimate, one.p_adjusted)))

    def sentence(self, alpha: float = SURE) -> str:
        """Say in a line whether the comparison is confounded, and by what."""
        if not self.families:
            return "Too few patients to ask whether members and holdout differ in how they were made."
        found = self.confounded(alpha)
        if not found:
            return "Without the generated pictures members cannot be told from the holdout."
        named = [one for one in found if one.name != TOGETHER]
        kinds = ", ".join(one.name for one in named[:3]) or "several facts taken together"
        shown = named[0].leading[:1] if named else ()
        facts = ", ".join(f"{name} {own:.3g} and {other:.3g}" for name, own, other in shown)
        medians = f"; medians of {facts}" if facts else ""
        return (
            f"Members can be told from the holdout without any generated picture, by {kinds} "
            f"(AUC {found[0].auc.estimate:.3f}{medians})."
        )


def blind(
    members: ImageSet,
    holdout: ImageSet,
    files_members: Sequence[Header | None] | None = None,
    files_holdout: Sequence[Header | None] | None = None,
    seed: int = 0,
    permutations: int = 1999,
) -> Blind:
    """Ask whether the making of pictures and files tells members from holdout.

    The headers of the files are given in the order of the pictures, as far as they are known.
    """
    tables = [
        Facts(one.name, one.what, one.columns, np.concatenate([one.table, other.table]))
        for one, other in zip(of_pixels(members), of_pixels(holdout), strict=True)
    ]
    known = [*(files_members or [None] * len(members)), *(files_holdout or [None] * len(holdout))]
    files = of_files(known)
    if members.patients is None or holdout.patients is None:
        owners = (*(f"member/{one}" for one in members.ids), *(f"holdout/{one}" for one in holdout.ids))
    else:
        owners = (*members.patients, *holdout.patients)
    used = np.arange(len(known)) < len(members)
    return of_facts([*tables, *([files] if files else [])], used, owners, seed, permutations)


def of_facts(
    tables: Sequence[Facts],
    members: NDArray[np.bool_],
    patients: Sequence[str],
    seed: int = 0,
    permutations: int = 1999,
) -> Blind:
    """Test tables of facts (n, d) about pictures of which some are `members`, (n,)."""
    patient, is_member = member_patients(members, patients)
    found = crossfit([one.table for one in tables], patient, is_member, permutations, seed)
    if found is None:
        return Blind((), np.zeros((len(members), 0)), members, tuple(patients))
    weights = Resamples(np.ones((1, len(is_member)), np.uint16), patient)
    together = Facts(TOGETHER, "all of these facts at once", (), np.zeros((len(members), 0)))
    families = tuple(
        Family(
            name=one.name,
            what=one.what,
            auc=_interval(found.scores[:, place], members, weights, float(found.inflation[place])),
            p_value=float(found.p_value[place]),
            p_adjusted=float(found.p_adjusted[place]),
            leading=_leading(one, members),
            inflation=float(found.inflation[place]),
        )
        for place, one in enumerate((*tables, together))
    )
    return Blind(families, found.scores, members, tuple(patients))


def margin(found: Blind, values: Array, draws: int = DRAWS, seed: int = 0, alpha: float = SURE) -> Interval:
    """Return by how much an attack's AUC exceeds the blind one, from the same resampled patients.

    `values` (n,) are the attack's scores, members first. Compared is the strongest of what is confounded,
    or 0.5 if nothing is: then the margin is what the attack has over chance.
    """
    weights = bootstrap_weights(found.patients, found.members, draws, seed)
    own, drawn = auc(values, found.members), _auc_draws(values, found.members, weights)
    other, beside = 0.5, np.full(draws, 0.5)
    for worst in found.confounded(alpha)[:1]:
        column = found.scores[:, found.families.index(worst)]
        other = auc(column, found.members)
        beside = other + worst.inflation * (_auc_draws(column, found.members, weights) - other)
    return percentile_interval(own - other, drawn - beside, _fewest(found.members, weights), -1.0)


def _interval(scores: Array, members: Array, weights: Resamples, inflation: float) -> Interval:
    """Return the AUC with its interval, as much wider as refitted scores spread wider than fixed ones.

    Scores alone do not know that their classifier was fitted on a sample as well.
    """
    found = auc_interval(scores, members, weights)
    low, high = (found.estimate + inflation * (end - found.estimate) for end in (found.low, found.high))
    return Interval(found.estimate, max(low, 0.0), min(high, 1.0))


def _fewest(members: Array, weights: Resamples) -> int:
    """Count the patients of the smaller side."""
    return min(len(np.unique(weights.patient[side])) for side in (members, ~members))


def _leading(facts: Facts, members: NDArray[np.bool_]) -> tuple[tuple[str, float, float], ...]:
    """Return the facts whose ranks differ most between members and holdout, with the medians of both."""
    apart = [abs(auc(column, members) - 0.5) for column in facts.table.T]
    order = np.argsort(apart)[::-1][:SHOWN]
    sides = [np.median(facts.table[side], axis=0) for side in (members, ~members)]
    return tuple((facts.columns[one], float(sides[0][one]), float(sides[1][one])) for one in order)


def _auc_draws(scores: Array, truth: Array, weights: Resamples) -> Array:
    """Return the AUC of every resample, (draws,); ties count half."""
    order = np.argsort(scores)
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0))
    found = []
    rows = max(1, SLAB_BYTES // (8 * len(order)))
    for start in range(0, len(weights.counts), rows):
        weight = weights.counts[start : start + rows][:, weights.patient[order]].astype(np.float64)
        used = np.add.reduceat(weight * truth[order], starts, axis=1)
        unused = np.add.reduceat(weight * ~truth[order], starts, axis=1)
        wins = (used * (np.cumsum(unused, axis=1) - unused / 2)).sum(axis=1)
        found.append(wins / (used.sum(axis=1) * unused.sum(axis=1)))
    return np.concatenate(found)
