"""A lesson with one optimiser and one loss: what nearly every published system needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from whorl.learning import devices
from whorl.learning.devices import Weights
from whorl.learning.loop import Batch, Course

Loss = Callable[[Batch], Any]


class Learning:
    """Networks that lower a loss; `check` says how far off they are on what is held back.

    With `fading` (rate, share of the steps) the rate of learning rises in that share, then falls.
    """

    def __init__(
        self,
        torch: Any,
        course: Course,
        stacks: Mapping[str, Any],
        loss: Loss,
        optimiser: Callable[[list[Any]], Any],
        check: Callable[[], Any] | None = None,
        fading: tuple[float, float] | None = None,
    ) -> None:
        self.torch, self.loss, self.check, self.fading = torch, loss, check, fading
        self.networks = stacks
        devices.place(torch, stacks, course.device)
        weights = [
            weight for network in stacks.values() for weight in network.parameters() if weight.requires_grad
        ]
        self.optimisers: Mapping[str, Any] = {"only": optimiser(weights)}
        mixed = course.precision == "mixed" and course.device != "cpu"
        self.cast: Callable[[], Any] = lambda: torch.autocast(course.device, torch.bfloat16, mixed)

    def step(self, batch: Batch) -> Any:
        """Lower the loss of a batch."""
        for network in self.networks.values():
            network.train()
        with self.cast():
            loss = self.loss(batch)
        optimiser = self.optimisers["only"]
        if self.fading is not None:
            devices.set_rate(optimiser, self.fading[0], batch.done, self.fading[1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    def checked(self) -> float:
        """Return the check's number, the networks as they are used later."""
        if self.check is None:
            return 0.0
        for network in self.networks.values():
            network.eval()
        with self.torch.no_grad(), self.cast():
            return float(self.check())

    def finished(self, weights: Weights) -> Weights:
        """Return all weights."""
        return weights


def adam(torch: Any, rate: float, decay: float = 0.0, first: float = 0.9) -> Callable[[list[Any]], Any]:
    """Return how to make Adam for some weights; `decay` is added to the gradient, as torch's Adam does."""
    return lambda weights: torch.optim.Adam(weights, rate, betas=(first, 0.999), weight_decay=decay)


def distance(one: Any, other: Any) -> Any:
    """Euclidean distance of rows (n, d), its slope finite at 0; (n,)."""
    return (one - other).square().sum(1).add(1e-12).sqrt()
