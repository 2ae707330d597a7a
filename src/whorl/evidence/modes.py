"""Has a cloud of numbers one hump or more? Silverman's bandwidth test (1981), with smoothed resamples."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from whorl.records import Array

GRID = 256
STEPS = 14  # halvings that find the bandwidth
NARROW, WIDE = 0.01, 2.0  # bandwidths searched, in standard deviations
ADDED = 10_000  # numbers added to a density at once
MOST = 400  # numbers looked at; more would cost time and change little


def one_hump_p(values: ArrayLike, seed: int = 0, draws: int = 39) -> float:
    """Return how often a sample of a one-humped density looks as many-humped, at least 1 / (1 + draws)."""
    rng = np.random.default_rng(seed)
    numbers = np.sort(np.asarray(values, np.float64))
    if len(numbers) < 4 or numbers[0] == numbers[-1]:
        return 1.0
    if len(numbers) > MOST:
        numbers = rng.choice(numbers, MOST, replace=False)
    numbers = (numbers - numbers.mean()) / numbers.std()
    width = critical_width(numbers)
    shrink = 1.0 / np.sqrt(1.0 + width**2)
    reached = 0
    for _ in range(draws):
        chosen = numbers[rng.integers(0, len(numbers), len(numbers))]
        smooth = shrink * (chosen + width * rng.standard_normal(len(numbers)))
        reached += humps(smooth, width) > 1
    return (1 + reached) / (1 + draws)


def critical_width(numbers: Array) -> float:
    """Return the smallest kernel width at which standardised numbers show a single hump."""
    low, high = NARROW, WIDE
    for _ in range(STEPS):
        middle = float(np.sqrt(low * high))
        if humps(numbers, middle) > 1:
            low = middle
        else:
            high = middle
    return high


def humps(numbers: Array, width: float) -> int:
    """Count the local maxima of a kernel density estimate."""
    grid = np.linspace(numbers.min() - 1.0, numbers.max() + 1.0, GRID)
    density = _density(grid, numbers, width)
    inside = density[1:-1]
    return int(np.count_nonzero((inside > density[:-2]) & (inside >= density[2:])))


def _density(grid: Array, numbers: Array, width: float) -> Array:
    total = np.zeros(len(grid))
    for start in range(0, len(numbers), ADDED):
        some = numbers[None, start : start + ADDED]
        total += np.exp(-0.5 * ((grid[:, None] - some) / width) ** 2).sum(axis=1)
    return total
