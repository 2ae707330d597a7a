"""Whether groups follow the order of their files, which no method should know and no list should show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whorl.metrics import Labels, adjusted_rand_index
from whorl.records import Array

STRIKING = 3.3  # standard deviations: once in a thousand orders
GAIN = 0.2  # of the adjusted Rand index, before rows are said to be mixed up
FEWEST = 20  # pictures, below which the index gains as much by luck


@dataclass(frozen=True)
class Neighbours:
    """How often neighbours in a list share their group: the share, that of random orders, and how unlikely.

    `deviation` counts standard deviations from random order; below 0 the groups take turns.
    """

    share: float
    expected: float
    deviation: float

    @property
    def striking(self) -> bool:
        """Whether hardly any random order has so many or so few."""
        return abs(self.deviation) > STRIKING

    def words(self, what: str) -> str:
        """Both shares in words."""
        return f"{self.share:.0%} of neighbours share a {what}, {self.expected:.0%} would in random order"


def order_notes(names: Sequence[str], truth: Labels, labels: Labels) -> list[str]:
    """Say what of the answers (n,) and of the found groups (n,) follows the order of the files (n,)."""
    true, said, counted = np.asarray(truth), np.asarray(labels), by_number(names)
    notes: list[str] = []
    for title, order in (("file order", np.arange(len(names))), ("order of the file numbers", counted)):
        if not notes:
            notes += _followed(title, true[order], said[order])
    return notes + _mixed_up(true, said, counted, np.argsort(np.asarray(names), kind="stable"))


def _mixed_up(truth: Array, labels: Array, counted: Array, spelt: Array) -> list[str]:
    """Say whether labels fit far better when written in one order of the files and read in the other."""
    own = adjusted_rand_index(truth, labels)
    notes = []
    for written, read, title in ((counted, spelt, "number"), (spelt, counted, "spelling")):
        meant = np.empty_like(labels)
        meant[written] = labels[read]
        found = adjusted_rand_index(truth, meant)
        if len(labels) >= FEWEST and found > own + GAIN:
            notes.append(
                f"rows are probably mixed up: taken as written for the files in order of {title}, the labels "
                f"reach an adjusted Rand index of {found:.3f}, not {own:.3f}"
            )
    return notes


def _followed(title: str, truth: Array, labels: Array) -> list[str]:
    """Say what follows the order in which truth and labels are given."""
    answers, found, left = neighbours(truth), neighbours(labels), neighbours(labels, within=truth)
    notes = []
    if answers.striking:
        notes.append(
            f"the answers follow the {title}: {answers.words('generator')}; what reads the order can score "
            "here without looking at a picture: shuffle the files"
        )
    if found.striking and not answers.striking:
        notes.append(
            f"the found groups follow the {title}, the answers do not: {found.words('group')}; check which "
            "label belongs to which file"
        )
    elif found.striking and left.striking:
        notes.append(
            f"the found groups follow the {title} more than the answers do: among pictures of one "
            f"generator {left.words('group')}; neighbours may be slices of one patient, or the method knows "
            "the order"
        )
    elif found.striking:
        notes.append(f"the found groups follow the {title} as well, no more than the answers do")
    return notes


def neighbours(labels: Labels, within: Labels | None = None) -> Neighbours:
    """Count neighbours of one group in a list of labels (Wald–Wolfowitz runs; moments of Mood 1940).

    `within` cuts the list into parts, counted one by one: what is left of the order inside each.
    """
    said = np.unique(np.asarray(labels), return_inverse=True)[1]
    parts = np.zeros(len(said)) if within is None else np.asarray(within)
    counted = [_moments(said[parts == part]) for part in np.unique(parts)]
    same, expected, variance, pairs = np.sum(counted, axis=0)
    gap = same - expected
    deviation = gap / np.sqrt(variance) if variance > 1e-12 else 0.0
    return Neighbours(float(same / max(pairs, 1)), float(expected / max(pairs, 1)), float(deviation))


def by_number(names: Sequence[str]) -> Array:
    """Return the places of names in the order in which people count: 2 before 10; (n,)."""

    def key(place: int) -> list[tuple[int, int, str]]:
        parts = re.findall(r"[0-9]+|[^0-9]+", names[place])
        return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]

    return np.asarray(sorted(range(len(names)), key=key), np.int64)


def _moments(labels: Array) -> tuple[float, float, float, int]:
    """Neighbours of one group in a part of a list: found, expected, variance, and neighbours in all."""
    n = len(labels)
    if n < 2:
        return 0.0, 0.0, 0.0, 0
    sizes = np.bincount(labels).astype(np.float64)
    squares, cubes = (sizes**2).sum(), (sizes**3).sum()
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n**2 * (n - 1))
    return float((labels[1:] == labels[:-1]).sum()), float(squares / n - 1), float(variance), n - 1
