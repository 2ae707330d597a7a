"""What all neural generators share: sizes, members that are repeated, training, sampling, the disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from whorl.forge import networks
from whorl.forge.classical import check_members
from whorl.forge.phantom import Pixels
from whorl.learning import checkpoints, devices
from whorl.learning.checkpoints import Kept
from whorl.learning.deals import Epochs
from whorl.learning.devices import Device, Weights
from whorl.learning.loop import Course, Lesson, Running, train
from whorl.records import BadInput

Size = Literal["tiny", "small", "full"]
Duplication = Literal["none", "low", "high"]
# Share of the members that are repeated, and how often each of these is shown when another is shown once.
REPEATS: Mapping[Duplication, tuple[float, int]] = {"none": (0.0, 1), "low": (0.25, 4), "high": (0.5, 16)}
FORM = "whorl.generator/1"


@dataclass(frozen=True)
class Scale:
    """How wide networks are, how many latents they draw from, and how long they train."""

    width: int
    latents: int
    steps: int
    batch: int


@dataclass(frozen=True, eq=False)
class Draw:
    """Which pictures are asked for: the side, how many, from which random numbers, computed where."""

    side: int
    count: int
    rng: np.random.Generator
    device: str


@dataclass(frozen=True)
class Neural(ABC):
    """What every neural generator is told; a kind adds its networks, and how pictures are drawn from them.

    `steps` 0 are those of the size. `running` changes nothing that is learnt, so a text cannot set it.
    """

    scales: ClassVar[Mapping[Size, Scale]]

    size: Size = "tiny"
    steps: int = 0
    duplication: Duplication = "none"
    device: Device = "auto"
    threads: int = 2
    running: Running = field(default=Running(), repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse words that are none of the choices of their field, and numbers that make no sense."""
        for name, hint in get_type_hints(type(self)).items():
            known = get_args(hint) if get_origin(hint) is Literal else ()
            if known and getattr(self, name) not in known:
                raise BadInput(f"{name} {getattr(self, name)!r}: take one of {', '.join(known)}")
        if self.steps < 0:
            raise BadInput(f"steps {self.steps}: give 1 or more, or 0 for those of the size")
        if not 1 <= self.threads <= 256:
            raise BadInput(f"threads {self.threads}: give 1 to 256")

    @property
    def scale(self) -> Scale:
        """How large and long, `steps` being told or those of the size."""
        scale = self.scales[self.size]
        return replace(scale, steps=self.steps or scale.steps)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides what is learnt, as plain values."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.compare}

    def fit(self, images: Pixels, seed: int) -> FittedNeural:
        """Learn from the members (n, h, w), uint8."""
        check_members(images, 1, seed)
        torch, side = devices.torch_or_refusal(), networks.side_of(images)
        if len(images) < 2:
            raise BadInput("one member is too few to train on: give at least two pictures")
        device = devices.chosen_device(torch, self.device)
        shown, scale, name = repeats(len(images), self.duplication, seed), self.scale, type(self).__name__
        deal = Epochs(shown, scale.batch, seed)
        course = Course(name.lower(), images, deal, scale.steps, seed, device, self.settings)

        def glance(weights: Weights, count: int) -> Pixels:
            # Always of the same random numbers, so that one can see a picture become better.
            return self.drawn(torch, weights, Draw(side, count, np.random.default_rng(0), device))

        with devices.steady(torch, self.threads, seed):
            weights = train(torch, self.lesson(torch, course), course, self.running, glance)
        return FittedNeural(self, side, weights)

    @abstractmethod
    def lesson(self, torch: Any, course: Course) -> Lesson:
        """Return fresh networks, ready to be trained."""

    @abstractmethod
    def drawn(self, torch: Any, weights: Weights, draw: Draw) -> Pixels:
        """Return pictures made with these weights."""


@dataclass(frozen=True, eq=False)
class FittedNeural:
    """A trained generator: its settings, the side of its pictures, and its weights; no member is kept."""

    kind: Neural
    side: int
    weights: Weights

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w)."""
        if count < 1 or seed < 0:
            raise BadInput(f"count {count}, seed {seed}: give a count of 1 or more and a seed of 0 or more")
        torch = devices.torch_or_refusal()
        device = devices.chosen_device(torch, self.kind.device)
        with devices.steady(torch, self.kind.threads, seed):
            draw = Draw(self.side, count, np.random.default_rng(seed), device)
            return self.kind.drawn(torch, self.weights, draw)

    def save(self, folder: Path, name: str) -> None:
        """Write generator.json and its weights; `name` is what the kind is called."""
        devices.torch_or_refusal()
        facts = {"format": FORM, "generator": name, "settings": self.kind.settings, "side": self.side}
        checkpoints.write(folder, "generator", Kept(self.weights, facts))


def read(folder: Path) -> Kept:
    """Return settings and weights as `save` wrote them; a damaged file is refused."""
    devices.torch_or_refusal()
    kept = checkpoints.read(folder, "generator")
    if kept is None or kept.facts.get("format") != FORM:
        raise BadInput(
            f"{folder}: no whole generator.json with its weights is here; save the generator again"
        )
    return kept


def repeats(count: int, duplication: Duplication, seed: int) -> NDArray[np.int64]:
    """Return how often each of `count` members is shown in the time in which the others are shown once."""
    share, often = REPEATS[duplication]
    shown = np.ones(count, np.int64)
    shown[np.random.default_rng([seed, 1]).permutation(count)[: round(share * count)]] = often
    return shown
