"""Which members are most exposed, and which have a near copy among the generated pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whorl.cohort import Cohort
from whorl.evidence.exact import benjamini_hochberg
from whorl.evidence.tails import FEWEST, copy_p_values, finest
from whorl.outcomes import Attack, Exposed, NearCopy
from whorl.records import Array, Recipe

SHOWN = 24
COPIES = "copies.aligned"  # the scorer whose scores are correlations of pictures laid over each other
FALSE_COPIES = 0.01  # share of a list of near copies that may be false


def copies_column(recipes: Sequence[Recipe]) -> int | None:
    """Return which attack looks for near copies, if one does."""
    for column, recipe in enumerate(recipes):
        scorer = recipe.one("scorer")
        if scorer is not None and scorer.name == COPIES:
            return column
    return None


def too_few_for_copies(roles: Sequence[str]) -> str:
    """Say why no near copy can be listed beside so few holdout pictures; nothing where one can."""
    holdout = roles.count("holdout")
    if finest(holdout) <= FALSE_COPIES:
        return ""
    return (
        f"With {holdout} holdout pictures no near copy can be listed, however like its twin: "
        f"{FEWEST} or more are needed to keep the wrong ones below {100 * FALSE_COPIES:g} %."
    )


def near_copies(
    recipes: Sequence[Recipe], values: Array, nearest: Array, real: Cohort
) -> tuple[NearCopy, ...]:
    """List the members whose generated twin lies nearer than holdout ever does, the surest first."""
    column = copies_column(recipes)
    if column is None:
        return ()
    rows = np.flatnonzero(real.members)
    likeness = values[:, column].astype(np.float64)
    adjusted = benjamini_hochberg(copy_p_values(likeness[~real.members], likeness[rows]))
    listed = np.flatnonzero(adjusted <= FALSE_COPIES)
    listed = listed[np.lexsort((-likeness[rows[listed]], adjusted[listed]))]
    return tuple(
        NearCopy(
            row=int(rows[place]),
            twin=int(nearest[rows[place], column]),
            likeness=float(likeness[rows[place]]),
            q_value=float(adjusted[place]),
        )
        for place in listed
    )


def exposed(
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
