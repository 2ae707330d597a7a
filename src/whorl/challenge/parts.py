"""Where the parts of an edition lie, in every layout that is known; folders are looked at, pictures are not.

A part has one role in all layouts: `dev/real_used` is what the first layout calls it, wherever it lies.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from whorl.folders import label, shown, some
from whorl.records import BadInput

Kind = Literal["membership", "attribution", "subsets"]
MODEL = re.compile(r"(?:model|folder)[ _-]?0*([0-9]{1,6})", re.IGNORECASE)
TEST = re.compile(r"(?:.*[ _-])?test(?:[ _-].*)?", re.IGNORECASE | re.DOTALL)
DEVELOPMENT = re.compile(
    r"(?:.*[ _-])?(?:dev|development|train|training)(?:[ _-].*)?", re.IGNORECASE | re.DOTALL
)
# The folders of the pictures asked about, by kind; of those that are there the first is taken.
QUERIES: Mapping[Kind, tuple[str, ...]] = {
    "membership": ("real_unknown",),
    "attribution": ("images", "generated"),
    "subsets": ("generated_unknown", "images", "generated"),
}
KNOWN = frozenset(("real_unknown", "generated_unknown", "images", "generated"))
REAL = frozenset(("real_used", "real_not_used"))
WANTED = "test/generated with test/real_unknown, test/images, test/generated_unknown"


@dataclass(frozen=True)
class Part:
    """One folder of pictures: its role in every layout, its name below the edition, its model or class."""

    role: str
    name: str
    path: Path
    group: str = ""


@dataclass(frozen=True)
class Place:
    """Where the edition of one model lies: `root` is what was asked for, `home` has its answers."""

    kind: Kind
    root: Path
    home: Path
    test: Path
    development: Path | None
    parts: tuple[Part, ...]
    model: str = ""

    def of(self, role: str) -> tuple[Part, ...]:
        """Return the parts of one role; models and classes have a part each."""
        return tuple(part for part in self.parts if part.role == role)

    @property
    def queries(self) -> Part:
        """Return the part that is asked about."""
        return self.of(f"test/{QUERIES[self.kind][0]}")[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of parts that every edition of this kind has and this one does not."""
        absent = [part.name for part in self.parts if not part.path.is_dir()]
        if self.kind == "subsets" and not self.of("dev/real/<class>"):
            base = label(self.development or self.root / "dev", self.root)
            absent.append(f"{base}/real/<class>")
        return tuple(absent)


def find(folder: Path) -> tuple[Place, ...]:
    """Return where each model's edition lies, one place for an edition of one model; parts may be missing."""
    if not folder.is_dir():
        return (_named(folder),)
    inside = inner(folder)
    halves = _halves(folder, inside)
    whole = [name for name in inside if MODEL.fullmatch(name)]
    if halves and (halves[0].test.is_dir() or not whole):
        return halves
    if not whole:
        raise BadInput(f"{shown(folder)}: no edition: it has none of {WANTED}")
    return tuple(_whole(folder, name) for name in sorted(whole, key=_order))


def number(model: str) -> str:
    """Return the number in a model's name, or the name where it has none."""
    found = MODEL.fullmatch(model)
    return found[1] if found else model


def inner(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder by name, hidden ones left out, sorted by the bytes of their names."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith((".", "__MACOSX")) and Path(entry.path).is_dir():
                    found.append(entry.name)
    except OSError as error:
        raise BadInput(f"{shown(folder)}: {(error.strerror or 'cannot be listed').lower()}") from None
    names = {label(folder / name, folder): folder / name for name in sorted(found, key=os.fsencode)}
    if len(names) != len(found):
        raise BadInput(f"{shown(folder)}: two folders have the same name as shown; rename one")
    return names


def _named(folder: Path) -> Place:
    """Find edition/model_1 where there is no such folder, but test/model_1 and perhaps dev/model_1."""
    if folder.parent.is_dir() and not folder.exists() and folder.name:
        try:
            places = find(folder.parent)
        except BadInput:
            places = ()
        for place in places:
            if place.model == folder.name:
                return place
    raise BadInput(f"{shown(folder)}: {'not a folder' if folder.exists() else 'no such folder'}")


def _whole(folder: Path, name: str) -> Place:
    """Return the place of a model whose folder is a whole edition."""
    home = folder / name
    found = _halves(home, inner(home))
    if not found:
        raise BadInput(f"{shown(home)}: no edition: it has none of {WANTED}")
    if len(found) > 1:
        raise BadInput(f"{shown(home)}: models within a model; give {shown(home)} by itself")
    named = tuple(replace(part, name=label(part.path, folder)) for part in found[0].parts)
    return replace(found[0], root=folder, home=home, parts=named, model=name)


def _halves(folder: Path, inside: Mapping[str, Path]) -> tuple[Place, ...]:
    """Return the places below a test and a development folder, or nothing where there is neither."""
    test = _half(folder, "test", [name for name in inside if TEST.fullmatch(name)])
    rest = [name for name in inside if not TEST.fullmatch(name) and not MODEL.fullmatch(name)]
    fitting = [name for name in rest if DEVELOPMENT.fullmatch(name) or _holds(inside[name])]
    development = _half(folder, "dev", fitting)
    tests = inner(folder / test) if test else {}
    known = inner(folder / development) if development else {}
    asked, told = folder / (test or "test"), folder / development if development else None
    if not {"real_unknown", "generated_unknown", "images"} & tests.keys() and not REAL & known.keys():
        models = [name for name, path in tests.items() if (path / "real_unknown").is_dir()]
        models += [name for name, path in known.items() if any((path / part).is_dir() for part in REAL)]
        if models:
            return _models(folder, asked, told, models)
    kind = _kind(tests, known)
    return (_place(kind, folder, asked, told),) if kind else ()


def _half(folder: Path, usual: str, names: list[str]) -> str | None:
    """Choose the one test or development folder among those whose names fit."""
    if usual in names:
        return usual
    full = [name for name in names if _holds(folder / name)] or names
    if len(full) > 1:
        what = "development" if usual == "dev" else usual
        raise BadInput(
            f"{shown(folder)}: {len(full)} {what} folders ({some(full)}); give each sub-task its own folder"
        )
    return full[0] if full else None


def _holds(folder: Path) -> bool:
    """Say whether a folder has the parts of a test or of a development folder."""
    own = {name for name in (*KNOWN, *REAL, "real") if (folder / name).is_dir()}
    return bool(own & (REAL | {"real_unknown", "generated_unknown"})) or own >= {"real", "generated"}


def _kind(tests: Mapping[str, Path], known: Mapping[str, Path]) -> Kind | None:
    """Say which question the folders inside the test and the development folder belong to."""
    if "real_unknown" in tests or REAL & known.keys():
        return "membership"
    if "generated_unknown" in tests or ({"real", "generated"} <= known.keys() and inner(known["real"])):
        return "subsets"
    mixed = "generated" in tests and known.keys() - {"generated"}
    return "attribution" if "images" in tests or mixed or (len(known) > 1 and not tests) else None


def _models(folder: Path, test: Path, development: Path | None, models: list[str]) -> tuple[Place, ...]:
    """Return a place for each model below one test and one development folder, matched by number."""
    asked = _by_number(test)
    told = {} if development is None else _by_number(development)
    found = []
    for name in sorted({number(name): name for name in models}.values(), key=_order):
        key = number(name)
        own = None if development is None else development / told.get(key, name)
        place = _place("membership", folder, test / asked.get(key, name), own)
        found.append(replace(place, model=asked.get(key, name)))
    return tuple(found)


def _by_number(half: Path) -> dict[str, str]:
    """Return the folders in a half by the number of their model: model_1 and folder 01 are the same."""
    found: dict[str, str] = {}
    for name in inner(half) if half.is_dir() else ():
        if found.setdefault(number(name), name) != name:
            raise BadInput(
                f"{shown(half)}: {shown(found[number(name)])} and {shown(name)} have the same number"
            )
    return found


def _place(kind: Kind, folder: Path, test: Path, development: Path | None) -> Place:
    found: list[Part] = []

    def add(role: str, path: Path, group: str = "") -> None:
        found.append(Part(role, label(path, folder), path, group))

    if development is not None and kind == "membership":
        for name in ("generated", "real_used", "real_not_used"):
            add(f"dev/{name}", development / name)
    elif development is not None and kind == "attribution":
        for model, path in inner(development).items():
            add("dev/<model>", path, model)
    elif development is not None:
        for side in ("real", "generated"):
            for group, path in (inner(development / side) if (development / side).is_dir() else {}).items():
                add(f"dev/{side}/<class>", path, group)
    if kind == "membership":
        add("test/generated", test / "generated")
    names = QUERIES[kind]
    there = next((name for name in names if (test / name).is_dir()), names[0])
    add(f"test/{names[0]}", test / there)
    if kind == "membership" and (test / "reference").is_dir():
        add("test/reference", test / "reference")
    return Place(kind, folder, folder, test, development, tuple(found))


def _order(name: str) -> tuple[int, str]:
    key = number(name)
    return (int(key), name) if key.isdigit() and key.isascii() else (10**9, name)
