"""Networks on disk: a safetensors file of numbers, and JSON beside it that says what they are.

The JSON names its file of numbers and their SHA-256 and is written last, so what a killed run leaves is
the state before or the state after, never half of one. What does not match its sum is not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whorl.exports import json_text
from whorl.store import sweep, write_bytes, write_text

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Kept:
    """Numbers by name, and the facts about them, plain values only."""

    tensors: Tensors
    facts: Mapping[str, Any]


def write(folder: Path, name: str, kept: Kept) -> None:
    """Write NAME.json and the numbers it names; the numbers of the state before are removed after it."""
    from safetensors.numpy import save

    # Safetensors writes arrays as they lie in memory.
    content = save({key: np.asarray(value, order="C") for key, value in kept.tensors.items()})
    total = hashlib.sha256(content).hexdigest()
    file = f"{name}-{total[:16]}.safetensors"
    write_bytes(folder / file, content)
    write_text(folder / f"{name}.json", json_text({**kept.facts, "file": file, "sha256": total}) + "\n")
    for older in folder.glob(f"{name}-*.safetensors"):
        if older.name != file:
            older.unlink(missing_ok=True)


def read(folder: Path, name: str) -> Kept | None:
    """Return what was written, or nothing where it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        facts = json.loads((folder / f"{name}.json").read_bytes())
        # The name is made again from the sum, so that it can point nowhere else.
        content = (folder / f"{name}-{facts['sha256'][:16]}.safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            return None
        return Kept(load(content), facts)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def remove(folder: Path, name: str) -> None:
    """Remove what was written under a name."""
    for file in (folder / f"{name}.json", *folder.glob(f"{name}-*.safetensors")):
        file.unlink(missing_ok=True)


def tidy(folder: Path) -> None:
    """Remove what killed runs left half-written."""
    if folder.is_dir():
        sweep(folder)
