"""Features put together by hand: grey levels, co-occurrence, filters, wavelets, regions."""

from __future__ import annotations

from functools import cache

import numpy as np

from whorl.records import Array, Floats

VERSION = 1
FREQUENCIES, TURNS = (0.1, 0.3, 0.5), (0.0, 45.0, 90.0)
REACH, WIDTH = 10, 4.0  # of a filter: 21 × 21, standard deviation 4
STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))  # to neighbours, down and across
NUMBERS = 48


def textural(images: Array) -> Floats:
    """Four moments, 16 of co-occurrence, 18 of Gabor filters, 7 Haar energies, 3 of Otsu's regions.

    (n, h, w) -> (n, 48) (Neural Nexus 2025).
    """
    rows = np.empty((len(images), NUMBERS), np.float32)
    for row, image in zip(rows, images, strict=True):
        grey = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        unit = grey / 255.0
        row[:] = np.concatenate(
            [_moments(unit), _neighbours(grey), _filtered(unit), _wavelets(unit), _regions(grey)]
        )
    return rows


def _moments(unit: Array) -> Array:
    """Mean, spread, skewness and excess kurtosis; the last two 0 where nothing varies."""
    mean, spread = unit.mean(), unit.std()
    if spread < 1e-12:
        return np.asarray([mean, 0.0, 0.0, 0.0])
    own = (unit - mean) / spread
    return np.asarray([mean, spread, (own**3).mean(), (own**4).mean() - 3.0])


def _neighbours(grey: Array) -> Array:
    """Contrast, correlation, energy and homogeneity of neighbours in four directions, either way round."""
    found = np.empty((4, len(STEPS)))
    for place, (down, across) in enumerate(STEPS):
        one, other = (part.astype(np.int64).ravel() for part in _pairs(grey, down, across))
        apart = np.square(one - other).astype(np.float64)
        codes = np.bincount(np.concatenate([one * 256 + other, other * 256 + one]), minlength=256 * 256)
        both = np.concatenate([one, other]).astype(np.float64)
        variance = both.var()
        alike = ((one - both.mean()) * (other - both.mean())).mean() / variance if variance > 1e-12 else 1.0
        energy = np.sqrt(np.square(codes / codes.sum()).sum())
        found[:, place] = apart.mean(), alike, energy, (1.0 / (1.0 + apart)).mean()
    return found.ravel()


def _pairs(grey: Array, down: int, across: int) -> tuple[Array, Array]:
    """Every pixel and its neighbour so far down and across, where both are inside."""
    height, width = grey.shape
    left, right = max(0, -across), width - max(0, across)
    return grey[: height - down, left:right], grey[down:, left + across : right + across]


def _filtered(unit: Array) -> Array:
    """Mean and variance of the answers of nine Gabor filters, the border mirrored."""
    from scipy.signal import fftconvolve

    padded = np.pad(unit, REACH, mode="symmetric")
    found = [fftconvolve(padded, kernel, mode="valid") for kernel in _filters()]
    return np.asarray([number for answer in found for number in (answer.mean(), answer.var())])


@cache
def _filters() -> tuple[Array, ...]:
    rows, columns = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    bell = np.exp(-(rows**2 + columns**2) / (2 * WIDTH**2))
    made = []
    for frequency in FREQUENCIES:
        for turn in np.deg2rad(TURNS):
            along = columns * np.cos(turn) + rows * np.sin(turn)
            made.append(bell * np.cos(2 * np.pi * frequency * along))
    return tuple(made)


def _wavelets(unit: Array) -> Array:
    """Energies of the two finest levels of Haar details, three each, and of what is left."""
    energies, left = [], unit
    for _ in range(2):
        left, *details = _halved(left)
        energies += [float((one**2).mean()) for one in details]
    return np.asarray([float((left**2).mean()), *energies])


def _halved(grey: Array) -> tuple[Array, Array, Array, Array]:
    """Means of two by two, and differences across, down and both; an odd side is carried on by one."""
    even = np.pad(grey, [(0, side % 2) for side in grey.shape], mode="edge")
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    return (a + b + c + d) / 2, (a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2


def _regions(grey: Array) -> Array:
    """How many bright regions there are at Otsu's threshold, their mean and their largest share."""
    from scipy.ndimage import label
    from skimage.filters import threshold_otsu

    if grey.min() == grey.max():
        return np.zeros(3)
    regions, count = label(grey > threshold_otsu(grey))
    sizes = np.bincount(regions.ravel())[1:] / grey.size
    return np.asarray([count, sizes.mean(), sizes.max()])
