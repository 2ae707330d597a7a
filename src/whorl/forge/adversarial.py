"""Adversarial generators: DCGAN, and the Wasserstein kind with a penalty on the critic's gradient.

Radford et al. 2016; Gulrajani et al. 2017. How the generator upsamples is what attribution goes by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from whorl.forge import networks
from whorl.forge.networks import Upsampling
from whorl.forge.neural import Draw, Neural, Scale, Size
from whorl.forge.phantom import Pixels
from whorl.learning import devices
from whorl.learning.devices import Weights
from whorl.learning.loop import Batch, Course

Objective = Literal["dcgan", "wasserstein"]
# For 64 pixels and two processor cores, 128 pixels and one GPU, 256 pixels and one GPU. A step of the
# Wasserstein kind is one of critic or generator, so it takes more of them.
SCALES: Mapping[Size, Scale] = {
    "tiny": Scale(width=24, latents=100, steps=6500, batch=16),
    "small": Scale(width=48, latents=128, steps=25000, batch=32),
    "full": Scale(width=64, latents=128, steps=80000, batch=32),
}
REAL = 0.9  # what the critic of DCGAN is taught of real pictures: never to be certain
TURNS = 5  # steps of the Wasserstein critic, of which the last is followed by one of the generator
PENALTY = 10.0


@dataclass(frozen=True)
class Adversarial(Neural):
    """A generator that learns by deceiving a critic."""

    scales: ClassVar[Mapping[Size, Scale]] = SCALES

    objective: Objective = "dcgan"
    upsampling: Upsampling = "transposed"

    def lesson(self, torch: Any, course: Course) -> Contest:
        """Return generator and critic, ready to be trained."""
        return Contest(torch, self, course)

    def generator(self, torch: Any, side: int) -> Any:
        """Build the network that makes pictures of latents."""
        return networks.decoder(
            torch, side, self.scale.width, self.scale.latents, self.upsampling, normal=True
        )

    def drawn(self, torch: Any, weights: Weights, draw: Draw) -> Pixels:
        """Return pictures made of standard Gaussian latents."""
        latents = draw.rng.standard_normal((draw.count, self.scale.latents), dtype=np.float32)
        network = devices.loaded(torch, self.generator(torch, draw.side), weights, "generator")
        return networks.in_batches(torch, network, latents, draw.device)


class Contest:
    """Generator and critic in training."""

    def __init__(self, torch: Any, kind: Adversarial, course: Course) -> None:
        self.torch, self.kind, self.course = torch, kind, course
        side, plain = course.pictures.shape[1], kind.objective == "dcgan"
        self.generator = kind.generator(torch, side)
        # The penalty is on the gradient at each picture alone, so pictures must not be normalised together.
        self.critic = networks.encoder(torch, side, kind.scale.width, 1, normal=plain)
        self.networks: Mapping[str, Any] = {"generator": self.generator, "critic": self.critic}
        for network in self.networks.values():
            networks.draw_weights(torch, network)
        devices.place(torch, self.networks, course.device)
        rate, betas = (2e-4, (0.5, 0.999)) if plain else (2e-4, (0.0, 0.9))
        self.optimisers: Mapping[str, Any] = {
            name: torch.optim.Adam(network.parameters(), rate, betas=betas, fused=True)
            for name, network in self.networks.items()
        }

    def step(self, batch: Batch) -> Any:
        """Teach the critic, and the generator by it; return how well the critic tells them apart."""
        true = networks.on_scale(self.torch, batch.pictures)
        shape = (len(true), self.kind.scale.latents)
        latents = self.torch.randn(shape, generator=batch.noise).to(true.device)
        if self.kind.objective == "dcgan":
            return self._deceive(true, latents)
        return self._transport(true, latents, batch.noise, batch.done)

    def checked(self) -> float:
        """Generators are judged by their pictures: nothing is held back."""
        return 0.0

    def finished(self, weights: Weights) -> Weights:
        """Return the generator."""
        return {key: value for key, value in weights.items() if key.startswith("generator.")}

    def _deceive(self, true: Any, latents: Any) -> Any:
        """One step of DCGAN: cross-entropy of the critic, then of the generator that wants it wrong."""
        soft = self.torch.nn.functional.softplus
        made = self.generator(latents)
        real, false = self.critic(true), self.critic(made.detach())
        loss = REAL * soft(-real).mean() + (1.0 - REAL) * soft(real).mean() + soft(false).mean()
        self._learn("critic", loss)
        self._learn("generator", soft(-self._judged(made)).mean())
        return loss.detach()

    def _transport(self, true: Any, latents: Any, noise: Any, done: float) -> Any:
        """One step of the critic towards the distance of the two; every so often one of the generator."""
        torch = self.torch
        turn = round(done * self.course.steps) % TURNS == TURNS - 1
        with torch.set_grad_enabled(turn):
            made = self.generator(latents)
        share = torch.rand((len(true), 1, 1, 1), generator=noise).to(true.device)
        between = (share * true + (1.0 - share) * made.detach()).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (slope.square().sum((1, 2, 3)).add(1e-12).sqrt() - 1.0).square().mean()
        distance = self.critic(true).mean() - self.critic(made.detach()).mean()
        self._learn("critic", PENALTY * penalty - distance)
        if turn:
            self._learn("generator", -self._judged(made).mean())
        return distance.detach()

    def _judged(self, made: Any) -> Any:
        """Return the critic's opinion, its own weights out of the sum: they are not to learn from it."""
        self.critic.requires_grad_(False)
        try:
            return self.critic(made)
        finally:
            self.critic.requires_grad_(True)

    def _learn(self, name: str, loss: Any) -> None:
        self.optimisers[name].zero_grad()
        loss.backward()
        self.optimisers[name].step()
