"""Distributions of texture maps (GAN-ISI 2023)."""

from __future__ import annotations

import numpy as np

from whorl.records import Array, Floats

VERSION = 1
BINS = 256
GABOR_FREQUENCY = 0.2


def texture_cdfs(images: Array, gabor: bool = True, lbp: bool = True, entropy: bool = True) -> Floats:
    """Cumulative distribution of every texture map's values over 256 steps of its range.

    (n, h, w) -> (n, maps, 256), the last of each 1. Maps: grey, gradient, Laplacian, local spread and, if
    asked for, local entropy, LBP (8, 1) and (24, 3), four Gabor orientations.
    """
    rows = []
    for image in images:
        grey = np.asarray(image, np.float64)
        maps = _simple_maps(grey)
        maps += [_entropy(grey)] if entropy else []
        maps += _patterns(grey) if lbp else []
        maps += _gabor(grey) if gabor else []
        rows.append([_cumulative(one) for one in maps])
    return np.asarray(rows, np.float32)


def _cumulative(values: Array) -> Array:
    """Share of a map's values (0 to 1) up to each of the steps."""
    step = np.clip((values * BINS).astype(np.int64), 0, BINS - 1)
    return np.asarray(np.cumsum(np.bincount(step.ravel(), minlength=BINS)) / step.size)


def _simple_maps(grey: Array) -> list[Array]:
    from scipy import ndimage

    down, across = ndimage.sobel(grey, 0) / 8, ndimage.sobel(grey, 1) / 8
    mean = ndimage.uniform_filter(grey, 5)
    spread = np.sqrt(np.maximum(ndimage.uniform_filter(grey * grey, 5) - mean * mean, 0))
    return [grey / 255, np.hypot(down, across) / 128, np.abs(ndimage.laplace(grey)) / 512, spread / 128]


def _entropy(grey: Array) -> Array:
    from skimage.filters.rank import entropy
    from skimage.morphology import disk

    levels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return np.asarray(entropy(levels, disk(5)) / 8)


def _patterns(grey: Array) -> list[Array]:
    from skimage.feature import local_binary_pattern

    whole = np.rint(grey).astype(np.int32)
    return [
        np.asarray(local_binary_pattern(whole, points, radius, "uniform")) / (points + 2)
        for points, radius in ((8, 1), (24, 3))
    ]


def _gabor(grey: Array) -> list[Array]:
    from scipy.signal import fftconvolve
    from skimage.filters import gabor_kernel

    centred = grey - grey.mean()
    kernels = [gabor_kernel(GABOR_FREQUENCY, theta=turn * np.pi / 4) for turn in range(4)]
    return [np.abs(fftconvolve(centred, kernel, mode="same")) / 64 for kernel in kernels]
