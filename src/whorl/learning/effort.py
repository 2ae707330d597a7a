"""How much a training may cost: as published, what a laptop does in minutes, or what a test can afford."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effort = Literal["full", "small", "tiny"]


@dataclass(frozen=True)
class Limits:
    """Largest side of a picture, what widths are divided by, most steps and pictures of a step."""

    side: int
    narrow: int
    steps: int
    batch: int

    def width(self, channels: int) -> int:
        """Return how many channels stay of so many."""
        return max(4, channels // self.narrow)


LIMITS: dict[Effort, Limits] = {
    "full": Limits(side=10**6, narrow=1, steps=10**9, batch=10**6),
    "small": Limits(side=64, narrow=4, steps=400, batch=32),
    "tiny": Limits(side=32, narrow=16, steps=4, batch=8),
}


def halvings(side: int, least: int = 4) -> int:
    """Return how often a side is halved until `least` pixels are left."""
    count = 0
    while side // 2 >= least:
        side, count = side // 2, count + 1
    return count
