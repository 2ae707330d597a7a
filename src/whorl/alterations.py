"""What pictures go through on their way: saved, scaled, cut, brightened. None of it changes who made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from whorl.arrays import digest_of_picture
from whorl.folders import shown
from whorl.records import Array, BadInput, ImageSet
from whorl.steps import nearest

Alteration = Callable[[Array, np.random.Generator], Array]
CUT = 8  # pixels


def jpeg(stack: Array, quality: int) -> Array:
    """Save every picture as JPEG and read it again."""
    made = []
    for picture in stack:
        buffer = BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
        made.append(np.asarray(Image.open(buffer)))
    return np.stack(made)


def noisy(stack: Array, rng: np.random.Generator, sigma: float) -> Array:
    """Add fresh Gaussian noise."""
    return grey(stack + rng.normal(0.0, sigma, stack.shape))


def cropped(stack: Array, rng: np.random.Generator) -> Array:
    """Cut up to 8 pixels off, elsewhere in every picture."""
    height, width = (side - CUT for side in stack.shape[1:])
    corners = rng.integers(0, CUT + 1, (len(stack), 2))
    return np.stack([one[y : y + height, x : x + width] for one, (y, x) in zip(stack, corners, strict=True)])


def resized(stack: Array, _: np.random.Generator) -> Array:
    """Scale to nine tenths."""
    height, width = (round(0.9 * side) for side in stack.shape[1:])
    way = Image.Resampling.BILINEAR
    return np.stack([np.asarray(Image.fromarray(one).resize((width, height), way)) for one in stack])


def mirrored(stack: Array, rng: np.random.Generator) -> Array:
    """Mirror half of the pictures."""
    flip = rng.random(len(stack)) < 0.5
    return np.where(flip[:, None, None], stack[:, :, ::-1], stack)


def brightened(stack: Array, rng: np.random.Generator) -> Array:
    """Scale grey levels by up to a tenth."""
    return grey(stack * rng.uniform(0.9, 1.1, (len(stack), 1, 1)))


ALTERATIONS: Mapping[str, Alteration] = {
    "shift-1": lambda stack, _: np.roll(stack, 1, axis=2)[:, 1:, 1:],
    "crop-8": cropped,
    "mirror-half": mirrored,
    "jpeg-95": lambda stack, _: jpeg(stack, 95),
    "jpeg-85": lambda stack, _: jpeg(stack, 85),
    "jpeg-75": lambda stack, _: jpeg(stack, 75),
    "noise-1": lambda stack, rng: noisy(stack, rng, 1.0),
    "noise-2": lambda stack, rng: noisy(stack, rng, 2.0),
    "resize-0.9": resized,
    "brightness": brightened,
    "bits-6": lambda stack, _: stack // 4 * 4,
}


def known(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of alterations, `all` being every one; refuse what is none."""
    found = tuple(ALTERATIONS) if "all" in names else names
    strange = next((name for name in found if name not in ALTERATIONS), None)
    if strange is not None:
        close = nearest(strange, ALTERATIONS)
        hint = f"; did you mean '{close}'?" if close else f"; known: all, {', '.join(ALTERATIONS)}"
        raise BadInput(f"no alteration is called '{shown(strange)}'{hint}")
    return tuple(dict.fromkeys(found))


def altered(images: ImageSet, name: str, seed: int = 0) -> ImageSet:
    """Return the pictures after one alteration; those of more than 8 bits are rounded to 8 first."""
    pixels = ALTERATIONS[name](grey(images.pixels), np.random.default_rng(seed))
    digests = tuple(map(digest_of_picture, pixels))
    return replace(images, name=f"{images.name}, {name}", pixels=pixels, digests=digests)


def grey(stack: Array) -> Array:
    """Round to whole grey levels of 8 bits."""
    return np.asarray(np.clip(np.rint(stack), 0, 255), np.uint8)
