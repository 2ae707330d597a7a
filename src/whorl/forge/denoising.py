"""The network of the diffusion generator: a small U-Net that tells noise from picture at any strength.

Ronneberger et al. 2015, as Ho et al. 2020 use it. Layers are kept in torch's own dictionaries of modules and
put through by the functions here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

GROUPS = 8  # channels that are normalised together are a share of one in so many
WAVES = 32  # that tell the strength of the noise, each as sine and cosine
COARSEST = 8  # pixels along a side of the deepest level, about


@dataclass(frozen=True)
class Shape:
    """How a U-Net is built: pixels put together along a side, channels of every level and of a picture."""

    patch: int
    channels: tuple[int, ...]
    inputs: int = 1

    @property
    def clock(self) -> int:
        """How many numbers tell every block the strength of the noise."""
        return 4 * self.channels[0]


def shape(side: int, width: int, patch: int, inputs: int = 1) -> Shape:
    """Return the shape for pictures of this side: levels that halve, a width more of channels in each."""
    rest, levels = side // patch, 1
    while rest % 2 == 0 and rest // 2 >= COARSEST:
        rest, levels = rest // 2, levels + 1
    return Shape(patch, tuple(width * level for level in range(1, levels + 1)), inputs)


def built(torch: Any, form: Shape) -> Any:
    """Return fresh layers."""
    nn, channels, clock = torch.nn, form.channels, form.clock
    pixels = form.inputs * form.patch**2
    down = [_block(nn, before, after, clock) for before, after in pairwise(channels)]
    up = [_block(nn, below + own, own, clock) for own, below in pairwise(channels)]
    return nn.ModuleDict(
        {
            "clock": nn.Sequential(
                nn.Linear(2 * WAVES, clock), nn.SiLU(), nn.Linear(clock, clock), nn.SiLU()
            ),
            "first": nn.Conv2d(pixels, channels[0], 3, 1, 1),
            "top": _block(nn, channels[0], channels[0], clock),
            "down": nn.ModuleList(down),
            "before": _block(nn, channels[-1], channels[-1], clock),
            "look": _look(nn, channels[-1]),
            "after": _block(nn, channels[-1], channels[-1], clock),
            "up": nn.ModuleList(up),
            "end": _block(nn, 2 * channels[0], channels[0], clock),
            "norm": nn.GroupNorm(GROUPS, channels[0]),
            "last": _silent(nn.Conv2d(channels[0], pixels, 3, 1, 1)),
        }
    )


def velocity(torch: Any, layers: Any, form: Shape, noisy: Any, times: Any) -> Any:
    """Noisy pictures (n, inputs, h, w) at times (n,) from 0 to 1 -> velocities of the same shape."""
    functional = torch.nn.functional
    powers = torch.arange(WAVES, device=times.device, dtype=torch.float32) / WAVES
    waves = times[:, None] * (2.0 * math.pi * 128.0**powers)[None]
    clock = layers["clock"](torch.cat([waves.sin(), waves.cos()], 1))
    own = layers["first"](functional.pixel_unshuffle(noisy, form.patch))
    kept = [own]
    own = _through(functional, layers["top"], own, clock)
    kept.append(own)
    for block in layers["down"]:
        own = _through(functional, block, functional.avg_pool2d(own, 2), clock)
        kept.append(own)
    own = _through(functional, layers["before"], kept.pop(), clock)
    own = _looked(layers["look"], own)
    own = _through(functional, layers["after"], own, clock)
    for block in reversed(layers["up"]):
        own = torch.cat([functional.interpolate(own, scale_factor=2, mode="nearest"), kept.pop()], 1)
        own = _through(functional, block, own, clock)
    own = _through(functional, layers["end"], torch.cat([own, kept.pop()], 1), clock)
    own = layers["last"](functional.silu(layers["norm"](own)))
    return functional.pixel_shuffle(own, form.patch)


def _block(nn: Any, before: int, after: int, clock: int) -> Any:
    """Return the layers of a residual block that knows how strong the noise is."""
    return nn.ModuleDict(
        {
            "norm": nn.GroupNorm(GROUPS, before),
            "one": nn.Conv2d(before, after, 3, 1, 1),
            "clock": nn.Linear(clock, 2 * after),
            "again": nn.GroupNorm(GROUPS, after),
            "two": _silent(nn.Conv2d(after, after, 3, 1, 1)),
            "past": nn.Identity() if before == after else nn.Conv2d(before, after, 1),
        }
    )


def _through(functional: Any, block: Any, own: Any, clock: Any) -> Any:
    """Put (n, before, h, w) through a block -> (n, after, h, w)."""
    inner = block["one"](functional.silu(block["norm"](own)))
    factor, offset = block["clock"](clock)[:, :, None, None].chunk(2, 1)
    inner = functional.silu(block["again"](inner) * (1.0 + factor) + offset)
    return block["past"](own) + block["two"](inner)


def _look(nn: Any, channels: int) -> Any:
    """Return the layers by which every place looks at every other."""
    three, back = nn.Conv2d(channels, 3 * channels, 1), _silent(nn.Conv2d(channels, channels, 1))
    return nn.ModuleDict({"norm": nn.GroupNorm(GROUPS, channels), "three": three, "back": back})


def _looked(look: Any, own: Any) -> Any:
    """Add to every place what it finds in the others, (n, channels, h, w)."""
    count, channels, height, width = own.shape
    asked, known, told = look["three"](look["norm"](own)).flatten(2).transpose(1, 2).chunk(3, 2)
    # Written out, because torch's own attention may differ from run to run on a GPU.
    found = (asked @ known.transpose(1, 2) / math.sqrt(channels)).softmax(2) @ told
    return own + look["back"](found.transpose(1, 2).reshape(count, channels, height, width))


def _silent(layer: Any) -> Any:
    """Return a layer that says nothing at first: a deep network then learns from the start."""
    layer.weight.data.zero_()
    layer.bias.data.zero_()
    return layer
