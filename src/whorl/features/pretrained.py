"""Features of networks trained elsewhere: `whorl weights list` shows them; nothing is fetched unasked."""

from __future__ import annotations

from typing import Any, Literal

from whorl.records import Array, Floats

VERSION = 2


def backbone(
    images: Array,
    networks: Any,
    network: str = "resnet50",
    resize: int = 0,
    pooling: Literal["usual", "head", "mean", "max", "token"] = "usual",
    colours: Literal["grey", "jet"] = "grey",
    scaling: Literal["usual", "unit"] = "usual",
) -> Floats:
    """Features of a pretrained network before its classifier; grey copied to three channels.

    (n, h, w) -> (n, features). Pictures keep their size unless `resize` or the network's description says
    otherwise; `pooling` is the network's usual one; `scaling` = unit leaves out its mean and spread.
    """
    found: Floats = networks.embed(images, network, resize, pooling, colours, scaling)
    return found
