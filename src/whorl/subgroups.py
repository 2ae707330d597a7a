"""Whether some kinds of patients are remembered more than others, as a table tells them apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from whorl.evidence.intervals import auc_interval, bootstrap_weights
from whorl.records import Array, Interval

FEWEST = 10  # patients of either side in a group, below which nothing of the group is told
MOST_VALUES = 8  # of a column of words; numbers with more are cut into thirds
SHARES = (1 / 3, 2 / 3)

Attributes = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Subgroup:
    """The patients of one value of one column: how many of either side, and what was found of them.

    `auc` tells members of the group from holdout of the same group; `remembered` counts its members who are
    on the list of patients. Both are None where either side has too few patients.
    """

    column: str
    value: str
    members: int
    holdout: int
    auc: Interval | None
    remembered: int | None


def subgroups(
    scores: Array,
    members: Array,
    patients: Sequence[str],
    attributes: Attributes,
    remembered: Collection[str],
    *,
    draws: int,
    seed: int,
) -> tuple[Subgroup, ...]:
    """Look at scores (n,) of `members` (n,) within the groups of every column: column → patient → value.

    A column of one value, or of many that are no numbers, makes no groups.
    """
    found = []
    owners = np.asarray(patients)
    for column, told in attributes.items():
        for value, inside in _groups({name: told.get(name, "") for name in set(patients)}).items():
            rows = np.asarray([owner in inside for owner in patients])
            sides = [len(set(owners[rows & side])) for side in (members, ~members)]
            enough = min(sides) >= FEWEST
            auc = None
            if enough:
                weights = bootstrap_weights(owners[rows], members[rows], draws, seed)
                auc = auc_interval(scores[rows], members[rows], weights)
            listed = len(inside & set(remembered)) if enough else None
            found.append(Subgroup(column, value, sides[0], sides[1], auc, listed))
    return tuple(found)


def _groups(told: Mapping[str, str]) -> dict[str, set[str]]:
    """Patients by value, in the order of the values; nothing where there is one value or no order in many."""
    values = sorted({value for value in told.values() if value})
    if len(values) < 2:
        return {}
    if len(values) <= MOST_VALUES:
        return {value: {name for name, own in told.items() if own == value} for value in values}
    try:
        numbers = {name: float(own) for name, own in told.items() if own}
    except ValueError:
        return {}
    if not np.isfinite(list(numbers.values())).all():
        return {}
    low, high = (float(cut) for cut in np.quantile(list(numbers.values()), SHARES))
    cuts = {
        f"up to {low:g}": (-np.inf, low),
        f"above {low:g}, up to {high:g}": (low, high),
        f"above {high:g}": (high, np.inf),
    }
    groups = {
        words: {name for name, number in numbers.items() if least < number <= most}
        for words, (least, most) in cuts.items()
    }
    return {words: inside for words, inside in groups.items() if inside}
