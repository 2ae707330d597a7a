"""Diffusion: a network learns to take noise off members, and makes pictures of noise alone.

Ho et al. 2020 (DDPM), with the velocities and the cosine of Salimans & Ho 2022; sampled as Song et al. 2021
(DDIM), without new noise on the way, so a picture is a function of the noise it starts from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from whorl.forge import denoising, networks
from whorl.forge.denoising import Shape
from whorl.forge.neural import Draw, Neural, Scale, Size
from whorl.forge.phantom import Pixels
from whorl.learning import devices
from whorl.learning.devices import Weights
from whorl.learning.loop import Batch, Course, Lesson
from whorl.records import BadInput

# For 64 pixels and two processor cores, 128 pixels and one GPU, 256 pixels and one GPU.
SCALES: Mapping[Size, Scale] = {
    "tiny": Scale(width=32, latents=0, steps=6000, batch=16),
    "small": Scale(width=64, latents=0, steps=30000, batch=32),
    "full": Scale(width=96, latents=0, steps=100000, batch=32),
}
PATCHES: Mapping[Size, int] = {"tiny": 2, "small": 2, "full": 4}
RATE = 5e-4  # of learning, at its highest
WARM = 0.03  # share of the steps in which it rises
STEEPEST = 1.0  # norm of a gradient
EDGE = 0.001  # times this near to all picture or all noise are not used
BATCH = 32  # pictures made at a time


@dataclass(frozen=True)
class Diffusion(Neural):
    """A denoising diffusion model; `denoisings` are the steps from noise to picture when it samples."""

    scales: ClassVar[Mapping[Size, Scale]] = SCALES

    denoisings: int = 40

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.denoisings <= 1000:
            raise BadInput(f"denoisings {self.denoisings}: give 1 to 1000")

    def lesson(self, torch: Any, course: Course) -> Lesson:
        """Return the network, ready to be trained."""
        return Denoising(torch, self, course)

    def form(self, side: int) -> Shape:
        """Return how the network is built."""
        return denoising.shape(side, self.scale.width, PATCHES[self.size])

    def drawn(self, torch: Any, weights: Weights, draw: Draw) -> Pixels:
        """Return pictures made of noise, a part of it taken off at a time."""
        form = self.form(draw.side)
        layers = devices.loaded(torch, denoising.built(torch, form), weights, "denoiser")
        devices.place(torch, {"denoiser": layers}, draw.device)
        made = []
        for start in range(0, draw.count, BATCH):
            size = (min(BATCH, draw.count - start), 1, draw.side, draw.side)
            noise = torch.from_numpy(draw.rng.standard_normal(size, dtype=np.float32)).to(draw.device)
            with torch.inference_mode():
                made.append(networks.as_pixels(self.cleared(torch, layers, form, noise)))
        return np.concatenate(made)

    def cleared(self, torch: Any, layers: Any, form: Shape, noisy: Any) -> Any:
        """Noise (n, c, h, w) -> pictures (n, c, h, w), each step going straight to what the last one saw."""
        times = np.linspace(1.0 - EDGE, EDGE, self.denoisings + 1).tolist()
        seen = noisy
        for now, then in pairwise(times):
            share, noise = _shares(now)
            clock = torch.full((len(noisy),), now, device=noisy.device)
            speed = denoising.velocity(torch, layers, form, noisy, clock)
            # No picture lies outside the scale of grey, so what is seen must not either.
            seen = (share * noisy - noise * speed).clamp(-1.0, 1.0)
            rest = (noisy - share * seen) / noise
            share, noise = _shares(then)
            noisy = share * seen + noise * rest
        return seen


class Denoising:
    """A denoiser in training."""

    def __init__(self, torch: Any, kind: Diffusion, course: Course) -> None:
        self.torch = torch
        self.form = kind.form(course.pictures.shape[1])
        self.layers = denoising.built(torch, self.form)
        self.networks: Mapping[str, Any] = {"denoiser": self.layers}
        devices.place(torch, self.networks, course.device)
        only = torch.optim.Adam(self.layers.parameters(), RATE, betas=(0.9, 0.99), fused=True)
        self.optimisers: Mapping[str, Any] = {"only": only}

    def step(self, batch: Batch) -> Any:
        """Lower the error of the velocity, at times that cover the way evenly."""
        torch = self.torch
        loss = missed(torch, self.layers, self.form, networks.on_scale(torch, batch.pictures), batch.noise)
        optimiser = self.optimisers["only"]
        devices.set_rate(optimiser, RATE, batch.done, WARM)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.layers.parameters(), STEEPEST)
        optimiser.step()
        return loss.detach()

    def checked(self) -> float:
        """Generators are judged by their pictures: nothing is held back."""
        return 0.0

    def finished(self, weights: Weights) -> Weights:
        """Return the denoiser."""
        return weights


def missed(torch: Any, layers: Any, form: Shape, true: Any, random: Any) -> Any:
    """Return the mean squared error of the velocity for pictures (n, c, h, w), each at a time of its own."""
    count = len(true)
    added = torch.randn(true.shape, generator=random).to(true.device)
    even = (torch.arange(count) + torch.rand(count, generator=random)) / count
    times = (EDGE + (1.0 - 2.0 * EDGE) * even).to(true.device)
    angle = times[:, None, None, None] * (math.pi / 2.0)
    noisy = angle.cos() * true + angle.sin() * added
    wanted = angle.cos() * added - angle.sin() * true
    return (denoising.velocity(torch, layers, form, noisy, times) - wanted).square().mean()


def _shares(time: float) -> tuple[float, float]:
    """Return how much of a noisy picture is picture, and how much is noise."""
    return math.cos(math.pi * time / 2.0), math.sin(math.pi * time / 2.0)
