"""Pretrained networks to be trained further: the one place where their weights come from.

`backbone` is the seam: it gives a network from grey pictures to vectors. Names are those of timm; weights
are files of one's own in the folder of the variable WHORL_WEIGHTS, and are never fetched.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from whorl.learning.effort import Limits
from whorl.learning.layers import module
from whorl.networks import building, weightfiles
from whorl.networks.embedding import VARIABLE
from whorl.records import BadInput

Weights = Literal["pretrained", "random"]
Colour = Literal["copy", "jet"]
MEAN = (0.485, 0.456, 0.406)
SPREAD = (0.229, 0.224, 0.225)
SMALL = 8  # channels of the stand-in of tests


def backbone(torch: Any, name: str, weights: Weights) -> tuple[Any, int]:
    """Return a network (n, 3, h, w) -> (n, width) without its last layer, and the width."""
    timm = building.timm_module()
    if name not in timm.list_models() and name.partition(".")[0] not in timm.list_models():
        raise BadInput(f"timm knows no network '{name}'")
    network = timm.create_model(name, pretrained=False, num_classes=0)
    if weights == "pretrained":
        _load(network, name)
    return network, int(network.num_features)


def grey(torch: Any, name: str, weights: Weights, limits: Limits, colour: Colour = "copy") -> tuple[Any, int]:
    """Return a network from grey pictures of 0 to 1 (n, 1, h, w) -> (n, width), and the width.

    Pictures are coloured and scaled as ImageNet's were. Where the effort is small a network of two random
    convolutions stands in, so that a test needs neither weights nor time.
    """
    network, width = _small(torch) if limits.narrow > 4 else backbone(torch, name, weights)
    middle, spread = (torch.tensor(one).reshape(1, 3, 1, 1) for one in (MEAN, SPREAD))

    def forward(parts: Any, own: Any) -> Any:
        three = jet(torch, own) if colour == "jet" else own.expand(-1, 3, -1, -1)
        return parts.inner((three - middle.to(own.device)) / spread.to(own.device)).flatten(1)

    return module(torch, forward, inner=network), width


def jet(torch: Any, own: Any) -> Any:
    """Grey of 0 to 1 (n, 1, h, w) -> the colours of the jet map (n, 3, h, w): blue is dark, red is light."""
    centres = torch.tensor([0.75, 0.5, 0.25], device=own.device).reshape(1, 3, 1, 1)
    return (1.5 - (own - centres).abs() * 4.0).clamp(0.0, 1.0)


def _small(torch: Any) -> tuple[Any, int]:
    layers = torch.nn
    first, second = layers.Conv2d(3, SMALL, 3, 2, 1), layers.Conv2d(SMALL, 2 * SMALL, 3, 2, 1)
    pooled = [layers.AdaptiveAvgPool2d(1), layers.Flatten()]
    return layers.Sequential(first, layers.ReLU(), second, layers.ReLU(), *pooled), 2 * SMALL


def _load(network: Any, name: str) -> None:
    """Give a network the weights of its file; every lack is one line that says what to do."""
    folder = os.environ.get(VARIABLE)
    try:
        if not folder:
            raise BadInput(f"{VARIABLE} is not set")
        files = weightfiles.files_of(name, Path(folder))
    except BadInput as error:
        raise BadInput(
            f"this recipe trains '{name}' further and needs its weights: {error}; "
            'or start from random ones with weights = "random" in a recipe of your own'
        ) from None
    weightfiles.load(network, weightfiles.read(files), f"{files[0]}: not the weights of '{name}'")
