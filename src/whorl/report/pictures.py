"""Pictures as PNG data addresses: grey, signed (blue, white, red) and power (dark to bright)."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whorl.records import Array

SMALL = 128
SIDES = (512, 384, 256, 192, 128, 96)
SIGNED = ((33, 84, 160), (120, 172, 214), (255, 255, 255), (236, 138, 108), (172, 20, 38))
POWER = ((4, 3, 18), (62, 18, 112), (140, 40, 128), (220, 72, 104), (253, 158, 108), (252, 250, 200))


@dataclass(frozen=True)
class Shown:
    """One encoded picture: its data address and its size in pixels as encoded."""

    address: str
    width: int
    height: int


def colour_table(anchors: Sequence[tuple[int, int, int]], count: int) -> NDArray[np.uint8]:
    """Return `count` colours (count, 3) along straight lines between anchors."""
    places = np.linspace(0, len(anchors) - 1, count)
    columns = np.asarray(anchors, dtype=np.float64).T
    return np.stack(
        [np.rint(np.interp(places, np.arange(len(anchors)), column)) for column in columns], axis=1
    ).astype(np.uint8)


def grey(image: Array, longest: int = SIDES[0]) -> Shown:
    """Encode a grey picture on the scale 0 to 255."""
    return _encode(np.nan_to_num(np.asarray(image, dtype=np.float64)), longest, None)


def signed(image: Array, limit: float, longest: int = SIDES[0]) -> Shown:
    """Encode a signed map: white is 0, full blue is -limit, full red is +limit."""
    # 255 colours, so that zero falls exactly on white.
    table = colour_table(SIGNED, 255)
    places = (np.nan_to_num(np.asarray(image, dtype=np.float64)) / limit + 1) * 127
    return _encode(np.clip(places, 0, 254), longest, table)


def power(image: Array, low: float, high: float, longest: int = SIDES[0]) -> Shown:
    """Encode a map of power from dark (low) to bright (high)."""
    places = (np.nan_to_num(np.asarray(image, dtype=np.float64)) - low) / (high - low) * 255
    return _encode(places, longest, colour_table(POWER, 256))


def limit_of(images: Sequence[Array], share: float = 0.995) -> float:
    """Return one symmetric limit for several signed maps: it covers 99.5 % of all their pixels."""
    sizes = [np.abs(np.asarray(image, dtype=np.float64)).ravel() for image in images]
    together = np.concatenate(sizes) if sizes else np.zeros(1)
    found = float(np.quantile(np.nan_to_num(together), share)) if together.size else 0.0
    # A rare but strong difference must not vanish because most pixels are equal.
    return found or float(np.nan_to_num(together).max(initial=0.0)) or 1.0


def bounds_of(images: Sequence[Array]) -> tuple[float, float]:
    """Return one scale for several maps of power: up to the strongest peak, down to all but the darkest."""
    together = np.concatenate([np.asarray(image, dtype=np.float64).ravel() for image in images])
    together = np.nan_to_num(together)
    low, high = float(np.quantile(together, 0.005)), float(together.max())
    return (low, high) if high > low else (low, low + 1.0)


def _encode(values: Array, longest: int, table: NDArray[np.uint8] | None) -> Shown:
    """Encode values 0 to 255 (h, w), as grey or as places in a colour table, at a sensible size."""
    picture = Image.fromarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))
    width, height = picture.size
    largest = max(width, height)
    if largest <= SMALL and 2 * largest <= longest:
        picture = picture.resize((2 * width, 2 * height), Image.Resampling.NEAREST)
    elif largest > longest:
        shape = (max(1, width * longest // largest), max(1, height * longest // largest))
        picture = picture.resize(shape, Image.Resampling.BOX)
    if table is not None:
        # Places lie in order along the scale, so scaling them scaled the values themselves.
        picture.putpalette(table.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=9)
    body = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Shown(f"data:image/png;base64,{body}", *picture.size)
