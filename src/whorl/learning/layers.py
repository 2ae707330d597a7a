"""Networks written as parts and a function, so that no module of whorl needs torch to be imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

SLOPE = 0.2  # of the leaky rectifier


def module(torch: Any, forward: Callable[..., Any], **parts: Any) -> Any:
    """Return a torch module of parts, put together by `forward(parts, *inputs)`."""
    return _kind(torch)(forward, parts)


@cache
def _kind(torch: Any) -> Any:
    def start(self: Any, forward: Callable[..., Any], parts: Mapping[str, Any]) -> None:
        torch.nn.Module.__init__(self)
        self.put_together = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self: Any, *given: Any) -> Any:
        return self.put_together(self, *given)

    return type("Parts", (torch.nn.Module,), {"__init__": start, "forward": forward})


def chain(torch: Any, channels: Sequence[int], block: Callable[[int, int, int], list[Any]]) -> Any:
    """Return blocks one after another: `block(before, after, place)` gives the layers of each."""
    layers: list[Any] = []
    for place, (before, after) in enumerate(pairwise(channels)):
        layers += block(before, after, place)
    return torch.nn.Sequential(*layers)


def unit_length(torch: Any, *layers: Any) -> Any:
    """Return layers whose output (n, d) is scaled to length 1."""
    normalise = torch.nn.functional.normalize
    return module(torch, lambda parts, own: normalise(parts.inner(own)), inner=torch.nn.Sequential(*layers))


def on_scale(pictures: Any, scale: str) -> Any:
    """Pictures (…, h, w) of 0 to 255 -> (…, 1, h, w) on a scale: raw, unit (0..1) or signed (-1..1)."""
    own = pictures.float().unsqueeze(-3)
    if scale == "raw":
        return own
    return own / 255.0 if scale == "unit" else (own - 127.5) / 127.5


def parameter_count(network: Any) -> int:
    """Return how many numbers a network learns."""
    return sum(weight.numel() for weight in network.parameters())


def draw_narrow(torch: Any, network: Any) -> None:
    """Draw the weights of convolutions from N(0, 0.02), as DCGAN does."""
    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.normal_(layer.weight, 0.0, 0.02)


def draw_glorot(torch: Any, network: Any) -> None:
    """Draw weights as Keras does unless told otherwise: Glorot uniform, biases 0."""
    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)):
            torch.nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)
