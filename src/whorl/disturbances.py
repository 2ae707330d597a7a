"""What small changes of processing do to a fingerprint: where generators not yet seen are to be expected.

The same pictures are described before and after each change, so that their content cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from whorl import pipeline
from whorl.arrays import digest_of_picture
from whorl.pipeline import Settings
from whorl.records import Array, Floats, ImageSet, Problem, Recipe

SAMPLED = 64


def changes(
    recipe: Recipe, images: ImageSet, blocks: Sequence[Array], settings: Settings
) -> tuple[Floats, ...]:
    """Mean difference that each change makes to each block of features, (changes, d) per block."""
    order = sorted(range(len(images)), key=lambda row: (images.digests[row], images.ids[row]))
    rows = np.asarray(order[:SAMPLED])
    before = [np.asarray(block, np.float64)[rows] for block in blocks]
    pixels = np.stack([images.pixels[row] for row in rows])
    found: list[list[Floats]] = [[] for _ in blocks]
    for done, (name, change) in enumerate(CHANGES.items()):
        settings.progress("small changes", done, len(CHANGES))
        changed = _rounded(change(pixels.astype(np.float32)), pixels.dtype)
        beside = replace(
            images,
            name=f"{images.name}, {name}",
            ids=tuple(f"{place:04d}" for place in range(len(rows))),
            pixels=changed,
            digests=tuple(map(digest_of_picture, changed)),
            patients=None,
        )
        quiet = replace(settings, progress=lambda label, done, total: None)
        after = pipeline.blocks(recipe, Problem("attribution", beside), quiet)
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            found[place].append(np.asarray((np.asarray(new, np.float64) - old).mean(axis=0), np.float32))
    settings.progress("small changes", len(CHANGES), len(CHANGES))
    return tuple(np.stack(parts) for parts in found)


def _rounded(pictures: Array, kind: np.dtype[np.generic]) -> Array:
    """Bring changed pictures back to the scale and the type of the others."""
    clipped = np.clip(pictures, 0.0, 255.0)
    return np.asarray(np.rint(clipped).astype(np.uint8) if kind == np.uint8 else clipped.astype(kind))


def _blur(pictures: Array, sigma: float = 0.5) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(pictures, [0.0, sigma, sigma]))


def _sharpen(pictures: Array) -> Array:
    return np.asarray(1.5 * pictures - 0.5 * _blur(pictures, 1.0))


def _grain(pictures: Array) -> Array:
    grain = np.random.default_rng(0).normal(0.0, 2.0, pictures.shape[1:])
    return np.asarray(pictures + grain)


def _median(pictures: Array) -> Array:
    from scipy.ndimage import median_filter

    return np.asarray((pictures + median_filter(pictures, (1, 3, 3))) / 2)


def _shift(pictures: Array) -> Array:
    """Move by parts of a pixel, linearly interpolated."""
    part = 0.3
    down = (1 - part) * pictures + part * np.concatenate([pictures[:, :1], pictures[:, :-1]], axis=1)
    return np.asarray((1 - part) * down + part * np.concatenate([down[:, :, :1], down[:, :, :-1]], axis=2))


def _doubled(pictures: Array) -> Array:
    """Mix in a copy that was halved and doubled again."""
    height, width = (length // 2 * 2 for length in pictures.shape[1:])
    even = pictures[:, :height, :width].reshape(len(pictures), height // 2, 2, width // 2, 2)
    coarse = even.mean(axis=(2, 4)).repeat(2, axis=1).repeat(2, axis=2)
    mixed = pictures.copy()
    mixed[:, :height, :width] += np.float32(0.3) * (coarse - mixed[:, :height, :width])
    return mixed


def _lattice(pictures: Array) -> Array:
    """Add the weak lattice of period two that upsampling leaves."""
    rows, columns = (1.0 - 2.0 * (np.arange(length) % 2) for length in pictures.shape[1:])
    return np.asarray(pictures + 1.5 * (np.outer(rows, columns) + rows[:, None] + columns[None, :]))


def _resampled(pictures: Array) -> Array:
    """Scale down a little and up again."""
    from scipy.ndimage import zoom

    height, width = pictures.shape[1:]
    small = zoom(pictures, (1, 0.8, 0.8), order=1, mode="nearest", grid_mode=True)
    back = (1, height / small.shape[1], width / small.shape[2])
    return np.asarray(zoom(small, back, order=3, mode="nearest", grid_mode=True))


CHANGES: dict[str, Callable[[Array], Array]] = {
    "blur": _blur,
    "sharpen": _sharpen,
    "grain": _grain,
    "median": _median,
    "shift": _shift,
    "doubled": _doubled,
    "lattice": _lattice,
    "resampled": _resampled,
}
