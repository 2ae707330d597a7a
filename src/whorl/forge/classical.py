"""Classical generators: a Gaussian of the members' principal components, and a mixture of kernels on members.

Both are sums of members: no component is ever formed, so many pixels cost little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whorl.forge.phantom import Pixels
from whorl.records import BadInput

Table = NDArray[np.float32]
MOST = 60  # components, unless told otherwise
BATCH = 1024  # pictures made at a time


def interpolating(members: Pixels, count: int, seed: int, components: int | None = None) -> Pixels:
    """Generate pictures (count, h, w) from the Gaussian that the members' leading components span."""
    check_members(members, count, seed)
    limit = _limit(members)
    kept = min(MOST, limit) if components is None else components
    if not 1 <= kept <= limit:
        raise BadInput(f"components {kept}: {len(members)} members allow 1 to {limit}")
    return Components(kept).fit(members, seed).sample(count, seed)


@dataclass(frozen=True)
class Components:
    """A Gaussian of the leading principal components, at most `components` and as many as members allow."""

    components: int = MOST

    def __post_init__(self) -> None:
        if self.components < 1:
            raise BadInput(f"components {self.components}: give 1 or more")

    def fit(self, images: Pixels, seed: int) -> FittedComponents:
        """Find the components of the members (n, h, w); nothing in it is random."""
        check_members(images, 1, seed)
        kept = min(self.components, _limit(images))
        mean, centred = _centred(images)
        # The left singular vectors, from the small matrix of products: many pixels, few members.
        # Weighted by them the members give each axis times its spread, so neither need be formed.
        _, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
        leading = vectors[:, ::-1][:, :kept].astype(np.float32)
        return FittedComponents(mean, centred, images.shape[1:], leading)


@dataclass(frozen=True, eq=False)
class FittedComponents:
    """Mean (pixels,), members around it (n, pixels), and the leading left singular vectors (n, kept)."""

    mean: Table
    centred: Table
    shape: tuple[int, ...]
    leading: Table

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w)."""
        _check_draw(count, seed)
        kept = self.leading.shape[1]
        latents = np.random.default_rng(seed).standard_normal((count, kept), dtype=np.float32)
        made = np.empty((count, *self.shape), np.uint8)
        for start in range(0, count, BATCH):
            shares = latents[start : start + BATCH] @ self.leading.T
            flat = self.mean + (shares @ self.centred) / np.sqrt(np.float32(len(self.centred) - 1))
            made[start : start + BATCH] = _grey(flat, self.shape)
        return made


@dataclass(frozen=True)
class Kernels:
    """A smoothed bootstrap that keeps the members' covariance: each picture is a member and a Gaussian.

    At `bandwidth` 0 members are copied, at 1 the pictures are those of a Gaussian of all components.
    """

    bandwidth: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.bandwidth <= 1.0:
            raise BadInput(f"bandwidth {self.bandwidth}: give a number from 0 to 1")

    def fit(self, images: Pixels, seed: int) -> FittedKernels:
        """Keep the members (n, h, w) around their mean; nothing in it is random."""
        check_members(images, 1, seed)
        _limit(images)
        return FittedKernels(*_centred(images), images.shape[1:], self.bandwidth)


@dataclass(frozen=True, eq=False)
class FittedKernels:
    """Mean (pixels,), members around it (n, pixels), and how wide the kernel on each is."""

    mean: Table
    centred: Table
    shape: tuple[int, ...]
    bandwidth: float

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w)."""
        _check_draw(count, seed)
        rng = np.random.default_rng(seed)
        members = len(self.centred)
        sources = rng.integers(0, members, count)
        made = np.empty((count, *self.shape), np.uint8)
        for start in range(0, count, BATCH):
            chosen = sources[start : start + BATCH]
            # Independent weights on the members make a Gaussian of the members' covariance.
            shares = rng.standard_normal((len(chosen), members), dtype=np.float32)
            shares *= np.float32(self.bandwidth / np.sqrt(members - 1))
            shares[np.arange(len(chosen)), chosen] += np.float32(np.sqrt(1.0 - self.bandwidth**2))
            made[start : start + BATCH] = _grey(self.mean + shares @ self.centred, self.shape)
        return made


def check_members(members: Pixels, count: int, seed: int) -> None:
    """Refuse members that are not a stack of grey pictures, and impossible counts."""
    if members.ndim != 3 or members.dtype != np.uint8 or len(members) == 0:
        raise BadInput(f"members of shape {members.shape}, {members.dtype}: give (n, h, w) uint8, n above 0")
    _check_draw(count, seed)


def _check_draw(count: int, seed: int) -> None:
    if count < 1 or seed < 0:
        raise BadInput(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")


def _limit(members: Pixels) -> int:
    """Return how many components the members have at most."""
    limit = min(len(members) - 1, int(members[0].size))
    if limit < 1:
        raise BadInput("one member has no components: give at least two pictures")
    return limit


def _centred(members: Pixels) -> tuple[Table, Table]:
    flat = members.reshape(len(members), -1).astype(np.float32)
    mean: Table = flat.mean(0)
    flat -= mean
    return mean, flat


def _grey(flat: Table, shape: tuple[int, ...]) -> Pixels:
    pixels: Pixels = np.clip(np.rint(flat), 0.0, 255.0).astype(np.uint8)
    return pixels.reshape(-1, *shape)
