"""The cure for near copies: which generated pictures to remove, and what that changes for other patients.

A list that is chosen on some patients and judged on the same would flatter itself. So patients are split in
two halves by content. The first half says how near is too near: it lists generated pictures that lie nearer
to its members than generated pictures lie to its holdout, at most 1 % of the list by mistake, and where that
list ends is the threshold. Every generated picture that lies so near to any member is removed, nothing else.
The second half, which had no say in that, is audited before and after.

Taking away what lies near members would make them look *less* like the generated pictures than the holdout,
leak or no leak. So the second audit is also without the generated pictures that lie as near to holdout of
its half: both sides are treated alike, and where there is no leak the two stay exchangeable. Those pictures
are left out of the audit only; they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whorl import auditing, pipeline
from whorl.cohort import check_disjoint, cohort
from whorl.conclusions import Rules
from whorl.evidence.nearness import Scale
from whorl.evidence.permutation import member_patients
from whorl.executors import Executor
from whorl.exposure import FALSE_COPIES, copies_column
from whorl.folding import folds_of
from whorl.images import select
from whorl.outcomes import Audit
from whorl.pipeline import Settings
from whorl.records import Array, BadInput, ImageSet, Problem, Recipe

FEWEST = 50  # generated pictures that must be left for a second audit
Rows = NDArray[np.bool_]
Files = Mapping[str, Mapping[str, Path]]


@dataclass(frozen=True)
class Removed:
    """A generated picture to remove and the member that it lies nearest to, both as rows of their sets.

    `q_value` is what a picture of this likeness has in the list of the choosing half.
    """

    row: int
    member: int
    likeness: float
    q_value: float


@dataclass(frozen=True, eq=False)
class Scrub:
    """What to remove, the nearest first, and two audits of patients that had no say in it.

    `threshold` is the likeness from which on pictures are removed, None where the choosing half lists no
    near copy; `after` is None where nothing is removed or too little would be left. `beside` pictures were
    left out of the second audit, not of the kept ones. `choosing` and `judging` count the patients of either
    half, (members, holdout).
    """

    sentence: str
    threshold: float | None
    removed: tuple[Removed, ...]
    kept: tuple[int, ...]
    beside: int
    choosing: tuple[int, int]
    judging: tuple[int, int]
    before: Audit
    after: Audit | None


@dataclass(frozen=True, eq=False)
class _Sides:
    """Members and holdout with the half that chooses, each (n,) of bool."""

    members: ImageSet
    holdout: ImageSet
    choosing: tuple[Rows, Rows]

    def half(self, choosing: bool) -> tuple[ImageSet, ImageSet]:
        """Return members and holdout of one half."""
        first, second = (np.flatnonzero(rows == choosing) for rows in self.choosing)
        return select(self.members, first), select(self.holdout, second)


@dataclass(frozen=True, eq=False)
class _Near:
    """How like each generated picture is to its most like member, which one, and to judging holdout; (g,).

    `scale` is what the choosing half says of likeness.
    """

    members: Array
    which: Array
    holdout: Array
    scale: Scale


def scrub(
    *,
    generated: ImageSet,
    members: ImageSet,
    holdout: ImageSet,
    reference: ImageSet | None = None,
    recipes: Sequence[Recipe],
    settings: Settings,
    rules: Rules | None = None,
    executor: Executor | None = None,
    files: Files | None = None,
) -> Scrub:
    """Propose the generated pictures to remove so that no near copy of a member is left, and judge that.

    `recipes` are the attacks of both audits, one of which has to look for near copies; `files` are
    those of `generated`, `members` and `holdout`: picture id → path.
    """
    column = copies_column(recipes)
    if column is None:
        raise BadInput("recipes: none looks for near copies; add whorl.copies")
    check_disjoint(members, holdout)
    sides = _halves(members, holdout, settings)

    def audited(made: ImageSet) -> Audit:
        used, unused = sides.half(choosing=False)
        return auditing.audit(
            generated=made,
            members=used,
            holdout=unused,
            reference=reference,
            recipes=recipes,
            settings=settings,
            rules=rules,
            executor=executor,
            files=files,
        )

    near = _likeness(recipes[column], generated, sides, settings)
    threshold = near.scale.threshold()
    before = audited(generated)
    bad = near.members >= (np.inf if threshold is None else threshold)
    beside = ~bad & (near.holdout >= (np.inf if threshold is None else threshold))
    rest = np.flatnonzero(~bad & ~beside)
    after = audited(select(generated, rest)) if bad.any() and len(rest) >= FEWEST else None
    return Scrub(
        sentence=_sentence(int(bad.sum()), len(generated), before, after),
        threshold=threshold,
        removed=_removed(near, bad),
        kept=tuple(int(row) for row in np.flatnonzero(~bad)),
        beside=int(beside.sum()),
        choosing=cohort(*sides.half(choosing=True)).sides,
        judging=cohort(*sides.half(choosing=False)).sides,
        before=before,
        after=after,
    )


def _halves(members: ImageSet, holdout: ImageSet, settings: Settings) -> _Sides:
    """Split either side in two by content, whole patients together."""
    real = cohort(members, holdout, settings.spill_bytes)
    member_patients(real.members, real.patients)  # refuses a patient who is on both sides
    for images, patients in zip((members, holdout), real.sides, strict=True):
        if patients < 2:
            raise BadInput(f"{images.name}: pictures of one patient alone; scrub needs two or more a side")
    first, second = (folds_of(images, 2, settings.seed) == 0 for images in (members, holdout))
    return _Sides(members, holdout, (first, second))


def _likeness(recipe: Recipe, generated: ImageSet, sides: _Sides, settings: Settings) -> _Near:
    """Say how near each generated picture lies to whom, the four parts of the real pictures treated alike.

    Asked from both ends: a member knows its nearest generated picture only, of several copies of one member
    each knows the member. Parts are searched one by one, with shortlists of one length, so that members are
    searched no more thoroughly than holdout.
    """
    real = cohort(sides.members, sides.holdout, settings.spill_bytes)
    asked = pipeline.score(recipe, Problem("membership", real.queries, {"generated": generated}), settings)
    values, twins = real.restored([asked.values[:, 0]])[:, 0], real.restored([asked.nearest[:, 0]])[:, 0]
    groups = {
        f"{half} {images.name}": images
        for half, choosing in (("choosing", True), ("judging", False))
        for images in sides.half(choosing)
    }
    back = pipeline.score(recipe, Problem("membership", generated, groups), settings)
    choosing, rows = np.concatenate(sides.choosing), np.arange(len(real.ids))
    found = []
    for column, (half, side) in enumerate(product((choosing, ~choosing), (real.members, ~real.members))):
        part = rows[half & side]
        found.append(_nearest(back.values[:, column], part[back.nearest[:, column]], values, twins, part))
    (first, its), (beside, _), (second, theirs), (holdout, _) = found
    chosen, unused = sides.half(choosing=True)
    scale = Scale(beside, first, len(chosen) / len(unused), FALSE_COPIES)
    return _Near(np.maximum(first, second), np.where(first >= second, its, theirs), holdout, scale)


def _nearest(own: Array, places: Array, values: Array, twins: Array, part: Array) -> tuple[Array, Array]:
    """Join what generated pictures say (g,) with what the real ones of a part say, who know one twin each."""
    best, which = own.astype(np.float64), places.copy()
    for row in part:
        twin = twins[row]
        if values[row] > best[twin]:
            best[twin], which[twin] = values[row], row
    return best, which


def _removed(near: _Near, bad: Rows) -> tuple[Removed, ...]:
    rows = np.flatnonzero(bad)
    rows = rows[np.argsort(-near.members[rows], kind="stable")]
    values = near.scale.q_values(near.members[rows])
    return tuple(
        Removed(int(row), int(near.which[row]), float(near.members[row]), float(value))
        for row, value in zip(rows, values, strict=True)
    )


def _sentence(removed: int, total: int, before: Audit, after: Audit | None) -> str:
    """What was done, what that changed for patients that had no say, and what is left to do."""
    if removed == 0:
        return _nothing(before)
    share = f"{removed} of {total} generated pictures lie as near to a member as its near copies do"
    if after is None:
        return f"{share}: too few are left to audit again. Retrain with protection."
    changed = f"went from '{before.verdict}' to '{after.verdict}'"
    verdict = f"stays '{after.verdict}'" if after.verdict == before.verdict else changed
    held = (
        f"{share}: remove them. On patients that had no say in this, members with a near copy went from "
        f"{len(before.near_copies)} to {len(after.near_copies)}; the verdict {verdict}."
    )
    if after.near_copies:
        return f"{held} What is left lies less near than any that was chosen by: look at it, or retrain."
    if after.verdict == "leak":
        return (
            f"{held} What is still remembered is not in single pictures: retrain with protection; there is "
            "nothing more to remove."
        )
    return held


def _nothing(before: Audit) -> str:
    said = "No generated picture is a near copy by the half of the patients that chooses: nothing to remove."
    if before.near_copies:
        count = len(before.near_copies)
        named = "1 has" if count == 1 else f"{count} have"
        return f"{said} Yet of the other patients' members {named} one: give more patients or another --seed."
    if before.verdict == "leak":
        return f"{said} What is remembered is not in single pictures: retrain with protection."
    return said
