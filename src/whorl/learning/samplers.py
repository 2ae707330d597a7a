"""A small generator for recipes that need one of their own: an autoencoder, its latents drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from whorl.learning import autoencoders as networks
from whorl.learning import devices, roles
from whorl.learning.deals import Epochs, per_epoch
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.workplace import WHAT, Task, Workplace, learn, loaded, outputs
from whorl.records import Array

EPOCHS, BATCH, RATE = 200, 32, 1e-3


def drawn(pictures: Array, count: int, effort: Effort, seed: int, workplace: Workplace) -> Array:
    """Learn pictures (n, h, w) and draw `count` of the same kind, (count, h, w) of 8 bits."""
    limits = LIMITS[effort]
    side, size = min(networks.SIDE, limits.side), min(BATCH, limits.batch)
    shown = roles.gathered({"own": pictures}, side).pictures

    def build(torch: Any) -> Any:
        return networks.several(torch, side, limits, "plain", 1)

    task = Task(
        "sampler",
        shown,
        Epochs(np.ones(len(shown), np.int64), size, seed),
        min(EPOCHS * per_epoch(len(shown), size), limits.steps),
        seed,
        {"rate": RATE, "narrow": limits.narrow},
    )
    weights = learn(
        task,
        lambda torch, course: networks.plain_lesson(torch, course, build(torch), networks.SIGNED, RATE),
        workplace,
    )
    network = loaded(build, weights, "network", workplace)
    latents = outputs(network.encoder, shown, networks.SIGNED, workplace)
    rng = np.random.default_rng([seed, 6])
    # Sums of the latents' deviations from their mean: Gaussian, with the covariance that they have.
    mixed = rng.normal(size=(count, len(latents))) @ (latents - latents.mean(axis=0)) / np.sqrt(len(latents))
    made = _decoded(network.decoder_0, latents.mean(axis=0) + mixed, workplace)
    sized = [Image.fromarray(one).resize(pictures.shape[:0:-1], Image.Resampling.BILINEAR) for one in made]
    return np.stack([np.asarray(one) for one in sized])


def _decoded(decoder: Any, latents: Array, workplace: Workplace) -> Array:
    """Latents (n, d) -> pictures (n, side, side) of 8 bits, one at a time."""
    torch = devices.torch_or_refusal(WHAT)
    device = devices.chosen_device(torch, workplace.device)
    with devices.steady(torch, workplace.threads, 0), torch.inference_mode():
        rows = torch.from_numpy(latents.astype(np.float32)).to(device).split(1)
        found = np.concatenate([decoder(row)[:, 0].cpu().numpy() for row in rows])
    return np.clip(np.rint((found + 1.0) * 127.5), 0, 255).astype(np.uint8)
