"""How near is too near? A list of generated pictures that lie nearer to members than to any holdout.

Where members were not used, a generated picture is as likely to lie so near to one of them as to one of as
many holdout pictures: what generated pictures have with the holdout is the scale for what they have with
members. Every generated picture speaks, so the scale reaches further than one told by the real pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from whorl.evidence.exact import benjamini_hochberg
from whorl.evidence.tails import copy_p_values
from whorl.records import Array

HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Scale:
    """How like generated pictures are to their most like holdout picture and to their most like member, (g,).

    `share` is how many members there are to each holdout picture: the nearest of more lies nearer. `false`
    is the share of a list that may be false.
    """

    holdout: Array
    members: Array
    share: float = 1.0
    false: float = 0.01

    def p_values(self, likeness: Array) -> Array:
        """Return how often a generated picture would come so near to members that were not used, (n,)."""
        return np.asarray(np.minimum(1.0, max(1.0, self.share) * copy_p_values(self.holdout, likeness)))

    def threshold(self) -> float | None:
        """Return the likeness at which the list of near copies ends, or None where there is none.

        Not that of its last entry: how near that lies to the end is a matter of luck.
        """
        listed = benjamini_hochberg(self.p_values(self.members)) <= self.false
        if not listed.any():
            return None
        enough = self.false * listed.sum() / len(listed)
        low, high = -1.0, float(self.members[listed].min())
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            reached = self.p_values(np.asarray([middle]))[0] <= enough
            low, high = (low, middle) if reached else (middle, high)
        return high

    def q_values(self, likeness: Array) -> Array:
        """Return the q-value of likenesses at or above the threshold, (n,)."""
        heights = np.sort(np.concatenate([self.members, likeness]))
        reached = np.searchsorted(np.sort(self.members), heights, side="left")
        shares = self.p_values(heights) * len(self.members) / np.maximum(len(self.members) - reached, 1)
        falling = np.minimum(np.minimum.accumulate(shares), self.false)
        return np.asarray(falling[np.searchsorted(heights, likeness, side="right") - 1])
