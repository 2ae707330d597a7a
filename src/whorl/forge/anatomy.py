"""Anatomy of a made-up chest: one patient's build, and the shapes that an axial slice of it shows.

Lengths are in half picture widths, x to the picture's right (the patient's left), y towards the
back, level 0 at the top of the lungs and 1 at their base. Values are Hounsfield units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whorl.kernels.compiling import compiled

Rows = NDArray[np.float64]
Row = list[float]

# A row: kind, value, strength, softness, mode, then eight (rod) or thirteen (blob) numbers of geometry.
COLUMNS = 18
BLOB, ROD = 0.0, 1.0
COVER, IN_LUNG, IN_BODY = 0.0, 1.0, 2.0
ROUND = (0.0,) * 8
CENTRE = -0.03  # the cavity lies a little in front of the body's centre
BRANCHES = 800
HEIGHT = 1.5  # of the lungs, in half picture widths

AIR, LUNG, FAT, MUSCLE, BONE, MARROW, CARTILAGE = -1000.0, -860.0, -105.0, 50.0, 620.0, 190.0, 110.0

TRAITS: Mapping[str, tuple[float, float]] = {
    "width": (0.74, 0.93),
    "depth": (0.66, 0.80),
    "fat": (0.012, 0.10),
    "wall": (0.085, 0.13),
    "hollow": (0.84, 0.93),
    "heart": (0.85, 1.2),
    "heart_tilt": (0.35, 0.8),
    "aorta": (0.85, 1.3),
    "spine": (0.85, 1.15),
    "contrast": (-90.0, 170.0),
    "breast": (-0.7, 0.7),
    "lean": (-0.07, 0.07),
    "across": (-0.04, 0.04),
    "along": (-0.05, 0.05),
    "level": (0.30, 0.82),
    "rib_phase": (0.0, 1.0),
    "rib_thick": (0.014, 0.021),
    "muscle": (0.75, 1.25),
    "density": (-45.0, 70.0),
    "liver": (0.70, 0.86),
    "table": (-0.4, 1.0),
    "effusion": (-1.0, 0.35),
    "scapula": (0.85, 1.1),
    "slab": (0.006, 0.015),
}


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient's build: named traits, outline harmonics, lung vessels and lesions in space."""

    traits: Mapping[str, float]
    outlines: Rows
    vessels: Rows
    lesions: tuple[tuple[float, ...], ...]


def build(rng: np.random.Generator) -> Patient:
    """Draw one patient's build from a random stream."""
    draws = rng.uniform(size=len(TRAITS))
    traits = {
        name: low + (high - low) * float(draw)
        for draw, (name, (low, high)) in zip(draws, TRAITS.items(), strict=True)
    }
    orders = np.repeat(np.arange(1.0, 5.0), 2)
    outlines = rng.normal(0.0, 0.022, (6, 8)) / orders
    sides = [_grow(rng, traits, side) for side in (-1.0, 1.0)]
    return Patient(traits, outlines, np.concatenate(sides), _lesions(rng, traits))


def cavity(traits: Mapping[str, float], level: NDArray[np.float64] | float) -> tuple[Rows, Rows]:
    """Half width and half depth of the chest cavity at a level (or an array of them)."""
    swell = 0.70 + 0.30 * np.sin(np.clip(np.asarray(level) / 0.55, 0.0, 1.0) * math.pi / 2)
    across = (traits["width"] - traits["fat"] - traits["wall"]) * swell
    deep = (traits["width"] * traits["depth"] - traits["fat"] - 0.04) * traits["hollow"] * swell
    return across, deep


def _grow(rng: np.random.Generator, traits: Mapping[str, float], side: float) -> Rows:
    """Grow one lung's vessel tree: scattered points, each joined to a near one closer to the root.

    Returns (n, 8): both ends in space and the radius at each.
    """
    radius = 0.97 * np.sqrt(rng.uniform(0.0, 1.0, BRANCHES))
    angle = rng.uniform(-1.45, 1.45, BRANCHES)
    level = rng.uniform(0.0, 1.0, BRANCHES)
    across, deep = cavity(traits, level)
    x, y = side * (0.10 + (across - 0.10) * radius * np.cos(angle)), deep * radius * np.sin(angle)
    points = np.stack((x, y, HEIGHT * level), 1)
    points[0] = (side * 0.15, 0.03, 0.5 * HEIGHT)
    reach = np.sqrt(((points - points[0]) ** 2).sum(1))
    order = np.argsort(reach, kind="stable")
    points = points[order]
    parents, leaves = np.zeros(BRANCHES - 1, np.int64), np.ones(BRANCHES)
    compiled(_join)(points, reach[order], parents, leaves)
    thick = 0.0034 * np.minimum(leaves, 80.0) ** 0.46
    return np.column_stack(
        (points[parents], points[1:], np.minimum(thick[parents], 1.5 * thick[1:]), thick[1:])
    )


def _join(points: Any, reach: Any, parents: Any, leaves: Any) -> None:
    """Write each point's parent among the points before it, and add how many points hang on each.

    The way to the root counts too, so that branches run outwards rather than zigzag.
    """
    count = len(points)
    for child in range(1, count):
        best = np.inf
        for other in range(child - 1, -1, -1):
            # No point further in can cost less than this.
            if reach[child] - 0.45 * reach[other] > best:
                break
            square = 0.0
            for axis in range(3):
                square += (points[child, axis] - points[other, axis]) ** 2
            cost = np.sqrt(square) + 0.55 * reach[other]
            if cost < best:
                best = cost
                parents[child - 1] = other
    for child in range(count - 1, 0, -1):
        leaves[parents[child - 1]] += leaves[child]


def _lesions(rng: np.random.Generator, traits: Mapping[str, float]) -> tuple[tuple[float, ...], ...]:
    """Nodules and ground-glass patches: x, y, level, radius, value, strength, softness, then harmonics."""
    found = []
    for _ in range(int(rng.choice(5, p=(0.3, 0.3, 0.2, 0.1, 0.1)))):
        hazy = rng.uniform() < 0.3
        level = float(np.clip(traits["level"] + rng.normal(0.0, 0.05), 0.0, 1.0))
        across, deep = (float(length) for length in cavity(traits, level))
        away, angle = math.sqrt(rng.uniform(0.2, 0.95)), rng.uniform(-1.2, 1.2)
        place = (rng.choice((-1.0, 1.0)) * across * away * math.cos(angle), deep * away * math.sin(angle))
        harmonics = tuple(rng.normal(0.0, 0.07, 8))
        if hazy:
            look = (rng.uniform(0.09, 0.2), -350.0, rng.uniform(0.4, 0.8), 0.09)
        else:
            look = (float(np.exp(rng.uniform(-3.9, -2.5))), rng.uniform(-50.0, 90.0), 1.0, 0.006)
        found.append((*place, level, *look, *harmonics))
    return tuple(tuple(map(float, lesion)) for lesion in found)


def blob(
    place: Sequence[float],
    axes: Sequence[float],
    value: float,
    *,
    tilt: float = 0.0,
    outline: Sequence[float] = ROUND,
    look: tuple[float, float, float] = (1.0, 0.0, COVER),
) -> Row:
    """An ellipse whose outline is bent by four harmonics; `look` is strength, softness and mode."""
    return [BLOB, value, *look, *place, *axes, tilt, *outline]


def rod(
    start: Sequence[float],
    end: Sequence[float],
    radius: float,
    value: float,
    strength: float = 1.0,
    mode: float = COVER,
) -> Row:
    """A straight bar with round ends."""
    return [ROD, value, strength, 0.0, mode, *start, *end, radius, radius, *([0.0] * 7)]


def mirrored(x: float, y: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """The same place on both sides of the body."""
    return (-x, y), (x, y)


def bump(level: float, middle: float, spread: float) -> float:
    """1 at the middle level, falling smoothly to 0 at `spread` from it."""
    return max(0.0, 1.0 - ((level - middle) / spread) ** 2)
