"""Networks of the neural generators, as plain stacks of layers; torch comes in only where one is built."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from whorl.forge.phantom import Pixels
from whorl.records import BadInput

Upsampling = Literal["transposed", "nearest", "bilinear", "shuffle"]
SLOPE = 0.2  # of the leaky rectifier
WIDEST = 8  # times the width, in the layer of fewest pixels
SMALLEST = 4  # pixels along a side of the coarsest layer, at least
BATCH = 128  # pictures made at a time


def doublings(size: int) -> int:
    """Return how often pictures of this size are halved until the coarsest layer is reached."""
    count, side = 0, size
    while side % 2 == 0 and side // 2 >= SMALLEST:
        count, side = count + 1, side // 2
    if side >= 2 * SMALLEST or count < 2:
        raise BadInput(
            f"pictures of {size}×{size}: this generator takes sizes that halve down to {SMALLEST} to "
            f"{2 * SMALLEST - 1} pixels, such as 64, 96, 128 or 256; bring them to one of these first"
        )
    return count


def side_of(images: Pixels) -> int:
    """Return the side of square pictures (n, h, w) that the networks can take."""
    if images.shape[1] != images.shape[2]:
        raise BadInput(f"members of {images.shape[2]}×{images.shape[1]}: make them square first")
    doublings(images.shape[1])
    return int(images.shape[1])


def decoder(torch: Any, size: int, width: int, latents: int, upsampling: Upsampling, normal: bool) -> Any:
    """Build latents (n, latents) -> pictures (n, 1, size, size) from -1 to 1."""
    layers = torch.nn
    channels = _channels(size, width)[::-1]
    coarse = size // 2 ** len(channels)
    stack = [layers.Linear(latents, channels[0] * coarse**2)]
    stack += [layers.Unflatten(1, (channels[0], coarse, coarse))]
    for place, count in enumerate(channels):
        stack += [layers.BatchNorm2d(count)] if normal else []
        stack += [layers.ReLU()]
        stack += _doubling(layers, upsampling, count, (*channels, 1)[place + 1])
    return layers.Sequential(*stack, layers.Tanh())


def encoder(torch: Any, size: int, width: int, outputs: int, normal: bool) -> Any:
    """Build pictures (n, 1, size, size) from -1 to 1 -> numbers (n, outputs)."""
    layers = torch.nn
    channels = _channels(size, width)
    stack: list[Any] = []
    for place, count in enumerate(channels):
        stack += [layers.Conv2d((1, *channels)[place], count, 4, 2, 1)]
        # As in DCGAN, none on the first layer: the critic shall see grey values as they are.
        stack += [layers.BatchNorm2d(count)] if normal and place else []
        stack += [layers.LeakyReLU(SLOPE)]
    last = channels[-1] * (size // 2 ** len(channels)) ** 2
    return layers.Sequential(*stack, layers.Flatten(), layers.Linear(last, outputs))


def draw_weights(torch: Any, network: Any) -> None:
    """Draw the weights of the convolutions as DCGAN does: a narrow Gaussian."""
    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.normal_(layer.weight, 0.0, 0.02)


def on_scale(torch: Any, pixels: Any) -> Any:
    """Pictures (n, h, w) of 0 to 255 -> (n, 1, h, w) of -1 to 1."""
    return (pixels.to(torch.float32) / 127.5 - 1.0).unsqueeze(1)


def as_pixels(pictures: Any) -> Pixels:
    """Pictures (n, 1, h, w) of -1 to 1 -> (n, h, w) of 0 to 255."""
    grey = (pictures.detach().float()[:, 0] + 1.0) * 127.5
    pixels: Pixels = np.clip(np.rint(grey.cpu().numpy()), 0.0, 255.0).astype(np.uint8)
    return pixels


def in_batches(torch: Any, network: Any, latents: NDArray[np.float32], device: str) -> Pixels:
    """Make a picture (h, w) of each of the latents (n, latents)."""
    network = network.to(device).eval()
    made = []
    with torch.inference_mode():
        for start in range(0, len(latents), BATCH):
            made.append(as_pixels(network(torch.from_numpy(latents[start : start + BATCH]).to(device))))
    return np.concatenate(made)


def _channels(size: int, width: int) -> tuple[int, ...]:
    """Return the channels of each layer, from the one of most pixels on."""
    return tuple(min(width * 2**place, WIDEST * width) for place in range(doublings(size)))


def _doubling(layers: Any, upsampling: Upsampling, before: int, after: int) -> list[Any]:
    """Return the layers that double the size: what gives a decoder its fingerprint."""
    if upsampling == "transposed":
        return [layers.ConvTranspose2d(before, after, 4, 2, 1)]
    if upsampling == "shuffle":
        return [layers.Conv2d(before, 4 * after, 3, 1, 1), layers.PixelShuffle(2)]
    # Aligned corners would stretch pictures from their middle.
    way = {"align_corners": False} if upsampling == "bilinear" else {}
    return [
        layers.Upsample(scale_factor=2, mode=upsampling, **way),
        layers.Conv2d(before, after, 3, 1, 1),
    ]
