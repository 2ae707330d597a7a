"""Autoencoders of VCMI 2023 (plain and residual blocks) and AI Multimedia Lab 2024, and how they learn.

VCMI's shapes, initial weights and pace are as in the authors' public code: 0.427 and 8.847 million numbers
(plain encoder and decoder), 1.607 and 9.437 million (residual), those of batch normalisation included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from whorl.learning.effort import Limits
from whorl.learning.layers import SLOPE, chain, draw_glorot, module, on_scale
from whorl.learning.lessons import Learning, adam
from whorl.learning.loop import Batch, Course

Block = Literal["plain", "residual"]
SIDE, LATENTS = 256, 128
WIDTHS = (16, 32, 64, 128, 256)
HALVED = (32, 64, 128, 256, 256)  # of AI Multimedia Lab, not stated by them
SIGNED, UNIT = "signed", "unit"


def encoder(torch: Any, limits: Limits, block: Block, latents: int = LATENTS) -> Any:
    """Build pictures (n, 1, h, w) -> latents (n, latents): five halvings, mean, linear."""
    layers, widths = torch.nn, [limits.width(count) for count in WIDTHS]
    first = [layers.Conv2d(1, widths[0], 3, 2, 1), layers.LeakyReLU(SLOPE)]
    body = chain(torch, widths, lambda before, after, _: _block(torch, block, before, after, stride=2))
    end = [layers.AdaptiveAvgPool2d(1), layers.Flatten(), layers.Linear(widths[-1], latents)]
    made = layers.Sequential(*first, body, *end)
    draw_glorot(torch, made)
    return made


def decoder(torch: Any, side: int, limits: Limits, block: Block, latents: int = LATENTS) -> Any:
    """Build latents (n, latents) -> pictures (n, 1, side, side) from -1 to 1."""
    layers, widths = torch.nn, [limits.width(count) for count in WIDTHS[::-1]]
    coarse = side // 16
    first = [layers.Linear(latents, coarse * coarse * widths[0])]
    first += [layers.Unflatten(1, (widths[0], coarse, coarse)), layers.LeakyReLU(SLOPE)]

    def doubling(before: int, after: int, _place: int) -> list[Any]:
        return [layers.Upsample(scale_factor=2), *_block(torch, block, before, after, stride=1)]

    last = [layers.Conv2d(widths[-1], 1, 3, 1, 1), layers.Tanh()]
    made = layers.Sequential(*first, chain(torch, widths, doubling), *last)
    draw_glorot(torch, made)
    return made


def halved(torch: Any, side: int, limits: Limits) -> Any:
    """Build pictures (n, 1, side, side) -> the same from 0 to 1, through 128 latents (AI Multimedia Lab)."""
    layers, widths = torch.nn, [limits.width(count) for count in HALVED]
    coarse = side // 32

    def down(before: int, after: int, _place: int) -> list[Any]:
        return [layers.Conv2d(before, after, 4, 2, 1), layers.BatchNorm2d(after), layers.ReLU()]

    def up(before: int, after: int, _place: int) -> list[Any]:
        return [layers.ConvTranspose2d(before, after, 4, 2, 1), layers.BatchNorm2d(after), layers.ReLU()]

    flat = widths[-1] * coarse * coarse
    middle = [layers.Flatten(), layers.Linear(flat, LATENTS), layers.Linear(LATENTS, flat), layers.ReLU()]
    last = [layers.ConvTranspose2d(widths[0], 1, 4, 2, 1), layers.Sigmoid()]
    return layers.Sequential(
        chain(torch, [1, *widths], down),
        *middle,
        layers.Unflatten(1, (widths[-1], coarse, coarse)),
        chain(torch, widths[::-1], up),
        *last,
    )


def several(torch: Any, side: int, limits: Limits, block: Block, decoders: int) -> Any:
    """Build one encoder with so many decoders; its output is that of the last, after `own` or all."""
    parts = {f"decoder_{place}": decoder(torch, side, limits, block) for place in range(decoders)}
    last = f"decoder_{decoders - 1}"
    return module(
        torch,
        lambda made, own: getattr(made, last)(made.encoder(own)),
        encoder=encoder(torch, limits, block),
        **parts,
    )


def rectified(torch: Any, side: int, limits: Limits, latents: int) -> Any:
    """Build one residual encoder and decoder, the latents between them 0 or more (Neural Nexus 2025)."""
    inner = torch.nn.Sequential(encoder(torch, limits, "residual", latents), torch.nn.ReLU())
    return module(
        torch,
        lambda made, own: made.decoder(made.encoder(own)),
        encoder=inner,
        decoder=decoder(torch, side, limits, "residual", latents),
    )


def plain_lesson(
    torch: Any, course: Course, network: Any, scale: str, rate: float, absolute: bool = False
) -> Learning:
    """Return the lesson of making every picture again; batches are (n,), errors squared or absolute."""

    def loss(batch: Batch) -> Any:
        true = on_scale(batch.pictures, scale)
        apart = network(true) - true
        return apart.abs().mean() if absolute else apart.square().mean()

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate))


def split_lesson(torch: Any, course: Course, network: Any, rate: float) -> Learning:
    """Return the lesson of two decoders: batches are (2, n), real pictures and generated ones."""

    def loss(batch: Batch) -> Any:
        pools, count = batch.rows.shape
        true = on_scale(batch.pictures, SIGNED)
        codes = network.encoder(true.flatten(0, 1)).unflatten(0, (pools, count))
        made = (network.decoder_0(codes[0]), network.decoder_1(codes[1]))
        return sum((own - seen).square().mean() for own, seen in zip(made, true, strict=True))

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate))


def errors(network: Any, scale: str) -> Callable[[Any], Any]:
    """Return what maps pictures on their scale (n, 1, h, w) to squared errors (n, h, w)."""
    return lambda own: (network(own) - own).square()[:, 0]


def _block(torch: Any, kind: Block, before: int, after: int, stride: int) -> list[Any]:
    """Return convolution and normalisation, with a second pair and a shortcut where blocks are residual."""
    layers = torch.nn

    def pair(own: int, pace: int) -> list[Any]:
        return [layers.Conv2d(own, after, 3, pace, 1), layers.BatchNorm2d(after)]

    if kind == "plain":
        return [*pair(before, stride), layers.LeakyReLU(SLOPE)]
    long = layers.Sequential(*pair(before, stride), layers.LeakyReLU(SLOPE), *pair(after, 1))
    short = layers.Sequential(*pair(before, stride))
    added = module(torch, lambda parts, own: parts.long(own) + parts.short(own), long=long, short=short)
    return [added, layers.LeakyReLU(SLOPE)]
