"""Stand-ins for a bag's generators: small decoders that learn from the bag's own pictures.

Of these it is known who made which picture. Where the pictures of one stand-in differ from one another, they
show other things, have more or less noise, were saved: that says nothing of who made them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from whorl.alterations import grey, jpeg
from whorl.compression import ASKED, saved
from whorl.forge.decoders import Decoder
from whorl.records import Array

KINDS = (
    Decoder("transposed", kernel=3),
    Decoder("nearest", kernel=7),
    Decoder("bilinear", kernel=5),
    Decoder("shuffle", kernel=5),
)
LEARNED = 200  # pictures that a stand-in learns from
MADE = 100  # pictures of a stand-in, fewer where they are larger than SIDE
FEWEST = 25
SIDE = 256
LEAST = 24  # pictures of the bag, and pixels of a side, without which there are no stand-ins


def standins(pixels: Array, order: Array, seed: int) -> Iterator[Array]:
    """Pictures of every stand-in, (m, h, w); none where the bag is too small to learn from.

    They are saved as JPEG as the pictures of the bag (n, h, w) were, each as one of these at random. The same
    pictures in the same `order` give the same, wherever they lie.
    """
    height, width = (side // 2 * 2 for side in pixels.shape[1:])
    if min(len(order), height, width) < LEAST:
        return
    count = int(np.clip(MADE * SIDE**2 / (height * width), FEWEST, MADE))
    rng = np.random.default_rng([seed, len(order)])
    qualities = saved(pixels[order[rng.permutation(len(order))[:ASKED]]])
    for number, kind in enumerate(KINDS):
        learned = order[rng.permutation(len(order))[:LEARNED]]
        plan = Decoder(kind.upsampling, kind.kernel, weights=int(rng.integers(2**31)))
        fitted = plan.fit(grey(pixels[learned, :height, :width]), seed)
        made = fitted.sample(count, seed + number)
        yield _as_saved(made, qualities[rng.integers(0, len(qualities), count)])


def _as_saved(stack: Array, qualities: Array) -> Array:
    """Save each picture with its quality, if any."""
    made = stack.copy()
    for quality in np.unique(qualities[qualities > 0]):
        made[qualities == quality] = jpeg(stack[qualities == quality], int(quality))
    return made
