"""Latent diffusion: members are coded into few numbers a place, and the noise is taken off the codes.

Rombach et al. 2022. The coder learns alone in the first part of the training and stays as it is from then on;
the denoiser learns codes in all of it. Codes lie between -1 and 1, as pictures do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from whorl.forge import denoising, diffusion, networks
from whorl.forge.denoising import Shape
from whorl.forge.diffusion import BATCH, RATE, STEEPEST, WARM, Diffusion
from whorl.forge.neural import Draw, Scale, Size
from whorl.forge.phantom import Pixels
from whorl.learning import devices
from whorl.learning.devices import Weights
from whorl.learning.loop import Batch, Course, Lesson

# For 64 pixels and two processor cores, 128 pixels and one GPU, 256 pixels and one GPU; latents a place.
SCALES: Mapping[Size, Scale] = {
    "tiny": Scale(width=32, latents=4, steps=6000, batch=16),
    "small": Scale(width=96, latents=4, steps=30000, batch=32),
    "full": Scale(width=128, latents=4, steps=100000, batch=32),
}
HALVINGS = 2  # of the side, until a place is a code
CODED = 0.4  # share of the training after which the coder learns no more
BLUR = 0.05  # noise on codes, so that near codes make like pictures


@dataclass(frozen=True)
class Latent(Diffusion):
    """A diffusion model of codes; what it remembers went through a coder that saw the members too."""

    scales: ClassVar[Mapping[Size, Scale]] = SCALES

    def lesson(self, torch: Any, course: Course) -> Lesson:
        """Return coder and denoiser, ready to be trained."""
        return Coding(torch, self, course)

    def form(self, side: int) -> Shape:
        """Return how the denoiser of codes is built."""
        return denoising.shape(side // 2**HALVINGS, self.scale.width, 1, self.scale.latents)

    def drawn(self, torch: Any, weights: Weights, draw: Draw) -> Pixels:
        """Return pictures decoded from codes that were made of noise."""
        form, side = self.form(draw.side), draw.side // 2**HALVINGS
        layers = devices.loaded(torch, denoising.built(torch, form), weights, "denoiser")
        reader = devices.loaded(torch, decoder(torch, self.scale), weights, "decoder")
        devices.place(torch, {"denoiser": layers, "decoder": reader}, draw.device)
        made = []
        for start in range(0, draw.count, BATCH):
            size = (min(BATCH, draw.count - start), form.inputs, side, side)
            noise = torch.from_numpy(draw.rng.standard_normal(size, dtype=np.float32)).to(draw.device)
            with torch.inference_mode():
                made.append(networks.as_pixels(reader(self.cleared(torch, layers, form, noise))))
        return np.concatenate(made)


class Coding:
    """Coder and denoiser in training."""

    def __init__(self, torch: Any, kind: Latent, course: Course) -> None:
        self.torch = torch
        self.form = kind.form(course.pictures.shape[1])
        self.networks: Mapping[str, Any] = {
            "encoder": encoder(torch, kind.scale),
            "decoder": decoder(torch, kind.scale),
            "denoiser": denoising.built(torch, self.form),
        }
        devices.place(torch, self.networks, course.device)
        self.coder = [one for name in ("encoder", "decoder") for one in self.networks[name].parameters()]
        denoiser = self.networks["denoiser"].parameters()
        self.optimisers: Mapping[str, Any] = {
            "coder": torch.optim.Adam(self.coder, 2.0 * RATE, betas=(0.9, 0.99), fused=True),
            "denoiser": torch.optim.Adam(denoiser, RATE, betas=(0.9, 0.99), fused=True),
        }

    def step(self, batch: Batch) -> Any:
        """Lower the error of the picture while the coder learns, and that of the codes' velocity."""
        torch, true = self.torch, networks.on_scale(self.torch, batch.pictures)
        learns = batch.done < CODED
        with torch.set_grad_enabled(learns):
            codes = self.networks["encoder"](true)
        if learns:
            blur = BLUR * torch.randn(codes.shape, generator=batch.noise).to(codes.device)
            made = self.networks["decoder"](codes + blur)
            self._learn("coder", self.coder, (made - true).abs().mean(), batch.done / CODED)
        layers = self.networks["denoiser"]
        loss = diffusion.missed(torch, layers, self.form, codes.detach(), batch.noise)
        self._learn("denoiser", list(layers.parameters()), loss, batch.done)
        return loss.detach()

    def checked(self) -> float:
        """Generators are judged by their pictures: nothing is held back."""
        return 0.0

    def finished(self, weights: Weights) -> Weights:
        """Return denoiser and decoder; the encoder has done its work."""
        return {key: value for key, value in weights.items() if not key.startswith("encoder.")}

    def _learn(self, name: str, weights: list[Any], loss: Any, done: float) -> None:
        optimiser = self.optimisers[name]
        devices.set_rate(optimiser, optimiser.defaults["lr"], done, WARM)
        optimiser.zero_grad()
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(weights, STEEPEST)
        optimiser.step()


def encoder(torch: Any, scale: Scale) -> Any:
    """Build pictures (n, 1, h, w) -> codes (n, latents, h / 4, w / 4) from -1 to 1."""
    nn, width = torch.nn, scale.width
    stack = [nn.Conv2d(1, width, 3, 1, 1), nn.SiLU()]
    for level in range(HALVINGS):
        before, after = (width * 2 ** (level + step) for step in (0, 1))
        stack += [nn.Conv2d(before, after, 4, 2, 1), nn.SiLU()]
    last = width * 2**HALVINGS
    return nn.Sequential(*stack, nn.Conv2d(last, scale.latents, 3, 1, 1), nn.Tanh())


def decoder(torch: Any, scale: Scale) -> Any:
    """Build codes (n, latents, h, w) -> pictures (n, 1, 4 h, 4 w) from -1 to 1."""
    nn, width = torch.nn, scale.width * 2**HALVINGS
    stack = [nn.Conv2d(scale.latents, width, 3, 1, 1), nn.SiLU()]
    for _ in range(HALVINGS):
        stack += [
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(width, width // 2, 3, 1, 1),
            nn.SiLU(),
        ]
        width //= 2
    return nn.Sequential(*stack, nn.Conv2d(width, 1, 3, 1, 1), nn.Tanh())
