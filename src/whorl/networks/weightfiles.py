"""Weight files: found by name, known again by their SHA-256, read without running what is in them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from whorl.records import BadInput

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
WRAPPERS = ("state_dict", "model", "state_dict_ema")
PARTS = "*.safetensors"
Tensors = dict[str, Any]


def files_of(network: str, place: Path) -> tuple[Path, ...]:
    """Return the files of a network's weights: `place` itself, or what bears its name in that folder.

    A folder of the network's name holds weights that come in several files.
    """
    if place.is_file():
        return (place,)
    if not place.is_dir():
        raise BadInput(f"{place}: no such file or folder of weights")
    named = sorted(one for one in place.iterdir() if one.is_file() and _is_of(one.name, network))
    exact = [one for one in named if one.stem == network]
    found = exact or named
    if len(found) > 1:
        listed = ", ".join(one.name for one in found)
        raise BadInput(f"{place}: several files for '{network}': {listed}; name one with --weights FILE")
    parts = tuple(sorted((place / network).glob(PARTS))) if not found else ()
    if not found and not parts:
        raise BadInput(f"{place / network}.safetensors is missing")
    return tuple(found) or parts


def _is_of(file: str, network: str) -> bool:
    """Whether a file is named after the network, with or without the name of its training."""
    stem = next((file[: -len(end)] for end in SUFFIXES if file.endswith(end)), "")
    return stem == network or stem.startswith(f"{network}.")


def digest_of_files(files: Sequence[Path]) -> str:
    """Return the SHA-256 of a file, or one over those of several."""
    sums = [_digest(str(file), *_stamp(file)) for file in files]
    return sums[0] if len(sums) == 1 else hashlib.sha256(" ".join(sums).encode()).hexdigest()


def _stamp(file: Path) -> tuple[int, int, int]:
    """What changes when a file does: so that a sum is taken once in a run, and again of another file."""
    try:
        found = file.stat()
    except OSError as error:
        raise BadInput(f"{file}: cannot read the weights ({error.strerror})") from None
    return found.st_size, found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=64)
def _digest(file: str, *_stamp: int) -> str:
    try:
        with Path(file).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{file}: cannot read the weights ({error.strerror})") from None


def read(files: Sequence[Path]) -> Tensors:
    """Return the tensors of one or several files; nothing that a file holds is run."""
    found: Tensors = {}
    for file in files:
        found |= _safetensors(file) if file.suffix == ".safetensors" else _pickled(file)
    return found


def _safetensors(file: Path) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{file}: not a file of weights ({error}); fetch it again") from None


def _pickled(file: Path) -> Tensors:
    """Tensors of a .pth file; whatever else is in it is refused by PyTorch itself."""
    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail in any way
        if type(error).__name__ == "UnpicklingError":
            raise BadInput(f"{file}: holds more than tensors and is not read; use safetensors") from None
        raise BadInput(f"{file}: not a file of weights ({_line(error)}); fetch it again") from None
    while isinstance(content, Mapping) and (inner := _wrapped(content)) is not None:
        content = inner
    if not isinstance(content, Mapping):
        raise BadInput(f"{file}: holds no table of tensors")
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}


def _wrapped(content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def load(model: Any, tensors: Tensors, named: str) -> None:
    """Put the tensors into a model; every one that it has must be there, in its shape."""
    wanted = model.state_dict()
    state = {name: value for name, value in _translated(tensors, wanted).items() if name in wanted}
    lacking = set(wanted) - set(state)
    if lacking:
        raise BadInput(f"{named}: {len(lacking)} of its tensors are missing, such as '{min(lacking)}'")
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            shapes = f"{tuple(value.shape)} in place of {tuple(wanted[name].shape)}"
            raise BadInput(f"{named}: '{name}' is {shapes}")
    model.load_state_dict(state)


def _translated(tensors: Tensors, wanted: Mapping[str, Any]) -> Tensors:
    """Tensors under the model's own names: those of torchvision's VGG and DenseNet differ from timm's."""
    found = {}
    for name, value in tensors.items():
        for rename in RENAMES:
            name = rename(name)
        if name in wanted and value.ndim < wanted[name].ndim and value.numel() == wanted[name].numel():
            value = value.reshape(wanted[name].shape)  # a dense layer that the model holds as a convolution
        found[name] = value
    return found


def _without(prefix: str) -> Callable[[str], str]:
    return lambda name: name.removeprefix(prefix)


def _dense(name: str) -> str:
    """DenseNet of torchvision's older files: norm.1 for norm1."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)


def _vgg(name: str) -> str:
    """VGG of torchvision: classifier.0 and .3 for timm's two dense layers."""
    found = re.match(r"classifier\.([03])\.(weight|bias)$", name)
    if found is None:
        return name
    return f"pre_logits.fc{1 + int(found[1]) // 3}.{found[2]}"


RENAMES = (_without("module."), _dense, _vgg)
