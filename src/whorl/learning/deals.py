"""Which pictures each step of a training sees, from seed and step number alone, so that it can resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whorl.records import BadInput

Rows = NDArray[np.int64]


class Deal(Protocol):
    """Rows of the pictures for every step, and plain values that name the deal."""

    def rows(self, step: int) -> Rows:
        """Return the rows of one step, of any shape."""
        ...

    @property
    def facts(self) -> Sequence[Any]:
        """Return what decides the rows, as plain values."""
        ...


@dataclass(frozen=True, eq=False)
class Epochs:
    """Go through all pictures, each shown so many times, in an order of every epoch's own; rows (batch,)."""

    shown: Rows
    batch: int
    seed: int

    def rows(self, step: int) -> Rows:
        """Return the rows of one step, (batch,)."""
        schedule = np.repeat(np.arange(len(self.shown)), self.shown)
        places = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs, inside = np.divmod(places, len(schedule))
        drawn = [
            schedule[_order(self.seed, int(epoch), len(schedule))[place]]
            for epoch, place in zip(epochs, inside, strict=True)
        ]
        return np.asarray(drawn, np.int64)

    @property
    def facts(self) -> Sequence[Any]:
        """How many steps see how many, and how often each picture is shown."""
        return ["epochs", self.batch, self.seed, *(int(often) for often in self.shown)]


@dataclass(frozen=True, eq=False)
class Together:
    """Draw from several pools at once, place by place: rows (pools, batch).

    The first pool is gone through in epochs; the others are drawn evenly. No place shows the same picture
    in two pools that are one and the same.
    """

    pools: tuple[Rows, ...]
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if any(len(pool) == 0 for pool in self.pools):
            raise BadInput("nothing to learn from: one of the kinds of pictures has none")

    def rows(self, step: int) -> Rows:
        """Return the rows of one step, (pools, batch)."""
        first = Epochs(np.ones(len(self.pools[0]), np.int64), self.batch, self.seed).rows(step)
        rng = np.random.default_rng([self.seed, 4, step])
        chosen = [first]
        for place, pool in enumerate(self.pools[1:], start=1):
            drawn = rng.integers(0, len(pool), self.batch)
            for before, earlier in enumerate(self.pools[:place]):
                if np.array_equal(earlier, pool) and len(pool) > 1:
                    same = drawn == chosen[before]
                    drawn[same] = (drawn[same] + 1) % len(pool)
            chosen.append(drawn)
        return np.stack([pool[rows] for pool, rows in zip(self.pools, chosen, strict=True)])

    @property
    def facts(self) -> Sequence[Any]:
        """The pools, and how many of each a step sees."""
        return ["together", self.batch, self.seed, [pool.tolist() for pool in self.pools]]


Pools = tuple[tuple[Rows, Rows], ...]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Draw pairs, one of a left and one of a right pool: half of them alike, half not; rows (2, batch)."""

    alike: Pools
    unlike: Pools
    batch: int
    seed: int

    def __post_init__(self) -> None:
        pools = [pool for pair in (*self.alike, *self.unlike) for pool in pair]
        if not self.alike or not self.unlike or any(len(pool) == 0 for pool in pools):
            raise BadInput("nothing to tell apart: two classes with real and generated pictures are needed")

    @property
    def same(self) -> list[bool]:
        """Which places of a batch hold pairs that are alike."""
        return [place < self.batch // 2 for place in range(self.batch)]

    def rows(self, step: int) -> Rows:
        """Return the rows of one step, (2, batch)."""
        rng = np.random.default_rng([self.seed, 5, step])
        made = np.empty((2, self.batch), np.int64)
        for place, same in enumerate(self.same):
            pools = self.alike if same else self.unlike
            pair = pools[int(rng.integers(len(pools)))]
            made[:, place] = [rng.choice(pool) for pool in pair]
        return made

    @property
    def facts(self) -> Sequence[Any]:
        """The pools, and how many pairs a step sees."""
        pools = [[[pool.tolist() for pool in pair] for pair in kind] for kind in (self.alike, self.unlike)]
        return ["pairs", self.batch, self.seed, pools]


def per_epoch(count: int, batch: int) -> int:
    """Return how many steps show every one of `count` pictures once."""
    return max(1, -(-count // batch))


@lru_cache(maxsize=8)
def _order(seed: int, epoch: int, count: int) -> Rows:
    return np.random.default_rng([seed, 2, epoch]).permutation(count)
