"""Embeddings learnt by distance: triplets of a backbone, the Siamese network of AI Multimedia Lab 2025."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whorl.learning import backbones
from whorl.learning.backbones import Start
from whorl.learning.effort import Limits
from whorl.learning.layers import chain, draw_glorot, module, on_scale, unit_length
from whorl.learning.lessons import Learning, adam, distance
from whorl.learning.loop import Batch, Course

SIDE, WIDTHS, OUTPUTS = 256, (16, 32, 64, 128), 256


def stages(side: int) -> list[int]:
    """Return the sides left after each unpadded convolution with maxima of pairs, four at most."""
    left: list[int] = []
    while len(left) < len(WIDTHS) and side >= 4:
        side = (side - 2) // 2
        left.append(side)
    return left


def siamese(torch: Any, side: int, limits: Limits) -> Any:
    """Build pictures (n, 1, side, side) -> vectors of length 1 (n, 256), none of their numbers below 0.

    6,519,936 numbers at 256 pixels.
    """
    left = stages(side)
    layers, widths = torch.nn, [limits.width(count) for count in WIDTHS[: len(left)]]

    def block(before: int, after: int, _place: int) -> list[Any]:
        return [layers.Conv2d(before, after, 3), layers.ReLU(), layers.MaxPool2d(2)]

    dense = layers.Linear(widths[-1] * left[-1] ** 2, OUTPUTS)
    made = unit_length(torch, chain(torch, [1, *widths], block), layers.Flatten(), dense, layers.ReLU())
    draw_glorot(torch, made)
    return made


def embedder(torch: Any, start: Start, outputs: int, fresh: bool = True) -> Any:
    """Build pictures of 0 to 1 (n, 1, h, w) -> vectors (n, outputs): a backbone and one dense layer."""
    inner, width = backbones.grey(torch, start, fresh)
    last = torch.nn.Linear(width, outputs)
    return module(torch, lambda parts, own: parts.last(parts.inner(own)), inner=inner, last=last)


def triplet_lesson(torch: Any, course: Course, network: Any, margin: float, rate: float) -> Learning:
    """Return the triplet lesson; batches are (3, n): anchors, positives, negatives."""

    def loss(batch: Batch) -> Any:
        found = network(on_scale(batch.pictures.flatten(0, 1), "unit")).unflatten(0, batch.rows.shape)
        anchor, positive, negative = found
        gap = distance(anchor, positive) - distance(anchor, negative) + margin
        return gap.clamp_min(0.0).mean()

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate))


def pair_lesson(
    torch: Any, course: Course, network: Any, alike: Sequence[bool], margin: float, pace: tuple[float, str]
) -> Learning:
    """Return the contrastive lesson; batches are (2, n), the two of a pair; `alike` says which are of a kind.

    The loss is the mean of the squared distance of pairs of a kind, and of the squared lack of a margin of
    the others. `pace`: rate, scale of the pictures.
    """
    rate, scale = pace
    same = torch.tensor(list(alike), dtype=torch.float32, device=course.device)

    def loss(batch: Batch) -> Any:
        found = network(on_scale(batch.pictures.flatten(0, 1), scale)).unflatten(0, batch.rows.shape)
        apart = distance(found[0], found[1])
        short = (margin - apart).clamp_min(0.0)
        return (same * apart.square() + (1.0 - same) * short.square()).mean()

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate))
