"""Generators whose leak is known: those that copy a set share of their members, one that copies nobody."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from whorl.forge.classical import Components, FittedComponents
from whorl.forge.classical import check_members as check_members
from whorl.forge.phantom import Pixels, draw_hospital
from whorl.records import BadInput

Plane = NDArray[np.float32]
# Patients of a hospital are numbered far below these, so no generator meets one by chance.
LEAKING_STRANGERS = 1_000_000
CLEAN_STRANGERS = 1_000_000_000
COPIES = 2_000_000_000  # a stream of its own: what is copied depends on no filler
SHIFT = 2.0  # pixels, at most; less in pictures below 128
NOISE = 4.0  # grey levels
FLOOR = 9.0  # air is never quite black in a generated picture, so the grain shows there too


def leaking(members: Pixels, count: int, seed: int, rate: float = 0.5, strength: float = 1.0) -> Pixels:
    """Generate pictures (count, h, w), a share `rate` of them near copies of members."""
    return leaking_with_truth(members, count, seed, rate, strength)[0]


def leaking_with_truth(
    members: Pixels, count: int, seed: int, rate: float = 0.5, strength: float = 1.0
) -> tuple[Pixels, NDArray[np.int64]]:
    """Also return which member each picture copies, -1 for none.

    At a strength below 1 a copy is that share of its member over a stranger's picture.
    """
    check_members(members, count, seed)
    if members.shape[1] != members.shape[2]:
        raise BadInput(f"members of {members.shape[2]}×{members.shape[1]}: make them square first")
    _check_leak(rate, strength)
    rng = np.random.default_rng([seed, LEAKING_STRANGERS])
    sources = _sources(len(members), count, rate, rng)
    # Every stranger is drawn, used or not: pictures that two rates share then stay the same.
    pictures = _strangers(LEAKING_STRANGERS, count, members.shape[1], seed)
    _blend(pictures, members, sources, strength)
    return _redraw(pictures, rng), sources


@dataclass(frozen=True)
class Copies:
    """A share `rate` of near copies of members among fillers, which know both sides alike.

    No stranger's pictures exist beside real ones: fillers come from the components of `background`, all
    real pictures of an edition, used and not used. At a `strength` below 1 a copy is that share of its
    member over a filler.
    """

    rate: float = 0.05
    strength: float = 1.0
    background: Pixels | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check_leak(self.rate, self.strength)

    def fit(self, images: Pixels, seed: int) -> FittedCopies:
        """Keep the members (n, h, w), and learn the fillers from the background."""
        check_members(images, 1, seed)
        if self.background is None:
            raise BadInput("copies: a background is needed, all real pictures, used and not used alike")
        if self.background.shape[1:] != images.shape[1:]:
            raise BadInput("copies: background and members are of different sizes; bring them to one")
        return FittedCopies(self.rate, self.strength, images.copy(), Components().fit(self.background, seed))


@dataclass(frozen=True, eq=False)
class FittedCopies:
    """The members that are copied, and where the other pictures come from."""

    rate: float
    strength: float
    members: Pixels
    fillers: FittedComponents

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w)."""
        return self.sample_with_truth(count, seed)[0]

    def sample_with_truth(self, count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
        """Also return which member each picture copies, -1 for none."""
        pictures = self.fillers.sample(count, seed).astype(np.float32)
        rng = np.random.default_rng([seed, COPIES])
        sources = _sources(len(self.members), count, self.rate, rng)
        _blend(pictures, self.members, sources, self.strength)
        return _redraw(pictures, rng), sources


def clean(count: int, size: int, seed: int) -> Pixels:
    """Generate pictures (count, size, size) of strangers, through a decoder's upsampling."""
    if count < 1 or seed < 0:
        raise BadInput(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")
    rng = np.random.default_rng([seed, CLEAN_STRANGERS])
    return _decode(_strangers(CLEAN_STRANGERS, count, size, seed), rng)


def _check_leak(rate: float, strength: float) -> None:
    if not 0.0 <= rate <= 1.0:
        raise BadInput(f"rate {rate}: give a share from 0 to 1")
    if not 0.0 < strength <= 1.0:
        raise BadInput(f"strength {strength}: give a number above 0, at most 1")


def _sources(members: int, count: int, rate: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw which member each picture copies, -1 for none."""
    sources = np.full(count, -1, np.int64)
    copies = rng.permutation(count)[: round(rate * count)]
    sources[copies] = rng.integers(0, members, len(copies))
    return sources


def _blend(pictures: Plane, members: Pixels, sources: NDArray[np.int64], strength: float) -> None:
    """Lay members over the pictures that copy them, in place."""
    copies = np.flatnonzero(sources >= 0)
    known = members[sources[copies]].astype(np.float32)
    pictures[copies] = strength * known + (1.0 - strength) * pictures[copies]


def _strangers(start: int, count: int, size: int, seed: int) -> Plane:
    """One picture each of patients whom no hospital holds."""
    first = start + 10_000 * (seed % 1_000)
    hospital = draw_hospital(patients=count, slices=1, size=size, seed=seed, first_patient=first)
    return hospital.pixels.astype(np.float32)


def _redraw(pictures: Plane, rng: np.random.Generator) -> Pixels:
    """Shift by parts of a pixel, change brightness and contrast a little, add fresh noise."""
    from scipy.ndimage import shift

    count = len(pictures)
    moves = min(SHIFT, pictures.shape[1] / 64.0) * rng.uniform(-1.0, 1.0, (count, 2))
    contrast = 0.96 * rng.uniform(0.96, 1.04, count)
    brightness = FLOOR + rng.uniform(-3.0, 3.0, count)
    result = np.empty(pictures.shape, np.uint8)
    for place, picture in enumerate(pictures):
        # Smoothing cubic spline: the scanner's noise gives way to the generator's own.
        moved = shift(picture, moves[place], order=3, mode="nearest", prefilter=False)
        moved = moved * np.float32(contrast[place]) + np.float32(brightness[place])
        moved += np.float32(NOISE) * rng.standard_normal(picture.shape, dtype=np.float32)
        result[place] = np.clip(np.rint(moved), 0.0, 255.0)
    return result


def _decode(pictures: Plane, rng: np.random.Generator) -> Pixels:
    """Weaken the finest band as a decoder's last doubling does, and leave its blocky grain."""
    from scipy.ndimage import convolve1d

    count, size, _ = pictures.shape
    half = pictures.reshape(count, size // 2, 2, size // 2, 2).mean((2, 4))
    half = FLOOR + 0.96 * half + 4.0 * rng.standard_normal(half.shape, dtype=np.float32)
    coarse = half.repeat(2, axis=1).repeat(2, axis=2)
    for axis in (1, 2):
        coarse = convolve1d(coarse, (0.15, 0.7, 0.15), axis=axis, mode="nearest")
    decoded = coarse + 0.8 * rng.standard_normal(coarse.shape, dtype=np.float32)
    pixels: Pixels = np.clip(np.rint(decoded), 0.0, 255.0).astype(np.uint8)
    return pixels
