"""Classifiers of pictures: small convolutional networks of the papers, or a pretrained one trained further.

A classifier has two parts: `body`, pictures to vectors, and `head`, vectors to one number per class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from whorl.learning import backbones
from whorl.learning.backbones import Colour, Start, Weights
from whorl.learning.effort import Limits, halvings
from whorl.learning.layers import chain, module, on_scale
from whorl.learning.lessons import Learning, adam
from whorl.learning.loop import Batch, Course
from whorl.learning.workplace import UNTOLD
from whorl.networks.embedding import Networks

THREE, FOUR, AMIS = OWN = "three-layer", "four-layer", "amis"


@dataclass(frozen=True)
class Form:
    """Which network: one of the small ones or a backbone by name, and how it sees a picture.

    `networks` says where the weights of a backbone lie.
    """

    network: str
    side: int
    limits: Limits
    weights: Weights = "pretrained"
    colour: Colour = "copy"
    dropout: float = 0.0
    networks: Networks = UNTOLD

    @property
    def identity(self) -> str:
        """What names the weights that it starts from, empty for the small ones."""
        if self.network in OWN:
            return ""
        return self.start.identity

    @property
    def start(self) -> Start:
        """The backbone that it starts from."""
        return Start(self.network, self.weights, self.limits, self.networks, self.colour)


def build(torch: Any, form: Form, classes: int, fresh: bool = True) -> Any:
    """Build pictures of 0 to 1 (n, 1, h, w) -> numbers of the classes (n, classes).

    A network whose weights are replaced at once is not `fresh`: it needs no pretrained ones.
    """
    small = {THREE: _three, FOUR: _four, AMIS: _amis}
    if form.network in small:
        body, width = small[form.network](torch, form)
    else:
        body, width = backbones.grey(torch, form.start, fresh)
    head = torch.nn.Sequential(torch.nn.Dropout(form.dropout), torch.nn.Linear(width, classes))
    return module(torch, lambda parts, own: parts.head(parts.body(own)), body=body, head=head)


def lesson(
    torch: Any,
    course: Course,
    network: Any,
    labels: Sequence[int],
    rate: float,
    held: Sequence[int] = (),
    changed: Callable[[Any, Any], Any] | None = None,
) -> Learning:
    """Return the lesson of cross-entropy; batches are (n,) rows with the labels of those rows.

    `held` are rows that only the check sees; `changed(pictures, noise)` alters those that are learnt from.
    """
    entropy = torch.nn.functional.cross_entropy
    truth = torch.tensor(list(labels), device=course.device)
    held_rows = torch.tensor(list(held), dtype=torch.int64)

    def loss(batch: Batch) -> Any:
        own = on_scale(batch.pictures, "unit")
        return entropy(network(own if changed is None else changed(own, batch.noise)), truth[batch.rows])

    def check() -> Any:
        total = 0.0
        for rows in held_rows.split(32):
            own = torch.from_numpy(course.pictures[rows.numpy()]).to(course.device)
            found = network(on_scale(own, "unit"))
            total = total + entropy(found, truth[rows.to(course.device)], reduction="sum")
        return total / max(1, len(held_rows))

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate), check)


def moved(torch: Any, turn: float, zoom: float, shift: float) -> Callable[[Any, Any], Any]:
    """Return what turns, scales and shifts every picture by chance, up to degrees and shares of the side."""

    def changed(own: Any, noise: Any) -> Any:
        count = len(own)
        even = torch.rand((4, count), generator=noise) * 2.0 - 1.0
        angle = even[0] * (turn * torch.pi / 180.0)
        size = 1.0 + even[1] * zoom
        rows = torch.stack([angle.cos() * size, -angle.sin() * size, even[2] * 2.0 * shift], 1)
        columns = torch.stack([angle.sin() * size, angle.cos() * size, even[3] * 2.0 * shift], 1)
        grid = torch.nn.functional.affine_grid(
            torch.stack([rows, columns], 1).to(own.device), list(own.shape), align_corners=False
        )
        return torch.nn.functional.grid_sample(own, grid, align_corners=False, padding_mode="border")

    return changed


def _three(torch: Any, form: Form) -> tuple[Any, int]:
    """Three convolutions of 32, 64 and 128 with maxima between, mean, dense 64 (DMK-SSN 2023)."""
    layers, widths = torch.nn, [form.limits.width(count) for count in (32, 64, 128)]

    def block(before: int, after: int, _place: int) -> list[Any]:
        return [layers.Conv2d(before, after, 3, 1, 1), layers.ReLU(), layers.MaxPool2d(2)]

    end = [layers.AdaptiveAvgPool2d(1), layers.Flatten(), layers.Linear(widths[-1], 64), layers.ReLU()]
    return layers.Sequential(chain(torch, [1, *widths], block), *end), 64


def _four(torch: Any, form: Form) -> tuple[Any, int]:
    """Four convolutions of 32 to 256 with normalisation and maxima, mean (KDE-lab 2023, run 1)."""
    layers, widths = torch.nn, [form.limits.width(count) for count in (32, 64, 128, 256)]

    def block(before: int, after: int, _place: int) -> list[Any]:
        normal = layers.BatchNorm2d(after)
        return [layers.Conv2d(before, after, 3, 1, 1), normal, layers.ReLU(), layers.MaxPool2d(2)]

    end = [layers.AdaptiveAvgPool2d(1), layers.Flatten()]
    return layers.Sequential(chain(torch, [1, *widths], block), *end), widths[-1]


def _amis(torch: Any, form: Form) -> tuple[Any, int]:
    """Four stages of two convolutions, 64 to 512, a bottleneck of 1024, dense 256 and 64 (GAN-Amis 2024)."""
    layers = torch.nn
    stages = min(4, halvings(form.side, 2))
    widths = [form.limits.width(64 * 2**place) for place in range(stages + 1)]

    def pair(before: int, after: int, place: int) -> list[Any]:
        own = [layers.Conv2d(before, after, 3, 1, 1), layers.BatchNorm2d(after), layers.ReLU()]
        own += [layers.Conv2d(after, after, 3, 1, 1), layers.BatchNorm2d(after), layers.ReLU()]
        return [*own, layers.MaxPool2d(2)] if place < stages else own

    flat = widths[-1] * (form.side // 2**stages) ** 2
    dense = [layers.Linear(flat, 256), layers.ReLU(), layers.Linear(256, 64), layers.ReLU()]
    return layers.Sequential(chain(torch, [1, *widths], pair), layers.Flatten(), *dense), 64
