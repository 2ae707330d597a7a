"""Count the pictures of an edition and name every difference from what was published; none is decoded."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whorl.challenge import layouts
from whorl.challenge.editions import answers_of, read_answers
from whorl.challenge.layouts import EDITIONS, SHAPES, Expected, Model, Published
from whorl.challenge.parts import Part, Place, find, inner, number
from whorl.decode import Limits, Unreadable, read_bytes, recognise
from whorl.folders import Candidate, label, shown, some, walk
from whorl.records import BadInput, Task

LOOKED_AT = 20
SMALL = Limits(file_bytes=2**22)
COLOURS = {0: "grey", 2: "colour", 3: "palette", 4: "grey with transparency", 6: "colour with transparency"}


@dataclass(frozen=True)
class Row:
    """One part: pictures found and published, none where that is unknown, and the difference."""

    part: str
    found: int
    published: int | None = None
    difference: int | None = None


@dataclass(frozen=True)
class Inspection:
    """What lies in a folder, beside a published edition if there is one to compare with."""

    folder: str
    layout: str
    published: Published | None
    rows: tuple[Row, ...]
    differences: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Counted:
    """A part with the files in it that may be pictures; nothing of a part that is missing."""

    part: Part
    files: tuple[Candidate, ...]
    there: bool


@dataclass(frozen=True, eq=False)
class _Content:
    """What was counted of one model: its parts, and the labels of its answers if they are there."""

    place: Place
    parts: tuple[_Counted, ...]
    labels: tuple[str, ...] | None


def inspect(folder: Path, published: str | None = None) -> Inspection:
    """Count every part and compare; without a name, with the published edition that has most equal counts."""
    if published is not None and published not in EDITIONS:
        raise BadInput(f"no published edition is called '{shown(published)}'; known: {', '.join(EDITIONS)}")
    places = find(folder)
    contents = [_counted(place) for place in places]
    shape = layouts.shape_of(places)
    edition = EDITIONS[published] if published is not None else _nearest(contents, shape)
    notes = [f"{name}: in no part of this layout, not counted" for name in _strays(places)]
    if edition is None:
        rows = [Row(one.part.name, len(one.files)) for found in contents for one in found.parts]
        notes.append("no published edition has such a layout and one of these counts; --as compares with one")
        missing = [f"{name}: missing" for place in places for name in place.missing]
        return Inspection(shown(folder), SHAPES[shape], None, tuple(rows), tuple(missing), tuple(notes))
    said = []
    if shape != edition.shape:
        said.append(f"the layout is '{SHAPES[shape]}', that of {edition.name} '{SHAPES[edition.shape]}'")
    rows = []
    taken = _matched(contents, edition)
    for found, model in zip(contents, taken, strict=True):
        rows += _compared(found, edition, model, said)
    absent = [str(place) for place, model in enumerate(edition.models, start=1) if model not in taken]
    if absent:
        said.append(f"model {' and '.join(absent)} of {edition.name} is not here")
    return Inspection(
        shown(folder), SHAPES[shape], edition, tuple(rows), tuple(said), (*notes, *edition.remarks)
    )


def content(found: Inspection) -> dict[str, Any]:
    """Return what a machine reads."""
    edition = found.published
    return {
        "schema": "whorl.inspection/1",
        "folder": found.folder,
        "layout": found.layout,
        "published": edition.name if edition else None,
        "sources": list(edition.sources) if edition else [],
        "parts": [vars(row) for row in found.rows],
        "differences": list(found.differences),
        "notes": list(found.notes),
    }


def _counted(place: Place) -> _Content:
    parts = []
    for part in place.parts:
        there = part.path.is_dir()
        parts.append(_Counted(part, walk(part.path).candidates if there else (), there))
    file = answers_of(place)
    if file is None:
        return _Content(place, tuple(parts), None)
    task: Task = "membership" if place.kind == "membership" else "attribution"
    return _Content(place, tuple(parts), tuple(read_answers(file, task).labels.values()))


def _nearest(contents: Sequence[_Content], shape: layouts.Shape) -> Published | None:
    """Return the edition of a like layout with most counts equal to those found, if any is."""

    def equal(edition: Published) -> int:
        pairs = zip(contents, _matched(contents, edition), strict=True)
        return sum(_agreement(found, model) for found, model in pairs if model is not None)

    fitting = [edition for edition in EDITIONS.values() if layouts.alike(shape, edition.shape)]
    best = max(fitting, key=lambda edition: (equal(edition), edition.shape == shape))
    return best if equal(best) or best.shape == "subsets" else None


def _matched(contents: Sequence[_Content], edition: Published) -> list[Model | None]:
    """Give each model found its published one: by its number, or else the one that agrees most."""
    taken: dict[int, Model] = {}
    free = dict(enumerate(edition.models, start=1))
    names = [number(found.place.model or found.place.root.name) for found in contents]
    for place, name in enumerate(names):
        if len(edition.models) > 1 and name.isdecimal() and int(name) in free:
            taken[place] = free.pop(int(name))
    while free and len(taken) < len(contents):
        left = [(place, model) for place in range(len(contents)) if place not in taken for model in free]
        place, model = max(left, key=lambda pair: _agreement(contents[pair[0]], free[pair[1]]))
        taken[place] = free.pop(model)
    return [taken.get(place) for place in range(len(contents))]


def _agreement(found: _Content, model: Model) -> int:
    """Count the parts with exactly as many pictures as published."""
    known = {part.role: part.count for part in model.parts if part.count is not None}
    return sum(known.get(one.part.role) == len(one.files) for one in found.parts)


def _compared(found: _Content, edition: Published, model: Model | None, said: list[str]) -> list[Row]:
    """Return a row for each part found or published, and add what differs, in words, to what is said."""
    base = f"{found.place.model}: " if found.place.model else ""
    if model is None:
        said.append(f"{base or 'this model: '}{edition.name} has no such model")
    rows = []
    for expected in model.parts if model is not None else ():
        own = [one for one in found.parts if one.part.role == expected.role]
        rows += _part_rows(own, expected, base, said)
        for one in own:
            said += _unlike(one, edition, expected)
    published = {part.role for part in model.parts} if model is not None else set()
    for one in found.parts:
        if one.part.role not in published:
            rows.append(Row(one.part.name, len(one.files), 0, len(one.files)))
            if model is not None:
                said.append(f"{shown(one.part.name)}: {len(one.files):,} found, no part of {edition.name}")
    return rows + _label_rows(found, model, base, said)


def _part_rows(own: Sequence[_Counted], expected: Expected, base: str, said: list[str]) -> list[Row]:
    rows = []
    if expected.folders is not None:
        name = f"{base}{expected.role}, folders"
        rows.append(_row(name, len(own), expected.folders, said))
    elif not own:
        rows.append(_row(f"{base}{expected.role}", 0, expected.count, []))
        said.append(f"{base}{expected.role}: missing{_printed(expected.count)}")
    for one in own:
        if one.there and one.files:
            rows.append(_row(one.part.name, len(one.files), expected.count, said))
        else:
            state = "no pictures" if one.there else "missing"
            rows.append(_row(one.part.name, 0, expected.count, []))
            said.append(f"{shown(one.part.name)}: {state}{_printed(expected.count)}")
    return rows


def _row(name: str, found: int, published: int | None, said: list[str]) -> Row:
    if published is None:
        return Row(name, found)
    if found != published:
        gap = abs(found - published)
        way = "too many" if found > published else "too few"
        said.append(f"{shown(name)}: {found:,} found, {published:,} published: {gap:,} {way}")
    return Row(name, found, published, found - published)


def _printed(count: int | None) -> str:
    return "" if count is None else f", {count:,} published"


def _label_rows(found: _Content, model: Model | None, base: str, said: list[str]) -> list[Row]:
    """Compare the labels of the answers with what was told of them later."""
    if found.labels is None or model is None:
        return []
    rows = []
    if model.groups is not None:
        rows.append(_row(f"{base}answers, different labels", len(set(found.labels)), model.groups, said))
    for word, count in model.labels.items():
        rows.append(_row(f"{base}answers, {word}", found.labels.count(word), count, said))
    return rows


def _unlike(one: _Counted, edition: Published, expected: Expected) -> list[str]:
    """Say which names, and which of a few pictures looked at, are not as published."""
    said = []
    name = shown(one.part.name)
    if expected.names:
        odd = [file.id for file in one.files if not re.fullmatch(expected.names, file.id, re.IGNORECASE)]
        if odd:
            count = f"{len(odd):,} of {len(one.files):,} names"
            said.append(f"{name}: {count} are unlike {expected.example}: {some(odd)}")
    step = max(1, len(one.files) // LOOKED_AT)
    looked = [(file.id, _kind(file.path)) for file in one.files[::step][:LOOKED_AT]]
    other = [(file, kind) for file, kind in looked if kind != edition.pictures]
    if other:
        file, kind = other[0]
        count = f"{len(other)} of {len(looked)} looked at"
        said.append(f"{name}: {count} are no {edition.pictures}; {shown(file)}: {shown(kind)}")
    return said


def _kind(file: Path) -> str:
    """Return what the header of a file says, such as 256×256 8-bit grey PNG, or why it says nothing."""
    try:
        data = read_bytes(file, SMALL)
        kind = recognise(data, file.name)
    except Unreadable as error:
        return error.reason
    if kind != "PNG":
        return kind
    if data[12:16] != b"IHDR" or len(data) < 26:
        return "damaged PNG"
    width, height, bits, colour = struct.unpack(">IIBB", data[16:26])
    return f"{width}×{height} {bits}-bit {COLOURS.get(colour, 'unknown')} PNG"


def _strays(places: Sequence[Place]) -> list[str]:
    """Return the folders in both halves of each model that are no part of it."""
    parts = {part.path for place in places for part in place.parts}
    known = parts | {above for part in parts for above in part.parents}
    halves = {half for place in places for half in (place.test, place.development) if half is not None}
    found = {path for half in halves if half.is_dir() for path in inner(half).values()}
    return sorted(shown(label(path, places[0].root)) for path in found - known)
