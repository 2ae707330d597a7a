"""Pairs of a real and a generated picture side by side, with the map of their difference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from whorl.records import Array
from whorl.report import maps, pictures, wording
from whorl.report.pictures import Shown

# Characters of pictures on one page: the rest of a page for 1,400 real pictures takes under 1 MB.
BUDGET = 4_000_000

Found = list[tuple[Array | None, Array | None]]


@dataclass(frozen=True)
class Pair:
    """A real picture and a generated one in words, and their pictures if the user asked for them."""

    row: int
    index: int
    name: str
    patient: str
    twin: str
    recipe: str
    said: str
    real: Shown | None = None
    generated: Shown | None = None
    difference: Shown | None = None


def pictured(
    pairs: Sequence[Pair], images: Mapping[str, Mapping[int, Array]]
) -> tuple[list[Pair], dict[str, Any]]:
    """Return the pairs with their pictures, and the scale that all their differences share."""
    real, generated = images.get("real", {}), images.get("generated", {})
    found = [(real.get(one.row), generated.get(one.index)) for one in pairs]
    changes = [_difference(left, right) for left, right in found]
    limit = pictures.limit_of([one for one in changes if one is not None])
    shown: list[Pair] = []
    for longest in _sides(found):
        shown = [
            _encoded(one, both, change, limit, longest)
            for one, both, change in zip(pairs, found, changes, strict=True)
        ]
        if sum(map(_characters, shown)) <= BUDGET:
            break
    bar = maps.colour_bar(pictures.SIGNED, _difference_words(limit), "difference-scale")
    return shown, {"bar": bar, "limit": wording.number(limit, 1), "size": _size_words(found, shown)}


def _difference(real: Array | None, generated: Array | None) -> Array | None:
    if real is None or generated is None or real.shape != generated.shape:
        return None
    return np.asarray(generated, dtype=np.float64) - np.asarray(real, dtype=np.float64)


def _encoded(
    pair: Pair, both: tuple[Array | None, Array | None], change: Array | None, limit: float, longest: int
) -> Pair:
    real, generated = both
    return replace(
        pair,
        real=None if real is None else pictures.grey(real, longest),
        generated=None if generated is None else pictures.grey(generated, longest),
        difference=None if change is None else pictures.signed(change, limit, longest),
    )


def _sides(found: Found) -> list[int]:
    # PNG rarely gets below a quarter of a character per pixel: sizes that cannot fit are not tried.
    fit = math.sqrt(BUDGET / (0.25 * 3 * max(1, len(found))))
    sides = [side for side in pictures.SIDES if side <= fit] or [pictures.SIDES[-1]]
    widest = max((max(image.shape) for pair in found for image in pair if image is not None), default=0)
    needed = 2 * widest if widest <= pictures.SMALL else widest
    # Of the sizes that change nothing, one try is enough.
    enough = [side for side in sides if side >= needed]
    return enough[-1:] + [side for side in sides if side < needed]


def _characters(pair: Pair) -> int:
    shown = (pair.real, pair.generated, pair.difference)
    return sum(len(one.address) for one in shown if one is not None)


def _difference_words(limit: float) -> dict[str, str]:
    words = wording.number(limit, 0 if limit >= 10 else 1)
    title = f"Colour scale of the difference maps, {wording.MINUS}{words} to +{words} grey levels"
    return {"title": title, "low": f"{wording.MINUS}{words}", "middle": "0", "high": f"+{words}"}


def _size_words(found: Found, pairs: Sequence[Pair]) -> str:
    """Say that pictures were reduced, where they were."""
    for (real, _), pair in zip(found, pairs, strict=True):
        if real is not None and pair.real is not None and pair.real.width < real.shape[1]:
            return (
                f"The pictures have {real.shape[1]}×{real.shape[0]} pixels and are shown reduced to "
                f"{pair.real.width}×{pair.real.height}."
            )
    return ""
