"""A folder of finished pieces, each named by the digest of what it was made from.

One file per piece: a line with its name and the SHA-256 of the rest, then NumPy arrays (npz, no pickle).
Files appear by an atomic rename; what a killed run left half-written is swept away; a piece whose bytes
do not match its line, or whose line names another piece, is discarded and made again.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import os
import secrets
import shutil
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from whorl.kernels.slabs import in_file
from whorl.records import Array, BadInput, Scores

MAGIC = b"whorl.store/1 "
PARTIAL = ".partial"
STALE_SECONDS = 3600.0
SHELF_BYTES, FILES_BYTES = 2**30, 8 * 2**30
RUN = secrets.token_hex(4)


class Shelf:
    """Features kept for the next recipe, the longest unused thrown out first; in memory and in files."""

    def __init__(self, limit: int = SHELF_BYTES, in_files: int = FILES_BYTES) -> None:
        self.limit = limit
        self.in_files = in_files
        self.kept: OrderedDict[str, Array] = OrderedDict()

    def get(self, key: str, make: Callable[[], Array]) -> Array:
        """Return what is kept under a key, or make and keep it."""
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        made = make()
        self.kept[key] = made
        while len(self.kept) > 1 and self._full():
            self.kept.popitem(last=False)
        return made

    def _full(self) -> bool:
        taken = [0, 0]
        for array in self.kept.values():
            taken[in_file(array)] += array.nbytes
        return taken[False] > self.limit or taken[True] > self.in_files


@dataclass(frozen=True)
class Store:
    """Pieces under `root`; nothing is trusted because of its name."""

    root: Path

    def put(self, key: str, arrays: Mapping[str, Array]) -> None:
        """Write one piece, all or nothing."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, array in arrays.items():
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
        content = buffer.getvalue()
        write_bytes(self._path(key), _head(key, content) + b"\n" + content)

    def get(self, key: str) -> dict[str, Array] | None:
        """Return a piece, or nothing where it is missing or damaged."""
        try:
            data = self._path(key).read_bytes()
        except OSError:
            return None
        head, _, content = data.partition(b"\n")
        if head == _head(key, content):
            # A piece from elsewhere may hold anything behind a matching line; NumPy refuses objects.
            with contextlib.suppress(ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError):
                return _unpacked(content)
        self._path(key).unlink(missing_ok=True)
        return None

    def put_scores(self, key: str, scores: Scores) -> None:
        """Write a table of scores."""
        names = {"ids": np.asarray(scores.ids, np.str_), "groups": np.asarray(scores.groups, np.str_)}
        origin = np.asarray([scores.recipe, scores.problem], np.str_)
        self.put(key, {**names, "values": scores.values, "nearest": scores.nearest, "origin": origin})

    def get_scores(self, key: str) -> Scores | None:
        """Return a table of scores, or nothing where it is missing or damaged."""
        piece = self.get(key)
        if piece is None or not {"ids", "groups", "values", "nearest", "origin"} <= piece.keys():
            return None
        recipe, problem = (str(word) for word in piece["origin"])
        ids, groups = (tuple(str(word) for word in piece[name]) for name in ("ids", "groups"))
        return Scores(ids, groups, piece["values"], piece["nearest"], recipe, problem)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}.npz"


def _head(key: str, content: bytes) -> bytes:
    """Return the first line of a piece: what it is, under which name, and the sum of the rest."""
    return MAGIC + key.encode() + b" " + hashlib.sha256(content).hexdigest().encode()


def _unpacked(content: bytes) -> dict[str, Array]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_bytes(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that it is there whole or not at all; `durable` also after a power cut."""
    partial = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
        if durable:
            _settle(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise BadInput(f"{path}: cannot write ({error.strerror})") from None


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a place to make a large file or a folder at, which is then at `path` whole or not at all."""
    partial = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise BadInput(f"{path}: cannot write ({error.strerror})") from None
    finally:
        _discard(partial)


def _beside(path: Path) -> Path:
    """The place where something is half-written; its name says by whom."""
    return path.with_name(f".{path.name}.{RUN}{secrets.token_hex(4)}.{os.getpid()}{PARTIAL}")


def _discard(partial: Path) -> None:
    """Remove a file or a folder if it is there."""
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Have the folder's own entry for a new file reach the disk."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8), all or nothing."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def sweep(folder: Path, names: Sequence[str] = ()) -> int:
    """Remove what killed runs left half-written; return how many files that were.

    Below a store everything half-written is ours; in a folder of results only the forms of the `names` are.
    """
    count = 0
    ours = [path for name in names for path in folder.glob(f".{glob.escape(name)}.*{PARTIAL}")]
    for orphan in ours if names else folder.rglob(f".*{PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):  # another run finished it meanwhile
            if _alive(orphan.name) and time.time() - orphan.stat().st_mtime < STALE_SECONDS:
                continue
            if orphan.is_dir():
                _discard(orphan)
            else:
                orphan.unlink()
            count += 1
    return count


def _alive(name: str) -> bool:
    """Whether the writer that a half-written file names still runs; numbers of processes come again."""
    rest, _, owner = name.removesuffix(PARTIAL).rpartition(".")
    if not owner.isdigit():
        return False
    if int(owner) == os.getpid():
        return rest.rpartition(".")[2].startswith(RUN)
    try:
        os.kill(int(owner), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
