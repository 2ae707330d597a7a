"""The one training loop of the neural generators: seeds, running averages, checkpoints, resuming, progress.

A step takes its pictures and its noise from the seed and its own number alone, so a training that was
killed goes on from its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whorl.arrays import digest_of_picture
from whorl.compare import Progress, silent
from whorl.forge import checkpoints
from whorl.forge.checkpoints import Kept
from whorl.forge.networks import Weights
from whorl.forge.phantom import Pixels
from whorl.records import BadInput, digest_of
from whorl.store import write_bytes

SLOWEST = 0.998  # weight of the past in the running averages, once the past is long enough
RECENT = 0.98  # the same, of the loss that is told
GRID = 8  # samples along a side of the picture of samples
FORM = "whorl.training/1"
Glance = Callable[[Weights, int], Pixels]


@dataclass(frozen=True)
class Moment:
    """How far a training is: steps done of all, the loss lately, seconds that are left."""

    step: int
    steps: int
    loss: float
    seconds_left: float


def unwatched(_moment: Moment) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Running:
    """Where checkpoints and pictures of samples go, after how many steps each, and who hears of progress.

    Nothing of this changes what is learnt. Each training has a folder of its own below `folder`.
    """

    folder: Path | None = None
    every: int = 500
    progress: Progress = silent
    watch: Callable[[Moment], None] = unwatched

    def __post_init__(self) -> None:
        if self.every < 1:
            raise BadInput(f"a checkpoint every {self.every} steps: give 1 or more")


@dataclass(frozen=True, eq=False)
class Course:
    """What is learnt from: members, how often each is shown, steps of a batch each; `facts` say the rest."""

    name: str
    members: Pixels
    shown: NDArray[np.int64]
    steps: int
    batch: int
    seed: int
    device: str
    facts: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Name a training by all that it depends on."""
        numbers = [self.steps, self.batch, self.seed, *(int(often) for often in self.shown)]
        members = [digest_of_picture(picture) for picture in self.members]
        return digest_of(FORM, self.name, numbers, members, self.device, dict(self.facts))


class Lesson(Protocol):
    """Networks in training by name, their optimisers, and what one step does to them."""

    networks: Mapping[str, Any]
    optimisers: Mapping[str, Any]

    def step(self, pictures: Any, noise: Any, done: float) -> float:
        """Learn from pictures (n, h, w), 0 to 255; return the loss. `done` is the share of steps done."""
        ...

    def finished(self, averages: Weights) -> Weights:
        """Return what samples are made of: running averages of all networks -> what of them is needed."""
        ...


@dataclass(eq=False)
class _State:
    """What changes while training: steps done, running averages, the loss lately."""

    step: int
    averages: dict[str, Any]
    loss: float | None = None

    def weights(self) -> dict[str, NDArray[Any]]:
        return {key: value.cpu().numpy() for key, value in self.averages.items()}


def train(torch: Any, lesson: Lesson, course: Course, running: Running, glance: Glance) -> Weights:
    """Train to the last step, from the last checkpoint on; return what samples are made of.

    `glance` makes pictures of weights: so many for each checkpoint, to be looked at.
    """
    schedule = np.repeat(np.arange(len(course.members)), course.shown)
    pictures = torch.from_numpy(course.members.copy()).to(course.device)
    digest = course.digest
    folder = None if running.folder is None else running.folder / f"{course.name}-{digest[:16]}"
    state = _begun(torch, lesson, folder, course, digest)
    began, first = time.monotonic(), state.step
    while state.step < course.steps:
        rows = torch.from_numpy(_rows(schedule, course, state.step)).to(course.device)
        noise = torch.Generator().manual_seed(_own_seed(course.seed, state.step))
        loss = lesson.step(pictures[rows], noise, state.step / course.steps)
        if not np.isfinite(loss):
            raise BadInput(
                f"{course.name}: the loss is not a number after step {state.step}; change the seed"
            )
        state.loss = loss if state.loss is None else RECENT * state.loss + (1.0 - RECENT) * loss
        state.step += 1
        _average(lesson, state)
        if folder is not None and (state.step % running.every == 0 or state.step == course.steps):
            _keep(lesson, state, folder, digest, glance)
        left = (time.monotonic() - began) / (state.step - first) * (course.steps - state.step)
        running.progress(f"training {course.name}", state.step, course.steps)
        running.watch(Moment(state.step, course.steps, state.loss, left))
    return lesson.finished(state.weights())


def _rows(schedule: NDArray[np.int64], course: Course, step: int) -> NDArray[np.int64]:
    """Return the members of one step; every epoch goes through the schedule once, in an order of its own."""
    places = np.arange(step * course.batch, (step + 1) * course.batch)
    epochs, inside = np.divmod(places, len(schedule))
    drawn = [
        schedule[_order(course.seed, int(epoch), len(schedule))[place]]
        for epoch, place in zip(epochs, inside, strict=True)
    ]
    return np.asarray(drawn, np.int64)


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 2, epoch]).permutation(count)


def _own_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, 3, step]).generate_state(1, np.uint64)[0] >> 1)


def _average(lesson: Lesson, state: _State) -> None:
    """Move the running averages towards the networks; early ones count less, so none stays at its start."""
    weight = 1.0 - min(SLOWEST, state.step / (9.0 + state.step))
    for key, value in _tensors(lesson).items():
        if key not in state.averages:
            state.averages[key] = value.detach().clone()
        elif value.is_floating_point():
            state.averages[key].lerp_(value.detach(), weight)
        else:
            state.averages[key].copy_(value)


def _tensors(lesson: Lesson) -> dict[str, Any]:
    return {
        f"{name}.{key}": value
        for name, network in lesson.networks.items()
        for key, value in network.state_dict().items()
    }


def _keep(lesson: Lesson, state: _State, folder: Path, digest: str, glance: Glance) -> None:
    """Write a checkpoint, and a picture of samples beside it."""
    tensors = {f"average.{key}": value for key, value in state.averages.items()}
    tensors |= {f"network.{key}": value for key, value in _tensors(lesson).items()}
    for name, optimiser in lesson.optimisers.items():
        for place, entry in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{name}.{place}.{key}": value for key, value in entry.items()}
    arrays = {key: value.detach().cpu().numpy() for key, value in tensors.items()}
    made = glance(lesson.finished(state.weights()), GRID * GRID)
    write_bytes(folder / f"samples-{state.step:07d}.png", _picture(made))
    facts = {"format": FORM, "digest": digest, "step": state.step, "loss": state.loss}
    checkpoints.write(folder, "state", Kept(arrays, facts))


def _begun(torch: Any, lesson: Lesson, folder: Path | None, course: Course, digest: str) -> _State:
    """Return the state of the last checkpoint, its networks and optimisers loaded, or that of a start."""
    if folder is None:
        return _State(0, {})
    checkpoints.tidy(folder)
    kept = checkpoints.read(folder, "state")
    if kept is None or kept.facts.get("digest") != digest:
        return _State(0, {})
    tensors = {key: torch.from_numpy(value.copy()) for key, value in kept.tensors.items()}
    for name, network in lesson.networks.items():
        network.load_state_dict(_below(tensors, f"network.{name}."))
    for name, optimiser in lesson.optimisers.items():
        entries: dict[int, dict[str, Any]] = {}
        for key, value in _below(tensors, f"optimiser.{name}.").items():
            place, _, part = key.partition(".")
            entries.setdefault(int(place), {})[part] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": entries, "param_groups": groups})
        for weight, entry in optimiser.state.items():
            # Optimisers go through memory as it lies: moments must lie as their weights do.
            for key, value in entry.items():
                entry[key] = torch.empty_like(weight).copy_(value) if value.shape == weight.shape else value
    averages = {key: value.to(course.device) for key, value in _below(tensors, "average.").items()}
    return _State(int(kept.facts["step"]), averages, float(kept.facts["loss"]))


def _below(tensors: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _picture(made: Pixels) -> bytes:
    """Return a PNG of the samples in rows."""
    side = made.shape[1]
    sheet = made.reshape(GRID, GRID, side, side).swapaxes(1, 2).reshape(GRID * side, GRID * side)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()
