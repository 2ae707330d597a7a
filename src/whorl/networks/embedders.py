"""Networks that are not files: a Python function of one's own, remote or private, in the place of one.

`--embedder painters=my_embedding:painters` calls `painters` of the module `my_embedding` with grey pictures
(n, h, w), float32 of 0..255; it returns one row of numbers for each, (n, d). What the function sends
elsewhere is its own affair: whorl sends nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from whorl.records import Array, BadInput, Floats


def read(text: str) -> tuple[str, str]:
    """Split NETWORK=MODULE:FUNCTION."""
    name, _, place = text.partition("=")
    module, _, function = place.partition(":")
    if not (name and module and function):
        raise BadInput(f"--embedder {text}: write NETWORK=MODULE:FUNCTION")
    return name, place


def embed(place: str, images: Array) -> Floats:
    """Call the function on pictures and check what it returns: (n, h, w) -> (n, d)."""
    function = _function(place)
    rows = np.asarray(function(np.array(images, np.float32)))
    if rows.ndim != 2 or len(rows) != len(images) or rows.dtype.kind not in "fiu":
        raise BadInput(
            f"{place}: {len(images)} pictures gave {rows.shape}; return one row of numbers for each"
        )
    found = np.asarray(rows, np.float32)
    if not np.isfinite(found).all():
        raise BadInput(f"{place}: numbers that are not finite")
    return found


def digest(place: str) -> str:
    """Return the SHA-256 of the function's source file: a changed one is another network."""
    module = place.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None or not found.origin or not Path(found.origin).is_file():
        raise BadInput(f"{place}: no module '{module}' here; put its folder into PYTHONPATH")
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


def _function(place: str) -> Any:
    module, _, name = place.partition(":")
    try:
        function = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise BadInput(f"{place}: {error}; put its folder into PYTHONPATH") from None
    if not callable(function):
        raise BadInput(f"{place}: '{module}' has no function '{name}'")
    return function
