"""How a picture was made, in numbers that need no other picture: grey levels, sharpness, JPEG, framing, file.

Each kind of facts is one table, picture by picture; no fact of one picture depends on any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whorl.compression import grid
from whorl.features.frequency import radial_spectrum
from whorl.headers import Header
from whorl.kernels.slabs import batches
from whorl.records import Array, ImageSet

BATCH = 64
GRID_SIDE = (
    48  # pixels of the middle that are searched for JPEG's blocks: more would cost time and add little
)
FINE_SIDE = 64  # of the middle, for sharpness and noise
RINGS = 16
CELLS = 4
MOST_WORDS = 8  # of one field of the files; rarer ones count as one
_FAINT = 0.1
_WORDS = (
    ("format", "file format"),
    ("size", "size in the file"),
    ("depth", "bit depth"),
    ("metadata", "metadata"),
    ("software", "software or device"),
    ("encoder", "encoder settings"),
)


@dataclass(frozen=True, eq=False)
class Facts:
    """One kind of facts: (n, d) numbers with a name for each column."""

    name: str
    what: str
    columns: tuple[str, ...]
    table: Array


KINDS = (
    ("intensity", "range and histogram of the grey levels"),
    ("sharpness and noise", "spectrum, fine steps and noise"),
    ("compression", "what JPEG left in the pixels"),
    ("framing", "border, background and where the brightness lies"),
)


def of_pixels(images: ImageSet) -> tuple[Facts, ...]:
    """Return the facts of the pixels, one table a kind."""
    parts = [
        [_intensity(stack), _sharpness(stack), _compression(stack), _framing(stack)]
        for _, stack in batches(images.pixels, BATCH)
    ]
    found = []
    for place, (name, what) in enumerate(KINDS):
        table = np.concatenate([np.stack(list(part[place].values()), axis=1) for part in parts])
        found.append(Facts(name, what, tuple(parts[0][place]), np.asarray(table, np.float64)))
    return tuple(found)


def of_files(known: Sequence[Header | None]) -> Facts | None:
    """Return what the files say, words as 0 or 1; nothing if no picture has a file.

    Give all pictures that will be compared at once: which words are rare is counted over all of them.
    """
    if not any(known):
        return None
    columns: dict[str, Array] = {"no header": np.asarray([one is None for one in known])}
    for field, title in _WORDS:
        words = np.asarray([getattr(one, field) if one else "" for one in known])
        names, counts = np.unique(words, return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")][:MOST_WORDS]:
            columns[f"{title} {name or 'not known'}"] = words == name
    pieces = [one.piece if one and one.pieces > 1 else 0 for one in known]
    columns["length of data blocks"] = np.log2(np.asarray(pieces, np.float64) + 1)
    columns["bytes per pixel"] = np.asarray([one.bytes_per_pixel if one else 0.0 for one in known])
    rows = np.asarray([one.filters if one and one.filters else (0.0,) * 5 for one in known])
    for place, name in enumerate(("none", "left", "above", "mean", "Paeth")):
        columns[f"PNG rows filtered by {name}"] = rows[:, place]
    table = np.stack(list(columns.values()), axis=1).astype(np.float64)
    return Facts(
        "file", "format, size, depth, metadata, device and encoder of the file", tuple(columns), table
    )


def _middle(stack: Array, side: int) -> Array:
    """Cut the middle out, from a whole block of JPEG on."""
    top, left = ((length - min(side, length)) // 16 * 8 for length in stack.shape[1:])
    return np.ascontiguousarray(stack[:, top : top + side, left : left + side])


def _intensity(stack: Array) -> dict[str, Array]:
    """Return range, gaps and histogram of each picture."""
    flat = stack.reshape(len(stack), -1)
    whole = flat if flat.dtype == np.uint8 else np.rint(flat).clip(0, 255).astype(np.uint8)
    shares = np.stack([np.bincount(row, minlength=256) for row in whole]) / flat.shape[1]
    rising, levels = shares.cumsum(axis=1), np.arange(256)
    lowest, highest = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    mean = shares @ levels
    used = np.count_nonzero(shares, axis=1)
    inside = (rising >= 0.05) & (rising <= 0.95)
    rows = np.arange(len(flat))
    bends = np.abs(shares[:, 1:-1] - (shares[:, :-2] + shares[:, 2:]) / 2).sum(axis=1)
    found = {
        "darkest": lowest,
        "brightest": highest,
        "share at darkest": np.sqrt(shares[rows, np.rint(lowest).astype(np.int64).clip(0, 255)]),
        "share at brightest": np.sqrt(shares[rows, np.rint(highest).astype(np.int64).clip(0, 255)]),
        "levels used": np.log2(used),
        "unused levels": ((shares == 0) & inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1),
        "jumps in the histogram": np.log(bends + 1e-3),
        "fractions of a level": (flat != whole).mean(axis=1),
        "mean": mean,
        "spread": np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0)),
    }
    tenths = {f"{share} % below": (rising < share / 100 - 1e-9).sum(axis=1) for share in range(10, 100, 10)}
    return found | tenths


def _sharpness(stack: Array) -> dict[str, Array]:
    """Return the spectrum of the middle and the size of its finest steps, as logarithms."""
    grey = np.asarray(_middle(stack, FINE_SIDE), np.float32)
    across, down = np.diff(grey, axis=2), np.diff(grey, axis=1)
    corner = np.abs(np.diff(across, axis=1)).reshape(len(grey), -1)
    slopes = np.abs(across).mean(axis=(1, 2)), np.abs(down).mean(axis=(1, 2))
    quiet, mean = np.median(corner, axis=1), corner.mean(axis=1)
    found = {
        "noise": np.log(quiet + 0.5),
        "noise beside edges": np.log((mean + 0.5) / (quiet + 0.5)),
        "sharpness": np.log((mean + 0.1) / (slopes[0] + slopes[1] + 0.1)),
        "steps across over steps down": np.log((slopes[0] + 0.1) / (slopes[1] + 0.1)),
    }
    power = np.asarray(radial_spectrum(grey, RINGS), np.float64)
    return found | {f"power at frequency {ring + 1} of {RINGS}": power[:, ring] for ring in range(RINGS)}


def _compression(stack: Array) -> dict[str, Array]:
    corner, elsewhere, step = grid(_middle(stack, GRID_SIDE))
    return {
        "JPEG grid at the corner": np.arcsinh(corner / _FAINT),
        "JPEG grid elsewhere": np.arcsinh(elsewhere / _FAINT),
        "log2 of JPEG's step": np.log2(step),
    }


def _framing(stack: Array) -> dict[str, Array]:
    """Return how much of each side is one level, how much is background, and where the brightness lies."""
    columns, rows = stack.max(axis=1) != stack.min(axis=1), stack.max(axis=2) != stack.min(axis=2)
    found = {
        f"constant at the {name}": np.log2(1 + np.where(one.any(axis=1), one.argmax(axis=1), one.shape[1]))
        for name, one in (
            ("top", rows),
            ("bottom", rows[:, ::-1]),
            ("left", columns),
            ("right", columns[:, ::-1]),
        )
    }
    lowest = stack.min(axis=(1, 2), keepdims=True)
    found["background"] = (stack <= lowest + 4).mean(axis=(1, 2))
    cells = _cells(stack)
    weight = cells / np.maximum(cells.sum(axis=(1, 2), keepdims=True), 1e-6)
    for name, axis in (("height", 2), ("width", 1)):
        along = weight.sum(axis=axis)
        at = np.linspace(-1, 1, along.shape[1])
        centre = along @ at
        found[f"centre in {name}"] = centre
        found[f"reach in {name}"] = np.sqrt(np.maximum(along @ at**2 - centre**2, 0))
    coarse = _cells(stack, CELLS) - stack.mean(axis=(1, 2), keepdims=True)
    return found | {
        f"brightness of cell {row + 1}, {column + 1}": coarse[:, row, column]
        for row in range(CELLS)
        for column in range(CELLS)
    }


def _cells(stack: Array, side: int = 16) -> Array:
    """Return mean grey levels of side × side cells; what does not divide is left out at the far edges."""
    side = min(side, *stack.shape[1:])
    step_down, step_across = (length // side for length in stack.shape[1:])
    cut = stack[:, : side * step_down, : side * step_across]
    cells = cut.reshape(len(stack), side, step_down, side, step_across)
    return np.asarray(cells.mean(axis=(2, 4), dtype=np.float32))
