"""Pretrained networks to be trained further: the one place where they are put together.

What a network is and where its weights lie is told as for features: `networks/backbones.toml` and the
weights of the workplace. Other names are those of timm, their weights files of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from whorl.learning.effort import Limits
from whorl.learning.layers import module
from whorl.networks import building, weightfiles
from whorl.networks.descriptions import Network, table
from whorl.networks.embedding import Networks, Plan
from whorl.records import BadInput

Weights = Literal["pretrained", "random"]
Colour = Literal["copy", "jet"]
MEAN = (0.485, 0.456, 0.406)
SPREAD = (0.229, 0.224, 0.225)
SMALL = 8  # channels of the stand-in of tests


@dataclass(frozen=True)
class Start:
    """Which network a training starts from, with which weights, how grey becomes three channels."""

    name: str
    weights: Weights
    limits: Limits
    networks: Networks
    colour: Colour = "copy"

    @property
    def stands_in(self) -> bool:
        """Whether two random convolutions stand in for it: a test needs neither weights nor time."""
        return self.limits.narrow > 4

    @property
    def needs_weights(self) -> bool:
        """Whether somebody has to have trained it before."""
        return self.weights == "pretrained" and not self.stands_in

    @property
    def identity(self) -> str:
        """What names the beginning of a training: the network, its weights, how pictures come in."""
        return "" if self.stands_in else self.plan.identity

    @property
    def plan(self) -> Plan:
        """The network and its weights; random ones where the recipe or the workplace asks for them."""
        own = replace(self.networks, known=_known(self.name, self.networks))
        return replace(own, random=own.random or self.weights == "random").start(self.name)


def side_of(name: str, size: int, limits: Limits) -> int:
    """Return the side of the pictures that a network is shown: what the effort allows, if it takes that."""
    side, network = min(size, limits.side), table().get(name)
    if network is None or limits.narrow > 4:
        return side
    steps = -(-max(side, min(size, network.least)) // network.multiple)
    return steps * network.multiple


def grey(torch: Any, start: Start, fresh: bool = True) -> tuple[Any, int]:
    """Return a network from grey pictures of 0 to 1 (n, 1, h, w) -> (n, width), and the width.

    Pictures are coloured and scaled as those that the network was trained on. One whose weights are replaced
    at once is not `fresh`: its file is not read.
    """
    if start.stands_in:
        inner, width, mean, spread = *_small(torch), MEAN, SPREAD
    else:
        plan = start.plan
        inner, mean, spread = _built(torch, plan, fresh), plan.mean, plan.spread
        width = _width(torch, inner, plan.network)
    middle, scale = (torch.tensor(one).reshape(1, 3, 1, 1) for one in (mean, spread))

    def forward(parts: Any, own: Any) -> Any:
        three = jet(torch, own) if start.colour == "jet" else own.expand(-1, 3, -1, -1)
        return parts.inner((three - middle.to(own.device)) / scale.to(own.device)).flatten(1)

    return module(torch, forward, inner=inner), width


def jet(torch: Any, own: Any) -> Any:
    """Grey of 0 to 1 (n, 1, h, w) -> the colours of the jet map (n, 3, h, w): blue is dark, red is light."""
    centres = torch.tensor([0.75, 0.5, 0.25], device=own.device).reshape(1, 3, 1, 1)
    return (1.5 - (own - centres).abs() * 4.0).clamp(0.0, 1.0)


def _small(torch: Any) -> tuple[Any, int]:
    layers = torch.nn
    first, second = layers.Conv2d(3, SMALL, 3, 2, 1), layers.Conv2d(SMALL, 2 * SMALL, 3, 2, 1)
    pooled = [layers.AdaptiveAvgPool2d(1), layers.Flatten()]
    return layers.Sequential(first, layers.ReLU(), second, layers.ReLU(), *pooled), 2 * SMALL


def _known(name: str, networks: Networks) -> Mapping[str, Network]:
    """The networks that are described, and one more of timm if the name is one."""
    known = table() if networks.known is None else networks.known
    if name in known:
        return known
    architecture = name.partition(".")[0]
    if architecture not in building.timm_module().list_models():
        raise BadInput(f"neither whorl nor timm knows a network '{name}'")
    other = Network(title=name, library="timm", architecture=architecture, reference="timm")
    return {**known, name: other}


def _built(torch: Any, plan: Plan, fresh: bool) -> Any:
    """The network of a plan from pictures on its scale (n, 3, h, w) -> (n, width), ready to be trained."""
    model = building.trainable(plan.network, plan.padding)
    if plan.files and fresh:
        named = f"{plan.files[0]}: not the weights of '{plan.name}'"
        weightfiles.load(model, weightfiles.read(plan.files), named)
    if plan.folded:
        _keep_statistics(torch, model)
    pooling = plan.network.pooling
    return module(torch, lambda parts, own: building.pooled(parts.model, own, pooling), model=model)


def _width(torch: Any, inner: Any, network: Network) -> int:
    """How many numbers come out for a picture: one is put through."""
    side = -(-max(network.least, 64) // network.multiple) * network.multiple
    with torch.no_grad():
        found = inner.eval()(torch.zeros(1, 3, side, side))
    inner.train()
    return int(found.flatten(1).shape[1])


def _keep_statistics(torch: Any, model: Any) -> None:
    """Let normalisation use its own statistics in training too.

    Those of a batch would take apart what was folded: every bias is one of pictures on the old scale.
    """
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()
            layer.train = lambda mode=True, own=layer: own
