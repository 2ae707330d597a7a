"""What JPEG leaves in pixels, whatever the file is now: a grid of 8×8 blocks and quantised coefficients."""

from __future__ import annotations

import numpy as np

from whorl.records import Array

_BLOCKY = 0.25  # strength of a grid of quantised blocks; without JPEG it is about 0
_USUAL = 12.0  # quantisation step of the low frequencies that JPEG's own table has at quality 50
LEAST_SIDE = 24  # a smaller picture has too few blocks
_ZERO = 0.75  # rounding to whole grey levels moves a coefficient that was 0 by less
_STEEPEST = 16.0
ASKED = 64  # pictures of a bag that say how it was saved
STRONG = 90  # quality below which generators leave much less
_ANGLE = (2 * np.arange(8)[None, :] + 1) * np.arange(8)[:, None] * np.pi / 16
_COSINES = np.cos(_ANGLE) * np.where(np.arange(8) == 0, np.sqrt(1 / 8), 1 / 2)[:, None]
_BLOCK = np.kron(_COSINES, _COSINES).T.astype(np.float32)  # 64 pixels of a block → 64 coefficients
_LOW = (1, 8, 9, 2, 16, 10, 17)  # coefficients of low frequency, which survive strong compression
_STEPS = np.arange(2, 41)
_NOISE = np.exp(-(np.pi**2) / 6 / _STEPS**2)  # what rounding leaves of a perfect comb
_ENOUGH = 12
_COMB = 0.8
_TIE = 0.05


def grid(stack: Array) -> tuple[Array, Array, Array]:
    """Return the strength of a grid that starts in the corner, and of the likeliest other, (b,) each.

    The third is the quantisation step on the stronger of the two, 1 where there is none. A strength is
    the share of coefficients that are 0 on the grid but not half a block beside it.
    """
    count, height, width = stack.shape
    if min(height, width) < LEAST_SIDE:
        return np.zeros(count), np.zeros(count), np.ones(count)
    grey = np.asarray(stack, np.float32)
    down, across = _phase(grey.transpose(0, 2, 1)), _phase(grey)
    first, corner = _strength(grey, np.zeros(count, np.int64), np.zeros(count, np.int64))
    second, elsewhere = _strength(grey, down, across)
    elsewhere = np.where((down == 0) & (across == 0), 0.0, elsewhere)
    likelier = np.where((corner >= elsewhere)[:, None, None], first, second)
    return corner, elsewhere, np.asarray([_step(one) for one in likelier])


def saved(stack: Array) -> Array:
    """The quality with which each picture was once saved as JPEG, about; 0 where nothing is left of that."""
    corner, elsewhere, step = grid(stack)
    was = (np.maximum(corner, elsewhere) > _BLOCKY) & (step > 1)
    scale = 100.0 * step / _USUAL  # per cent of the table; the two halves of the scale are libjpeg's
    quality = np.where(scale <= 100.0, 100.0 - scale / 2, 5000.0 / scale)
    return np.where(was, np.clip(np.rint(quality), 1, 100), 0).astype(np.int64)


def strong(stack: Array) -> int:
    """The quality with which most pictures were once saved as JPEG, if that is below `STRONG`; or 0."""
    qualities = saved(stack)
    low = qualities[(qualities > 0) & (qualities < STRONG)]
    return round(float(np.median(low))) if 2 * len(low) >= max(len(qualities), 1) else 0


def _phase(grey: Array) -> Array:
    """Return in which column modulo 8 the pixels step most from one block to the next, (b,)."""
    steps = np.abs(3 * (grey[:, :, 1:-2] - grey[:, :, 2:-1]) - grey[:, :, :-3] + grey[:, :, 3:]) / 2
    mean = np.minimum(steps, _STEEPEST, out=steps).mean(axis=1)
    # The step lies between the second and the third of the four pixels.
    by_phase = [mean[:, (phase - 2) % 8 :: 8].mean(axis=1) for phase in range(8)]
    return np.asarray(np.argmax(by_phase, axis=0))


def _strength(grey: Array, down: Array, across: Array) -> tuple[Array, Array]:
    """Return the coefficients of low frequency, (b, blocks, 7), and the strength of the grid, (b,)."""
    here, cut_off = _coefficients(grey, down, across)
    beside, _ = _coefficients(grey, (down + 4) % 8, (across + 4) % 8)
    zeros, others = (np.asarray((np.abs(one) <= _ZERO).mean(axis=(1, 2))) for one in (here, beside))
    low = np.where(cut_off[:, :, None], 0, here[:, :, _LOW])
    return low, (zeros - others) / np.maximum(1 - others, 0.05)


def _coefficients(grey: Array, down: Array, across: Array) -> tuple[Array, Array]:
    """Return the cosine transform of every block, on a grid of its own for each picture, (b, blocks, 64).

    With it whether levels of the block were cut off at black or white, (b, blocks): these are no longer
    what JPEG made of them.
    """
    high, wide = (grey.shape[1] - 7) // 8, (grey.shape[2] - 7) // 8
    cut = np.stack(
        [
            one[row : row + 8 * high, column : column + 8 * wide]
            for one, row, column in zip(grey, down, across, strict=True)
        ]
    )
    blocks = cut.reshape(len(cut), high, 8, wide, 8).transpose(0, 1, 3, 2, 4).reshape(-1, 64)
    cut_off = (blocks.min(axis=1) <= 0) | (blocks.max(axis=1) >= 255)
    return (blocks @ _BLOCK).reshape(len(cut), -1, 64), cut_off.reshape(len(cut), -1)


def _step(low: Array) -> float:
    """Return the middle of the quantisation steps of the low frequencies of one picture, (blocks, 7)."""
    found = [_comb(column) for column in np.abs(low.T)]
    known = [step for step in found if step > 0]
    return float(np.median(known)) if known else 1.0


def _comb(sizes: Array) -> int:
    """Return the step that coefficients are multiples of, 1 if of none, 0 if too few of them tell.

    Coefficients that were set to 0 fit every step, so that only the others are asked.
    """
    telling = sizes[sizes > _ZERO + 0.25]
    if len(telling) < _ENOUGH:
        return 0
    # Beyond 1 by luck only, and most for small steps, which divide the true one.
    fit = np.minimum(np.cos(2 * np.pi * telling[:, None] / _STEPS).mean(axis=0) / _NOISE, 1)
    # A coefficient below half the step would have been 0; a few are, by rounding.
    fit = np.where(np.quantile(telling, 0.1) > _STEPS / 2 - 1, fit, 0)
    if fit.max() < _COMB:
        return 1
    return int(_STEPS[fit >= fit.max() - _TIE].max())
