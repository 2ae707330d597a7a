"""The same picture twice: pixel by pixel, or moved, lighter, noisier or saved anew; not merely alike.

Near-duplicates share their fine texture, noise and all, which two slices of one patient do not. They are
looked for among pictures whose texture has the same spectrum, which moving a picture does not change, and
confirmed by correlating the textures at every small shift. Called are only those that stand clear of the
bulk of ordinary neighbours, and pictures of one patient have a bulk of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whorl.arrays import allocate
from whorl.kernels.slabs import batches, release, slabs
from whorl.records import Array

SIDE = 128  # larger pictures are averaged down to this side or a little above
BAND = 32  # frequencies of the texture that are kept, in cycles per picture
FINGER = 16  # those that pictures are looked up by
REACH = 6  # pixels that a copy may have been moved by, at this size
FINE, COARSE = 0.8, 3.0  # widths of the two blurs whose difference is the texture
NEIGHBOURS = 3
BEYOND = 5.0  # times from the middle of the bulk to its upper tenth
LEAST, LEAST_UNKNOWN, MOST = 0.65, 0.9, 0.98  # likeness that is never, that is always a near-duplicate
FEW = 20  # pairs, below which there is no bulk to speak of
BATCH = 64
SLAB_BYTES = 8 << 20
SPECTRA_BYTES = 64 << 20  # above which spectra lie in a temporary file


@dataclass(frozen=True)
class Twins:
    """Two pictures by number, the earlier first, and how alike their textures are (1: the same)."""

    first: int
    second: int
    likeness: float


def exact(digests: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Return the groups of pictures with the same pixels, in order of their first one."""
    groups: dict[str, list[int]] = {}
    for place, digest in enumerate(digests):
        groups.setdefault(digest, []).append(place)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def near(
    stacks: Sequence[Array], digests: Sequence[str], patients: Sequence[str | None]
) -> tuple[Twins, ...]:
    """Return near-duplicates among all pictures of the stacks (n, h, w), the most alike first.

    Left out are exact ones. Where patients are not known slices of one patient might be taken for
    near-duplicates, so that these need to be more alike.
    """
    owner = _owners(patients)
    spectra = _spectra(stacks)
    if len(spectra) < 2 or spectra.shape[2] < 2:
        return ()
    pairs, rank = _candidates(
        _fingers(spectra), np.unique(np.asarray(digests), return_inverse=True)[1], owner
    )
    likeness = _likeness(spectra, pairs, _small(stacks[0][:1]).shape[1:])
    own = owner[pairs[:, 0]] == owner[pairs[:, 1]]
    unknown = np.asarray([name is None for name in patients])[pairs].any(axis=1)
    least = np.where(unknown, LEAST_UNKNOWN, LEAST)
    # Of strangers only the third nearest are bulk: many pictures may have one or two copies.
    least = np.maximum(
        least, np.where(own, _bar(likeness[own]), _bar(likeness[~own & (rank == NEIGHBOURS - 1)]))
    )
    found = {
        (int(min(pair)), int(max(pair))): float(value)
        for pair, value in zip(pairs[likeness >= least], likeness[likeness >= least], strict=True)
    }
    return tuple(Twins(*pair, value) for pair, value in sorted(found.items(), key=lambda item: -item[1]))


def _owners(patients: Sequence[str | None]) -> Array:
    """Number the patients; a picture of an unknown one is a patient of its own."""
    names = [f"picture {place}" if name is None else f"patient {name}" for place, name in enumerate(patients)]
    return np.unique(np.asarray(names), return_inverse=True)[1]


def _bar(bulk: Array) -> float:
    """Return the likeness that stands clear of the bulk."""
    if len(bulk) < FEW:
        return LEAST_UNKNOWN
    middle, high = np.quantile(np.arctanh(np.clip(bulk, -MOST, MOST)), [0.5, 0.9])
    return min(float(np.tanh(middle + BEYOND * (high - middle))), MOST)


def _small(stack: Array) -> Array:
    """Average pictures down by a whole factor, (n, h, w) of float32."""
    count, height, width = stack.shape
    factor = max(1, min(height, width) // SIDE)
    rows, columns = height // factor, width // factor
    cut = stack[:, : rows * factor, : columns * factor].reshape(count, rows, factor, columns, factor)
    return np.asarray(cut.mean(axis=(2, 4), dtype=np.float32))


def _spectra(stacks: Sequence[Array]) -> Array:
    """Return the spectrum of each picture's texture in the band, (n, 2 b + 1, b + 1), of length 1."""
    like = _spectrum(_small(stacks[0][:1]))
    found = allocate((sum(map(len, stacks)), *like.shape[1:]), like.dtype, SPECTRA_BYTES)
    place = 0
    for stack in stacks:
        for _, some in batches(stack, BATCH):
            found[place : place + len(some)] = _spectrum(_small(some))
            place += len(some)
            release(found)
    return found


def _spectrum(grey: Array) -> Array:
    from scipy.fft import rfft2
    from scipy.ndimage import gaussian_filter

    height, width = grey.shape[1:]
    within = np.asarray((0.0, 1.0, 1.0))
    texture = gaussian_filter(grey, FINE * within) - gaussian_filter(grey, COARSE * within)
    texture /= np.sqrt(gaussian_filter(texture * texture, 4 * within) + 4)
    texture *= np.sqrt(np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])).astype(np.float32)
    band = min(BAND, min(height, width) // 2 - 1)
    whole = rfft2(texture)
    kept = np.concatenate([whole[:, -band:, : band + 1], whole[:, : band + 1, : band + 1]], axis=1)
    kept[:, band, 0] = 0
    power = (kept.real**2 + kept.imag**2) * _twice(band)
    length = np.sqrt(power.sum(axis=(1, 2), keepdims=True))
    return np.asarray(kept / np.maximum(length, 1e-6), np.complex64)


def _twice(band: int) -> Array:
    """Columns of half a spectrum stand for two, but the first."""
    return np.where(np.arange(band + 1) == 0, 1, 2).astype(np.float32)


def _fingers(spectra: Array) -> Array:
    """Return what pictures are looked up by: strengths at low frequency about their mean.

    (n, d), each row of length 1.
    """
    band = spectra.shape[2] - 1
    kept = min(FINGER, band)
    strength = np.concatenate(
        [
            np.log(np.abs(some[:, band - kept : band + kept + 1, : kept + 1]) + 1e-4)
            for _, some in slabs(spectra)
        ]
    ).reshape(len(spectra), -1)
    strength -= strength.mean(axis=0)
    strength -= strength.mean(axis=1, keepdims=True)
    length = np.sqrt((strength * strength).sum(axis=1, keepdims=True))
    return np.asarray(strength / np.maximum(length, 1e-6), np.float32)


def _candidates(fingers: Array, content: Array, owner: Array) -> tuple[Array, Array]:
    """Return pairs (p, 2) of each picture and its nearest of its own and of other patients, with ranks."""
    pairs, ranks = [], []
    count = len(fingers)
    rows = max(1, SLAB_BYTES // (4 * count))
    for start in range(0, count, rows):
        here = np.arange(start, min(start + rows, count))
        alike = fingers[here] @ fingers.T
        alike[content[here, None] == content[None, :]] = -np.inf  # itself and its exact duplicates
        own = owner[here, None] == owner[None, :]
        for side in (own, ~own):
            near = np.where(side, alike, -np.inf)
            most = min(NEIGHBOURS, count - 1)
            best = np.argpartition(-near, most - 1, axis=1)[:, :most]
            value = np.take_along_axis(near, best, axis=1)
            order = np.argsort(-value, axis=1, kind="stable")
            best, value = (np.take_along_axis(one, order, axis=1) for one in (best, value))
            place, rank = np.nonzero(np.isfinite(value))
            pairs.append(np.stack([here[place], best[place, rank]], axis=1))
            ranks.append(rank)
    return np.concatenate(pairs), np.concatenate(ranks)


def _likeness(spectra: Array, pairs: Array, shape: tuple[int, ...]) -> Array:
    """Return the highest correlation of the textures over shifts in steps of half a pixel, (p,)."""
    band = spectra.shape[2] - 1
    shifts = np.arange(-2 * REACH, 2 * REACH + 1) / 2
    turns = np.outer(shifts, np.arange(-band, band + 1)) / shape[0]
    down = np.exp(2j * np.pi * turns).astype(np.complex64)
    turns = np.outer(np.arange(band + 1), shifts) / shape[1]
    across = np.exp(2j * np.pi * turns).astype(np.complex64)
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), BATCH):
        first, second = pairs[start : start + BATCH].T
        product = spectra[first] * spectra[second].conj() * _twice(band)
        found[start : start + BATCH] = (down @ (product @ across)).real.max(axis=(1, 2))
    return found
