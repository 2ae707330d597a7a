"""What could tell pictures apart although it has nothing to do with their generator, picture by picture.

Facts of the pixels (range, grey levels, gaps, grey histogram, frame, JPEG grid) and, where pictures come
from files, facts of the files. Nothing is judged here: `confounders` says what would split a bag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whorl.compression import grid
from whorl.headers import Header, headers
from whorl.kernels.slabs import batches
from whorl.records import Array, ImageSet

BATCH = 64
UNKNOWN = "not known"
_SILENT: Callable[[str, int, int], None] = lambda label, done, total: None  # noqa: E731
_FAINT = 0.1  # strengths above it count by their logarithm: strong grids vary much, faint ones little


@dataclass(frozen=True, eq=False)
class Trace:
    """One fact about every picture: a word each, or numbers each.

    `words` has n entries, or `numbers` is (n, d), all of one unit, with names in `columns`; `grain` is
    the smallest difference that means anything.
    """

    name: str
    what: str
    words: tuple[str, ...] = ()
    numbers: Array | None = None
    columns: tuple[str, ...] = ()
    grain: float = 0.0

    def __len__(self) -> int:
        return len(self.words) if self.numbers is None else len(self.numbers)


def traces(
    images: ImageSet,
    files: Mapping[str, Path] | None = None,
    progress: Callable[[str, int, int], None] = _SILENT,
) -> tuple[Trace, ...]:
    """Return every trace of the pictures; those of files only where `files` (id → path) knows them.

    `progress` is called with a label, the pictures done and their number.
    """
    parts = []
    for rows, stack in batches(images.pixels, BATCH):
        progress("looking for confounders", rows.start, len(images))
        parts.append(_facts(stack))
    progress("looking for confounders", len(images), len(images))
    known = headers(images.ids, files or {})
    facts = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return (*_of_files(known), *_of_pixels(facts))


def _of_files(known: Sequence[Header | None]) -> tuple[Trace, ...]:
    """Return the traces of the files, or none if no picture has one."""
    if not any(known):
        return ()
    kinds = (
        ("file format", "the format of the file", "format"),
        ("size", "width × height in the file, before any resizing", "size"),
        ("bit depth", "bits per value and kind of colour in the file", "depth"),
        ("metadata", "names of the text, colour and other blocks beside the pixels", "metadata"),
        ("software", "the program or device that the file names", "software"),
        ("encoder settings", "effort of PNG, tables and sampling of JPEG, syntax of DICOM", "encoder"),
    )
    found = [
        Trace(name, what, tuple(getattr(one, field) or UNKNOWN if one else UNKNOWN for one in known))
        for name, what, field in kinds
    ]
    found.append(Trace("data blocks", "length of the pieces that the encoder writes", tuple(_pieces(known))))
    if any(one.filters for one in known if one):
        used = np.asarray([one.filters or (0.0,) * 5 if one else (0.0,) * 5 for one in known])
        what = "how often each of PNG's row filters is used"
        columns = ("none", "left", "above", "mean", "Paeth")
        found.append(Trace("PNG row filters", what, (), used, columns, 0.05))
    density = np.asarray([one.bytes_per_pixel if one else 0.0 for one in known])
    if (density > 0).all():
        column = np.log2(density)[:, None]
        what = "how many bytes of file a pixel takes, as a power of 2"
        found.append(Trace("bytes per pixel", what, (), column, ("log2 of bytes per pixel",), 0.02))
    return tuple(found)


def _pieces(known: Sequence[Header | None]) -> list[str]:
    """Name the length of the data chunks; a picture in one chunk fits any encoder with longer ones."""
    full = sorted({one.piece for one in known if one and one.pieces > 1})
    names = []
    for one in known:
        if one is None or not one.pieces:
            names.append(UNKNOWN)
        elif one.pieces > 1:
            names.append(f"{one.piece:,} bytes")
        else:
            fits = [length for length in full if length >= one.piece]
            names.append(f"{fits[0]:,} bytes" if len(fits) == 1 else "one piece")
    return names


def _of_pixels(facts: Mapping[str, Array]) -> tuple[Trace, ...]:
    """Return the traces of the pixels from their facts, one array per fact."""

    def numbers(name: str, what: str, columns: tuple[str, ...], grain: float) -> Trace:
        table = np.stack([facts[column] for column in columns], axis=1).astype(np.float64)
        return Trace(name, what, (), table, columns, grain)

    tenths = np.asarray(facts["deciles"], np.float64)
    shares = tuple(f"{share} % below" for share in range(10, 100, 10))
    steps = [_step_word(int(step)) for step in facts["step"]]
    return (
        Trace("grey step", "the step that all grey levels of a picture are multiples of", tuple(steps)),
        numbers("intensity range", "darkest and brightest grey level", ("darkest", "brightest"), 1),
        numbers(
            "clipping",
            "share of pixels at either end, as its root",
            ("at darkest", "at brightest"),
            0.02,
        ),
        numbers("grey levels", "number of different grey levels", ("levels",), 2),
        numbers("histogram gaps", "empty levels, and jumps from level to level", ("empty", "jumps"), 0.01),
        Trace("grey histogram", "how dark and bright the pixels are, by tenths", (), tenths, shares, 1.0),
        numbers("constant border", "rows and columns of one level at the edge", ("rows", "columns"), 2),
        numbers(
            "JPEG grid",
            "traces of JPEG's 8×8 blocks in the pixels, at the corner and elsewhere",
            ("grid at the corner", "grid elsewhere"),
            0.1,
        ),
        numbers(
            "JPEG steps",
            "how coarsely JPEG quantised the pixels' coefficients",
            ("log2 of the step",),
            0.3,
        ),
    )


def _step_word(step: int) -> str:
    if step < 0:
        return "fractions of a level"
    return "one level only" if step == 0 else f"step {step}"


def _facts(stack: Array) -> dict[str, Array]:
    """Return the facts of a batch (b, height, width); each is (b,) or (b, 9)."""
    flat = stack.reshape(len(stack), -1)
    whole = np.rint(flat).astype(np.int64).clip(0, 255)
    rows = np.arange(len(flat))[:, None]
    counts = np.bincount((whole + 256 * rows).ravel(), minlength=256 * len(flat)).reshape(-1, 256)
    shares = counts / flat.shape[1]
    rising = shares.cumsum(axis=1)
    lowest, highest = flat.min(axis=1), flat.max(axis=1)
    fractional = (flat != whole).any(axis=1)
    bends = np.abs(shares[:, 1:-1] - (shares[:, :-2] + shares[:, 2:]) / 2).sum(axis=1)
    tenths = [(rising < share - 1e-9).sum(axis=1) for share in np.arange(1, 10) / 10]
    corner, elsewhere, steps = grid(stack)
    return {
        "darkest": lowest,
        "brightest": highest,
        "at darkest": np.sqrt((flat == lowest[:, None]).mean(axis=1)),
        "at brightest": np.sqrt((flat == highest[:, None]).mean(axis=1)),
        "levels": _levels(flat, fractional, counts),
        "step": np.where(fractional, -1, [_step(some) for some in counts]),
        "empty": np.asarray([_empty(some, share) for some, share in zip(counts, rising, strict=True)]),
        "jumps": bends,
        "deciles": np.stack(tenths, axis=1),
        "rows": _constant(stack),
        "columns": _constant(stack.transpose(0, 2, 1)),
        "grid at the corner": np.arcsinh(corner / _FAINT),
        "log2 of the step": np.log2(steps),
        "grid elsewhere": np.arcsinh(elsewhere / _FAINT),
    }


def _levels(flat: Array, fractional: Array, counts: Array) -> Array:
    """Return the number of different values in every picture, (b,)."""
    found = (counts > 0).sum(axis=1)
    for row in np.flatnonzero(fractional):
        found[row] = len(np.unique(flat[row]))
    return np.asarray(found)


def _step(counts: Array) -> int:
    """Return the greatest common divisor of the distances between the levels in use."""
    return int(np.gcd.reduce(np.diff(np.flatnonzero(counts)), initial=0))


def _empty(counts: Array, rising: Array) -> float:
    """Return the share of unused levels in the middle nine tenths, where a picture uses all it has."""
    first, last = np.searchsorted(rising, [0.05, 0.95])
    return float((counts[first : last + 1] == 0).mean())


def _constant(stack: Array) -> Array:
    """Return how many rows of one level lie together at the top and the bottom, (b,)."""
    varied = stack.max(axis=2) != stack.min(axis=2)
    height = varied.shape[1]
    top, bottom = varied.argmax(axis=1), varied[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(varied.any(axis=1), top + bottom, height))
