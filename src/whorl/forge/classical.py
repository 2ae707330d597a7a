"""A classical generator: principal components of the members, with Gaussian weights."""

from __future__ import annotations

import numpy as np

from whorl.forge.phantom import Pixels
from whorl.forge.planted import check_members
from whorl.records import BadInput

MOST = 60  # components, unless told otherwise


def interpolating(members: Pixels, count: int, seed: int, components: int | None = None) -> Pixels:
    """Generate pictures (count, h, w) from the Gaussian that the members' leading components span."""
    check_members(members, count, seed)
    limit = min(len(members) - 1, members[0].size)
    if limit < 1:
        raise BadInput("one member has no components: give at least two pictures")
    kept = min(MOST, limit) if components is None else components
    if not 1 <= kept <= limit:
        raise BadInput(f"components {kept}: {len(members)} members allow 1 to {limit}")
    flat = members.reshape(len(members), -1).astype(np.float32)
    mean = flat.mean(0)
    flat -= mean
    # The left singular vectors, from the small matrix of products: many pixels, few members.
    # Weighted by them the members give each axis times its spread, so neither need be formed.
    _, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
    leading = vectors[:, ::-1][:, :kept].astype(np.float32)
    latents = np.random.default_rng(seed).standard_normal((count, kept), dtype=np.float32)
    pictures = mean + (latents @ leading.T @ flat) / np.sqrt(np.float32(len(members) - 1))
    pixels: Pixels = np.clip(np.rint(pictures), 0.0, 255.0).astype(np.uint8)
    return pixels.reshape(count, *members.shape[1:])
