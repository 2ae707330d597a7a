"""Features of texture: local binary patterns and local contrast."""

from __future__ import annotations

from typing import Literal

import numpy as np

from whorl.records import Array, Count, Floats

VERSION = 1


def lbp(
    images: Array,
    points: Count = 8,
    radius: float = 1.0,
    method: Literal["uniform", "default", "ror", "nri_uniform"] = "uniform",
) -> Floats:
    """Share of every local binary pattern (Ojala et al. 2002; scikit-image).

    (n, h, w) -> (n, patterns), rows sum to 1; 10 patterns for 8 points, uniform.
    """
    from skimage.feature import local_binary_pattern

    patterns = {"uniform": points + 2, "nri_uniform": points * (points - 1) + 3}.get(method, 2**points)
    rows = np.empty((len(images), patterns), np.float32)
    for row, image in zip(rows, images, strict=True):
        # Whole numbers keep ties between neighbours exact, as on the 8-bit pictures of the papers.
        codes = local_binary_pattern(np.rint(image).astype(np.int32), points, radius, method)
        row[:] = np.bincount(codes.astype(np.int64).ravel(), minlength=patterns) / codes.size
    return rows


def local_contrast(images: Array, size: Count = 128, sigma: float = 2.0, window: float = 4.0) -> Floats:
    """High-pass picture divided by its local energy: what anatomy patients share is flattened away.

    (n, h, w) -> (n, size * size) at most; pictures larger than `size` are area-averaged first.
    """
    from scipy.ndimage import gaussian_filter

    from_grey = _shrink(images, size)
    within = (0.0, 1.0, 1.0)
    high = from_grey - gaussian_filter(from_grey, [sigma * axis for axis in within])
    energy = gaussian_filter(high * high, [window * axis for axis in within])
    flat = (high / np.sqrt(energy + 16.0)).reshape(len(images), -1)
    return np.asarray(flat, np.float32)


def _shrink(images: Array, size: int) -> Floats:
    """Area-average by the whole factor that brings the shorter side to `size` or a little above."""
    count, height, width = images.shape
    factor = max(1, min(height, width) // size)
    rows, columns = height // factor, width // factor
    cells = images[:, : rows * factor, : columns * factor].reshape(count, rows, factor, columns, factor)
    return np.asarray(cells.mean(axis=(2, 4), dtype=np.float64), np.float32)
