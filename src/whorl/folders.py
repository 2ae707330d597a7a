"""Which files are pictures of a set: folders, tables and lists become candidates with ids.

An id is the path relative to the root in POSIX form, bytes that are not UTF-8 shown with backslashes;
candidates come sorted once, by the bytes of their ids. Nothing outside the root is ever read.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from whorl.records import BadInput, Quarantined

_NOT_PICTURES = re.compile(
    r".*\.(csv|tsv|txt|jsonl?|md|rst|toml|ya?ml|ini|cfg|html?|css|js|xml|pdf|log|py|ipynb|xlsx?|docx?"
    r"|parquet|db|sqlite|sha256|md5|lock|part|tmp)",
    re.DOTALL,
)
_NOT_PICTURE_NAMES = frozenset(("thumbs.db", "desktop.ini", "dicomdir", "license", "readme", "makefile"))


@dataclass(frozen=True)
class Candidate:
    """One file that may be a picture, and whose it is if that is known."""

    id: str
    path: Path
    patient: str | None = None


@dataclass(frozen=True)
class Listing:
    """What a source names: files to try, files that are out already, and remarks."""

    candidates: tuple[Candidate, ...]
    quarantined: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()


def walk(root: Path, exclude: Path | None = None) -> Listing:
    """List a folder and the folders in it; links to folders are not followed."""
    left_out: Counter[str] = Counter()
    refused: list[Quarantined] = []
    found: list[Candidate] = []
    skip = _inside(exclude, root)
    folders = [root]
    real_root = root.resolve()
    while folders:
        for entry in _entries(folders.pop(), root, refused):
            path = Path(entry.path)
            name = label(path, root)
            if entry.name.startswith("."):
                left_out["hidden"] += 1
            elif entry.is_dir(follow_symlinks=False):
                if skip is not None and path.resolve() == skip:
                    left_out["output"] += 1
                else:
                    folders.append(path)
            elif entry.is_symlink() and (reason := _link_trouble(path, real_root)):
                refused.append(Quarantined(name, reason))
            elif _named_otherwise(entry.name):
                left_out["named"] += 1
            else:
                found.append(Candidate(name, path))
    notes = _left_out_notes(left_out, exclude)
    return settle(found, refused, notes, "its name as shown is also that of another file")


def files(paths: Sequence[str | Path]) -> Listing:
    """List files named one by one; ids are relative to the folder that holds them all."""
    try:
        absolute = [Path(os.path.normpath(Path(path).absolute())) for path in paths]
        root = Path(os.path.commonpath([path.parent for path in absolute]))
    except ValueError as error:
        raise BadInput(f"the list of files cannot be used: {error}") from None
    found = [Candidate(label(path, root), path) for path in absolute]
    return settle(found, [], [], "listed twice")


def settle(
    found: Iterable[Candidate], refused: list[Quarantined], notes: Iterable[str], reason: str
) -> Listing:
    """Sort candidates by the bytes of their ids; of two with one id the second is out, for `reason`."""
    ordered = sorted(found, key=lambda candidate: (candidate.id.encode(), os.fsencode(candidate.path)))
    kept: dict[str, Candidate] = {}
    for candidate in ordered:
        if candidate.id in kept:
            refused.append(Quarantined(candidate.id, reason))
        else:
            kept[candidate.id] = candidate
    return Listing(tuple(kept.values()), tuple(refused), tuple(notes))


def label(path: Path, root: Path) -> str:
    """Return the id of a file below the root."""
    return os.fsencode(path.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")


def shown(text: object) -> str:
    """Return a name on one printable line, cut to a length that leaves room for the message."""
    whole = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "replace").decode()
        for letter in str(text)
    )
    return whole if len(whole) <= 120 else f"{whole[:80]}…{whole[-39:]}"


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first few names and how many there are beside them."""
    rest = len(names) - most
    return ", ".join(map(shown, names[:most])) + (f" and {rest:,} more" if rest > 0 else "")


def escapes(path: Path, real_root: Path) -> bool:
    """Say whether a path, its links followed, leads out of the root."""
    return not path.resolve().is_relative_to(real_root)


def twins(ids: Sequence[str]) -> list[str]:
    """Return notes on ids that some systems take for one another."""
    notes = []
    kinds = (
        ("upper and lower case", str.casefold),
        ("the Unicode form of their letters", lambda text: unicodedata.normalize("NFC", text)),
    )
    for what, fold in kinds:
        groups: dict[str, list[str]] = {}
        for name in ids:
            groups.setdefault(fold(name), []).append(name)
        alike = [group for group in groups.values() if len(group) > 1]
        if alike:
            count = sum(map(len, alike))
            notes.append(f"{count:,} names differ only in {what}, kept apart: {some(alike[0], 2)}")
    return notes


def with_patients(listing: Listing, patients: Sequence[str | None]) -> Listing:
    """Return the listing with a patient, or none, for each candidate."""
    pairs = zip(listing.candidates, patients, strict=True)
    return replace(listing, candidates=tuple(replace(one, patient=patient) for one, patient in pairs))


def _entries(folder: Path, root: Path, refused: list[Quarantined]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        reason = f"the folder cannot be listed: {(error.strerror or 'unknown').lower()}"
        if folder == root:
            raise BadInput(f"{shown(folder)}: {reason}") from None
        refused.append(Quarantined(label(folder, root), reason))


def _inside(exclude: Path | None, root: Path) -> Path | None:
    """Return the excluded folder if it lies below the root."""
    if exclude is None:
        return None
    real = exclude.resolve()
    return real if real != root.resolve() and real.is_relative_to(root.resolve()) else None


def _link_trouble(path: Path, real_root: Path) -> str | None:
    try:
        mode = path.stat().st_mode
        if escapes(path, real_root):
            return "a link that leads out of the folder"
    except (OSError, RuntimeError):
        return "a link that leads nowhere"
    return "a link to a folder, not followed" if stat.S_ISDIR(mode) else None


def _named_otherwise(name: str) -> bool:
    lower = name.lower()
    return lower in _NOT_PICTURE_NAMES or _NOT_PICTURES.fullmatch(lower) is not None


def _left_out_notes(left_out: Counter[str], exclude: Path | None) -> list[str]:
    notes = []
    if left_out["named"] or left_out["hidden"]:
        notes.append(
            f"{left_out['named'] + left_out['hidden']:,} entries passed over by name "
            f"({left_out['named']:,} not pictures, {left_out['hidden']:,} hidden)"
        )
    if left_out["output"]:
        notes.append(f"the output folder {shown(exclude)} lies inside and was passed over")
    return notes
