"""Folders, tables, arrays and lists of pictures become one `ImageSet`; sets are cut and joined."""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whorl import arrays, folders, isolation, tables
from whorl.arrays import Stack, digest_of_picture
from whorl.decode import STANDARD, Limits, Unreadable, decode_file
from whorl.folders import Candidate, Listing, shown, some
from whorl.records import Array, BadInput, ImageSet, Quarantined

Source = str | Path | Array | Sequence[str | Path] | Sequence[Array]
Progress = Callable[[int, int], None]
_LOOK_FURTHER = 2000


def load(
    source: Source,
    *,
    name: str,
    size: int | None = None,
    patient_from: str | None = None,
    patients: Path | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    exclude: Path | None = None,
    spill_bytes: int = arrays.SPILL_BYTES,
    limits: Limits = STANDARD,
) -> ImageSet:
    """Read every picture once, in parallel, and quarantine what cannot be read.

    `source` is a folder, a CSV or Parquet table (columns file and, if known, patient), a `.npy` file,
    an array (n, height, width), or a list of paths or of arrays. `size` resizes each picture to
    size×size, without regard to its shape. `patient_from` is a regular expression on file names,
    `patients` a table. Above `spill_bytes` the pixels live in an unlinked temporary file.
    """
    if size is not None and not limits.least_side <= size <= 8192:
        raise BadInput(f"{name}: --size {size} is not between {limits.least_side} and 8192")
    work = _with_patients(_work(source, name, exclude, limits), patient_from, patients)
    stack = Stack(len(work.listing.candidates), spill_bytes)
    try:
        with closing(_in_order(work, size, workers)) as done:
            kept = _collect(done, work, name, stack, progress)
    finally:
        isolation.close()
    return _finished(kept, work, name, stack)


def select(
    images: ImageSet, indices: Sequence[int] | NDArray[np.integer], name: str | None = None
) -> ImageSet:
    """Return some pictures in the order asked for; what was quarantined and noted stays with them."""
    rows = np.asarray(indices)
    rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
    if len(rows) and (np.diff(rows) == 1).all() and rows[0] >= 0 and rows[-1] < len(images):
        pixels = images.pixels[rows[0] : rows[-1] + 1]  # a run of neighbours needs no copy
    else:
        pixels = arrays.allocate((len(rows), *images.pixels.shape[1:]), images.pixels.dtype)
        for place, row in enumerate(rows):
            pixels[place] = images.pixels[row]
    return ImageSet(
        name=images.name if name is None else name,
        ids=tuple(images.ids[row] for row in rows),
        pixels=pixels,
        digests=tuple(images.digests[row] for row in rows),
        patients=None if images.patients is None else tuple(images.patients[row] for row in rows),
        quarantined=images.quarantined,
        notes=images.notes,
    )


def join(sets: Mapping[str, ImageSet], name: str) -> ImageSet:
    """Put sets behind one another, ids as `key/id`.

    Patients are kept if every set has them, and are the same people in all sets.
    """
    if not sets:
        raise BadInput(f"{name}: nothing to join")
    shapes = {key: images.pixels.shape[1:] for key, images in sets.items()}
    if len(set(shapes.values())) > 1:
        sizes = ", ".join(f"{shown(key)} {width}×{height}" for key, (height, width) in shapes.items())
        raise BadInput(f"{name}: sets of different sizes ({sizes}): give --size N to bring all to N×N")
    stack = Stack(sum(map(len, sets.values())))
    for images in sets.values():
        for picture in images.pixels:
            stack.add(picture)
    parts = sets.items()
    out = [(key, one) for key, images in parts for one in images.quarantined]
    digests = tuple(digest for images in sets.values() for digest in images.digests)
    owners = [images.patients for images in sets.values()]
    everyone = [one for part in owners if part is not None for one in part]
    pixels = stack.pixels() if stack.used else next(iter(sets.values())).pixels
    return ImageSet(
        name=name,
        ids=tuple(f"{key}/{one}" for key, images in parts for one in images.ids),
        pixels=pixels,
        digests=tuple(map(digest_of_picture, pixels)) if stack.mixed else digests,
        patients=None if None in owners else tuple(everyone),
        quarantined=tuple(Quarantined(f"{key}/{one.file}", one.reason) for key, one in out),
        notes=tuple(f"{key}: {note}" for key, images in parts for note in images.notes),
    )


@dataclass(frozen=True)
class _Work:
    """What is to be read: one call of `read` per candidate, in order."""

    where: str
    listing: Listing
    read: Callable[[int], Array]
    asked: str = ""


@dataclass(frozen=True)
class _Picture:
    """One picture as it will be kept, or the reason why it is not."""

    row: int
    pixels: Array | None = None
    digest: str = ""
    flat: bool = False
    reason: str = ""


def _work(source: Source, name: str, exclude: Path | None, limits: Limits) -> _Work:
    """Turn any source into candidates and a function that reads one of them."""
    source = arrays.bare(source, name)
    if isinstance(source, np.ndarray):
        return _array_work(source, name)
    if isinstance(source, str | Path):
        return _path_work(Path(source), exclude, limits)
    if source and all(isinstance(one, str | Path) for one in source):
        return _file_work(folders.files([Path(str(one)) for one in source]), name, limits)
    if source and all(isinstance(one, np.ndarray) for one in source):
        return _array_work([one for one in source if isinstance(one, np.ndarray)], name)
    what = "is empty" if not source else "holds other things than paths, or than arrays, alone"
    raise BadInput(f"{name}: the list of pictures {what}")


def _path_work(path: Path, exclude: Path | None, limits: Limits) -> _Work:
    try:
        folder = stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not a possible name").lower()
        raise BadInput(f"{shown(path)}: {reason}; give a folder, a table or a .npy file") from None
    kind = path.suffix.lower()
    if folder:
        listing = folders.walk(path, exclude)
    elif kind in tables.SUFFIXES:
        listing = tables.listing(path)
    elif kind == ".npy":
        return _array_work(arrays.opened(path), shown(path))
    else:
        raise BadInput(f"{shown(path)}: neither a folder, a table (.csv, .parquet) nor an array (.npy)")
    return _file_work(listing, shown(path), limits)


def _file_work(listing: Listing, where: str, limits: Limits) -> _Work:
    if not listing.candidates:
        raise BadInput(f"{where}: no pictures found{_first(listing.quarantined)}")
    return _Work(where, listing, lambda row: decode_file(listing.candidates[row].path, limits))


def _array_work(source: Array | Sequence[Array], where: str) -> _Work:
    read, notes = arrays.pictures(source, where)
    if not len(source):
        raise BadInput(f"{where}: no pictures found: the array is empty")
    digits = max(4, len(str(len(source) - 1)))
    names = [f"{row:0{digits}d}" for row in range(len(source))]
    return _Work(where, Listing(tuple(Candidate(one, Path(one)) for one in names), notes=tuple(notes)), read)


def _with_patients(work: _Work, pattern: str | None, table: Path | None) -> _Work:
    if pattern is None and table is None:
        return work
    if pattern is not None and table is not None:
        raise BadInput(f"{work.where}: patients from a pattern and from a table; give one of the two")
    if work.listing.candidates[0].patient is not None:
        raise BadInput(f"{work.where}: the table names the patients already; drop the option")
    if table is not None:
        return replace(work, listing=tables.assign(work.listing, table), asked=f"in {shown(table)}")
    assert pattern is not None
    asked = f"by the pattern {shown(pattern)}"
    return replace(work, listing=tables.match(work.listing, pattern), asked=asked)


def _in_order(work: _Work, size: int | None, workers: int | None) -> Generator[_Picture, None, None]:
    """Read in threads, give back in order, and hold no more than a few pictures at a time."""

    def task(row: int) -> _Picture:
        try:
            pixels = work.read(row)
        except Unreadable as error:
            return _Picture(row, reason=error.reason)
        pixels = pixels if size is None else arrays.resized(pixels, size)
        return _Picture(row, pixels, digest_of_picture(pixels), bool((pixels == pixels[0, 0]).all()))

    threads = max(1, workers or min(8, os.cpu_count() or 1))
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[_Picture]] = deque()
    try:
        for row in range(len(work.listing.candidates)):
            waiting.append(pool.submit(task, row))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _collect(
    done: Iterator[_Picture], work: _Work, name: str, stack: Stack, progress: Progress | None
) -> list[_Picture]:
    """Put the pictures into the stack; return what is known of each beside its pixels."""
    found: list[_Picture] = []
    sizes: Counter[tuple[int, int]] = Counter()
    mixed_since = None
    for one in done:
        if one.pixels is not None:
            sizes[one.pixels.shape[1], one.pixels.shape[0]] += 1
            if len(sizes) == 1:
                stack.add(one.pixels)
        found.append(replace(one, pixels=None))
        if progress is not None:
            progress(len(found), len(work.listing.candidates))
        if len(sizes) > 1:
            # The run is lost; looking a little further makes the message more useful, not more costly.
            mixed_since = mixed_since or len(found)
            if len(found) >= mixed_since + _LOOK_FURTHER:
                break
    if len(sizes) > 1:
        raise BadInput(f"{name}: {_sizes_text(sizes, len(found), len(work.listing.candidates))}")
    return found


def _sizes_text(sizes: Counter[tuple[int, int]], seen: int, total: int) -> str:
    most = sizes.most_common()
    listed = ", ".join(f"{width}×{height} ({count:,})" for (width, height), count in most[:4])
    more = f" and {len(most) - 4:,} other sizes" if len(most) > 4 else ""
    among = f" among the first {seen:,} files" if seen < total else ""
    height = most[0][0][1]
    return (
        f"pictures of different sizes{among}: {listed}{more}: "
        f"give --size {height} to bring all to {height}×{height}"
    )


def _finished(found: list[_Picture], work: _Work, name: str, stack: Stack) -> ImageSet:
    candidates = work.listing.candidates
    out = [Quarantined(candidates[one.row].id, one.reason) for one in found if one.reason]
    kept = [one for one in found if not one.reason]
    quarantined = tuple(sorted((*work.listing.quarantined, *out), key=lambda one: one.file.encode()))
    if not kept:
        raise BadInput(f"{work.where}: none of {len(found):,} files can be read{_first(quarantined)}")
    pixels = stack.pixels()
    ids = tuple(candidates[one.row].id for one in kept)
    digests = tuple(map(digest_of_picture, pixels)) if stack.mixed else tuple(one.digest for one in kept)
    owners = [candidates[one.row].patient for one in kept]
    missing = [one for one, owner in zip(ids, owners, strict=True) if owner is None]
    if work.asked and missing:
        raise BadInput(f"{work.where}: no patient {work.asked} for {some(missing)}")
    patients = tuple(owner for owner in owners if owner is not None)
    notes = (*work.listing.notes, *folders.twins(ids), *_pixel_notes(ids, digests, kept, stack.mixed))
    return ImageSet(name, ids, pixels, digests, patients or None, quarantined, notes)


def _pixel_notes(ids: Sequence[str], digests: Sequence[str], kept: list[_Picture], mixed: bool) -> list[str]:
    notes = []
    if mixed:
        notes.append("some pictures have 8 bits and some more: all are kept as float32")
    if flat := [one for one, picture in zip(ids, kept, strict=True) if picture.flat]:
        notes.append(f"pictures of one grey level: {len(flat):,} ({some(flat)})")
    groups: dict[str, list[str]] = {}
    for one, digest in zip(ids, digests, strict=True):
        groups.setdefault(digest, []).append(one)
    alike = [group for group in groups.values() if len(group) > 1]
    if alike:
        count = sum(map(len, alike))
        notes.append(f"pictures with the same pixels as another: {count:,} ({some(alike[0], 2)})")
    return notes


def _first(quarantined: Sequence[Quarantined]) -> str:
    return f"; the first: {shown(quarantined[0].file)}: {quarantined[0].reason}" if quarantined else ""
