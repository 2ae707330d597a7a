"""Features of frequency: power spectra of the high-pass residual, blind to flips and turns."""

from __future__ import annotations

from typing import Literal

import numpy as np

from whorl.records import Array, BadInput, Count, Floats

VERSION = 1


def radial_spectrum(images: Array, rings: Count = 32, sigma: float = 0.0) -> Floats:
    """Log power of the picture averaged over rings, low to high frequency.

    (n, h, w) -> (n, rings); `sigma` > 0 takes the high-pass residual first.
    """
    power = _power(_high_pass(images, sigma) if sigma > 0 else images)
    height, width = power.shape[1:]
    vertical = np.fft.fftshift(np.fft.fftfreq(height))[:, None]
    horizontal = np.fft.fftshift(np.fft.fftfreq(width))[None, :]
    ring = np.minimum((np.hypot(vertical, horizontal) / 0.5 * rings).astype(np.int64), rings)
    members = np.bincount(ring.ravel(), minlength=rings + 1)[:rings]
    flat = np.stack(
        [np.bincount(ring.ravel(), weights=one.ravel(), minlength=rings + 1)[:rings] for one in power]
    )
    return np.asarray(np.log(flat / np.maximum(members, 1) + 1.0), np.float32)


def spectrum(
    images: Array, cells: Count = 16, pooling: Literal["bins", "frequencies"] = "bins", sigma: float = 1.5
) -> Floats:
    """Two-dimensional log power of the high-pass residual, pooled and averaged over flips and turns.

    (n, h, w) -> (n, cells * (cells + 1) / 2): the octant that symmetry leaves. Pooled over bins of the
    transform a cell means another frequency at another size; pooled over frequencies it does not.
    """
    if min(images.shape[1:]) < 2 * cells:
        raise BadInput(
            f"frequency.spectrum needs pictures of {2 * cells} pixels or more: give --size {2 * cells}"
        )
    residual = _high_pass(images, sigma)
    return _by_frequency(residual, cells) if pooling == "frequencies" else _by_bin(residual, cells)


def _by_bin(residual: Array, cells: int) -> Floats:
    """Cells of equally many bins; what does not divide is cut off at the highest frequencies."""
    power = _power(residual)
    side = min(power.shape[1:]) // (2 * cells) * (2 * cells)
    power = _centre(power, side)
    power = (power + power[:, ::-1, :]) / 2
    power = (power + power[:, :, ::-1]) / 2
    power = (power + power.transpose(0, 2, 1)) / 2
    step = side // (2 * cells)
    pooled = power.reshape(len(power), 2 * cells, step, 2 * cells, step).mean(axis=(2, 4))
    quarter = np.log(pooled[:, cells:, cells:] + 1.0)
    rows, columns = np.tril_indices(cells)
    return np.asarray(quarter[:, rows, columns], np.float32)


def _by_frequency(residual: Array, cells: int) -> Floats:
    """Cells of equal width in cycles per pixel, the same at any size, exactly blind to flips and turns."""
    grey, taper = _tapered(residual)
    transform = np.fft.rfft2(grey)
    power = (transform.real**2 + transform.imag**2) / np.sum(taper**2)
    height, width = grey.shape[1:]
    # Whole-number arithmetic: a frequency on the border of two cells shall not depend on rounding.
    down = np.minimum(np.arange(height), height - np.arange(height)) * 2 * cells // height
    across = np.arange(width // 2 + 1) * 2 * cells // width
    down, across = np.minimum(down, cells - 1)[:, None], np.minimum(across, cells - 1)[None, :]
    larger, smaller = np.maximum(down, across), np.minimum(down, across)
    cell = (larger * (larger + 1) // 2 + smaller).ravel()
    # The half plane stands for the whole: all its columns count twice but the first and, if even, the last.
    twice = np.full(width // 2 + 1, 2.0)
    twice[0] = 1.0
    twice[width // 2 :] = 2.0 - (width % 2 == 0)
    weights = np.broadcast_to(twice, power.shape[1:]).ravel()
    members = np.bincount(cell, weights=weights)
    sums = np.stack([np.bincount(cell, weights=weights * one.ravel()) for one in power])
    return np.asarray(np.log(sums / members + 1.0), np.float32)


def _high_pass(images: Array, sigma: float) -> Array:
    from whorl.kernels.blurs import blurred

    grey = np.asarray(images, np.float32)
    return grey - blurred(grey, sigma)


def _tapered(images: Array) -> tuple[Array, Array]:
    """Pictures about their mean times a Hann window, (n, h, w), and the window, both float64."""
    grey = np.asarray(images, np.float64)
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    height, width = grey.shape[1:]
    taper = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    return grey * taper, taper


def _power(images: Array) -> Array:
    """Centred power spectrum per pixel after a Hann window, (n, h, w), float64."""
    tapered, taper = _tapered(images)
    transform = np.fft.fftshift(np.fft.fft2(tapered), axes=(1, 2))
    return np.asarray((transform.real**2 + transform.imag**2) / np.sum(taper**2))


def _centre(power: Array, side: int) -> Array:
    """The middle of a centred spectrum, resampled to side × side by cutting the highest frequencies."""
    top, left = ((length - side) // 2 for length in power.shape[1:])
    return power[:, top : top + side, left : left + side]
