"""Lines of text and lists of ids as arrays of bytes: blocks of a file, fields of each line, sorted ids."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from whorl.folders import shown
from whorl.records import Array, BadInput

Ids = NDArray[np.bytes_]
BLOCK = 1 << 20
LONGEST_LINE = 1024
LONGEST_ID = 255
SHOWN = 60
COMMA, NEWLINE, NUL, RETURN = 44, 10, 0, 13
BLANKS = (32, 9)
EXTENSION = re.compile(rb"(?i)\.(?:png|jpe?g|tiff?|bmp|gif|webp|dcm|npy|nii)(?=[ \t\r]*(?:\n|\Z))")


def shortened(text: bytes | str) -> str:
    """Return text on one printable line, cut to what a message has room for."""
    whole = shown(text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text)
    return whole if len(whole) <= SHOWN else whole[: SHOWN - 1] + "…"


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Yield whole lines, about a megabyte at a time; of an endless line only the beginning is kept."""
    rest = b""
    while data := stream.read(BLOCK):
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest = (rest + data)[: LONGEST_LINE + 2]
    if rest:
        yield rest


class Lines:
    """A block of lines: where each begins and ends, and where its fields are; all arrays are (lines,)."""

    def __init__(self, data: bytes) -> None:
        self.bytes = np.frombuffer(data, np.uint8)
        breaks = np.flatnonzero(self.bytes == NEWLINE)
        self.starts = np.concatenate([[0], breaks + 1])
        self.ends = np.concatenate([breaks, [len(data)]])
        if self.starts[-1] == len(data):
            self.starts, self.ends = self.starts[:-1], self.ends[:-1]
        returned = self.bytes[np.maximum(self.ends - 1, 0)] == RETURN
        self.ends = self.ends - (returned & (self.ends > self.starts))
        commas = np.flatnonzero(self.bytes == COMMA)
        row = self._row_of(commas)
        self.commas = np.bincount(row, minlength=len(self))
        self.first_comma = self.ends.copy()
        self.first_comma[row[::-1]] = commas[::-1]
        self.whole = self.ends - self.starts <= LONGEST_LINE
        self.whole[self._row_of(np.flatnonzero(self.bytes == NUL))] = False

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, row: int) -> bytes:
        """Return one line, of an endless one the beginning."""
        start, end = int(self.starts[row]), int(self.ends[row])
        return self.bytes[start : min(end, start + LONGEST_LINE + 1)].tobytes()

    def fields(self) -> tuple[Array, Array, Array]:
        """Return where the two fields stand and which lines have exactly two.

        Two (2, lines) arrays, start and end without blanks, and one of (lines,).
        """
        good = self.whole & (self.commas == 1)
        name = self._trimmed(self.starts, np.where(good, self.first_comma, self.starts))
        answer = self._trimmed(np.where(good, self.first_comma + 1, self.ends), self.ends)
        return name, answer, good

    def whole_lines(self) -> Array:
        """Return where each line stands without blanks around it: (2, lines)."""
        return self._trimmed(self.starts, np.where(self.whole, self.ends, self.starts))

    def words(self, places: Array, width: int) -> tuple[Ids, Array]:
        """Return the words at places (2, lines) as byte strings, and which are neither empty nor too long."""
        start, length = places[0], places[1] - places[0]
        fits = (length > 0) & (length <= width)
        table = np.zeros((len(start), width), np.uint8)
        for column in range(min(width, int(length[fits].max(initial=0)))):
            inside = fits & (column < length)
            table[inside, column] = self.bytes[start[inside] + column]
        return table.view(f"S{width}")[:, 0], fits

    def _row_of(self, places: Array) -> Array:
        return np.searchsorted(self.starts, places, side="right") - 1

    def _trimmed(self, starts: Array, ends: Array) -> Array:
        starts, ends = starts.copy(), ends.copy()
        for edge, step, look in ((starts, 1, 0), (ends, -1, -1)):
            left = np.flatnonzero(starts < ends)
            while len(left):
                left = left[np.isin(self.bytes[edge[left] + look], BLANKS)]
                edge[left] += step
                left = left[starts[left] < ends[left]]
        return np.stack([starts, ends])


def read_ids(source: Path, *, extension: bool) -> Ids:
    """Read a test list: one id a line, a folder of pictures, or a table with a column `file`.

    Sorted by bytes; without `extension` those of pictures are cut off.
    """
    if source.is_dir():
        from whorl import folders

        return arrange([one.id for one in folders.walk(source).candidates], extension, str(source))[0]
    if not source.is_file():
        raise BadInput(f"{shown(source)}: no such file or folder; --ids wants the test list")
    with source.open("rb") as stream:
        table = b"," in stream.readline(4096)
    if table:
        from whorl import tables

        return arrange([row["file"] for row in tables.read(source)], extension, str(source))[0]
    return _sorted_list(source, extension)


def arrange(names: Sequence[str], extension: bool, where: str) -> tuple[Ids, Array]:
    """Return the ids of files sorted by bytes, and the place of each among the names."""
    if not names:
        raise BadInput(f"{shown(where)}: no ids")
    words = np.array(written_ids(names, extension))
    order = np.argsort(words, kind="stable")
    return _fit_for_lists(words[order], where), order


def written_ids(names: Sequence[str], extension: bool) -> list[bytes]:
    """Return the ids of files as a run file writes them."""
    encoded = [name.strip().encode("utf-8", "surrogateescape") for name in names]
    return encoded if extension else [EXTENSION.sub(b"", name) for name in encoded]


def _sorted_list(source: Path, extension: bool) -> Ids:
    parts: list[Ids] = []
    with source.open("rb") as stream:
        for data in blocks(stream):
            text = data.removeprefix(b"\xef\xbb\xbf") if not parts else data
            lines = Lines(text if extension else EXTENSION.sub(b"", text))
            places = lines.whole_lines()
            width = int(min(LONGEST_ID, (places[1] - places[0]).max(initial=1)))
            words, fits = lines.words(places, max(1, width))
            if not fits.all():
                row = int(np.argmin(fits))
                number = sum(map(len, parts)) + row + 1
                raise BadInput(f"{shown(source)}, line {number:,}: {_no_id(lines.raw(row))}")
            parts.append(words)
    if not parts:
        raise BadInput(f"{shown(source)}: no ids; one a line is needed")
    ids = np.concatenate(parts)
    parts.clear()
    if (ids[1:] < ids[:-1]).any():
        ids.sort(kind="stable")
    return _fit_for_lists(ids, str(source))


def _no_id(line: bytes) -> str:
    return f"'{shortened(line)}' is no id; one of at most {LONGEST_ID} bytes on each line is needed"


def _fit_for_lists(ids: Ids, where: str) -> Ids:
    """Refuse a sorted list with an id twice, or one that no run file could write."""
    twice = np.flatnonzero(ids[1:] == ids[:-1])
    if len(twice):
        name = shortened(bytes(ids[twice[0]]))
        raise BadInput(f"{shown(where)}: the id '{name}' stands there twice; each picture needs its own")
    table = ids.view(np.uint8)
    for sign in (b",", b"/", b"\\", b"\n"):
        if (table == sign[0]).any():
            name = shortened(next(bytes(one) for one in ids if sign in bytes(one)))
            raise BadInput(f"{shown(where)}: the id '{name}' has a {sign.decode()!r}; ids are plain names")
    if ids.dtype.itemsize > LONGEST_ID:
        raise BadInput(f"{shown(where)}: an id is longer than {LONGEST_ID} bytes")
    return ids
