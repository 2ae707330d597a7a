"""What separates which: how far every two groups of pictures lie apart in each block of features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from whorl.clusters import Bag, places
from whorl.outcomes import Separation
from whorl.records import Array, Step

PAIRS = 45  # all pairs of 10 groups; of more groups the nearest
LOOKED_AT = 150  # pictures of a group
FEWEST = 6  # pictures of a group that can be held out
FOLDS = 3
DRAWN = 400  # times that the held-out pictures are drawn again for an interval
WORDS = {
    "residual.predictor": "linear predictor, residual",
    "frequency.spectrum": "spectrum",
    "cooccurrence.residuals": "co-occurrence",
    "cooccurrence.evened": "evened co-occurrence",
    "cooccurrence.turned": "turned co-occurrence",
    "upsampling.phases": "even and odd rows",
    "upsampling.neighbours": "neighbours by direction",
    "texture.lbp": "local binary patterns",
}
TOLD = {"radius": "radius {}", "scale": "at 1/{} size"}


def separations(
    bag: Bag, labels: Sequence[str], where: Array, names: Sequence[str], seed: int
) -> tuple[Separation, ...]:
    """Compare every two groups, block by block; groups of a few pictures are left out.

    `where` (n, c) are coordinates in which near groups are near: of many groups, only those are compared.
    """
    wanted = np.asarray(labels)
    groups = sorted(set(labels), key=lambda name: (len(name), name))
    rows = {name: np.flatnonzero(wanted == name) for name in groups}
    large = [name for name in groups if len(rows[name]) >= FEWEST]
    pairs = list(combinations(large, 2))
    if len(pairs) > PAIRS:
        middle = {name: where[rows[name]].mean(axis=0) for name in large}
        near = sorted(pairs, key=lambda pair: float(np.linalg.norm(middle[pair[0]] - middle[pair[1]])))
        pairs = sorted(near[:PAIRS], key=pairs.index)
    found = []
    for one, other in pairs:
        some = [rows[name][:LOOKED_AT] for name in (one, other)]
        second = np.repeat([False, True], [len(part) for part in some])
        part = bag.some(np.concatenate(some))
        held = [
            judged(places(Bag((block,), (content,))), second, seed)
            for block, content in zip(part.blocks, part.content, strict=True)
        ]
        values = tuple(zip(names, map(gap, held), strict=True))
        found.append(Separation(one, other, values, tuple(interval(sides, seed) for sides in held)))
    return tuple(found)


def spreads_apart(where: Array, second: Array, seed: int) -> float:
    """Distance of two groups' means along the direction that divides other pictures, in their own spreads.

    Never under 0: groups that only look divided where they were learned are not apart.
    """
    return gap(judged(where, second, seed))


def judged(where: Array, second: Array, seed: int) -> list[tuple[Array, Array]]:
    """Where the pictures of two groups lie on the line that divides the others, one pair for each third."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold

    if not where.any():
        return []
    found = []
    for shown, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(where, second):
        model = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto").fit(where[shown], second[shown])
        along = np.asarray(model.decision_function(where[held]))
        found.append((along[~second[held]], along[second[held]]))
    return found


def gap(sides: Sequence[tuple[Array, Array]]) -> float:
    """The middle of the distances between two groups, in their own spreads; 0 where nothing was judged."""
    return max(float(np.median([_apart(*pair) for pair in sides])), 0.0) if sides else 0.0


def interval(sides: Sequence[tuple[Array, Array]], seed: int) -> tuple[float, float]:
    """95 % interval of the gap, the judged pictures of each group drawn again and again.

    The dividing directions stay as they are: it says what hangs on the pictures that judge, no more.
    """
    if not sides:
        return 0.0, 0.0
    random = np.random.default_rng(seed)
    drawn = [
        _apart(*(side[random.integers(0, len(side), (DRAWN, len(side)))] for side in pair)) for pair in sides
    ]
    low, high = np.quantile(np.maximum(np.median(drawn, axis=0), 0.0), [0.025, 0.975])
    return float(low), float(high)


def _apart(one: Array, other: Array) -> Array:
    spread = np.sqrt((one.var(axis=-1) + other.var(axis=-1)) / 2)
    return np.asarray((other.mean(axis=-1) - one.mean(axis=-1)) / np.maximum(spread, 1e-12))


def names_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """Name the blocks that steps make, in short words; blocks that would be called alike get a number."""
    named = [
        ", ".join(
            [
                WORDS.get(step.name, step.name.replace(".", " ").replace("_", " ")),
                *(
                    words.format(f"{step.parameters[key]:g}")
                    for key, words in TOLD.items()
                    if _told(step, key)
                ),
            ]
        )
        for step in steps
    ]
    return tuple(
        f"{name} ({named[: place + 1].count(name)})" if named.count(name) > 1 else name
        for place, name in enumerate(named)
    )


def _told(step: Step, key: str) -> bool:
    return isinstance(step.parameters.get(key), int | float)
