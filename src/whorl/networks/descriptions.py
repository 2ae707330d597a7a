"""What is known of each network and of its weight files: read from `backbones.toml` and checked."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from whorl.records import BadInput

Library = Literal["timm", "whorl", "transformers", "callable"]
Padding = Literal["own", "same"]
Pooling = Literal["head", "mean", "max", "token"]
Channels = tuple[float, float, float]
SHA256 = r"^([0-9a-f]{64})?$"


class Strict(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Weights(Strict):
    """One file of weights: where it comes from, how it is known again, and what pictures it expects.

    `sha256` is the whole sum; where only its first digits are published (in the name of the file), they are
    `sha256_starts`. `mean`, `spread` and `padding` take the place of the network's own. Where normalisation
    is `folded` into the convolutions, its layers hold but their biases and must not learn statistics.
    """

    source: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    url: str = ""
    hub: str = ""
    revision: str = ""
    sha256: str = Field(default="", pattern=SHA256)
    sha256_starts: str = Field(default="", pattern=r"^[0-9a-f]*$")
    mean: Channels | None = None
    spread: Channels | None = None
    padding: Padding | None = None
    folded: bool = False
    note: str = ""

    def knows(self, digest: str) -> bool:
        """Return whether a file with this SHA-256 is this one, as far as its sum is published."""
        if self.sha256:
            return digest == self.sha256
        return len(self.sha256_starts) >= 8 and digest.startswith(self.sha256_starts)


class Network(Strict):
    """One network: who makes it, what goes in, what comes out.

    Pictures keep their size where `size` is 0 and are brought to size × size otherwise; smaller ones than
    `least` cannot go through. `mean` and `spread` are those of the three channels on the scale 0 to 1.
    """

    title: str = Field(min_length=1)
    library: Library
    architecture: str = ""
    features: int = 0
    input: int = 224
    size: int = 0
    least: int = 32
    multiple: int = 1
    mean: Channels = (0.485, 0.456, 0.406)
    spread: Channels = (0.229, 0.224, 0.225)
    padding: Padding = "own"
    pooling: Pooling = "head"
    reference: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    usual: str = ""
    weights: dict[str, Weights] = Field(default_factory=dict)
    note: str = ""


@cache
def table() -> Mapping[str, Network]:
    """Return every network that whorl describes, by the name that recipes use."""
    content = tomllib.loads((files("whorl.networks") / "backbones.toml").read_text(encoding="utf-8"))
    return {name: Network.model_validate(part) for name, part in content.items()}


def find(name: str, known: Mapping[str, Network] | None = None) -> Network:
    """Return the description of a network, or say which name is nearest."""
    known = table() if known is None else known
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    raise BadInput(f"no network is called '{name}'{hint} (`whorl weights list` shows them)")


def owner_of(digest: str, known: Mapping[str, Network] | None = None) -> tuple[str, str] | None:
    """Return the network and the name of the weights that a file with this SHA-256 holds, if known."""
    for name, network in (table() if known is None else known).items():
        for label, weights in network.weights.items():
            if weights.knows(digest):
                return name, label
    return None
