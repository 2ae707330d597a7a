"""The relation network of Clef-CSE-GAN 2023: two backbones, and a network that judges their joined maps.

Shapes as in the team's public code: ResNet-101 twice, for real and for generated pictures, with one input
channel, a first convolution padded by 1 and no first maximum; 198.3 million numbers in use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whorl.learning.effort import Limits
from whorl.learning.layers import module, on_scale
from whorl.learning.lessons import Learning
from whorl.learning.loop import Batch, Course

BLOCKS, WIDTHS, WIDER = (3, 4, 23, 3), (64, 128, 256, 512), 4
POOLED, HEAD = 5, 8


@dataclass(frozen=True)
class Form:
    """Blocks of each layer, limits of the widths, and whether all is as in the published code.

    As published: grey of 0 to 255, running statistics of the last batch alone, and a softmax over the batch.
    """

    blocks: tuple[int, ...]
    limits: Limits
    as_published: bool = False

    @property
    def scale(self) -> str:
        """The scale of grey that pictures are seen on."""
        return "raw" if self.as_published else "unit"


def build(torch: Any, form: Form) -> Any:
    """Build two backbones, `real` and `made`, and `judge`: their maps -> one number per pair (n,), 0 to 1."""
    return module(
        torch,
        lambda parts, real, made: parts.judge(parts.real(real), parts.made(made)),
        real=backbone(torch, form),
        made=backbone(torch, form),
        judge=judge(torch, form),
    )


def backbone(torch: Any, form: Form) -> Any:
    """Build pictures (n, 1, h, w) -> maps (n, 2048, h / 16, w / 16)."""
    layers = torch.nn
    own = form.limits.width(WIDTHS[0])
    stack = [layers.Conv2d(1, own, 7, 2, 1, bias=False), layers.BatchNorm2d(own), layers.ReLU()]
    for place, (count, width) in enumerate(zip(form.blocks, WIDTHS, strict=True)):
        inner = form.limits.width(width)
        for number in range(count):
            stride = 2 if place and not number else 1
            stack.append(_bottleneck(torch, own, inner, stride))
            own = WIDER * inner
    made = layers.Sequential(*stack)
    for layer in made.modules():
        if isinstance(layer, layers.Conv2d):
            layers.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return made


def judge(torch: Any, form: Form) -> Any:
    """Build two maps (n, c, h, w) -> how much they belong together (n,), between 0 and 1."""
    layers = torch.nn
    width = WIDER * form.limits.width(WIDTHS[-1])
    momentum = 1.0 if form.as_published else 0.1

    def stage(before: int, padding: int, pooled: int) -> list[Any]:
        normal = layers.BatchNorm2d(width, momentum=momentum)
        shrink = layers.AdaptiveMaxPool2d(pooled)
        return [layers.Conv2d(before, width, 3, 1, padding), normal, layers.ReLU(), shrink]

    body = layers.Sequential(*stage(2 * width, 1, POOLED), *stage(width, 0, 1), layers.Flatten())
    head = layers.Sequential(layers.Linear(width, HEAD), layers.ReLU(), layers.Linear(HEAD, 1))

    def forward(parts: Any, real: Any, made: Any) -> Any:
        own = parts.head(parts.body(torch.cat([real, made], 1)))[:, 0].sigmoid()
        return own.softmax(0) if form.as_published else own

    return module(torch, forward, body=body, head=head)


def lesson(
    torch: Any, course: Course, network: Any, form: Form, used: Sequence[bool], pace: tuple[float, float]
) -> Learning:
    """Return the lesson of binary cross-entropy; batches are (2, n): real pictures and generated ones.

    `used` says of every row whether it is a used picture. `pace`: rate of learning and its decay.
    """
    truth = torch.tensor(list(used), dtype=torch.float32, device=course.device)

    def loss(batch: Batch) -> Any:
        real, made = on_scale(batch.pictures, form.scale)
        found = network(real, made).float()
        return torch.nn.functional.binary_cross_entropy(found, truth[batch.rows[0]])

    def optimiser(weights: list[Any]) -> Any:
        return torch.optim.SGD(weights, pace[0], momentum=0.9, weight_decay=pace[1])

    return Learning(torch, course, {"network": network}, loss, optimiser)


def judged(torch: Any, network: Any, batch: int) -> Callable[[Any, Any], Any]:
    """Return what maps the maps of one real picture and of many generated ones to a number per pair."""

    def pairs(real: Any, made: Any) -> Any:
        parts = [network.judge(real.expand(len(some), -1, -1, -1), some) for some in made.split(batch)]
        return torch.cat(parts)

    return pairs


def _bottleneck(torch: Any, before: int, inner: int, stride: int) -> Any:
    """Return three convolutions and a shortcut; a block begins as its shortcut alone."""
    layers, after = torch.nn, WIDER * inner

    def pair(one: int, other: int, size: int, pace: int) -> list[Any]:
        return [layers.Conv2d(one, other, size, pace, size // 2, bias=False), layers.BatchNorm2d(other)]

    long = [*pair(before, inner, 1, 1), layers.ReLU(), *pair(inner, inner, 3, stride), layers.ReLU()]
    long += pair(inner, after, 1, 1)
    layers.init.zeros_(long[-1].weight)
    straight = before == after and stride == 1
    short = layers.Identity() if straight else layers.Sequential(*pair(before, after, 1, stride))
    return module(
        torch,
        lambda parts, own: (parts.long(own) + parts.short(own)).relu(),
        long=layers.Sequential(*long),
        short=short,
    )
