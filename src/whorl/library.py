"""A folder of enrolled generators: a JSON document and an npz of plain numbers for each, no pickle.

The document names the npz by its SHA-256 and is written last, so an enrolment is there whole or not at
all. Nothing is believed before it is checked: sizes before reading, sums before parsing, shapes and types
before any array is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import stat
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whorl.records import Array, BadInput, Floats, digest_of
from whorl.store import sweep, write_bytes, write_text

SCHEMA = "whorl.fingerprint/1"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = frozenset({"unknown", "mixed", "cannot-tell"})
MOST_PICTURES, MOST_COLUMNS = 1_000_000, 100_000
MOST_TEXT, MOST_BYTES = 2**20, 2**31
AGAIN = "enrol it again with --replace"
HEADERS = 1024  # bytes that the archive spends on one array beside its numbers, at most


@dataclass(frozen=True, eq=False)
class Enrolled:
    """The fingerprints of one generator's pictures, and how they were taken.

    `blocks` are (n, d) for each of the `parts` of the fingerprint; `changes` (c, d) say what small changes
    of processing do to them on average; `groups` (n,) number the pictures that belong together; `notes` say
    what was left out and are not kept.
    """

    name: str
    blocks: tuple[Floats, ...]
    changes: tuple[Floats, ...]
    digests: tuple[str, ...]
    groups: NDArray[np.int64]
    parts: tuple[str, ...]
    size: tuple[int, int]
    recipe: str
    fingerprint: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.digests)


class Part(BaseModel):
    """One block of features."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    columns: int = Field(ge=1, le=MOST_COLUMNS)


class Document(BaseModel):
    """The JSON document of one generator."""

    model_config = ConfigDict(extra="forbid", strict=True)
    format: str
    name: str
    recipe: str
    fingerprint: str
    parts: list[Part] = Field(min_length=1, max_length=100)
    height: int = Field(ge=1)
    width: int = Field(ge=1)
    count: int = Field(ge=1, le=MOST_PICTURES)
    changes: int = Field(ge=0, le=1000)
    arrays: str = Field(pattern="^[0-9a-f]{64}$")
    digest: str

    def sealed(self) -> str:
        """Return the digest of everything else in the document."""
        return digest_of("fingerprint", self.model_dump(exclude={"digest"}))

    def expected(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Return shape and type of every array that belongs to the document."""
        found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {
            "digests": ((self.count, 16), np.dtype(np.uint8)),
            "groups": ((self.count,), np.dtype(np.int64)),
        }
        for place, part in enumerate(self.parts):
            found[f"block{place}"] = ((self.count, part.columns), np.dtype(np.float32))
            found[f"changes{place}"] = ((self.changes, part.columns), np.dtype(np.float32))
        return found


@dataclass(frozen=True)
class Library:
    """Enrolled generators below `root`; nothing outside of it is written."""

    root: Path

    def names(self) -> list[str]:
        """Return who is enrolled, in order."""
        try:
            found = sorted(path.name for path in self.root.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise BadInput(f"{self.root}: not a library ({error.strerror}); choose a folder") from None
        return [name.removesuffix(".json") for name in found if not name.startswith(".")]

    def check_free(self, name: str, *, replace: bool = False) -> None:
        """Refuse names that are no plain file names, and those that are taken."""
        check_name(name)
        taken = [other for other in self.names() if other.lower() == name.lower()]
        if taken and not (replace and taken == [name]):
            hint = "give --replace, or another name" if taken == [name] else "choose another name"
            raise BadInput(f"{self.root}: '{taken[0]}' is enrolled already; {hint}")

    def write(self, enrolled: Enrolled, *, replace: bool = False) -> Path:
        """Store one generator, all or nothing; what it replaces is removed afterwards."""
        self.check_free(enrolled.name, replace=replace)
        content = _packed(enrolled)
        named = hashlib.sha256(content).hexdigest()
        document = _document(enrolled, named)
        place = self.root / f"{enrolled.name}.json"
        if self.root.is_dir():
            sweep(self.root, [place.name])
        write_bytes(self._arrays(document), content)
        write_text(place, json.dumps(document.model_dump(), indent=2) + "\n")
        former = re.compile(re.escape(enrolled.name) + r"\.[0-9a-f]{16}\.npz")
        for path in self.root.iterdir():
            if former.fullmatch(path.name) and path != self._arrays(document):
                with contextlib.suppress(OSError):
                    path.unlink()
        return place

    def read(self, name: str) -> Enrolled:
        """Read one generator, everything checked."""
        check_name(name)
        place = self.root / f"{name}.json"
        document = _parsed(place, _content(place, MOST_TEXT))
        expected = document.expected()
        bytes_of = {key: int(np.prod(shape)) * kind.itemsize for key, (shape, kind) in expected.items()}
        limit = sum(bytes_of.values()) + HEADERS * (len(expected) + 1)
        if limit > MOST_BYTES:
            raise BadInput(f"{place}: claims {limit / 2**30:,.1f} GiB of fingerprints: {AGAIN}")
        file = self._arrays(document)
        content = _content(file, limit)
        if hashlib.sha256(content).hexdigest() != document.arrays:
            raise BadInput(f"{file}: altered or damaged since it was written: {AGAIN}")
        try:
            arrays = _unpacked(content, expected)
        except Exception:  # a forged header raises almost any class
            raise BadInput(f"{file}: not what {place.name} describes: {AGAIN}") from None
        return _enrolled(document, arrays)

    def read_all(self, fingerprint: str) -> list[Enrolled]:
        """Read every generator; all must have been enrolled with the same version of the fingerprint."""
        names = self.names()
        if not names:
            raise BadInput(f"{self.root}: nobody is enrolled here; `whorl enroll` does it")
        found = [self.read(name) for name in names]
        for one in found:
            if one.fingerprint != fingerprint:
                other = f"'{one.name}' was enrolled with another version of the fingerprint"
                raise BadInput(f"{self.root}: {other}: {AGAIN}")
            if one.size != found[0].size or one.parts != found[0].parts:
                raise BadInput(f"{self.root}: '{found[0].name}' and '{one.name}' do not go together: {AGAIN}")
        return found

    def _arrays(self, document: Document) -> Path:
        return self.root / f"{document.name}.{document.arrays[:16]}.npz"


def check_name(name: str) -> None:
    """Refuse names that are no plain file names, or that are answers."""
    if not NAME.fullmatch(name) or name.endswith("."):
        raise BadInput(f"{name[:80]!r}: a name has letters, digits, - _ and . (at most 64, no path)")
    if name.lower() in RESERVED:
        raise BadInput(f"'{name}' is an answer of `whorl identify`; choose another name")


def _document(enrolled: Enrolled, arrays: str) -> Document:
    parts = [
        Part(name=name, columns=block.shape[1])
        for name, block in zip(enrolled.parts, enrolled.blocks, strict=True)
    ]
    document = Document(
        format=SCHEMA,
        name=enrolled.name,
        recipe=enrolled.recipe,
        fingerprint=enrolled.fingerprint,
        parts=parts,
        height=enrolled.size[0],
        width=enrolled.size[1],
        count=len(enrolled),
        changes=len(enrolled.changes[0]),
        arrays=arrays,
        digest="",
    )
    return document.model_copy(update={"digest": document.sealed()})


def _parsed(place: Path, content: bytes) -> Document:
    try:
        document = Document.model_validate_json(content)
    except (ValidationError, RecursionError):
        raise BadInput(f"{place}: not the description of an enrolled generator: take it out") from None
    if document.format != SCHEMA:
        raise BadInput(f"{place}: written by another version of whorl: {AGAIN}")
    if document.sealed() != document.digest or f"{document.name}.json" != place.name:
        raise BadInput(f"{place}: altered since it was written: {AGAIN}")
    return document


def _content(path: Path, limit: int) -> bytes:
    """Read a regular file of a bounded size."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode):
            raise BadInput(f"{path}: not a regular file")
        if facts.st_size > limit:
            raise BadInput(f"{path}: larger than it can be ({facts.st_size:,} bytes): {AGAIN}")
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise BadInput(f"{path}: {reason}: {AGAIN}") from None


def _packed(enrolled: Enrolled) -> bytes:
    arrays: dict[str, Array] = {
        "digests": np.frombuffer(bytes.fromhex("".join(enrolled.digests)), np.uint8).reshape(-1, 16),
        "groups": np.asarray(enrolled.groups, np.int64),
    }
    for place, (block, changes) in enumerate(zip(enrolled.blocks, enrolled.changes, strict=True)):
        arrays[f"block{place}"] = np.ascontiguousarray(block, np.float32)
        arrays[f"changes{place}"] = np.ascontiguousarray(changes, np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _unpacked(content: bytes, expected: dict[str, tuple[tuple[int, ...], np.dtype[Any]]]) -> dict[str, Array]:
    """Take the arrays out of an archive; anything that was not expected is a ValueError."""
    with warnings.catch_warnings(action="error"), zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if sorted(members) != sorted(f"{name}.npy" for name in expected):
            raise ValueError("other arrays")
        found = {}
        for name, (shape, kind) in expected.items():
            member = members[f"{name}.npy"]
            size = int(np.prod(shape)) * kind.itemsize
            if member.compress_type != zipfile.ZIP_STORED or not size <= member.file_size <= size + HEADERS:
                raise ValueError("another size")
            found[name] = _array(archive.read(member), shape, kind)
    return found


def _array(raw: bytes, shape: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    """Read one array whose header must say what was expected, before a number is believed."""
    stream = io.BytesIO(raw)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("another format")
    if np.lib.format.read_array_header_1_0(stream) != (shape, False, kind):
        raise ValueError("another shape or type")
    array = np.frombuffer(raw[stream.tell() :], kind).reshape(shape)
    if kind.kind == "f" and not np.isfinite(array).all():
        raise ValueError("not finite")
    return array


def _enrolled(document: Document, arrays: dict[str, Array]) -> Enrolled:
    places = range(len(document.parts))
    return Enrolled(
        name=document.name,
        blocks=tuple(arrays[f"block{place}"] for place in places),
        changes=tuple(arrays[f"changes{place}"] for place in places),
        digests=tuple(row.tobytes().hex() for row in arrays["digests"]),
        groups=arrays["groups"],
        parts=tuple(part.name for part in document.parts),
        size=(document.height, document.width),
        recipe=document.recipe,
        fingerprint=document.fingerprint,
    )
