"""What an audit can see: copies of known pictures planted beside the generated ones, and looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whorl import arrays, pipeline
from whorl.evidence.exact import benjamini_hochberg
from whorl.evidence.tails import copy_p_values
from whorl.outcomes import Planted
from whorl.pipeline import Settings
from whorl.records import Array, ImageSet, Problem, Recipe

PLANTED = 20
BESIDE = 500  # holdout pictures that meet the planted ones too
LEVEL = 0.01  # false share allowed in a list of near copies
SHIFT = 4 / 128  # of the side, at most
LIGHT, NOISE = 0.1, 3.0


@dataclass(frozen=True)
class Alteration:
    """How a copy differs from its picture: moved and mirrored or not, and how much of it there is."""

    words: str
    moved: bool
    share: float = 1.0


ALTERATIONS = (
    Alteration("as it is, with fresh noise", moved=False),
    Alteration("moved, perhaps mirrored, lighter or darker, with fresh noise", moved=True),
    Alteration("the same, three quarters of it over another picture", moved=True, share=0.75),
    Alteration("the same, half of it over another picture", moved=True, share=0.5),
)


def plant(
    recipe: Recipe, problem: Problem, scores: Array, members: NDArray[np.bool_], settings: Settings
) -> tuple[Planted, ...]:
    """Hide copies of members and look for them by `recipe`; `scores` (n,) are what it said without them.

    Members and holdout (n,) are given in the order of the queries. Only the copied members and some of the
    holdout meet the planted pictures: no other score is asked for.
    """
    rng = np.random.default_rng([settings.seed, PLANTED])
    chosen = rng.permutation(np.flatnonzero(members))[:PLANTED]
    holdout = np.flatnonzero(~members)
    asked = np.concatenate([chosen, rng.permutation(holdout)[:BESIDE]])
    queries = _some(problem.queries, asked)
    made = next(iter(problem.generated.values()))
    found = []
    for number, alteration in enumerate(ALTERATIONS):
        settings.progress("planted copies", number, len(ALTERATIONS))
        pictures = np.stack([_altered(problem.queries.pixels[row], made, alteration, rng) for row in chosen])
        images = _made(pictures)
        again = pipeline.score(recipe, Problem("membership", queries, {"planted": images}), settings)
        after = scores.astype(np.float64).copy()
        after[asked] = np.maximum(after[asked], again.values[:, 0])
        found.append(_looked_for(alteration, after, scores, chosen, np.flatnonzero(members), holdout))
    settings.progress("planted copies", len(ALTERATIONS), len(ALTERATIONS))
    return tuple(found)


def _looked_for(
    alteration: Alteration, after: Array, before: Array, chosen: Array, members: Array, holdout: Array
) -> Planted:
    """How many of the planted copies a list of near copies names, and how few there may be to be noticed."""
    beside = after[holdout]

    def listed(rows: Array) -> Array:
        own = before.astype(np.float64)
        own[rows] = after[rows]
        return rows[benjamini_hochberg(copy_p_values(beside, own[members]))[np.isin(members, rows)] <= LEVEL]

    ordered = np.sort(chosen)
    fewest = next((count for count in range(1, len(chosen) + 1) if len(listed(np.sort(chosen[:count])))), 0)
    return Planted(alteration.words, len(chosen), len(listed(ordered)), fewest)


def _altered(picture: Array, made: ImageSet, how: Alteration, rng: np.random.Generator) -> Array:
    from scipy.ndimage import shift

    grey = np.asarray(picture, np.float64)
    if how.moved:
        reach = SHIFT * min(grey.shape)
        move = rng.uniform(-reach, reach, 2)
        grey = grey[:, ::-1] if rng.random() < 0.5 else grey
        grey = shift(grey, move, order=1, mode="nearest") * rng.uniform(1 - LIGHT, 1 + LIGHT)
    if how.share < 1:
        by_content = np.argsort(np.asarray(made.digests))
        under = made.pixels[by_content[rng.integers(len(made))]]
        grey = how.share * grey + (1 - how.share) * under
    grey = grey + NOISE * rng.standard_normal(grey.shape)
    return np.asarray(np.clip(np.rint(grey), 0, 255), np.uint8)


def _some(images: ImageSet, rows: Sequence[int] | Array) -> ImageSet:
    kept = [int(row) for row in rows]
    owners = None if images.patients is None else tuple(images.patients[row] for row in kept)
    digests = tuple(images.digests[row] for row in kept)
    return ImageSet(images.name, tuple(images.ids[row] for row in kept), images.pixels[kept], digests, owners)


def _made(pictures: Array) -> ImageSet:
    names = tuple(f"planted {number}" for number in range(len(pictures)))
    return ImageSet("planted", names, pictures, tuple(map(arrays.digest_of_picture, pictures)))
