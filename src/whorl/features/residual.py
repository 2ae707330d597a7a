"""Features of the residual: what is left of a picture when its smooth part is taken away."""

from __future__ import annotations

import numpy as np

from whorl.records import Array, BadInput, Count, Floats

VERSION = 1


def high_pass(images: Array, sigma: float = 1.0) -> Floats:
    """Picture minus its Gaussian blur.

    (n, h, w) -> (n, h, w).
    """
    from whorl.kernels.blurs import blurred

    grey = np.asarray(images, np.float32)
    return grey - blurred(grey, sigma)


def predictor(
    images: Array, radius: Count = 3, ridge: float = 1e-3, sigma: float = 0.0, scale: Count = 1
) -> Floats:
    """Coefficients of the best linear guess of a pixel from its neighbours, averaged over flips and turns.

    (n, h, w) -> (n, coefficients + 1): one per distance class, then the log of the error left.
    `sigma` > 0 takes the high-pass residual first; `scale` 2 takes every second neighbour, as a picture
    of half the size would on average over its four phases.
    """
    reach = 2 * radius * scale
    if min(images.shape[1:]) <= reach:
        least = reach + 1
        raise BadInput(
            f"residual.predictor with radius {radius}, scale {scale} needs pictures of {least} pixels "
            f"or more: give --size {least}"
        )
    grey = high_pass(images, sigma) if sigma > 0 else np.asarray(images, np.float32)
    correlation = _autocorrelation(grey, reach)[:, ::scale, ::scale]
    offsets = [
        (y, x) for y in range(-radius, radius + 1) for x in range(-radius, radius + 1) if (y, x) != (0, 0)
    ]
    places = np.asarray(offsets)
    gaps = places[:, None, :] - places[None, :, :] + 2 * radius
    normal = correlation[:, gaps[..., 0], gaps[..., 1]]
    target = correlation[:, places[:, 0] + 2 * radius, places[:, 1] + 2 * radius]
    variance = correlation[:, 2 * radius, 2 * radius]
    normal = normal + (ridge * variance + 1e-6)[:, None, None] * np.eye(len(places))
    solution = np.linalg.solve(normal, target[..., None])[..., 0]
    error = np.maximum(variance - np.sum(solution * target, axis=1), 1e-6)
    kinds = [index for index, (y, x) in enumerate(offsets) if y >= x >= 0]
    return np.asarray(np.column_stack([solution[:, kinds], np.log(error)]), np.float32)


def _autocorrelation(grey: Floats, reach: int) -> Array:
    """Autocorrelation up to `reach` pixels, averaged over the eight orientations; (n, 2r+1, 2r+1)."""
    from scipy.fft import next_fast_len

    centred = np.asarray(grey, np.float64)
    centred = centred - centred.mean(axis=(1, 2), keepdims=True)
    height, width = (next_fast_len(length + reach, real=True) for length in grey.shape[1:])
    power = np.abs(np.fft.rfft2(centred, s=(height, width))) ** 2
    full = np.fft.irfft2(power, s=(height, width)) / grey[0].size
    lags = np.arange(-reach, reach + 1)
    near = full[:, lags[:, None], lags[None, :]]
    near = (near + near[:, ::-1, :]) / 2
    near = (near + near[:, :, ::-1]) / 2
    return np.asarray((near + near.transpose(0, 2, 1)) / 2)
