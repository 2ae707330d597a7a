"""Vector-Net of PicusLabMed 2023: a picture becomes a vector of length 1, learnt by triplets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from whorl.learning.effort import Limits, halvings
from whorl.learning.layers import chain, on_scale, unit_length
from whorl.learning.lessons import Learning, adam, distance
from whorl.learning.loop import Batch, Course

SIDE = 256
WIDTH, OUTPUTS = 32, 64
# Which of member, generated, holdout and another member is anchor, positive and negative.
MEMBER, GENERATED, HOLDOUT, OTHER = range(4)
CONSTRAINTS: dict[int, tuple[int, int, int]] = {
    1: (GENERATED, MEMBER, HOLDOUT),
    2: (MEMBER, GENERATED, HOLDOUT),
    3: (MEMBER, GENERATED, OTHER),
}


def build(torch: Any, side: int, limits: Limits) -> Any:
    """Build pictures (n, 1, side, side) -> (n, 64) of length 1: blocks down to 4 × 4, mean, linear."""
    layers = torch.nn
    blocks = halvings(side)
    widths = [limits.width(WIDTH * 2**place) for place in range(blocks)]

    def block(before: int, after: int, _place: int) -> list[Any]:
        return [layers.Conv2d(before, after, 4, 2, 1), layers.BatchNorm2d(after), layers.ReLU()]

    body = chain(torch, [1, *widths], block)
    return unit_length(
        torch, body, layers.AdaptiveAvgPool2d(1), layers.Flatten(), layers.Linear(widths[-1], OUTPUTS)
    )


def lesson(
    torch: Any, course: Course, network: Any, constraints: Sequence[int], margin: float, pace: Sequence[float]
) -> Learning:
    """Return the triplet lesson; batches are (4, n): members, generated, holdout, other members.

    `pace` is the rate of learning and its decay. The loss is the sum over the constraints of the mean of
    max(0, distance to the positive - distance to the negative + margin).
    """

    def loss(batch: Batch) -> Any:
        pools, count = batch.rows.shape
        found = network(on_scale(batch.pictures.flatten(0, 1), "unit")).unflatten(0, (pools, count))
        total = 0.0
        for number in constraints:
            anchor, positive, negative = (found[place] for place in CONSTRAINTS[number])
            gap = distance(anchor, positive) - distance(anchor, negative) + margin
            total = total + gap.clamp_min(0.0).mean()
        return total

    return Learning(torch, course, {"network": network}, loss, adam(torch, pace[0], pace[1]))
