"""Pictures by the role they have in a problem, one size, in an order that file names have no part in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from whorl.arrays import digest_of_picture
from whorl.records import Array, BadInput, Development, ImageSet, Problem

Reader = Callable[[ImageSet], Array]
LACKING = "this recipe learns on a development part with answers: dev/ in the edition"


def pixels_of(images: ImageSet) -> Array:
    """Return the pictures as they are."""
    return images.pixels


@dataclass(frozen=True, eq=False)
class Roles:
    """One stack of pictures (n, side, side) of 8 bits, and the rows of every role in it."""

    pictures: Array
    rows: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.rows[name]

    def stack(self, *names: str) -> Array:
        """Return the pictures of some roles, one after another."""
        return self.pictures[self.some(*names)]

    def some(self, *names: str) -> Array:
        """Return the rows of some roles, one after another."""
        return np.concatenate([self.rows[name] for name in names])


def sized(stack: Array, side: int) -> Array:
    """Pictures (n, h, w) of 0 to 255 -> (n, side, side) of 8 bits."""
    if stack.ndim != 3:
        raise BadInput("this recipe learns from pictures: take pixels.grey for its features")
    grey = stack if stack.dtype == np.uint8 else np.clip(np.rint(stack), 0, 255).astype(np.uint8)
    if grey.shape[1:] == (side, side):
        return grey
    how = Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(picture).resize((side, side), how)) for picture in grey])


def gathered(stacks: Mapping[str, Array], side: int) -> Roles:
    """Join the pictures of all roles, within each in the order of their content."""
    rows, parts, start = {}, [], 0
    for name, stack in stacks.items():
        own = sized(stack, side)
        parts.append(own[np.argsort([digest_of_picture(picture) for picture in own], kind="stable")])
        rows[name] = np.arange(start, start + len(own))
        start += len(own)
    return Roles(np.concatenate(parts), rows)


def membership(problem: Problem, side: int, read: Reader = pixels_of) -> Roles:
    """Return the development part's roles: generated, members and holdout."""
    part = development(problem)
    real, used = read(part.problem.queries), part.used()
    made = read(next(iter(part.problem.generated.values())))
    return gathered({"generated": made, "members": real[used], "holdout": real[~used]}, side)


def makers(problem: Problem, side: int, read: Reader = pixels_of) -> Roles:
    """Return the development part's pictures by label: the known generators, or the subsets."""
    part = development(problem)
    labels = np.asarray([part.answers.labels[name] for name in part.problem.queries.ids])
    own = read(part.problem.queries)
    return gathered({str(name): own[labels == name] for name in np.unique(labels)}, side)


def development(problem: Problem) -> Development:
    """Return the development part, or say that it is needed."""
    if problem.development is None:
        raise BadInput(LACKING)
    return problem.development


def labels_of(roles: Roles, names: Sequence[str]) -> Array:
    """Return the place of each row's role among the names, -1 for none, (n,)."""
    found = np.full(len(roles.pictures), -1, np.int64)
    for place, name in enumerate(names):
        found[roles[name]] = place
    return found


def ordered(pictures: Array, labels: Array) -> tuple[Array, Array]:
    """Return pictures and their labels in the order of the pictures' content."""
    order = np.argsort([digest_of_picture(picture) for picture in pictures], kind="stable")
    return pictures[order], labels[order]
