"""Tables some rows at a time: of those that lie in files, what has been read is let go again."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator

from whorl.records import Array

SLAB_BYTES = 64 * 2**20


def slabs(table: Array, width: int = 8, most: int = SLAB_BYTES) -> Iterator[tuple[slice, Array]]:
    """Yield some rows after another, as many as fit if each number takes `width` bytes."""
    return batches(table, max(1, most // (width * max(1, math.prod(table.shape[1:])))))


def batches(table: Array, count: int) -> Iterator[tuple[slice, Array]]:
    """Yield so many rows after another."""
    for start in range(0, len(table), count):
        part = slice(start, min(start + count, len(table)))
        yield part, table[part]
        release(table)


def release(table: Array) -> None:
    """Let the pages of a table that lies in a file leave this process; they are read again when asked for."""
    file = _file(table)
    if file is not None and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def in_file(table: Array) -> bool:
    """Whether a table lies in a file, from which the system may take its memory back."""
    return _file(table) is not None


def _file(table: object) -> mmap.mmap | None:
    """The file behind an array or behind what it is a part of."""
    while table is not None and not isinstance(table, mmap.mmap):
        table = getattr(table, "base", None)
    return table
