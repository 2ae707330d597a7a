"""What pictures show in large: soft tissue or lungs, near or far. Generators of one question share it."""

from __future__ import annotations

import numpy as np

from whorl.clusters import principal
from whorl.kernels.cells import means
from whorl.kernels.slabs import batches
from whorl.records import Array

BATCH = 256
GRID = 16  # cells on each side of a picture
LEVELS = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)


def described(pixels: Array) -> Array:
    """How bright the parts of a picture are, and how much neighbouring ones differ; (n, 9)."""
    return np.concatenate([_some_described(stack) for _, stack in batches(pixels, BATCH)])


def _some_described(stack: Array) -> Array:
    down, across = (max(side // GRID, 1) for side in stack.shape[1:])
    cells = np.asarray(means(stack, down, across), np.float64)
    flat = cells.reshape(len(cells), -1)
    steps = sum(np.abs(np.diff(cells, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    levels = np.quantile(flat, LEVELS, axis=1)
    return np.column_stack([levels.T, flat.mean(axis=1), flat.std(axis=1), np.log(steps + 0.1)])


def main(scenes: Array) -> Array:
    """In what the pictures of (n, 9) descriptions differ most, (n, 1) with spread 1; (n, 0) if in nothing."""
    spread = scenes.std(axis=0)
    varied = spread > 1e-9
    if len(scenes) < 2 or not varied.any():
        return np.zeros((len(scenes), 0))
    along = principal(scenes[:, varied] / spread[varied], 1)
    return np.asarray(along / max(float(along.std()), 1e-12))
