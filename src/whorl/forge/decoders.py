"""Small convolutional decoders: their fingerprint is the way they upsample, and their filters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from whorl.forge.classical import check_members
from whorl.forge.phantom import Pixels
from whorl.records import BadInput

Plane = NDArray[np.float32]
Upsampling = Literal["transposed", "nearest", "bilinear", "shuffle"]
CHANNELS = 8
SLOPE = np.float32(0.2)  # of the leaky rectifier
CHANCE = 0.5  # weight of a filter's random part beside its smoothing part
LAST = 3  # kernel of the trained layer
RIDGE = 1e-3
LESSONS = 48  # members that the last layer learns from
PLACES = 1024  # pixels of each of them
GRAINS = np.array([0.005, 0.02, 0.04, 0.08, 0.16, 0.32])  # noise tried in the channels
TRIALS = 8  # own pictures that set the grain
DRAFTS = 128  # own small pictures that set the tone curve
PIECE = 1 << 18  # multiplications in one product of matrices
BATCH = 64  # pictures made at a time
QUANTILES = np.linspace(0.0, 1.0, 129)


@dataclass(frozen=True)
class Decoder:
    """A decoder of pictures a few times smaller; `weights` is the seed of its random filters.

    `neighbours` is how many members one picture mixes, `doses` how much the noise varies between pictures.
    """

    upsampling: Upsampling = "transposed"
    kernel: int = 3
    weights: int = 0
    levels: int = 1
    neighbours: int = 8
    doses: float = 0.3

    def __post_init__(self) -> None:
        if self.upsampling not in get_args(Upsampling):
            raise BadInput(f"upsampling {self.upsampling!r}: take one of {', '.join(get_args(Upsampling))}")
        sizes = (2, 3, 4, 5, 7) if self.upsampling == "transposed" else (3, 5, 7)
        if self.kernel not in sizes:
            allowed = ", ".join(map(str, sizes))
            raise BadInput(f"kernel {self.kernel}: {self.upsampling} upsampling takes one of {allowed}")
        if self.weights < 0:
            raise BadInput(f"weights {self.weights}: give a seed of 0 or more")
        if self.levels not in (1, 2):
            raise BadInput(f"levels {self.levels}: give 1 or 2")
        if self.neighbours < 2:
            raise BadInput(f"neighbours {self.neighbours}: give 2 or more members for one picture's content")
        if not 0.0 <= self.doses <= 1.0:
            raise BadInput(f"doses {self.doses}: give a number from 0 to 1")

    def fit(self, images: Pixels, seed: int) -> FittedDecoder:
        """Learn content, last layer, grain and tones from the members (n, h, w)."""
        check_members(images, 1, seed)
        low = _reduced(images, 2**self.levels)
        content = _content(low, self.neighbours, seed)
        network = _network(self)
        rng = np.random.default_rng([seed, 0])
        lessons = rng.permutation(len(images))[:LESSONS]
        last = _trained(network, low[lessons], images[lessons], rng)
        plain = FittedDecoder(content, network, last, np.float32(0.0), self.doses)
        return replace(plain, grain=_grain(plain, images[lessons], int(rng.integers(2**31))))


@dataclass(frozen=True, eq=False)
class Content:
    """Small pictures (n, h, w), the rows of those most alike to each, and a tone curve."""

    low: Plane
    near: NDArray[np.int64]
    tones: tuple[NDArray[np.float64], NDArray[np.float64]]

    def draw(self, rng: np.random.Generator) -> Plane:
        """Draw a small picture (h, w) from the Gaussian of one member's neighbourhood, in members' tones."""
        rows = self.near[rng.integers(0, len(self.low))]
        middle = self.low[rows].mean(0)
        weights = rng.standard_normal(len(rows), dtype=np.float32) / np.sqrt(np.float32(len(rows) - 1))
        drawn = middle + np.tensordot(weights, self.low[rows] - middle, 1)
        toned: Plane = np.interp(drawn, *self.tones).astype(np.float32)
        return toned


@dataclass(frozen=True, eq=False)
class Network:
    """The random part: filters (out, in, k, k), offsets (out,) and noise strengths (out,) of each layer."""

    upsampling: Upsampling
    filters: tuple[Plane, ...]
    offsets: tuple[Plane, ...]
    strengths: tuple[Plane, ...]


@dataclass(frozen=True, eq=False)
class FittedDecoder:
    """A decoder that has seen its members."""

    content: Content
    network: Network
    last: Plane  # the trained layer: a weight per channel and tap, then the offset
    grain: np.float32  # strength of the noise in its channels
    doses: float  # spread of its logarithm from picture to picture

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w); one seed gives every decoder of the same members one content."""
        if count < 1 or seed < 0:
            raise BadInput(f"count {count}, seed {seed}: give 1 or more pictures and a seed of 0 or more")
        latents, noise = (np.random.default_rng([seed, stream]) for stream in (3, 4))
        sizes = [min(BATCH, count - start) for start in range(0, count, BATCH)]
        made = (np.rint(self.draw(size, latents, noise)) for size in sizes)
        return np.concatenate([np.clip(part, 0.0, 255.0).astype(np.uint8) for part in made])

    def draw(self, count: int, latents: np.random.Generator, noise: np.random.Generator) -> Plane:
        """Generate pictures (count, h, w) before rounding."""
        height, width = self.content.low.shape[1:]
        factor = 2 ** (len(self.network.filters) - 1)
        made = np.empty((count, height * factor, width * factor), np.float32)
        for picture in made:
            small = self.content.draw(latents)
            # As doses differ, so does the noise; without this its strength alone would tell decoders apart.
            grain = self.grain * np.float32(np.exp(self.doses * latents.standard_normal()))
            picture[...] = _last(_forward(self.network, small, grain, noise), self.last)
        return made


def _reduced(images: Pixels, factor: int) -> Plane:
    """Means over blocks of factor × factor pixels."""
    count, height, width = images.shape
    if height % factor or width % factor or min(height, width) < 8 * factor:
        least = f"sides of {8 * factor} or more, multiples of {factor}"
        raise BadInput(f"members of {width}×{height}: this decoder needs {least}")
    blocks = images.reshape(count, height // factor, factor, width // factor, factor)
    small: Plane = blocks.mean((2, 4), dtype=np.float32)
    return small


def _content(low: Plane, neighbours: int, seed: int) -> Content:
    """Find which members look alike, and the tones that mixing them loses."""
    from scipy.ndimage import gaussian_filter

    if len(low) < 2:
        raise BadInput("one member has no neighbours: give at least two pictures")
    coarse = gaussian_filter(low, (0.0, 3.0, 3.0)).reshape(len(low), -1)
    squares = (coarse**2).sum(1)
    distances = squares[:, None] + squares[None, :] - 2.0 * (coarse @ coarse.T)
    np.fill_diagonal(distances, -np.inf)
    near = np.argsort(distances, axis=1, kind="stable")[:, :neighbours]
    straight = np.array([-1e3, 1e3])
    raw, rng = Content(low, near, (straight, straight)), np.random.default_rng([seed, 1])
    drafts = np.stack([raw.draw(rng) for _ in range(DRAFTS)])
    return replace(raw, tones=(np.quantile(drafts, QUANTILES), np.quantile(low, QUANTILES)))


def _network(plan: Decoder) -> Network:
    """Draw the filters: each channel is smoothed onto itself, and a random mixture of all is added."""
    rng = np.random.default_rng([plan.weights, 5])
    filters = [_filters(rng, CHANNELS, 1, 3, 1.0)]
    # Between its zeros a transposed convolution sees one sample in four.
    gain = 4.0 if plan.upsampling == "transposed" else 1.0
    made = 4 * CHANNELS if plan.upsampling == "shuffle" else CHANNELS
    for _ in range(plan.levels):
        filters.append(_filters(rng, made, CHANNELS, plan.kernel, gain))
    offsets = [rng.uniform(-1.0, 1.0, CHANNELS).astype(np.float32) for _ in filters]
    strengths = [rng.standard_normal(CHANNELS).astype(np.float32) for _ in filters]
    return Network(plan.upsampling, tuple(filters), tuple(offsets), tuple(strengths))


def _filters(rng: np.random.Generator, outputs: int, inputs: int, size: int, gain: float) -> Plane:
    ramp = np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)).astype(np.float64)
    smooth = np.outer(ramp, ramp) / ramp.sum() ** 2
    own = np.zeros((outputs, inputs))
    own[np.arange(outputs), np.arange(outputs) * inputs // outputs] = rng.choice([-1.0, 1.0], outputs)
    chance = rng.standard_normal((outputs, inputs, size, size)) / (size * np.sqrt(inputs))
    mixed = gain * own[:, :, None, None] * smooth + CHANCE * np.sqrt(gain) * chance
    filters: Plane = mixed.astype(np.float32)
    return filters


def _forward(network: Network, small: Plane, grain: np.float32, noise: np.random.Generator) -> Plane:
    """Features (channels, h, w) of one small picture, just before the last layer."""
    planes = small[None] / np.float32(127.5) - np.float32(1.0)
    for level, filters in enumerate(network.filters):
        if level == 0:
            planes = _correlate(_padded(planes, filters.shape[-1]), filters)
        else:
            planes = _upsampled(planes, filters, network.upsampling)
        planes += network.offsets[level][:, None, None]
        if grain > 0.0:
            fresh = noise.standard_normal(planes.shape[1:], dtype=np.float32)
            planes += (grain * network.strengths[level])[:, None, None] * fresh
        planes = np.maximum(planes, SLOPE * planes)
    return planes


def _upsampled(planes: Plane, filters: Plane, upsampling: Upsampling) -> Plane:
    """Double the sides of planes (channels, h, w), with one convolution on the way."""
    size = filters.shape[-1]
    channels, height, width = planes.shape
    if upsampling == "shuffle":
        shuffled = _correlate(_padded(planes, size), filters).reshape(-1, 2, 2, height, width)
        return shuffled.transpose(0, 3, 1, 4, 2).reshape(-1, 2 * height, 2 * width)
    if upsampling == "transposed":
        margin = size // 2 + 1
        wide = np.pad(planes, ((0, 0), (margin, margin), (margin, margin)), mode="reflect")
        sparse = np.zeros((channels, 2 * wide.shape[1], 2 * wide.shape[2]), np.float32)
        sparse[:, ::2, ::2] = wide
        start = 2 * margin - size // 2
        rows, columns = (slice(start, start + 2 * side + size - 1) for side in (height, width))
        return _correlate(np.ascontiguousarray(sparse[:, rows, columns]), filters)
    doubled = planes.repeat(2, axis=1).repeat(2, axis=2)
    if upsampling == "bilinear":
        for axis in (1, 2):
            doubled = _between(doubled, axis)
    return _correlate(_padded(doubled, size), filters)


def _between(doubled: Plane, axis: int) -> Plane:
    """Turn repeated samples into linear interpolation: three parts own, one part the nearer neighbour."""
    moved = np.moveaxis(doubled, axis, 0)
    result = moved.copy()
    result[2::2] += (moved[1:-1:2] - moved[2::2]) * np.float32(0.25)
    result[1:-1:2] += (moved[2::2] - moved[1:-1:2]) * np.float32(0.25)
    return np.moveaxis(result, 0, axis)


def _padded(planes: Plane, size: int) -> Plane:
    ends = (size // 2, size - 1 - size // 2)
    return np.pad(planes, ((0, 0), ends, ends), mode="reflect")


def _correlate(planes: Plane, filters: Plane) -> Plane:
    """Correlate planes (in, h, w) with filters (out, in, k, k); (out, h - k + 1, w - k + 1)."""
    outputs, inputs, size, _ = filters.shape
    _, height, width = planes.shape
    rows, columns = height - size + 1, width - size + 1
    # On flat planes a tap is a shift: no copy, and the margin's columns are dropped at the end.
    flat, length = planes.reshape(inputs, -1), (rows - 1) * width + columns
    taps = np.ascontiguousarray(filters.transpose(2, 3, 0, 1)).reshape(-1, outputs, inputs)
    shifts = [down * width + across for down in range(size) for across in range(size)]
    total = np.zeros((outputs, rows * width), np.float32)
    # Pieces that stay in the cache, and too small for several threads: those would wait for one another.
    piece = PIECE // (outputs * inputs)
    for start in range(0, length, piece):
        stop = min(start + piece, length)
        for tap, shift in zip(taps, shifts, strict=True):
            total[:, start:stop] += tap @ flat[:, start + shift : stop + shift]
    return np.ascontiguousarray(total.reshape(outputs, rows, width)[:, :, :columns])


def _trained(network: Network, smalls: Plane, targets: Pixels, rng: np.random.Generator) -> Plane:
    """Ridge regression of the last layer: rebuild pixels of the members from their own small pictures."""
    unknowns = CHANNELS * LAST**2 + 1
    table = np.ones((len(targets), PLACES, unknowns), np.float32)
    aims = np.empty((len(targets), PLACES), np.float32)
    for small, target, rows, aim in zip(smalls, targets, table, aims, strict=True):
        features = _forward(network, small, np.float32(0.0), rng)
        windows = np.lib.stride_tricks.sliding_window_view(features, (LAST, LAST), axis=(1, 2))
        down, across = (rng.integers(0, side, PLACES) for side in windows.shape[1:3])
        rows[:, :-1] = windows[:, down, across].transpose(1, 0, 2, 3).reshape(PLACES, -1)
        aim[...] = target[1:-1, 1:-1][down, across]
    flat = table.reshape(-1, unknowns).astype(np.float64)
    penalty = np.full(unknowns, RIDGE * len(flat))
    penalty[-1] = 0.0  # the offset is free
    products = flat.T @ flat + np.diag(penalty)
    weights: Plane = np.linalg.solve(products, flat.T @ aims.ravel()).astype(np.float32)
    return weights


def _last(features: Plane, weights: Plane) -> Plane:
    filters = weights[:-1].reshape(1, CHANNELS, LAST, LAST)
    made: Plane = _correlate(_padded(features, LAST), filters)[0] + weights[-1]
    return made


def _grain(plain: FittedDecoder, members: Pixels, seed: int) -> np.float32:
    """Return the noise with which the finest detail is as strong as the members', away from edges."""
    found = []
    for grain in GRAINS:
        latents, noise = np.random.default_rng(seed), np.random.default_rng(seed + 1)
        found.append(_detail(replace(plain, grain=np.float32(grain)).draw(TRIALS, latents, noise)))
    wanted = _detail(members.astype(np.float32))
    return np.float32(np.interp(wanted, np.maximum.accumulate(found), GRAINS))


def _detail(pictures: Plane) -> float:
    """Median difference from the mean over 3 × 3 pixels, where no grey value is at an end of its range."""
    from scipy.ndimage import uniform_filter

    difference = np.abs(pictures - uniform_filter(pictures, (0, 3, 3), mode="nearest"))
    inside = (pictures > 1.0) & (pictures < 254.0)
    return float(np.median(difference[inside])) if inside.any() else 0.0
