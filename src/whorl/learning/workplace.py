"""Where a recipe's networks learn and compute; what was learnt once in a process is not learnt again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whorl.learning import devices
from whorl.learning.deals import Deal
from whorl.learning.devices import Device, Precision, Weights
from whorl.learning.layers import on_scale
from whorl.learning.loop import Course, Lesson, Running, train
from whorl.networks.embedding import Networks
from whorl.records import Array, Floats

BATCH = 64  # pictures that a GPU gets at a time
REMEMBERED = 512 * 2**20  # bytes of weights
WHAT = "this recipe"
UNWATCHED, UNTOLD = Running(), Networks()
_LEARNT: OrderedDict[str, Weights] = OrderedDict()


@dataclass(frozen=True)
class Workplace:
    """Checkpoints, progress, device, precision and threads: no number hangs on them but by rounding.

    `networks` says where the weights of networks lie that are trained further.
    """

    running: Running = UNWATCHED
    device: Device = "auto"
    precision: Precision = "full"
    threads: int = field(default_factory=devices.usual_threads)
    networks: Networks = UNTOLD


ALONE = Workplace()


@dataclass(frozen=True, eq=False)
class Task:
    """What a step wants learnt; the fields are those of a course, less the place where it happens."""

    name: str
    pictures: Array
    deal: Deal
    steps: int
    seed: int
    facts: Mapping[str, Any]
    best: bool = False
    check_every: int = 0
    patience: int = 0


def learn(task: Task, lesson: Callable[[Any, Course], Lesson], workplace: Workplace) -> Weights:
    """Return what a lesson learns from a task: remembered, read from its checkpoint, or trained now."""
    torch = devices.torch_or_refusal(WHAT)
    course = Course(
        task.name,
        task.pictures,
        task.deal,
        task.steps,
        task.seed,
        devices.chosen_device(torch, workplace.device),
        {**task.facts, "threads": workplace.threads},
        "best" if task.best else "last",
        task.check_every,
        task.patience,
        workplace.precision,
    )
    key = course.digest
    if key not in _LEARNT:
        with devices.steady(torch, workplace.threads, task.seed):
            _LEARNT[key] = train(torch, lesson(torch, course), course, workplace.running)
    _LEARNT.move_to_end(key)
    while len(_LEARNT) > 1 and sum(map(_size, _LEARNT.values())) > REMEMBERED:
        _LEARNT.popitem(last=False)
    return _LEARNT[key]


def forget() -> None:
    """Forget what was learnt in this process."""
    _LEARNT.clear()


def loaded(network: Callable[[Any], Any], weights: Weights, name: str, workplace: Workplace) -> Any:
    """Return a network that `network(torch)` builds, with the weights of its name, ready to compute."""
    torch = devices.torch_or_refusal(WHAT)
    with devices.steady(torch, workplace.threads, 0):
        made = devices.loaded(torch, network(torch), weights, name)
    devices.place(torch, {name: made}, devices.chosen_device(torch, workplace.device))
    return made.eval()


def outputs(network: Any, pictures: Array, scale: str, workplace: Workplace) -> Floats:
    """Put pictures (n, h, w) of 0 to 255 through a network -> (n, …), each whatever others are beside it.

    On a processor one at a time, since sums may differ in their last bit with what is computed beside them.
    """
    torch = devices.torch_or_refusal(WHAT)
    device = devices.chosen_device(torch, workplace.device)
    size = 1 if device == "cpu" else BATCH
    mixed = torch.autocast(device, torch.bfloat16, workplace.precision == "mixed" and device != "cpu")
    with devices.steady(torch, workplace.threads, 0), torch.inference_mode(), mixed:
        found = [
            network(on_scale(torch.from_numpy(np.array(pictures[start : start + size])).to(device), scale))
            for start in range(0, len(pictures), size)
        ]
        return np.asarray(torch.cat(found).float().cpu().numpy(), np.float32)


def _size(weights: Weights) -> int:
    return sum(array.nbytes for array in weights.values())
