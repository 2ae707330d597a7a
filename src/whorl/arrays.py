"""Arrays as a source of pictures, and the one array that the pictures of a set are kept in."""

from __future__ import annotations

import hashlib
import math
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from PIL import Image

from whorl.folders import shown
from whorl.kernels.slabs import release, slabs
from whorl.records import Array, BadInput

SPILL_BYTES = 2**30
LET_GO = 256  # pictures after which those in a file need not stay in memory as well


class Stack:
    """All pictures of a set in one array, which becomes float32 as soon as one picture is."""

    def __init__(self, capacity: int, spill_bytes: int = SPILL_BYTES) -> None:
        self.capacity = capacity
        self.spill_bytes = spill_bytes
        self.used = 0
        self.mixed = False
        self._whole: Array | None = None

    def add(self, picture: Array) -> None:
        """Append one picture, (height, width), of the size of the others."""
        if self._whole is None:
            self._whole = allocate((self.capacity, *picture.shape), picture.dtype, self.spill_bytes)
        if picture.dtype != self._whole.dtype:
            self.mixed = True
            if self._whole.dtype == np.uint8:
                wider = allocate(self._whole.shape, np.float32, self.spill_bytes)
                for part, some in slabs(self._whole[: self.used]):
                    wider[part] = some
                    release(wider)
                self._whole = wider
        self._whole[self.used] = picture
        self.used += 1
        if self.used % LET_GO == 0:
            release(self._whole)

    def pixels(self) -> Array:
        """Return what was added, (n, height, width)."""
        if self._whole is None:
            raise ValueError("no picture was added")
        return self._whole[: self.used]


def allocate(shape: tuple[int, ...], dtype: DTypeLike, spill_bytes: int = SPILL_BYTES) -> Array:
    """Return an empty array, in memory or, above so many bytes, in an unlinked temporary file."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= spill_bytes:
        return np.empty(shape, dtype)
    try:
        with tempfile.TemporaryFile(prefix="whorl-") as file:
            # Reserved at once: a disk that fills up later would kill the process, not raise an error.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.memmap(file, dtype, "r+", shape=shape).view(np.ndarray)
    except OSError as error:
        where = tempfile.gettempdir()
        raise BadInput(
            f"{size / 2**30:,.1f} GiB of temporary space needed in {where}: {error.strerror}; "
            "free some, set TMPDIR, give more --memory or a smaller --size"
        ) from None


def digest_of_picture(picture: Array) -> str:
    """Return a SHA-256 over size, type and pixels (32 hexadecimal digits)."""
    height, width = picture.shape
    hashed = hashlib.sha256(f"{height}×{width} {picture.dtype.str} ".encode())
    hashed.update(np.ascontiguousarray(picture).data)
    return hashed.hexdigest()[:32]


def resized(picture: Array, size: int) -> Array:
    """Return the picture as size×size of the same type, by bilinear averaging without aliasing."""
    if picture.shape == (size, size):
        return picture
    return np.array(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))


def opened(path: Path) -> Array:
    """Open a `.npy` file without reading it whole; pickled content is refused."""
    where = shown(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadInput(f"{where}: not a regular file")
        return np.lib.format.open_memmap(path, mode="r")
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{where}: {(error.strerror or 'cannot be read').lower()}") from None
    except Exception as error:  # a damaged header raises almost any class
        raise BadInput(f"{where}: not a usable .npy file ({shown(error)})") from None


def bare(source: Any, where: str) -> Any:
    """Return a tensor, or whatever else says how to become an array, as one; without a single channel."""
    if not isinstance(source, np.ndarray) and hasattr(source, "__array__"):
        try:
            source = np.asarray(source)
        except Exception as error:  # of a library of its own: on another device, or part of a graph
            raise BadInput(f"{where}: {shown(error)}; give the tensor as tensor.detach().cpu()") from None
    if isinstance(source, np.ndarray) and source.ndim == 4 and source.shape[1] == 1:
        return source[:, 0]
    return source


def pictures(source: Array | Sequence[Array], where: str) -> tuple[Callable[[int], Array], list[str]]:
    """Check an array (n, height, width) or a list of (height, width); return a reader and notes.

    The reader gives uint8 or float32 on 0 to 255; floating-point values that all lie in 0 to 1 are
    multiplied by 255, and a note says so.
    """
    if isinstance(source, np.ndarray) and source.ndim != 3:
        raise BadInput(f"{where}: an array of shape {source.shape}, not (pictures, height, width)")
    low, high = math.inf, -math.inf
    floating = False
    for index, picture in enumerate(source):
        _check(picture, f"{where}: picture {index:04d}")
        low, high = min(low, float(picture.min())), max(high, float(picture.max()))
        floating |= picture.dtype.kind == "f"
        _let_go(source, index)
    if low < 0 or high > 255:
        hint = "; divide 16-bit values by 257" if low >= 0 and 255 < high <= 65535 else ""
        raise BadInput(f"{where}: values from {low:g} to {high:g}; bring them to 0…255{hint}")
    factor = 255 if floating and high <= 1 else 1
    notes = ["values from 0 to 1 were multiplied by 255"] if factor == 255 else []

    def read(index: int) -> Array:
        _let_go(source, index)
        return _converted(source[index], factor)

    return read, notes


def _let_go(source: Array | Sequence[Array], index: int) -> None:
    """Let go what was read of a file, now and then."""
    if index % LET_GO == 0 and isinstance(source, np.ndarray):
        release(source)


def _check(picture: Array, where: str) -> None:
    if picture.ndim != 2:
        raise BadInput(f"{where}: shape {picture.shape}, not (height, width)")
    if picture.dtype.kind not in "buif":
        raise BadInput(f"{where}: values of type {picture.dtype}, not numbers from 0 to 255")
    if min(picture.shape) < 8:
        raise BadInput(f"{where}: too small ({picture.shape[1]}×{picture.shape[0]}; at least 8×8)")
    if not np.isfinite(picture).all():
        raise BadInput(f"{where}: holds NaN or infinite values")


def _converted(picture: Array, factor: int) -> Array:
    if picture.dtype.kind == "f":
        return np.asarray(picture * np.float32(factor), dtype=np.float32)
    scale = 255 if picture.dtype.kind == "b" else factor
    return picture.astype(np.uint8) * np.uint8(scale)
