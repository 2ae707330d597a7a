"""The Deforming Autoencoder as PicusLabMed 2023 enlarged it: a texture, and a warp that it is seen through.

Half of the latents tell the texture, half the shape. What 003 leaves open (widths, how increments become a
warp, its penalties) is as in the published 64-pixel design of Shu et al. 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whorl.learning.effort import Limits, halvings
from whorl.learning.layers import SLOPE, chain, draw_narrow, module, on_scale
from whorl.learning.lessons import Learning, adam
from whorl.learning.loop import Batch, Course

SIDE, LATENTS = 256, 128
CHANNELS = (1024, 512, 256, 128, 64, 32, 32)  # of the decoders, from 4 × 4 on
INCREMENT, START = 5.0, 1.2  # steps of the warp over the side, and where it begins
ROUGH, ASKEW = 1e-6, 1e-2  # what a warp costs: its variation, and that of its mean over the batch


def encoder(torch: Any, side: int, limits: Limits) -> Any:
    """Build pictures (n, 1, side, side) -> latents (n, 128) between 0 and 1."""
    layers = torch.nn
    widths = [limits.width(32 * 2**place) for place in range(halvings(side))]

    def block(before: int, after: int, place: int) -> list[Any]:
        normal = [layers.BatchNorm2d(after)] if place else []
        return [layers.Conv2d(before, after, 4, 2, 1), *normal, layers.LeakyReLU(SLOPE)]

    last = layers.Conv2d(widths[-1], LATENTS, 4)
    return layers.Sequential(chain(torch, [1, *widths], block), last, layers.Sigmoid(), layers.Flatten())


def decoder(torch: Any, side: int, limits: Limits, outputs: int) -> Any:
    """Build half of the latents (n, 64) -> a texture (n, 1, side, side), or warp increments (n, 2, …)."""
    layers = torch.nn
    widths = [limits.width(count) for count in CHANNELS[-1 - halvings(side) :]]
    texture = outputs == 1

    def block(before: int, after: int, place: int) -> list[Any]:
        bend = layers.ReLU() if texture else layers.Tanh()
        stride = (2, 1) if place else (1, 0)
        return [layers.ConvTranspose2d(before, after, 4, *stride), layers.BatchNorm2d(after), bend]

    end = layers.Hardtanh(0.0, 1.0) if texture else layers.Sigmoid()
    first = layers.Unflatten(1, (LATENTS // 2, 1, 1))
    last = layers.ConvTranspose2d(widths[-1], outputs, 3, 1, 1)
    return layers.Sequential(first, chain(torch, [LATENTS // 2, *widths], block), last, end)


def build(torch: Any, side: int, limits: Limits) -> Any:
    """Build pictures (n, 1, side, side) -> pictures made again, and the warp they are seen through."""
    made = module(
        torch,
        lambda parts, own: _seen(torch, parts, own),
        encoder=encoder(torch, side, limits),
        texture=decoder(torch, side, limits, 1),
        shape=decoder(torch, side, limits, 2),
    )
    draw_narrow(torch, made)
    return made


def lesson(torch: Any, course: Course, network: Any, pace: Sequence[float]) -> Learning:
    """Return the lesson: squared error of the picture, and what the warp costs. `pace`: rate, decay."""

    def loss(batch: Batch) -> Any:
        true = on_scale(batch.pictures, "unit")
        made, warp = network(true)
        bent = warp - straight(torch, true)
        rough = bent.diff(dim=1).abs().sum() + bent.diff(dim=2).abs().sum()
        return (made - true).square().mean() + ROUGH * rough + ASKEW * bent.mean(0).square().mean()

    return Learning(torch, course, {"network": network}, loss, adam(torch, pace[0], pace[1], first=0.5))


def straight(torch: Any, pictures: Any) -> Any:
    """Return the warp that leaves pictures as they are, (1, h, w, 2) from -1 to 1, x before y."""
    height, width = pictures.shape[-2:]
    down = torch.linspace(-1.0, 1.0, height, device=pictures.device)
    across = torch.linspace(-1.0, 1.0, width, device=pictures.device)
    rows, columns = torch.meshgrid(down, across, indexing="ij")
    return torch.stack([columns, rows], -1)[None]


def warped(torch: Any, increments: Any) -> Any:
    """Increments (n, 2, h, w) between 0 and 1 -> a warp (n, h, w, 2): positive steps, so nothing folds."""
    steps = increments * (INCREMENT / increments.shape[-1])
    across, down = steps[:, 0].cumsum(2), steps[:, 1].cumsum(1)
    return (torch.stack([across, down], -1) - START).clamp(-1.0, 1.0)


def _seen(torch: Any, parts: Any, own: Any) -> tuple[Any, Any]:
    shape, texture = parts.encoder(own).chunk(2, 1)
    warp = warped(torch, parts.shape(shape).float())
    flat = parts.texture(texture).float()
    return torch.nn.functional.grid_sample(flat, warp, align_corners=True, padding_mode="border"), warp
