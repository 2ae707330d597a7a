"""Editions by a recipe file: which real pictures, which generators, how large, which seeds.

```toml
format = "whorl.series/1"
name = "ct"
size = 64                  # pixels; as the files are if not said
patients = 400             # so many at random; all if not said
pictures_per_patient = 1   # the first in the order of their names; all if not said
seeds = [1, 2, 3]          # one draw of every edition for each
[phantom]                  # made-up patients where no real pictures are given: patients, slices, size, seed
[every]                    # what all editions share: generated, dev_share, question, origin, licence ...
[edition.vae]              # one table for each edition: generators, and what it does not share
generators = ["vae:duplication=high"]
```

An edition is the same to the byte whenever it is made again from the same file and pictures.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from whorl import images
from whorl.arrays import digest_of_picture
from whorl.compare import Progress, silent
from whorl.folders import shown, some
from whorl.forge import organiser, splits
from whorl.forge.organiser import Organised, Plan
from whorl.forge.phantom import draw_hospital
from whorl.records import BadInput, ImageSet
from whorl.steps import nearest

FORMAT = "whorl.series/1"
WHOLE = ("size", "patients", "pictures_per_patient")
PHANTOM = {"patients": 120, "slices": 1, "size": 64, "seed": 0}


@dataclass(frozen=True)
class Series:
    """What a recipe file asks for."""

    name: str
    plans: Mapping[str, Plan]
    seeds: tuple[int, ...] = (1,)
    size: int | None = None
    patients: int | None = None
    pictures_per_patient: int | None = None
    phantom: Mapping[str, int] | None = None

    @property
    def places(self) -> dict[str, tuple[str, int]]:
        """Folder of every edition → its name and its seed."""
        return {f"{name}-{seed}": (name, seed) for name in self.plans for seed in self.seeds}


def read(file: Path) -> Series:
    """Read a recipe file and check all that it says."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{shown(file)}: not a readable TOML file: {error}") from None
    if content.pop("format", None) != FORMAT:
        raise BadInput(f"{shown(file)}: no series of editions; its first line must be format = '{FORMAT}'")
    known = ("name", "seeds", *WHOLE, "phantom", "every", "edition")
    _known(file, "", content, known)
    every, tables = (_table(file, content, key) for key in ("every", "edition"))
    if not tables:
        raise BadInput(f"{shown(file)}: names no edition: add a table such as [edition.vae]")
    whole = {key: _whole(file, key, content[key]) for key in WHOLE if key in content}
    phantom = _table(file, content, "phantom") if "phantom" in content else None
    if phantom is not None:
        _known(file, "phantom: ", phantom, tuple(PHANTOM))
        phantom = PHANTOM | {key: _whole(file, f"phantom {key}", value) for key, value in phantom.items()}
    return Series(
        name=str(content.get("name", file.stem)),
        plans={name: _plan(file, name, every, tables[name]) for name in tables},
        seeds=_seeds(file, content.get("seeds", [1])),
        phantom=phantom,
        **whole,
    )


def pictures(series: Series, real: ImageSet | None) -> ImageSet:
    """Return the pictures that all editions of a series are drawn from; made-up ones where none are given."""
    if real is None:
        if series.phantom is None:
            raise BadInput(f"series {series.name}: --real is missing, and the file has no [phantom]")
        drawn = draw_hospital(**dict(series.phantom))
        digests = tuple(map(digest_of_picture, drawn.pixels))
        return ImageSet("made-up patients", drawn.ids, drawn.pixels, digests, drawn.patients)
    kept = _chosen(series, real)
    return real if len(kept) == len(real) else images.select(real, kept.tolist(), name=real.name)


def make(
    series: Series, real: ImageSet, out: Path, *, only: tuple[str, ...] = (), progress: Progress = silent
) -> dict[str, Organised]:
    """Make every edition that `only` names, all if it is empty, each in a folder NAME-SEED of `out`."""
    missing = [name for name in only if name not in series.plans]
    if missing:
        close = nearest(missing[0], series.plans)
        hint = f"; did you mean '{close}'?" if close else f"; there are {', '.join(series.plans)}"
        raise BadInput(f"--only {shown(missing[0])}: no edition of {series.name} is called so{hint}")
    made = {}
    wanted = {place: own for place, own in series.places.items() if not only or own[0] in only}
    for done, (place, (name, seed)) in enumerate(wanted.items()):
        progress("editions", done, len(wanted))
        plan = replace(series.plans[name], name=f"{series.name}-{place}")
        made[place] = organiser.organise(real, plan, out / place, seed=seed, progress=progress)
        progress("editions", done + 1, len(wanted))
    return made


def _chosen(series: Series, real: ImageSet) -> splits.Rows:
    """Return the rows of the pictures that take part: patients at random, the first pictures of each."""
    owners = real.ids if real.patients is None else real.patients
    people = sorted(set(owners))
    if series.patients is not None:
        if series.patients > len(people):
            raise BadInput(
                f"series {series.name}: {series.patients} patients wanted, {shown(real.name)}: {len(people)}"
            )
        order = splits.stream(0, f"patients of {series.name}").permutation(len(people))
        people = [people[place] for place in order[: series.patients]]
    taken, room = [], dict.fromkeys(people, series.pictures_per_patient or len(real))
    for row, owner in enumerate(owners):
        if room.get(owner, 0):
            room[owner] -= 1
            taken.append(row)
    return np.asarray(taken, np.int64)


def _plan(file: Path, name: str, every: Mapping[str, Any], own: Mapping[str, Any]) -> Plan:
    """Return the plan of one table; its words are those of `whorl forge edition`."""
    foreign = organiser.FOREIGN.get(own.get("question", every.get("question", "membership")), ())
    table = {**{key: value for key, value in every.items() if key not in foreign}, **own}
    if not name.replace("-", "").replace("_", "").isalnum():
        raise BadInput(f"{shown(file)}: edition '{shown(name)}': letters, digits, - and _ make a name")
    _known(file, f"edition {name}: ", table, tuple(one.name for one in fields(Plan) if one.name != "name"))
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    try:
        return Plan(**{"generators": (), **values})
    except (BadInput, TypeError, ValueError) as error:
        raise BadInput(f"{shown(file)}: edition {name}: {error}") from None


def _known(file: Path, where: str, table: Mapping[str, Any], names: tuple[str, ...]) -> None:
    strange = [key for key in table if key not in names]
    if strange:
        close = nearest(strange[0], names)
        hint = f"; did you mean '{close}'?" if close else f"; known: {some(names, len(names))}"
        raise BadInput(f"{shown(file)}: {where}'{shown(strange[0])}' is unknown{hint}")


def _table(file: Path, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key, {})
    if not isinstance(found, dict) or (
        key == "edition" and not all(isinstance(v, dict) for v in found.values())
    ):
        raise BadInput(f"{shown(file)}: '{key}' is no table; write [{key}] and a line for each value")
    return dict(found)


def _whole(file: Path, key: str, value: object) -> int:
    if type(value) is not int or value < (0 if key.endswith("seed") else 1):
        raise BadInput(f"{shown(file)}: {key} = {shown(value)}: a whole number of 1 or more is needed")
    return value


def _seeds(file: Path, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or len(set(map(str, value))) < len(value):
        raise BadInput(f"{shown(file)}: seeds must be a list of different whole numbers, such as [1, 2, 3]")
    return tuple(_whole(file, "a seed", one) for one in value)
