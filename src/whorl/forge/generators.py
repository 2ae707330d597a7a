"""The one interface of generators of every kind, and their names: `NAME` or `NAME:key=value,key=value`."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from whorl.folders import shown
from whorl.forge import neural
from whorl.forge.adversarial import Adversarial
from whorl.forge.classical import Components, Kernels
from whorl.forge.decoders import Decoder
from whorl.forge.diffusion import Diffusion
from whorl.forge.latent import Latent
from whorl.forge.phantom import Pixels
from whorl.forge.planted import Copies
from whorl.forge.quilting import Quilt
from whorl.forge.variational import Variational
from whorl.learning.loop import Running
from whorl.records import BadInput, Progress
from whorl.steps import nearest


class Fitted(Protocol):
    """A generator that has seen its members."""

    def sample(self, count: int, seed: int) -> Pixels:
        """Generate pictures (count, h, w), uint8; the same for the same seed."""
        ...


class Generator(Protocol):
    """A kind of generator with its parameters, a frozen dataclass that checks them when it is made."""

    def fit(self, images: Pixels, seed: int) -> Fitted:
        """Learn from the members (n, h, w), uint8, which stay as they are."""
        ...


GENERATORS: Mapping[str, type[Generator]] = {
    "components": Components,
    "kernels": Kernels,
    "copies": Copies,
    "decoder": Decoder,
    "quilt": Quilt,
    "vae": Variational,
    "gan": Adversarial,
    "diffusion": Diffusion,
    "latent": Latent,
}
CHECKPOINT = 500  # steps between two
KINDS = {int: "a whole number", float: "a number", str: "text"}


def make(spec: str, background: Pixels | None = None) -> Generator:
    """Return the generator that a text names; `background` is all real pictures, for those that need it."""
    name, _, rest = (part.strip() for part in spec.partition(":"))
    if name not in GENERATORS:
        close = nearest(name, GENERATORS)
        hint = f"; did you mean '{close}'?" if close else ";"
        raise BadInput(
            f"generator '{shown(spec)}': no generator '{shown(name)}'{hint} known: {', '.join(GENERATORS)}"
        )
    kind = GENERATORS[name]
    known = parameters(kind)
    values: dict[str, Any] = {}
    for entry in rest.split(",") if rest else ():
        key, sign, text = (part.strip() for part in entry.partition("="))
        if not sign or not text:
            raise BadInput(
                f"generator '{shown(spec)}': '{shown(entry.strip())}' is not key=value; {_takes(name, known)}"
            )
        if key not in known:
            close = nearest(key, known)
            hint = f"; did you mean '{close}'?" if close else ";"
            raise BadInput(
                f"generator '{shown(spec)}': no parameter '{shown(key)}'{hint} {_takes(name, known)}"
            )
        if key in values:
            raise BadInput(f"generator '{shown(spec)}': '{key}' is given twice")
        values[key] = _value(spec, key, text, known[key])
    if "background" in (field.name for field in dataclasses.fields(typing.cast(Any, kind))):
        values["background"] = background
    try:
        return kind(**values)
    except BadInput as error:
        raise BadInput(f"generator '{shown(spec)}': {error}") from None


def spelled(spec: str) -> str:
    """Return the full text of a generator, every parameter named: two texts that mean the same become one."""
    made = make(spec)
    name = spec.partition(":")[0].strip()
    values = {key: getattr(made, key) for key in parameters(type(made))}
    return _told(name, values)


def kept(generator: Generator, folder: Path, progress: Progress) -> Generator:
    """Return a generator whose training, if it has one, goes on where it was stopped, and is watched."""
    if not isinstance(generator, neural.Neural):
        return generator
    return dataclasses.replace(generator, running=Running(folder, CHECKPOINT, progress))


def save_neural(model: Fitted, folder: Path) -> None:
    """Write a trained network; what other generators have learnt is too much their members'."""
    if isinstance(model, neural.FittedNeural):
        save(model, folder)


def save(model: neural.FittedNeural, folder: Path) -> None:
    """Write a trained neural generator: `generator.json`, and its weights as safetensors beside it."""
    (name,) = (name for name, kind in GENERATORS.items() if type(model.kind) is kind)
    model.save(folder, name)


def load(folder: Path) -> neural.FittedNeural:
    """Return the trained neural generator that `save` wrote; it samples what it would have sampled then."""
    kept = neural.read(folder)
    made = make(_told(str(kept.facts["generator"]), kept.facts["settings"]))
    return neural.FittedNeural(typing.cast(Any, made), int(kept.facts["side"]), kept.tensors)


def parameters(kind: type[Generator]) -> dict[str, Any]:
    """Return what a text can set of a kind: parameter → int, float, str or the words to choose from."""
    hints = typing.get_type_hints(kind)
    plain = {field.name: _plain(hints[field.name]) for field in dataclasses.fields(typing.cast(Any, kind))}
    return {key: hint for key, hint in plain.items() if hint in KINDS or isinstance(hint, tuple)}


def _told(name: str, values: Mapping[str, Any]) -> str:
    """Return the text that names a generator of these values."""
    told = ",".join(f"{key}={value}" for key, value in values.items() if value is not None)
    return f"{name}:{told}" if told else name


def _plain(hint: Any) -> Any:
    """Return a type without `| None`, and a choice as the tuple of its words."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        rest = [one for one in typing.get_args(hint) if one is not type(None)]
        return _plain(rest[0]) if len(rest) == 1 else hint
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else hint


def _value(spec: str, key: str, text: str, kind: Any) -> Any:
    if isinstance(kind, tuple):
        if text in kind:
            return text
        close = nearest(text, kind)
        hint = f"; did you mean '{close}'?" if close else ""
        raise BadInput(
            f"generator '{shown(spec)}': {key} is one of {', '.join(kind)}, not '{shown(text)}'{hint}"
        )
    try:
        return kind(text)
    except ValueError:
        raise BadInput(f"generator '{shown(spec)}': {key} takes {KINDS[kind]}, not '{shown(text)}'") from None


def _takes(name: str, known: Mapping[str, Any]) -> str:
    return f"{name} takes {', '.join(known) or 'nothing'}"
