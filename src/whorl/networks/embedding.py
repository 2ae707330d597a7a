"""Pictures through networks: which weights, on what, how many at a time; one row of features for each."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from whorl.networks import building, embedders, weightfiles
from whorl.networks.descriptions import Channels, Network, Padding, Pooling, Weights, find, owner_of, table
from whorl.records import Array, BadInput, Floats, digest_of

VARIABLE = "WHORL_WEIGHTS"
UNTRAINED = "untrained features"
Device = Literal["cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Colours = Literal["grey", "jet"]
Scaling = Literal["usual", "unit"]
KEPT_MODELS = 2
Told = Callable[[int], None]
SCRATCH = "or train it from its beginning with"
_MODELS: OrderedDict[str, Any] = OrderedDict()


@dataclass(frozen=True)
class Plan:
    """A network with its weights found: what its features depend on, `identity` being the digest of it."""

    name: str
    network: Network
    files: tuple[Path, ...]
    mean: Channels
    spread: Channels
    padding: Padding
    identity: str
    folded: bool = False


@dataclass(frozen=True)
class Networks:
    """Where weights are and how networks run; what of it changes a number enters a network's identity.

    `weights` is a file or a folder, that of the variable WHORL_WEIGHTS if not given. `random` takes networks
    as they are before training. `embedders` are (network, MODULE:FUNCTION) in place of networks. `told` hears
    after every batch how many pictures are through.
    """

    weights: Path | None = None
    random: bool = False
    device: Device = "cpu"
    precision: Precision = "auto"
    batch: int = 32
    embedders: tuple[tuple[str, str], ...] = ()
    known: Mapping[str, Network] | None = None
    told: Told | None = None

    def identity(self, name: str) -> str:
        """Return a digest of all that the features of a network depend on, beside the pictures."""
        own = dict(self.embedders).get(name)
        if own is not None:
            return digest_of("embedder", name, own, embedders.digest(own))
        return digest_of(self.plan(name).identity, self.device, self._precision())

    def start(self, name: str) -> Plan:
        """Return the network that a recipe trains further, no function being able to take its place."""
        return self.plan(name, f"this recipe trains '{name}' further and needs its weights", SCRATCH)

    def untrained(self, name: str) -> bool:
        """Return whether a network has weights that nobody trained."""
        described = (table() if self.known is None else self.known).get(name)
        remote = described is not None and described.library == "callable"
        return self.random and name not in dict(self.embedders) and not remote

    def plan(self, name: str, lacking: str = "", advice: str = "") -> Plan:
        """Return the network with its weights found, or say in one line what is lacking."""
        network = find(name, self.known)
        if network.library == "callable":
            raise BadInput(
                f"'{name}' is not to be had as a file: --embedder {name}=MODULE:FUNCTION names one"
            )
        if self.random:
            building.torch_or_say(f"'{name}'")
            return _planned(name, network, (), "random", None)
        files = self._files(
            name,
            lacking or f"this recipe needs the weights of '{name}'",
            advice or "swap the features, as with --features texture.lbp, or try it out with",
        )
        building.torch_or_say(f"'{name}'")
        digest = weightfiles.digest_of_files(files)
        return _planned(name, network, files, digest, self._known(name, network, files, digest))

    def embed(
        self,
        images: Array,
        network: str,
        resize: int = 0,
        pooling: Pooling | Literal["usual"] = "usual",
        colours: Colours = "grey",
        scaling: Scaling = "usual",
    ) -> Floats:
        """Return the features of grey pictures 0..255: (n, h, w) -> (n, features)."""
        own = dict(self.embedders).get(network)
        if own is not None:
            return embedders.embed(own, images)
        plan = self.plan(network)
        side = resize or plan.network.size
        _check_size(plan, (side, side) if side else images.shape[1:])
        torch = building.torch_or_say(f"'{network}'")
        _check_device(torch, self.device)
        model = self._model(torch, plan)
        chosen = plan.network.pooling if pooling == "usual" else pooling
        mean, spread = ((0.0,) * 3, (1.0,) * 3) if scaling == "unit" else (plan.mean, plan.spread)
        found = []
        with torch.inference_mode(), _exact(torch), self._autocast(torch):
            for start in range(0, len(images), self.batch):
                given = torch.from_numpy(np.array(images[start : start + self.batch]))
                if self.device == "cuda":  # copied while the batch before it is still at work
                    given = given.pin_memory().to("cuda", non_blocking=True)
                pictures = _normalised(torch, _resized(torch, given, side), colours, mean, spread)
                found.append(building.pooled(model, pictures, chosen).float())
                if self.told is not None:
                    self.told(start + len(given))
            rows = np.asarray(torch.cat(found).cpu().numpy(), np.float32)
        if not np.isfinite(rows).all():
            raise BadInput(f"'{network}' gives numbers that are not finite: use --precision fp32")
        return rows

    def _files(self, name: str, lacking: str, advice: str) -> tuple[Path, ...]:
        place = self.weights or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
        try:
            if place is None:
                raise BadInput(f"neither --weights nor {VARIABLE} says where they are")
            return weightfiles.files_of(name, place)
        except BadInput as error:
            raise BadInput(
                f"{lacking}: {error}; fetch them (`whorl weights fetch {name}`), {advice} "
                f"--random-weights{_extra()}"
            ) from None

    def _known(self, name: str, network: Network, files: tuple[Path, ...], digest: str) -> Weights | None:
        """What is known of these weights, by their sum or by the training that the file's name tells."""
        owner = owner_of(digest, self.known)
        if owner is not None and owner[0] != name:
            raise BadInput(f"{files[0]}: these are the weights of '{owner[0]}', not of '{name}'")
        label = owner[1] if owner else files[0].name.removeprefix(f"{name}.").rpartition(".")[0]
        return network.weights.get(label) or network.weights.get(network.usual)

    def _model(self, torch: Any, plan: Plan) -> Any:
        """The network, kept for the next batch; the one unused for longest makes room."""
        key = digest_of(plan.identity, self.device)
        if key not in _MODELS:
            model = building.build(plan.network, plan.padding, 0 if self.random else None)
            if plan.files:
                named = f"{plan.files[0]}: not the weights of '{plan.name}'"
                weightfiles.load(model, weightfiles.read(plan.files), named)
            _MODELS[key] = model.to(self.device)
        _MODELS.move_to_end(key)
        while len(_MODELS) > KEPT_MODELS:
            _MODELS.popitem(last=False)
        return _MODELS[key]

    def _precision(self) -> str:
        return ("bf16" if self.device == "cuda" else "fp32") if self.precision == "auto" else self.precision

    def _autocast(self, torch: Any) -> Any:
        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
        wanted = self._precision()
        return torch.autocast(self.device, kinds.get(wanted, torch.bfloat16), enabled=wanted in kinds)


def _planned(
    name: str, network: Network, files: tuple[Path, ...], digest: str, weights: Weights | None
) -> Plan:
    mean = (weights and weights.mean) or network.mean
    spread = (weights and weights.spread) or network.spread
    padding = (weights and weights.padding) or network.padding
    facts = network.model_dump(include={"library", "architecture", "options", "size", "pooling"})
    identity = digest_of(name, digest, facts, mean, spread, padding)
    folded = weights is not None and weights.folded
    return Plan(name, network, files, mean, spread, padding, identity, folded)


def _normalised(torch: Any, pictures: Any, colours: Colours, mean: Channels, spread: Channels) -> Any:
    """Three channels (n, 3, h, w) as the network saw them in training, from grey ones (n, h, w) of 0..255."""
    shape = (1, 3, 1, 1)
    grey = pictures[:, None] / 255.0
    if colours == "jet":
        peaks = torch.tensor([3.0, 2.0, 1.0], device=grey.device).reshape(shape)
        grey = (1.5 - (4.0 * grey - peaks).abs()).clamp(0.0, 1.0)
    middle, scale = (torch.tensor(each, device=grey.device).reshape(shape) for each in (mean, spread))
    return (grey - middle) / scale


def _resized(torch: Any, pictures: Any, side: int) -> Any:
    stack = pictures.float()
    if not side or stack.shape[1:] == (side, side):
        return stack
    scaled = torch.nn.functional.interpolate(stack[:, None], (side, side), mode="bilinear", antialias=True)
    return scaled[:, 0]


def _check_size(plan: Plan, shape: tuple[int, ...]) -> None:
    least, multiple = plan.network.least, plan.network.multiple
    if min(shape) < least or any(side % multiple for side in shape):
        wanted = f"sides of at least {least}" + (f" that {multiple} divides" if multiple > 1 else "")
        said = "×".join(map(str, shape))
        raise BadInput(f"pictures of {said} do not go through '{plan.name}', which takes {wanted}: --size N")


def _check_device(torch: Any, device: Device) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        raise BadInput("--device cuda: PyTorch finds no GPU here; leave it out to run on the processor")


def _exact(torch: Any) -> Any:
    """The same numbers every time, and no shortened ones where full precision is asked for."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


def _extra() -> str:
    """What to say where PyTorch is missing as well."""
    try:
        building.torch_or_say("it")
    except BadInput:
        return f"; it also needs the extra: {building.DEEP}"
    return ""
