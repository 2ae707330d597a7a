"""Preparation steps: one grey picture in, one out, float32 on the scale 0 to 255."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whorl.learning.segmentation import lung_mask
from whorl.learning.workplace import ALONE, Workplace
from whorl.records import BadInput, Count, Floats, Share

VERSION = 1


def resize(image: Floats, size: int = 256) -> Floats:
    """Scale to size × size with an antialiasing bilinear filter.

    (h, w) -> (size, size).
    """
    if size < 8:
        raise BadInput(f"prepare.resize: size {size} is too small, the least is 8")
    picture = Image.fromarray(np.asarray(image, np.float32))
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR), np.float32)


def crop(image: Floats, size: Count = 224) -> Floats:
    """Cut out the middle; a smaller side stays as it is.

    (h, w) -> (min(h, size), min(w, size)).
    """
    height, width = image.shape
    top, left = max(0, (height - size) // 2), max(0, (width - size) // 2)
    return np.ascontiguousarray(image[top : top + size, left : left + size], np.float32)


def random_crop(image: Floats, size: Count = 224, seed: int = 0) -> Floats:
    """Cut out a square at a random place; a smaller side stays as it is.

    (h, w) -> (min(h, size), min(w, size)); the seed differs for every picture.
    """
    generator = np.random.default_rng(seed)
    top, left = (int(generator.integers(0, max(0, side - size) + 1)) for side in image.shape)
    return np.array(image[top : top + size, left : left + size], np.float32)


def random_flip(image: Floats, share: Share = 0.5, seed: int = 0) -> Floats:
    """Mirror left and right with a chance.

    (h, w) -> (h, w); the seed differs for every picture.
    """
    flipped = image[:, ::-1] if np.random.default_rng(seed).random() < share else image
    return np.array(flipped, np.float32)


def random_affine(
    image: Floats, turn: float = 10.0, shift: Share = 0.1, zoom: Share = 0.1, seed: int = 0
) -> Floats:
    """Turn, shift and scale about the middle by chance, up to degrees and shares of the side.

    (h, w) -> (h, w), the border carried on; the seed differs for every picture.
    """
    from scipy.ndimage import affine_transform

    even = np.random.default_rng(seed).uniform(-1.0, 1.0, 4)
    angle, size = np.deg2rad(even[0] * turn), 1.0 + even[1] * min(zoom, 0.9)
    matrix = np.asarray([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / size
    sides = np.asarray(image.shape)
    middle = (sides - 1) / 2
    offset = middle - matrix @ (middle + even[2:] * shift * sides)
    moved = affine_transform(np.asarray(image, np.float32), matrix, offset, order=1, mode="nearest")
    return np.asarray(moved, np.float32)


def jitter(image: Floats, brightness: Share = 0.2, contrast: Share = 0.2, seed: int = 0) -> Floats:
    """Change brightness and contrast by chance, up to shares, cut to 0..255.

    (h, w) -> (h, w); the seed differs for every picture.
    """
    lighter, stronger = 1.0 + np.random.default_rng(seed).uniform(-1.0, 1.0, 2) * (brightness, contrast)
    grey = np.asarray(image, np.float64) * lighter
    middle = grey.mean()
    return np.asarray(np.clip(middle + stronger * (grey - middle), 0, 255), np.float32)


def equalise(image: Floats) -> Floats:
    """Equalise the histogram over 256 grey levels.

    (h, w) -> (h, w); a constant picture stays as it is.
    """
    levels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    cumulative = np.cumsum(np.bincount(levels.ravel(), minlength=256))
    first = cumulative[levels.min()]
    if first == levels.size:
        return np.asarray(image, np.float32).copy()
    table = np.rint((cumulative - first) * 255.0 / (levels.size - first)).clip(0, 255)
    return np.asarray(table[levels], np.float32)


def laplacian(image: Floats) -> Floats:
    """Absolute 3 × 3 Laplacian, cut at 255.

    (h, w) -> (h, w).
    """
    from scipy.ndimage import laplace

    edges = laplace(np.asarray(image, np.float32), mode="reflect")
    return np.asarray(np.minimum(np.abs(edges), 255), np.float32)


def binarise(image: Floats) -> Floats:
    """Black and white at Otsu's threshold.

    (h, w) -> (h, w) of 0 and 255; a constant picture becomes black.
    """
    from skimage.filters import threshold_otsu

    if image.min() == image.max():
        return np.zeros_like(image, np.float32)
    return np.where(image > threshold_otsu(image), 255, 0).astype(np.float32)


def contrast(image: Floats, factor: float = 1.5) -> Floats:
    """Stretch about the mean by a factor, cut to 0..255.

    (h, w) -> (h, w).
    """
    mean = np.mean(image, dtype=np.float64)
    return np.clip(mean + factor * (image - mean), 0, 255).astype(np.float32)


def gaussian_noise(image: Floats, sigma: float = 10.0, seed: int = 0) -> Floats:
    """Add Gaussian noise of `sigma` grey levels, cut to 0..255.

    (h, w) -> (h, w); the seed differs for every picture.
    """
    noise = np.random.default_rng(seed).normal(0.0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.float32)


def salt_and_pepper(image: Floats, share: Share = 0.01, seed: int = 0) -> Floats:
    """Turn a share of the pixels black or white, half each.

    (h, w) -> (h, w); the seed differs for every picture.
    """
    chance = np.random.default_rng(seed).random(image.shape)
    noisy = np.where(chance < share / 2, 0, image)
    return np.where(chance > 1 - share / 2, 255, noisy).astype(np.float32)


def opening(image: Floats, size: Count = 3) -> Floats:
    """Grey morphological opening with a square: bright specks vanish.

    (h, w) -> (h, w).
    """
    from scipy.ndimage import grey_opening

    return np.asarray(grey_opening(image, size=(size, size)), np.float32)


def closing(image: Floats, size: Count = 3) -> Floats:
    """Grey morphological closing with a square: dark specks vanish.

    (h, w) -> (h, w).
    """
    from scipy.ndimage import grey_closing

    return np.asarray(grey_closing(image, size=(size, size)), np.float32)


def lungs(image: Floats) -> Floats:
    """Crop to the lungs, everything else black, scaled back to the old size.

    (h, w) -> (h, w); a picture without lungs stays as it is.
    """
    return _cropped(image, _lung_mask(image))


def outside_lungs(image: Floats) -> Floats:
    """Black out the lungs.

    (h, w) -> (h, w).
    """
    return np.where(_lung_mask(image), 0, image).astype(np.float32)


def segmented_lungs(image: Floats, workplace: Workplace = ALONE) -> Floats:
    """As `lungs`, their place found by a small U-Net that learnt from phantoms.

    (h, w) -> (h, w); where it finds none the threshold mask is taken.
    """
    return _cropped(image, _segmented(image, workplace))


def outside_segmented_lungs(image: Floats, workplace: Workplace = ALONE) -> Floats:
    """Black out the lungs, their place found by a small U-Net that learnt from phantoms.

    (h, w) -> (h, w); where it finds none the threshold mask is taken.
    """
    return np.where(_segmented(image, workplace), 0, image).astype(np.float32)


def random_patch(image: Floats, seed: int = 0) -> Floats:
    """Black out a rectangle of the lungs' area at a random place: the control for anatomy.

    (h, w) -> (h, w); the seed differs for every picture.
    """
    height, width = image.shape
    share = np.sqrt(max(float(_lung_mask(image).mean()), 1 / 16))
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    generator = np.random.default_rng(seed)
    top, left = int(generator.integers(0, height - tall + 1)), int(generator.integers(0, width - wide + 1))
    out = np.asarray(image, np.float32).copy()
    out[top : top + tall, left : left + wide] = 0
    return out


def _lung_mask(image: Floats) -> NDArray[np.bool_]:
    """Dark regions inside the body: Otsu's threshold, the border cleared, the two largest, closed, filled."""
    from scipy import ndimage
    from skimage.filters import threshold_otsu
    from skimage.segmentation import clear_border

    if image.min() == image.max():
        return np.zeros(image.shape, bool)
    air = clear_border(image < threshold_otsu(image))
    regions, count = ndimage.label(air)
    if count == 0:
        return np.zeros(image.shape, bool)
    sizes = np.bincount(regions.ravel())[1:]
    largest = np.argsort(-sizes, kind="stable")[:2] + 1
    kept = np.isin(regions, [name for name in largest if sizes[name - 1] >= image.size // 200])
    ball = ndimage.generate_binary_structure(2, 1)
    closed = ndimage.binary_closing(kept, ball, iterations=max(1, min(image.shape) // 64))
    return np.asarray(ndimage.binary_fill_holes(closed))


def _segmented(image: Floats, workplace: Workplace) -> NDArray[np.bool_]:
    found = lung_mask(np.asarray(image), workplace)
    return found if found.any() else _lung_mask(image)


def _cropped(image: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Cut out the box around a mask, black beside it, and scale it to the old size."""
    if not mask.any():
        return np.asarray(image, np.float32).copy()
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cut = np.where(mask, image, 0).astype(np.float32)[box]
    picture = Image.fromarray(cut).resize(image.shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32)
