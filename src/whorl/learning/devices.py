"""Where networks compute, and that they compute the same way every time; torch comes in only here."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whorl.networks import building
from whorl.records import BadInput

Device = Literal["auto", "cpu", "gpu"]
Precision = Literal["full", "mixed"]
Weights = Mapping[str, NDArray[Any]]


def torch_or_refusal(what: str = "this generator") -> Any:
    """Return torch, or say how to get it."""
    try:
        import safetensors.numpy  # noqa: F401

        return building.torch_or_say(what)
    except (ImportError, BadInput):
        raise BadInput(f"{what} needs torch: pip install 'whorl[deep]'") from None


def usual_threads() -> int:
    """Return on how many threads networks learn: two, or one where OMP_NUM_THREADS asks for no more."""
    return 1 if os.environ.get("OMP_NUM_THREADS", "").strip() == "1" else 2


def place(torch: Any, stacks: Mapping[str, Any], device: str) -> None:
    """Move networks to where they compute, their channels side by side: that is what convolutions like."""
    for network in stacks.values():
        network.to(device=device, memory_format=torch.channels_last)


def set_rate(optimiser: Any, highest: float, done: float, warm: float) -> None:
    """Set the rate of learning: it rises at first, and falls along a cosine to a hundredth."""
    rise = min(1.0, done / warm + 0.01)
    for group in optimiser.param_groups:
        group["lr"] = highest * rise * (0.01 + 0.99 * math.cos(math.pi * done / 2.0) ** 2)


def loaded(torch: Any, network: Any, weights: Weights, name: str) -> Any:
    """Return the network with the weights whose names begin with its own."""
    own = {
        key.removeprefix(f"{name}."): torch.from_numpy(np.array(value))
        for key, value in weights.items()
        if key.startswith(f"{name}.")
    }
    network.load_state_dict(own)
    return network


def chosen_device(torch: Any, device: Device) -> str:
    """Return where to compute: a GPU that was asked for must be there."""
    there = bool(torch.cuda.is_available())
    if device == "gpu" and not there:
        raise BadInput("device gpu: torch finds no GPU here; take device=cpu")
    return "cuda" if there and device != "cpu" else "cpu"


@contextmanager
def steady(torch: Any, threads: int, seed: int) -> Iterator[None]:
    """Compute the same way every time: a set number of threads, exact convolutions, weights from the seed.

    What torch was set to before is set again afterwards, its random numbers included.
    """
    before, state = torch.get_num_threads(), torch.random.get_rng_state()
    exact = torch.backends.cudnn.deterministic
    torch.set_num_threads(threads)
    # Numbers too small for their format cost a hundred times the time, and appear in long training.
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
        torch.backends.cudnn.deterministic = exact
        torch.random.set_rng_state(state)
