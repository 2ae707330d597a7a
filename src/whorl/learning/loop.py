"""The one training loop of generators and systems: seeds, best checkpoint, early stop, resuming, progress.

A step takes its pictures and its noise from the seed and its own number alone, so a training that was
killed goes on from its last checkpoint as if nothing had happened.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whorl.arrays import digest_of_picture
from whorl.learning import checkpoints
from whorl.learning.checkpoints import Kept
from whorl.learning.deals import Deal
from whorl.learning.devices import Precision, Weights
from whorl.records import Array, BadInput, Progress, digest_of, silent
from whorl.store import write_bytes

SLOWEST = 0.998  # weight of the past in the running averages, once the past is long enough
RECENT = 0.98  # the same, of the loss that is told
GRID = 8  # samples along a side of the picture of samples
GLIMPSE = 16  # steps between two looks at the loss on a GPU, each of which makes it wait
FORM = "whorl.training/2"
Glance = Callable[[Weights, int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Moment:
    """How far a training is: steps done of all, the loss lately, seconds left, the best check so far."""

    step: int
    steps: int
    loss: float
    seconds_left: float
    best: float | None = None


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
    """What is learnt from: pictures, which of them each step sees, how many steps; `facts` say the rest.

    With `check_every` the lesson is checked on what it holds back after so many steps; `patience` checks
    without a better one end it. `keep` says what stays: running averages, the last weights or the best.
    """

    name: str
    pictures: Array
    deal: Deal
    steps: int
    seed: int
    device: str
    facts: Mapping[str, Any]
    keep: Literal["averages", "last", "best"] = "averages"
    check_every: int = 0
    patience: int = 0
    precision: Precision = "full"

    @property
    def digest(self) -> str:
        """Name a training by all that it depends on."""
        numbers = [self.steps, self.seed, self.keep, self.check_every, self.patience, *self.deal.facts]
        pictures = [digest_of_picture(picture) for picture in self.pictures]
        place = [self.device, self.precision]
        return digest_of(FORM, self.name, numbers, pictures, place, dict(self.facts))


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step sees: pictures (rows' shape, h, w) of 0 to 255, their rows, noise, the share done."""

    pictures: Any
    rows: Any
    noise: Any
    done: float


class Lesson(Protocol):
    """Networks in training by name, their optimisers, and what one step does to them."""

    networks: Mapping[str, Any]
    optimisers: Mapping[str, Any]

    def step(self, batch: Batch) -> Any:
        """Learn from a batch; return the loss, a tensor of one number without its gradient."""
        ...

    def checked(self) -> float:
        """Return how far off what is held back is, lower = better; asked for only with `check_every`."""
        ...

    def finished(self, weights: Weights) -> Weights:
        """Return what is needed later of the weights of all networks."""
        ...


@dataclass(eq=False)
class _State:
    """What changes while training: steps done, the loss lately, averages or best weights, the best check."""

    step: int = 0
    loss: float | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    best: float | None = None
    waited: int = 0

    def over(self, course: Course) -> bool:
        """Whether nothing is left to do, or nothing became better for too long."""
        return self.step >= course.steps or 0 < course.patience <= self.waited


def train(
    torch: Any, lesson: Lesson, course: Course, running: Running, glance: Glance | None = None
) -> Weights:
    """Train to the end, from the last checkpoint on; return what is needed of the weights.

    `glance` makes pictures of weights: so many for each checkpoint, to be looked at.
    """
    digest = course.digest
    folder = None if running.folder is None else running.folder / f"{course.name}-{digest[:16]}"
    if folder is not None:
        checkpoints.tidy(folder)
        done = checkpoints.read(folder, "network")
        if done is not None and done.facts.get("digest") == digest:
            return done.tensors
    pictures = torch.from_numpy(np.array(course.pictures)).to(course.device)
    state = _begun(torch, lesson, folder, course, digest)
    began, first = time.monotonic(), state.step
    while not state.over(course):
        _advance(torch, lesson, course, pictures, state)
        if folder is not None and (state.step % running.every == 0 or state.over(course)):
            _keep(lesson, course, state, folder, digest, glance)
        left = (time.monotonic() - began) / (state.step - first) * (course.steps - state.step)
        running.progress(f"training {course.name}", state.step, course.steps)
        running.watch(Moment(state.step, course.steps, state.loss or 0.0, left, state.best))
    weights = lesson.finished(_result(lesson, course, state))
    if folder is not None:
        facts = {"format": FORM, "digest": digest, "steps": state.step, "loss": state.loss}
        checkpoints.write(folder, "network", Kept(weights, {**facts, "best": state.best}))
        checkpoints.remove(folder, "state")
    return weights


def _advance(torch: Any, lesson: Lesson, course: Course, pictures: Any, state: _State) -> None:
    """Make one step, and look at how good it is where that is due."""
    rows = torch.from_numpy(course.deal.rows(state.step)).to(course.device)
    noise = torch.Generator().manual_seed(_own_seed(course.seed, state.step))
    loss = lesson.step(Batch(pictures[rows], rows, noise, state.step / course.steps))
    state.step += 1
    last = state.step == course.steps
    if course.device == "cpu" or state.step % GLIMPSE == 0 or last:
        told = float(loss)
        if not np.isfinite(told):
            raise BadInput(
                f"{course.name}: the loss is not a number after step {state.step - 1}; change the seed"
            )
        state.loss = told if state.loss is None else RECENT * state.loss + (1.0 - RECENT) * told
    if course.keep == "averages":
        _average(lesson, state)
    if course.check_every and (state.step % course.check_every == 0 or last):
        _check(lesson, course, state)


def _check(lesson: Lesson, course: Course, state: _State) -> None:
    found = lesson.checked()
    if state.best is None or found < state.best:
        state.best, state.waited = found, 0
        if course.keep == "best":
            state.kept = {key: value.detach().clone() for key, value in _tensors(lesson).items()}
    else:
        state.waited += 1


def _result(lesson: Lesson, course: Course, state: _State) -> Weights:
    """Return the weights that stay: averages, the best, or where nothing was checked the last."""
    chosen = state.kept if course.keep != "last" and state.kept else _tensors(lesson)
    return {key: value.detach().cpu().numpy() for key, value in chosen.items()}


def _own_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, 3, step]).generate_state(1, np.uint64)[0] >> 1)


def _average(lesson: Lesson, state: _State) -> None:
    """Move the running averages towards the networks; early ones count less, so none stays at its start."""
    weight = 1.0 - min(SLOWEST, state.step / (9.0 + state.step))
    for key, value in _tensors(lesson).items():
        if key not in state.kept:
            state.kept[key] = value.detach().clone()
        elif value.is_floating_point():
            state.kept[key].lerp_(value.detach(), weight)
        else:
            state.kept[key].copy_(value)


def _tensors(lesson: Lesson) -> dict[str, Any]:
    return {
        f"{name}.{key}": value
        for name, network in lesson.networks.items()
        for key, value in network.state_dict().items()
    }


def _keep(
    lesson: Lesson, course: Course, state: _State, folder: Path, digest: str, glance: Glance | None
) -> None:
    """Write a checkpoint, and a picture of samples beside it."""
    tensors = {f"kept.{key}": value for key, value in state.kept.items()}
    tensors |= {f"network.{key}": value for key, value in _tensors(lesson).items()}
    for name, optimiser in lesson.optimisers.items():
        for place, entry in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{name}.{place}.{key}": value for key, value in entry.items()}
    arrays = {key: value.detach().cpu().numpy() for key, value in tensors.items()}
    if glance is not None:
        made = glance(lesson.finished(_result(lesson, course, state)), GRID * GRID)
        write_bytes(folder / f"samples-{state.step:07d}.png", _picture(made))
    facts = {"format": FORM, "digest": digest, "step": state.step, "loss": state.loss}
    checkpoints.write(folder, "state", Kept(arrays, {**facts, "best": state.best, "waited": state.waited}))


def _begun(torch: Any, lesson: Lesson, folder: Path | None, course: Course, digest: str) -> _State:
    """Return the state of the last checkpoint, its networks and optimisers loaded, or that of a start."""
    kept = None if folder is None else checkpoints.read(folder, "state")
    if kept is None or kept.facts.get("digest") != digest:
        return _State()
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
    facts = kept.facts
    shown = {key: value.to(course.device) for key, value in _below(tensors, "kept.").items()}
    return _State(int(facts["step"]), facts["loss"], shown, facts["best"], int(facts["waited"]))


def _below(tensors: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _picture(made: NDArray[np.uint8]) -> bytes:
    """Return a PNG of the samples in rows."""
    side = made.shape[1]
    sheet = made.reshape(GRID, GRID, side, side).swapaxes(1, 2).reshape(GRID * side, GRID * side)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()
