"""How structural similarity is measured: the window, its constants, and in which numbers.

On pictures of whole numbers from 0 to 255 the sums of products of the uniform window are whole numbers
below 2^24 about the middle grey, hence exact in float32. The Gaussian window's are not: there a picture's own
mean grey is subtracted and products enter as differences from the one in the window's middle, so that float32
loses nothing where pictures are flat. All else is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from whorl.kernels.slabs import slabs
from whorl.records import Array, BadInput

Window = Literal["uniform", "gaussian"]
SIDES = {"uniform": 7, "gaussian": 11}
SIGMA = 1.5
# Beyond this data range a product of two denominators leaves float32.
LARGEST_EXACT_RANGE = 65535.0
# Below this one the constants of the Gaussian window are no longer large beside the rounding of its sums.
LEAST_SHORT_RANGE = 255.0


@dataclass(frozen=True)
class Measure:
    """One way to measure: the window, the range of the data, whether float32 is enough."""

    window: Window
    data_range: float
    short: bool

    @property
    def side(self) -> int:
        """Pixels of the window's side."""
        return SIDES[self.window]

    @property
    def exact(self) -> bool:
        """Whether sums of products are exact in float32."""
        return self.short and self.window == "uniform"

    @property
    def kind(self) -> type[np.floating[Any]]:
        """The numbers to compute with."""
        return np.float32 if self.short else np.float64

    @property
    def middle(self) -> float:
        """What is subtracted from every pixel."""
        return 128.0 if self.short else self.data_range / 2.0

    @cached_property
    def numbers(self) -> Array:
        """n, n · middle, and both constants as they stand beside sums instead of means."""
        count = 49.0 if self.window == "uniform" else 1.0
        norm = 49.0 * 48.0 if self.window == "uniform" else 1.0
        first, second = (0.01 * self.data_range) ** 2, (0.03 * self.data_range) ** 2
        return np.asarray([count, count * self.middle, first * count**2, second * norm])

    @property
    def constants(self) -> tuple[Any, Any]:
        """What is added to a covariance and to a sum, as the kernels take them."""
        return self.kind(self.numbers[3] * 0.5 / self.numbers[0]), self.kind(self.numbers[1])

    @cached_property
    def weights(self) -> Array:
        """Weights of the pixels along a side."""
        steps = np.arange(self.side) - self.side // 2
        if self.window == "uniform":
            return np.ones(self.side)
        weights = np.exp(-0.5 * (steps / SIGMA) ** 2)
        return np.asarray(weights / weights.sum())


def measure_for(window: Window, data_range: float, *stacks: Array, masked: bool = False) -> Measure:
    """Return how to measure these pictures, or say why they cannot be measured."""
    side = SIDES[window]
    if min(min(stack.shape[1:]) for stack in stacks) < side:
        raise BadInput(f"maps.ssim needs pictures of {side} pixels or more: give --size {side + 1}")
    if not 0 < data_range < float("inf"):
        raise BadInput(
            f"maps.ssim: data_range {data_range}: give the largest grey less the smallest, above 0"
        )
    least = 0.0 if window == "uniform" else LEAST_SHORT_RANGE
    fits = least <= data_range <= LARGEST_EXACT_RANGE
    # Of a few windows the roundings do not cancel, and what is subtracted may be far from their greys.
    fits = fits and (window == "uniform" or not masked)
    return Measure(window, data_range, fits and all(_whole(stack) for stack in stacks))


def _whole(stack: Array) -> bool:
    """Whether every pixel is a whole number of 0..255, so that float32 sums are exact."""
    if stack.dtype == np.uint8:
        return True
    return all(
        bool((image == np.rint(image)).all() and image.min() >= 0 and image.max() <= 255)
        for _, some in slabs(stack)
        for image in some
    )


def windows_inside(masks: Array | None, shape: tuple[int, ...], measure: Measure) -> Array | None:
    """Which windows lie wholly inside the masks; (1 or q, rows, columns)."""
    if masks is None:
        return None
    stack = np.asarray(masks, bool)
    stack = stack[None] if stack.ndim == 2 else stack
    if stack.shape[1:] != shape[1:] or len(stack) not in (1, shape[0]):
        raise BadInput(f"maps.ssim: masks of {stack.shape} for queries of {shape}: give (h, w) or (q, h, w)")
    side = measure.side
    found = np.asarray(
        np.lib.stride_tricks.sliding_window_view(stack, (side, side), axis=(1, 2)).all(axis=(3, 4))
    )
    if not found.any(axis=(1, 2)).all():
        raise BadInput(
            f"maps.ssim: a mask holds no whole window of {side} × {side} pixels: take a larger one"
        )
    return found
