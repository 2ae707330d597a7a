"""A convolutional variational autoencoder; pictures come from a Gaussian fitted to all its encodings.

Kingma & Welling 2014. No sample is drawn around the encoding of any one member: what a picture tells of a
member went through the weights, and through mean and covariance of all encodings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from whorl.forge import networks
from whorl.forge.networks import Upsampling
from whorl.forge.neural import Draw, Neural, Scale, Size
from whorl.forge.phantom import Pixels
from whorl.learning import devices
from whorl.learning.deals import Epochs
from whorl.learning.devices import Weights
from whorl.learning.loop import Batch, Course
from whorl.records import BadInput

# For 64 pixels and two processor cores, 128 pixels and one GPU, 256 pixels and one GPU.
SCALES: Mapping[Size, Scale] = {
    "tiny": Scale(width=32, latents=128, steps=6000, batch=16),
    "small": Scale(width=48, latents=192, steps=15000, batch=32),
    "full": Scale(width=64, latents=256, steps=40000, batch=32),
}
RATE = 1.5e-3  # of learning, at its highest
WARM = 0.03  # share of the steps in which it rises
STEEPEST = 1.0  # norm of a gradient
FAINTEST, LOUDEST = -10.0, 4.0  # logarithm of a latent's variance


@dataclass(frozen=True)
class Variational(Neural):
    """A variational autoencoder; `tolerance` is the noise, in grey levels, that its decoder puts up with.

    The lower it is, the finer is the texture, and the more of it is members' own.
    """

    scales: ClassVar[Mapping[Size, Scale]] = SCALES

    upsampling: Upsampling = "transposed"
    tolerance: float = 6.4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.5 <= self.tolerance <= 64.0:
            raise BadInput(f"tolerance {self.tolerance}: give 0.5 to 64 grey levels")

    def lesson(self, torch: Any, course: Course) -> Encoding:
        """Return encoder and decoder, ready to be trained."""
        return Encoding(torch, self, course)

    def decoder(self, torch: Any, side: int) -> Any:
        """Build the network that makes pictures of latents."""
        return networks.decoder(
            torch, side, self.scale.width, self.scale.latents, self.upsampling, normal=False
        )

    def drawn(self, torch: Any, weights: Weights, draw: Draw) -> Pixels:
        """Return pictures decoded from the Gaussian of all encodings."""
        middle, root = weights["density.middle"], weights["density.root"]
        latents = middle + draw.rng.standard_normal((draw.count, len(middle))) @ root.T
        network = devices.loaded(torch, self.decoder(torch, draw.side), weights, "decoder")
        return networks.in_batches(torch, network, latents.astype(np.float32), draw.device)


class Encoding:
    """Encoder and decoder in training."""

    def __init__(self, torch: Any, kind: Variational, course: Course) -> None:
        self.torch, self.kind, self.course = torch, kind, course
        scale, side = kind.scale, course.pictures.shape[1]
        self.encoder = networks.encoder(torch, side, scale.width, 2 * scale.latents, normal=False)
        self.decoder = kind.decoder(torch, side)
        self.networks: Mapping[str, Any] = {"encoder": self.encoder, "decoder": self.decoder}
        devices.place(torch, self.networks, course.device)
        self.weights = [one for network in self.networks.values() for one in network.parameters()]
        both = torch.optim.Adam(self.weights, RATE, betas=(0.9, 0.99), fused=True)
        self.optimisers: Mapping[str, Any] = {"both": both}

    def step(self, batch: Batch) -> Any:
        """Lower the error of the picture, in units of the tolerance, plus the divergence from the prior."""
        torch, true = self.torch, networks.on_scale(self.torch, batch.pictures)
        mean, spread = self._encoded(self.encoder, true)
        drawn = torch.randn(mean.shape, generator=batch.noise).to(mean.device)
        made = self.decoder(mean + drawn * (spread / 2.0).exp())
        tolerance = self.kind.tolerance / 127.5
        missed = (made - true).square().sum((1, 2, 3)).mean() / (2.0 * tolerance**2)
        divergence = (mean.square() + spread.exp() - 1.0 - spread).sum(1).mean() / 2.0
        loss = (missed + divergence) / true[0].numel()
        optimiser = self.optimisers["both"]
        devices.set_rate(optimiser, RATE, batch.done, WARM)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, STEEPEST)
        optimiser.step()
        return loss.detach()

    def checked(self) -> float:
        """Generators are judged by their pictures: nothing is held back."""
        return 0.0

    def finished(self, weights: Weights) -> Weights:
        """Return the decoder, and mean and root of the covariance of all encodings, weighted as shown."""
        torch, device, members = self.torch, self.course.device, self.course.pictures
        side, scale = members.shape[1], self.kind.scale
        network = networks.encoder(torch, side, scale.width, 2 * scale.latents, normal=False)
        network = devices.loaded(torch, network, weights, "encoder").to(device)
        means, spreads = [], []
        with torch.no_grad():
            for start in range(0, len(members), networks.BATCH):
                batch = torch.from_numpy(members[start : start + networks.BATCH].copy()).to(device)
                mean, spread = self._encoded(network, networks.on_scale(torch, batch))
                means.append(mean.cpu().numpy().astype(np.float64))
                spreads.append(spread.exp().cpu().numpy().astype(np.float64))
        deal = self.course.deal
        shown = deal.shown if isinstance(deal, Epochs) else np.ones(len(members), np.int64)
        encodings = np.concatenate(means)
        # Each encoding is a Gaussian: their own variances belong to the density of all.
        own = np.average(np.concatenate(spreads), axis=0, weights=shown)
        covariance = np.cov(encodings, rowvar=False, fweights=shown) + np.diag(own)
        density = {
            "density.middle": np.average(encodings, axis=0, weights=shown),
            "density.root": np.linalg.cholesky(covariance),
        }
        return {**{key: value for key, value in weights.items() if key.startswith("decoder.")}, **density}

    def _encoded(self, network: Any, pictures: Any) -> tuple[Any, Any]:
        """Return mean and logarithm of the variance of each latent, (n, latents) each."""
        mean, spread = network(pictures).chunk(2, 1)
        return mean, spread.clamp(FAINTEST, LOUDEST)
