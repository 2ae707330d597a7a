"""Divide a bag of pictures by fingerprint: in two, and again, as long as held-out pictures fall apart too.

Each part is looked at in coordinates of its own: what tells two like generators apart is lost beside what
tells both from a third. Directions in which pictures of one generator differ count little (`whorl.content`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from whorl.compare import Progress, silent
from whorl.evidence.modes import one_hump_p
from whorl.records import Array

BLOCK_COMPONENTS = 20
COMPONENTS = 24
COORDINATES = 60  # that told groups are looked for in
FOR_EACH = 8  # pictures for every one of these, at least
ROUNDS = 3  # times that coordinates are levelled by their nearest neighbours
MIXED = 0.1  # share of plain weight in what content is weighed by, so that no direction counts without bound
LEAST = 12  # pictures that make a generator
HALVES = 4  # times that a part is cut in halves, each half judging what the other proposes
SIGNIFICANT = 0.05
APART = 8.0  # spreads between two humps, below which one generator's varied content may be behind them
MOST = 20


@dataclass(frozen=True, eq=False)
class Bag:
    """Features of n pictures: blocks (n, d) of fingerprint, and how much of each is content, (d, d).

    `shown` (n, q) is what they show in large, spread 1, if that is known; `directed` the places of blocks
    that depend on which way a picture lies.
    """

    blocks: tuple[Array, ...]
    content: tuple[Array, ...]
    shown: Array | None = None
    directed: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.blocks[0])

    def some(self, rows: Array) -> Bag:
        """Return the pictures of some rows."""
        shown = None if self.shown is None else self.shown[rows]
        return replace(self, blocks=tuple(block[rows] for block in self.blocks), shown=shown)

    def undirected(self) -> Bag:
        """Return the same without the blocks that depend on which way a picture lies."""
        kept = [place for place in range(len(self.blocks)) if place not in self.directed]
        blocks, content = (tuple(part[place] for place in kept) for part in (self.blocks, self.content))
        return Bag(blocks, content, self.shown)

    @property
    def beside(self) -> Array:
        """What the pictures show, (n, q); q is 0 where that is not known."""
        return np.zeros((len(self), 0)) if self.shown is None else self.shown


@dataclass(frozen=True, eq=False)
class Part:
    """Pictures that belong together so far: rows, the two groups they might be, and the evidence for it.

    `p_value` says how often one generator's pictures look as divided, `apart` how many of their own spreads
    lie between the two groups; 1 and 0 where nothing could be tried. `evident`: it, or some part of it, is
    divided; several generators on one side blur the first cut and not the later ones.
    """

    rows: Array
    groups: Array
    p_value: float
    apart: float
    evident: bool = False

    @property
    def divisible(self) -> bool:
        """Whether there are two groups, each large enough to be a generator."""
        return len(self.groups) > 0 and int(min(self.groups.sum(), (~self.groups).sum())) >= LEAST

    @property
    def divided(self) -> bool:
        """Whether there is evidence that two generators are in it."""
        return self.divisible and self.p_value <= SIGNIFICANT and self.apart >= APART


def divide(bag: Bag, seed: int, most: int = MOST, progress: Progress = silent) -> list[list[Part]]:
    """Return the divisions into 1, 2, 3 … parts, the most evident split first, up to `most` parts."""
    parts = [examine(bag, np.arange(len(bag)), seed)]
    halves: dict[int, tuple[Part, Part]] = {}  # by the identity of the part that was cut
    leaves = list(parts)
    while len(leaves) < most:
        progress("dividing", len(leaves), most)
        able = [part for part in leaves if part.divisible]
        if not able:
            break
        chosen = max(able, key=lambda part: (part.divided, part.apart))
        sides = tuple(examine(bag, chosen.rows[side], seed) for side in (chosen.groups, ~chosen.groups))
        halves[id(chosen)] = (sides[0], sides[1])
        leaves = [part for part in leaves if part is not chosen] + list(sides)
    progress("dividing", most, most)
    return _in_order(parts[0], halves)


def _in_order(first: Part, halves: dict[int, tuple[Part, Part]]) -> list[list[Part]]:
    """Cut what is evident first, the widest gap before others."""

    def evident(part: Part) -> bool:
        return part.divided or any(evident(half) for half in halves.get(id(part), ()))

    parts, found = [first], []
    while True:
        found.append([replace(part, evident=evident(part)) for part in parts])
        able = [part for part in parts if id(part) in halves]
        if not able:
            return found
        chosen = max(able, key=lambda part: (evident(part), part.apart))
        parts = [part for part in parts if part is not chosen] + list(halves[id(chosen)])


def supported(divisions: Sequence[Sequence[Part]]) -> int:
    """Return the first number of parts of which none is evidently divided."""
    for parts in divisions:
        if not any(part.evident for part in parts):
            return len(parts)
    return len(divisions[-1])


def labels_of(parts: Sequence[Part], count: int) -> Array:
    """Number the parts, the largest first, equal ones by their first picture; (count,)."""
    order = sorted(range(len(parts)), key=lambda place: (-len(parts[place].rows), parts[place].rows.min()))
    labels = np.empty(count, np.int64)
    for number, place in enumerate(order):
        labels[parts[place].rows] = number
    return labels


def examine(bag: Bag, rows: Array, seed: int) -> Part:
    """Propose two groups among some pictures, and test them on pictures held out of the proposal."""
    nothing = Part(rows, np.zeros(0, np.bool_), 1.0, 0.0)
    if len(rows) < 2 * LEAST:
        return nothing
    where = places(bag.some(rows))
    if len(np.unique(where.round(9), axis=0)) < 3:
        return nothing
    rng = np.random.default_rng([seed, len(rows)])
    found = []
    for draw in range(HALVES):
        order = rng.permutation(len(rows))
        halves = order[: len(rows) // 2], order[len(rows) // 2 :]
        for shown, held in (halves, halves[::-1]):
            found.append(_held_out(where[shown], where[held], seed + draw))
    p_value, apart = np.median(found, axis=0)
    return Part(rows, in_two(where), float(p_value), float(apart))


def _held_out(shown: Array, held: Array, seed: int) -> tuple[float, float]:
    """Whether pictures fall into two humps along the direction that divides others: p-value and distance."""
    groups = in_two(shown)
    if min(groups.sum(), (~groups).sum()) < 4:
        return 1.0, 0.0
    along = _direction(shown, groups, held)
    one, other = along[along > 0], along[along <= 0]
    if min(len(one), len(other)) < 4:
        return 1.0, 0.0
    spread = float(np.sqrt((one.var() + other.var()) / 2))
    return one_hump_p(along, seed), float((one.mean() - other.mean()) / max(spread, 1e-12))


def _direction(shown: Array, groups: Array, held: Array) -> Array:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(shown, groups)
    return np.asarray(model.decision_function(held))


def in_two(where: Array) -> Array:
    """Return two groups by Ward's linkage, (n,) of bool; the group with the fewer pictures is True."""
    groups = wards(where, 2) == 1
    return np.asarray(groups if 2 * groups.sum() <= len(groups) else ~groups)


def wards(where: Array, count: int) -> Array:
    """So many groups by Ward's linkage, (n,) of numbers from 0."""
    from sklearn.cluster import AgglomerativeClustering

    return np.asarray(AgglomerativeClustering(count).fit_predict(where))


def places(bag: Bag) -> Array:
    """Coordinates (n, components) that are alike in spread for pictures of one generator; float64."""
    return levelled(joined(bag))


def joined(bag: Bag, whole: int = COMPONENTS) -> Array:
    """Coordinates (n, components) in which every block has the same weight and content little; float64.

    Every block is reduced on its own first: a wide block would drown a narrow one.
    """
    parts = []
    for block, content in zip(bag.blocks, bag.content, strict=True):
        spread = block.std(axis=0)
        kept = spread > 1e-9 * max(1.0, float(np.abs(block).max()))
        if not kept.any():
            continue
        scaled = (block[:, kept] - block[:, kept].mean(axis=0)) / spread[kept]
        noise = content[np.ix_(kept, kept)] / np.outer(spread[kept], spread[kept])
        reduced = principal(_quieted(scaled, noise), BLOCK_COMPONENTS)
        parts.append(reduced / np.sqrt(max(float((reduced**2).sum(axis=1).mean()), 1e-12)))
    return principal(np.hstack(parts), whole) if parts else np.zeros((len(bag), 1))


def coordinates(bag: Bag, most: int) -> Array:
    """As many components as the pictures allow."""
    return joined(bag, allowed(len(bag), most))


def allowed(pictures: int, most: int) -> int:
    """How many components so many pictures allow."""
    return int(np.clip(pictures // FOR_EACH, 2, most))


def levelled(where: Array) -> Array:
    """Divide out the differences between nearest neighbours: mostly pictures of one generator."""
    from sklearn.neighbors import NearestNeighbors

    count, size = where.shape
    nearest = int(np.clip(count // 25, 2, 10))
    if count <= nearest + 1:
        return where
    share = min(0.9, 0.05 + size / count)
    for _ in range(ROUNDS):
        around = NearestNeighbors(n_neighbors=nearest + 1).fit(where).kneighbors(return_distance=False)
        gaps = (where[:, None, :] - where[around[:, 1:]]).reshape(-1, size)
        where = _quieted(where, gaps.T @ gaps / len(gaps), share)
    return principal(where, size)


def _quieted(table: Array, noise: Array, mixed: float = MIXED) -> Array:
    """Divide out a covariance, mixed with the identity."""
    size = len(noise)
    total = float(np.trace(noise))
    level = noise / total * size if total > 0 else np.eye(size)
    values, vectors = np.linalg.eigh((1 - mixed) * level + mixed * np.eye(size))
    return np.asarray(table @ (vectors / np.sqrt(np.maximum(values, 1e-9))))


def principal(table: Array, components: int) -> Array:
    """Principal coordinates with a fixed sign, so that no run mirrors another."""
    centred = table - table.mean(axis=0)
    left, scale, right = np.linalg.svd(centred, full_matrices=False)
    count = min(components, int((scale > 1e-9 * max(scale[0], 1e-300)).sum()) or 1)
    signs = np.sign(right[np.arange(count), np.abs(right[:count]).argmax(axis=1)])
    return np.asarray(left[:, :count] * scale[:count] * np.where(signs == 0, 1.0, signs))
