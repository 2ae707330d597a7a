"""Who goes where: whole patients on one side, drawn from one secret seed, under names that tell nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection as Several
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from whorl.arrays import digest_of_picture
from whorl.forge.phantom import Pixels
from whorl.records import BadInput, ImageSet

Rows = NDArray[np.int64]
DRAWS = 50  # of which the best balanced is taken


@dataclass(frozen=True, eq=False)
class Collection:
    """Real pictures (n, h, w) with their origin, their patient as told, and the group that stays together."""

    pixels: Pixels
    origins: tuple[str, ...]
    owners: tuple[str, ...]
    digests: tuple[str, ...]
    groups: Rows
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.origins)

    @property
    def sizes(self) -> Rows:
        """Pictures of each group."""
        return np.bincount(self.groups)

    def without(self, digests: Several[str], owners: Several[str], why: str) -> Collection:
        """Leave out every group that has one of these pictures and, if any has, those of these patients.

        A name alone is no proof: two hospitals may both have a patient 001.
        """
        known = np.asarray([digest in digests for digest in self.digests])
        if not known.any():
            return self
        known |= [owner in owners for owner in self.owners]
        gone = np.isin(self.groups, self.groups[known])
        if gone.all():
            raise BadInput(f"every patient of the real pictures is {why}; give others")
        kept = np.flatnonzero(~gone)
        count = len(np.unique(self.groups[gone]))
        return replace(
            self,
            pixels=self.pixels[kept],
            origins=tuple(self.origins[row] for row in kept),
            owners=tuple(self.owners[row] for row in kept),
            digests=tuple(self.digests[row] for row in kept),
            groups=np.unique(self.groups[kept], return_inverse=True)[1],
            notes=(*self.notes, f"{count:,} patients with {gone.sum():,} pictures are {why}: left out"),
        )


def collection(images: ImageSet) -> Collection:
    """Return the pictures in 8 bits, patients who share a picture as one group."""
    pixels, notes = images.pixels, list[str]()
    if pixels.dtype != np.uint8:
        pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        notes.append("pictures of more than 8 bits were rounded to 8 bits, those of both sides alike")
    digests = tuple(map(digest_of_picture, pixels))
    if images.patients is None:
        notes.append(
            "no patients told: every picture counts as its own patient; pictures of one patient on both "
            "sides make an edition easier than it should be"
        )
    owners = images.ids if images.patients is None else images.patients
    groups = _groups(owners, digests)
    people, apart = len(set(owners)), int(groups.max()) + 1
    if apart < people:
        notes.append(f"patients who share a picture stay on one side: {people:,} patients, {apart:,} groups")
    return Collection(pixels, images.ids, owners, digests, groups, tuple(notes))


def draw(sizes: Sequence[int] | Rows, shares: Sequence[float], rng: np.random.Generator, what: str) -> Rows:
    """Return the part of each group, so that parts come as near to their shares of pictures as groups allow.

    Groups come in random order, each to the part that lacks most; parts of equal shares are exchangeable.
    """
    if len(sizes) < len(shares):
        raise BadInput(f"{len(sizes)} patients are too few for {what}: {len(shares)} are the least")
    wanted = np.asarray(shares) * float(np.sum(sizes))
    best, least = np.zeros(len(sizes), np.int64), np.inf
    for _ in range(DRAWS):
        lacking, places = wanted.copy(), np.empty(len(sizes), np.int64)
        for group in rng.permutation(len(sizes)):
            # A share of a picture at random decides between parts that lack the same.
            place = int(np.argmax(lacking + 1e-6 * rng.random(len(shares))))
            places[group] = place
            lacking[place] -= sizes[group]
        missed = float(np.abs(lacking).max())
        if missed < least:
            best, least = places, missed
        if least < 1.0:
            break
    if len(np.unique(best)) < len(shares):
        raise BadInput(f"{len(sizes)} patients of these sizes leave a part of {what} without a patient")
    return best


def names(groups: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Return a neutral name for every group: p0001 and on, in random order."""
    digits = max(4, len(str(groups)))
    return tuple(f"p{number:0{digits}d}" for number in rng.permutation(groups) + 1)


def secret(seed: int, purpose: str) -> bytes:
    """Return 32 bytes for one purpose; those of one purpose give away neither the seed nor the others."""
    return hashlib.sha256(f"whorl/{seed}/{purpose}".encode()).digest()


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return random numbers for one purpose."""
    return np.random.default_rng(int.from_bytes(secret(seed, purpose), "big"))


def small_seed(seed: int, purpose: str) -> int:
    """Return a seed below 2**32 for one purpose, as generators take it."""
    return int.from_bytes(secret(seed, purpose)[:4], "big")


def _groups(owners: Sequence[str], digests: Sequence[str]) -> Rows:
    """Number patients from 0 on; those who share a picture, directly or through others, are one."""
    above: dict[str, str] = {}

    def root(owner: str) -> str:
        while above.setdefault(owner, owner) != owner:
            above[owner] = above[above[owner]]
            owner = above[owner]
        return owner

    first: dict[str, str] = {}
    for owner, digest in zip(owners, digests, strict=True):
        above[root(owner)] = root(first.setdefault(digest, owner))
    numbers: dict[str, int] = {}
    return np.asarray([numbers.setdefault(root(owner), len(numbers)) for owner in owners], np.int64)
