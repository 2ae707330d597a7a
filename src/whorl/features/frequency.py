"""Features of frequency: power spectra of the high-pass residual, blind to flips and turns."""

from __future__ import annotations

import numpy as np

from whorl.records import Array, BadInput, Count, Floats

VERSION = 1


def radial_spectrum(images: Array, rings: Count = 32) -> Floats:
    """Log power of the picture averaged over rings, low to high frequency.

    (n, h, w) -> (n, rings).
    """
    power = _power(images)
    height, width = power.shape[1:]
    vertical = np.fft.fftshift(np.fft.fftfreq(height))[:, None]
    horizontal = np.fft.fftshift(np.fft.fftfreq(width))[None, :]
    ring = np.minimum((np.hypot(vertical, horizontal) / 0.5 * rings).astype(np.int64), rings)
    members = np.bincount(ring.ravel(), minlength=rings + 1)[:rings]
    flat = np.stack(
        [np.bincount(ring.ravel(), weights=one.ravel(), minlength=rings + 1)[:rings] for one in power]
    )
    return np.asarray(np.log(flat / np.maximum(members, 1) + 1.0), np.float32)


def spectrum(images: Array, cells: Count = 16) -> Floats:
    """Two-dimensional log power of the high-pass residual, pooled and averaged over flips and turns.

    (n, h, w) -> (n, cells * (cells + 1) / 2): the octant that symmetry leaves.
    """
    from scipy.ndimage import gaussian_filter

    grey = np.asarray(images, np.float32)
    power = _power(grey - gaussian_filter(grey, [0.0, 1.5, 1.5]))
    side = min(power.shape[1:]) // (2 * cells) * (2 * cells)
    if side == 0:
        raise BadInput(
            f"frequency.spectrum needs pictures of {2 * cells} pixels or more: give --size {2 * cells}"
        )
    power = _centre(power, side)
    power = (power + power[:, ::-1, :]) / 2
    power = (power + power[:, :, ::-1]) / 2
    power = (power + power.transpose(0, 2, 1)) / 2
    step = side // (2 * cells)
    pooled = power.reshape(len(power), 2 * cells, step, 2 * cells, step).mean(axis=(2, 4))
    quarter = np.log(pooled[:, cells:, cells:] + 1.0)
    rows, columns = np.tril_indices(cells)
    return np.asarray(quarter[:, rows, columns], np.float32)


def _power(images: Array) -> Array:
    """Centred power spectrum per pixel after a Hann window, (n, h, w), float64."""
    grey = np.asarray(images, np.float64)
    grey = grey - grey.mean(axis=(1, 2), keepdims=True)
    height, width = grey.shape[1:]
    taper = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    transform = np.fft.fftshift(np.fft.fft2(grey * taper), axes=(1, 2))
    return np.asarray((transform.real**2 + transform.imag**2) / np.sum(taper**2))


def _centre(power: Array, side: int) -> Array:
    """The middle of a centred spectrum, resampled to side × side by cutting the highest frequencies."""
    top, left = ((length - side) // 2 for length in power.shape[1:])
    return power[:, top : top + side, left : left + side]
