"""What each group's fingerprint looks like: mean residual, spectrum, autocorrelation, peaks, examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from whorl import peaks
from whorl.compression import saved
from whorl.kernels.slabs import batches
from whorl.outcomes import Cluster
from whorl.records import Array, ImageSet

EXAMPLES = 6
BATCH = 64
RINGS = 48
SMALLEST = 32  # pixels that a quarter keeps, so that every feature can look at it
BLOCK = 8  # pixels of a side of JPEG's blocks
GAIN = 1.4
ASKED = 16  # pictures of a group that are asked whether they were JPEG
REACH = 32  # pixels that the autocorrelation looks away, a quarter of the picture at most


def looks(images: ImageSet, labels: Sequence[str], confidence: Array) -> tuple[Cluster, ...]:
    """Describe every group by its averages; the surest pictures, spread over the group, are the examples."""
    wanted = np.asarray(labels)
    names = sorted(set(labels), key=lambda name: (len(name), name))
    shape = images.pixels.shape[1:]
    residual = {name: np.zeros(shape) for name in names}
    power = {name: np.zeros(shape) for name in names}
    contrast = {name: np.zeros(shape) for name in names}
    for place, stack in batches(images.pixels, BATCH):
        high, energy = _residuals(stack)
        steps = _contrasts(stack)
        part = wanted[place]
        for name in np.unique(part):
            residual[str(name)] += high[part == name].sum(axis=0)
            power[str(name)] += energy[part == name].sum(axis=0)
            contrast[str(name)] += steps[part == name].sum(axis=0)
    found = []
    for name in names:
        rows = np.flatnonzero(wanted == name)
        mean_power = power[name] / len(rows)
        found.append(
            Cluster(
                label=name,
                size=len(rows),
                examples=_examples(rows, confidence),
                residual=np.asarray(residual[name] / len(rows), np.float32),
                spectrum=np.asarray(np.log(mean_power + 1e-3), np.float32),
                radial=_radial(mean_power),
                autocorrelation=_autocorrelation(mean_power),
                peaks=peaks.peaks(mean_power, contrast[name] / len(rows), _was_jpeg(images.pixels, rows)),
            )
        )
    return tuple(found)


def quarters(stack: Array) -> Array:
    """The four corners of every picture, (4 n, side, side): made alike, showing other things.

    They begin at whole blocks of JPEG, so that even rows stay even ones.
    """
    height, width = stack.shape[1:]
    side = min(max(min(height, width) // 2, SMALLEST), height, width)
    below, right = ((length - side) // BLOCK * BLOCK for length in (height, width))
    corners = [(top, left) for top in (0, below) for left in (0, right)]
    cut = [stack[:, top : top + side, left : left + side] for top, left in corners]
    return np.stack(cut, axis=1).reshape(-1, side, side)


def sharpened(stack: Array) -> Array:
    """The same pictures with more contrast in their fine parts, as grey levels."""
    from scipy.ndimage import gaussian_filter

    grey = np.asarray(stack, np.float32)
    made = grey + (GAIN - 1.0) * (grey - gaussian_filter(grey, [0.0, 1.0, 1.0]))
    return np.asarray(np.clip(np.rint(made), 0, 255), np.uint8)


def _was_jpeg(pixels: Array, rows: Array) -> bool:
    """Whether most of some pictures of a group hold quantised coefficients of 8 × 8 blocks."""
    some = rows[np.unique(np.linspace(0, len(rows) - 1, min(ASKED, len(rows))).astype(np.int64))]
    return bool(np.mean(saved(pixels[some]) > 0) > 0.5)


def _residuals(stack: Array) -> tuple[Array, Array]:
    from scipy.ndimage import gaussian_filter

    grey = np.asarray(stack, np.float32)
    high = grey - gaussian_filter(grey, [0.0, 1.5, 1.5])
    return high, _power(high, high.shape[1:])


def _contrasts(stack: Array) -> Array:
    """Power of how strong the steps to the right and down are: seams and enlarging repeat in that."""
    from scipy.ndimage import gaussian_filter

    grey = np.asarray(stack, np.float32)
    total = np.zeros(grey.shape)
    for step in (grey[:, :-1, 1:] - grey[:, :-1, :-1], grey[:, 1:, :-1] - grey[:, :-1, :-1]):
        # Logarithms, so that a few strong edges of the anatomy do not count for more than all the rest.
        strength = np.log1p(np.abs(step))
        total += _power(strength - gaussian_filter(strength, [0.0, 4.0, 4.0]), grey.shape[1:])
    return total


def _power(stack: Array, shape: tuple[int, ...]) -> Array:
    """Centred power spectra, (n, *shape), of pictures that fade towards their borders."""
    taper = _taper(stack.shape[1:])
    transform = np.fft.fftshift(np.fft.fft2(stack * taper, s=shape), axes=(1, 2))
    return np.asarray((transform.real**2 + transform.imag**2) / np.sum(taper**2))


def _taper(shape: tuple[int, ...]) -> Array:
    height, width = shape
    return np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])


def _autocorrelation(power: Array) -> Array:
    """Likeness of the residual to itself moved, 1 in the centre, from its power; 0 where there is none."""
    reach = min(REACH, min(power.shape) // 4)
    faded = np.abs(np.fft.fft2(_taper(power.shape))) ** 2
    moved = [np.fft.fftshift(np.fft.ifft2(part).real) for part in (np.fft.ifftshift(power), faded)]
    top, left = power.shape[0] // 2, power.shape[1] // 2
    window = slice(top - reach, top + reach + 1), slice(left - reach, left + reach + 1)
    found = moved[0][window] / moved[1][window]
    centre = float(found[reach, reach])
    return np.asarray(found / centre if centre > 1e-9 else np.zeros_like(found), np.float32)


def _examples(rows: Array, confidence: Array) -> tuple[int, ...]:
    surest = rows[np.argsort(-confidence[rows], kind="stable")][: max(EXAMPLES, len(rows) // 2)]
    places = np.linspace(0, len(surest) - 1, min(EXAMPLES, len(surest))).round().astype(np.int64)
    return tuple(int(row) for row in np.sort(surest)[places])


def _radial(power: Array) -> Array:
    """Mean log power over rings of equal width, 0 to half a cycle per pixel."""
    vertical = np.fft.fftshift(np.fft.fftfreq(power.shape[0]))[:, None]
    horizontal = np.fft.fftshift(np.fft.fftfreq(power.shape[1]))[None, :]
    rings = min(RINGS, min(power.shape) // 2)
    ring = np.minimum((np.hypot(vertical, horizontal) / 0.5 * rings).astype(np.int64), rings).ravel()
    size = np.maximum(np.bincount(ring, minlength=rings + 1)[:rings], 1)
    mean = np.bincount(ring, weights=power.ravel(), minlength=rings + 1)[:rings] / size
    return np.asarray(np.log(mean + 1e-3), np.float32)
