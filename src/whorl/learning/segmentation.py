"""A small U-Net that finds the lungs; its weights come with whorl and were learnt from phantoms alone.

`python -m whorl.forge.lungs FILE` learns them again: the masks of phantoms are known, no patient is in them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from whorl.learning.layers import module, on_scale
from whorl.learning.lessons import Learning, adam
from whorl.learning.loop import Batch, Course
from whorl.learning.workplace import UNTOLD, UNWATCHED, Workplace, loaded, outputs
from whorl.records import Array, BadInput

SIDE, WIDTH, DEPTH, GROUPS = 64, 8, 4, 4
WARM = 0.05  # share of the steps in which the rate of learning rises, before it fades
FILE = Path(__file__).with_name("lungs.safetensors")
LEAST = 0.01  # share of a picture that lungs take, at least


def build(torch: Any) -> Any:
    """Build pictures of 0 to 1 (n, 1, h, w) -> how much every pixel looks like lung (n, h, w), 0 = a coin."""
    layers = torch.nn
    widths = [WIDTH * 2**place for place in range(DEPTH)]

    def pair(before: int, after: int) -> Any:
        own = [layers.Conv2d(before, after, 3, 1, 1), layers.GroupNorm(GROUPS, after), layers.ReLU()]
        own += [layers.Conv2d(after, after, 3, 1, 1), layers.GroupNorm(GROUPS, after), layers.ReLU()]
        return layers.Sequential(*own)

    down = layers.ModuleList([pair(before, after) for before, after in pairwise([1, *widths])])
    rise = layers.ModuleList([layers.ConvTranspose2d(2 * width, width, 2, 2) for width in widths[-2::-1]])
    up = layers.ModuleList([pair(2 * width, width) for width in widths[-2::-1]])
    last = layers.Conv2d(WIDTH, 1, 1)
    parts = {"down": down, "rise": rise, "up": up, "last": last}
    return module(torch, lambda made, own: _through(torch, made, own), **parts)


def lesson(torch: Any, course: Course, network: Any, rate: float) -> Learning:
    """Return the lesson: pictures are (n, 2 h, w), the lower half the mask of the upper.

    Half the light and the contrast are drawn anew every time, so that no grey level means lung.
    """

    def loss(batch: Batch) -> Any:
        half = batch.pictures.shape[1] // 2
        own, mask = on_scale(batch.pictures[:, :half], "unit"), batch.pictures[:, half:].float() / 255.0
        drawn = torch.rand((3, len(own), 1, 1, 1), generator=batch.noise).to(own.device)
        own = ((own - 0.5) * (0.6 + 0.9 * drawn[0]) + 0.5 + 0.3 * (drawn[1] - 0.5)).clamp(0.0, 1.0)
        mirrored = drawn[2] < 0.5
        own = torch.where(mirrored, own.flip(3), own)
        mask = torch.where(mirrored[:, 0], mask.flip(2), mask)
        found = network(own)
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(found, mask)
        share = found.sigmoid()
        both = 2.0 * (share * mask).sum((1, 2)) + 1.0
        return entropy + 1.0 - (both / (share.sum((1, 2)) + mask.sum((1, 2)) + 1.0)).mean()

    return Learning(torch, course, {"network": network}, loss, adam(torch, rate), fading=(rate, WARM))


def lung_mask(image: Array, workplace: Workplace, file: Path = FILE) -> NDArray[np.bool_]:
    """Return where the two lungs are, (h, w); nowhere if the network sees none."""
    from scipy import ndimage

    height, width = image.shape
    grey = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if grey.min() == grey.max():
        return np.zeros(image.shape, bool)
    small = np.asarray(Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    place = replace(workplace, running=UNWATCHED, networks=UNTOLD)  # what a network does not hang on
    found = outputs(_network(file, place), small[None], "unit", workplace)[0]
    wide = np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.BILINEAR))
    regions, count = ndimage.label(wide > 0.0)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    kept = [name + 1 for name in np.argsort(-sizes, kind="stable")[:2] if sizes[name] >= LEAST * image.size]
    return np.asarray(ndimage.binary_fill_holes(np.isin(regions, kept)))


@cache
def _network(file: Path, workplace: Workplace) -> Any:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise BadInput("this recipe needs torch: pip install 'whorl[deep]'") from None
    if not file.is_file():
        raise BadInput(f"{file} is missing: install whorl again")
    weights = {key: value.astype(np.float32) for key, value in load_file(file).items()}
    return loaded(build, weights, "network", workplace)


def _through(torch: Any, parts: Any, own: Any) -> Any:
    kept = []
    for place, stage in enumerate(parts.down):
        own = stage(own if place == 0 else torch.nn.functional.max_pool2d(own, 2))
        kept.append(own)
    kept.pop()
    for rise, stage in zip(parts.rise, parts.up, strict=True):
        own = stage(torch.cat([rise(own), kept.pop()], 1))
    return parts.last(own)[:, 0]
