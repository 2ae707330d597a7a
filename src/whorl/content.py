"""How much of a fingerprint is what a picture shows, learnt where it is known who made what.

The quarters of one picture, a picture and itself with more contrast, the pictures of one stand-in: where
these differ, it is not by their generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from whorl import pipeline
from whorl.arrays import digest_of_picture
from whorl.fingerprints import quarters, sharpened
from whorl.pipeline import Settings
from whorl.records import Array, BadInput, ImageSet, Problem, Progress, Recipe, silent
from whorl.standins import KINDS, standins

LOOKED_AT = 300  # pictures whose quarters are described


def content(
    images: ImageSet, order: Array, blocks: Sequence[Array], recipe: Recipe, settings: Settings
) -> tuple[Array, ...]:
    """Covariance (d, d) of every block (n, d) that is none of the generators' doing.

    `order` of the pictures decides which are looked at, so that their file names do not.
    """

    def described(stack: Array, name: str, progress: Progress = settings.progress) -> list[Array]:
        digests = tuple(map(digest_of_picture, stack))
        made = ImageSet(name, tuple(f"{place:06d}" for place in range(len(stack))), stack, digests)
        return pipeline.blocks(recipe, Problem("attribution", made), replace(settings, progress=progress))

    rows = np.sort(order[:LOOKED_AT])
    stack = images.pixels[rows]
    parts, altered = described(quarters(stack), "quarters"), described(sharpened(stack), "altered")
    for step, block, part in zip(recipe.chain("features"), blocks, parts, strict=True):
        if part.shape[1] != block.shape[1]:
            raise BadInput(
                f"{step.name} gives {block.shape[1]} numbers for a picture and {part.shape[1]} for a quarter "
                "of it: a fingerprint needs as many at any size, leave the step out or give it a size"
            )
    settings.progress("stand-ins", 0, len(KINDS))
    made = []
    for one in standins(images.pixels, order, settings.seed):
        made.append(described(one, "stand-ins", silent))
        settings.progress("stand-ins", len(made), len(KINDS))
    return tuple(
        both(
            content_of(block[rows], parts[place].reshape(len(stack), 4, -1), altered[place]),
            [one[place] for one in made],
        )
        for place, block in enumerate(blocks)
    )


def content_of(whole: Array, quarters: Array, altered: Array) -> Array:
    """Covariance (d, d) of features (m, d) that content alone makes.

    From the quarters (m, 4, d) of pictures about their mean, and from the same pictures altered, (m, d).
    """
    within = (quarters - quarters.mean(axis=1, keepdims=True)).reshape(-1, quarters.shape[-1])
    change = altered - whole
    found = within.T @ within / max(len(within) * 3 / 4, 1) + change.T @ change / max(len(change), 1)
    return np.asarray(found, np.float64)


def both(own: Array, standins: Sequence[Array]) -> Array:
    """A covariance (d, d) and that within each of some tables (m, d): one counts as much as the other."""
    found = [own]
    if standins:
        apart = np.concatenate([table - table.mean(axis=0, dtype=np.float64) for table in standins])
        found.append(apart.T @ apart / len(apart))
    return np.asarray(sum(one / max(float(np.trace(one)), 1e-300) for one in found))
