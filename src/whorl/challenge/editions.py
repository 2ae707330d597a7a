"""Read an edition: a folder with generated and real pictures, a development part and perhaps answers.

Membership: `test/generated`, `test/real_unknown`, `dev/generated|real_used|real_not_used`, and, for recipes
that calibrate, `test/reference` (real pictures known not to be used). Several models: `model_1/…` and so on,
each a whole edition, or `test/model_1/…` and `dev/model_1/…`.
Attribution: `test/images`, `dev/<model>/`. Subsets of training data: `test/generated_unknown`,
`dev/real/<class>/`, `dev/generated/<class>/`. All: `edition.toml`, `answers.csv` (file, label, patient),
`dev/patients.csv` (file below dev/, patient). The published names of the two halves are known as well.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from whorl import images, tables
from whorl.arrays import SPILL_BYTES
from whorl.challenge.parts import Part, Place, find, number
from whorl.folders import label, shown, some
from whorl.records import Answers, BadInput, Development, ImageSet, Problem, Quarantined, Task

FORMAT = "whorl.edition/1"
Reading = Callable[[str, int, int], None]
Load = Callable[[Part], ImageSet]
USED = {"1": "used", "0": "not_used", "used": "used", "not_used": "not_used"}


@dataclass(frozen=True, eq=False)
class Edition:
    """A problem, its answers if the organiser has published them, and what could not be read."""

    name: str
    problem: Problem
    answers: Answers | None
    about: dict[str, Any]
    quarantined: tuple[Quarantined, ...]
    notes: tuple[str, ...]


def read(
    folder: Path,
    *,
    size: int | None = None,
    progress: Reading | None = None,
    answers: Path | None = None,
    spill_bytes: int = SPILL_BYTES,
) -> Edition:
    """Read the edition of one model; a file of answers goes before the folder's own."""
    places = find(folder)
    if len(places) > 1:
        first, others = places[0].model, some([place.model for place in places[1:]])
        raise BadInput(
            f"{shown(folder)}: an edition of {len(places)} models: name one, {shown(folder / first)} "
            f"(or {others}); `read_all` reads all"
        )
    return _read(places[0], size, progress, answers or answers_of(places[0]), spill_bytes)


def read_all(
    folder: Path,
    *,
    size: int | None = None,
    progress: Reading | None = None,
    answers: Path | None = None,
    spill_bytes: int = SPILL_BYTES,
) -> tuple[Edition, ...]:
    """Read the edition of every model.

    `answers` is a folder with answers_1.csv, or model_1/answers.csv, and so on, or a file for one model.
    """
    places = find(folder)
    if answers is not None and len(places) > 1 and not answers.is_dir():
        what = "one file" if answers.exists() else "no such folder"
        wanted = "give a folder with answers_1.csv and so on"
        raise BadInput(f"{shown(answers)}: {what}, for {len(places)} models; {wanted}")
    files = [_given(place, answers) if answers is not None else answers_of(place) for place in places]
    pairs = zip(places, files, strict=True)
    return tuple(_read(place, size, progress, file, spill_bytes) for place, file in pairs)


def models(folder: Path) -> tuple[Place, ...]:
    """Return where the edition of each model lies, without opening a picture; one for one model."""
    return find(folder)


def answers_of(place: Place) -> Path | None:
    """Return the file of answers that lies in the edition, if there is one."""
    own = [place.home / "answers.csv"] if place.home != place.root or not place.model else []
    numbered = [place.root / name for name in _answer_names(place)] if place.model else []
    return next((file for file in (*own, *numbered) if file.is_file()), None)


def read_answers(file: Path, task: Task) -> Answers:
    """Read a table with columns file, label and perhaps patient."""
    labels: dict[str, str] = {}
    patients: dict[str, str] = {}
    for row in tables.read(file):
        if "label" not in row:
            raise BadInput(f"{file}: needs the columns file,label")
        name, truth = str(row["file"]), str(row["label"]).strip()
        if task == "membership":
            if truth not in USED:
                raise BadInput(f"{file}: label '{truth}' of '{name}' is none of used, not_used, 1, 0")
            truth = USED[truth]
        if name in labels:
            raise BadInput(f"{file}: '{name}' is listed twice")
        labels[name] = truth
        if row.get("patient"):
            patients[name] = str(row["patient"])
    return Answers(labels, patients)


def _read(
    place: Place, size: int | None, progress: Reading | None, answers: Path | None, spill_bytes: int
) -> Edition:
    if place.missing:
        be = "is" if len(place.missing) == 1 else "are"
        raise BadInput(f"{shown(place.root)}: no edition: {some(place.missing, 9)} {be} missing")
    about = _about(place)
    loaded: list[ImageSet] = []

    def load(part: Part) -> ImageSet:
        told = progress and _labelled(progress, f"reading {part.name}")
        loaded.append(
            images.load(part.path, name=part.name, size=size, progress=told, spill_bytes=spill_bytes)
        )
        return loaded[-1]

    make = {"membership": _membership, "attribution": _attribution, "subsets": _subsets}[place.kind]
    problem = make(place, load, about)
    name = str(about.get("name", place.root.resolve().name))
    notes = [f"{found.name}: {note}" for found in loaded for note in found.notes]
    return Edition(
        name=f"{name}/{place.model}" if place.model else name,
        problem=problem,
        answers=read_answers(answers, problem.task) if answers is not None else None,
        about=about,
        quarantined=tuple(entry for found in loaded for entry in found.quarantined),
        notes=(*notes, *_remarks(place)),
    )


def _membership(place: Place, load: Load, about: Mapping[str, Any]) -> Problem:
    development = None
    if place.development is not None:
        owners = _Patients.of(place)
        sides = {
            "used": owners.give(load, place.of("dev/real_used")[0]),
            "not_used": owners.give(load, place.of("dev/real_not_used")[0]),
        }
        labels = {f"{side}/{name}": side for side, found in sides.items() for name in found.ids}
        real = images.join(sides, "development pictures")
        part = Problem("membership", real, {"generated": load(place.of("dev/generated")[0])})
        development = Development(part, Answers(labels))
    queries, made = load(place.queries), load(place.of("test/generated")[0])
    reference = next((load(part) for part in place.of("test/reference")), None)
    return Problem("membership", queries, {"generated": made}, reference, development)


def _attribution(place: Place, load: Load, about: Mapping[str, Any]) -> Problem:
    development = None
    if sets := {part.group: load(part) for part in place.of("dev/<model>")}:
        labels = {f"{model}/{name}": model for model, found in sets.items() for name in found.ids}
        bag = images.join(sets, "development pictures")
        development = Development(Problem("attribution", bag, count=len(sets)), Answers(labels))
    count = about.get("generators")
    if count is not None and (type(count) is not int or count < 1):
        raise BadInput(
            f"{shown(place.home / 'edition.toml')}: generators = {count!r} must be a number of 1 or more"
        )
    return Problem("attribution", load(place.queries), development=development, count=count)


def _subsets(place: Place, load: Load, about: Mapping[str, Any]) -> Problem:
    """Ask which real subset the generator of a picture was trained on."""
    owners = _Patients.of(place)
    labelled = place.of("dev/generated/<class>")
    known = [part.group for part in place.of("dev/real/<class>")]
    if foreign := [part.name for part in labelled if part.group not in known]:
        raise BadInput(
            f"{shown(place.root)}: no real pictures of the class of {some(foreign)}; there are {some(known)}"
        )
    real = {part.group: owners.give(load, part) for part in place.of("dev/real/<class>")}
    development = None
    if sets := {part.group: load(part) for part in labelled}:
        labels = {f"{group}/{name}": group for group, found in sets.items() for name in found.ids}
        bag = images.join(sets, "development pictures")
        development = Development(Problem("attribution", bag, real, count=len(real)), Answers(labels))
    return Problem("attribution", load(place.queries), real, development=development, count=len(real))


@dataclass(frozen=True)
class _Patients:
    """Whose the development pictures are: a table, and the folder its names begin at."""

    file: Path | None
    owners: Mapping[str, str]

    @classmethod
    def of(cls, place: Place) -> _Patients:
        """Read dev/patients.csv, or dev/model_1/patients.csv, if there is one."""
        known = place.development
        halved = place.model and place.home == place.root
        bases = [] if known is None else [known, known.parent] if halved else [known]
        file = next((base / "patients.csv" for base in bases if (base / "patients.csv").is_file()), None)
        owners: dict[str, str] = {}
        for row in tables.read(file) if file is not None else ():
            name = os.path.normpath(row["file"]).replace(os.sep, "/")
            if not row.get("patient"):
                raise BadInput(f"{shown(file)}: no patient for {shown(name)}; the columns are file,patient")
            if owners.setdefault(name, row["patient"]) != row["patient"]:
                raise BadInput(f"{shown(file)}: {shown(name)} is listed for two patients")
        return cls(file, owners)

    def give(self, load: Load, part: Part) -> ImageSet:
        """Load a part; if there is a table, it has to name the patient of every picture."""
        found = load(part)
        if self.file is None:
            return found
        base = label(part.path, self.file.parent)
        names = [f"{base}/{one}" for one in found.ids]
        if missing := [name for name in names if name not in self.owners]:
            raise BadInput(f"{shown(self.file)}: no patient for {some(missing)}")
        return replace(found, patients=tuple(self.owners[name] for name in names))


def _about(place: Place) -> dict[str, Any]:
    """Return what edition.toml says, that of the model before that of the whole; the name is the whole's."""
    about = _toml(place.root / "edition.toml")
    if place.home != place.root:
        own = _toml(place.home / "edition.toml")
        own.pop("name", None)
        about |= own
    return about


def _toml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not a TOML file: {error}") from None
    if about.get("format", FORMAT) != FORMAT:
        raise BadInput(f"{file}: format '{about['format']}' is unknown; this whorl reads '{FORMAT}'")
    return about


def _answer_names(place: Place) -> tuple[str, ...]:
    return (f"answers_{number(place.model)}.csv", f"{place.model}/answers.csv")


def _given(place: Place, answers: Path) -> Path:
    """Return the file for one model among the answers given apart."""
    if not answers.is_dir():
        return answers
    names = _answer_names(place) if place.model else ("answers.csv",)
    for name in names:
        if (answers / name).is_file():
            return answers / name
    raise BadInput(f"{shown(answers)}: has no {shown(' and no '.join(names))}")


def _remarks(place: Place) -> list[str]:
    """Say what lies in the edition and is not read."""
    remarks = []
    if place.model and place.home == place.root and (place.root / "answers.csv").is_file():
        remarks.append("answers.csv is not read: of several models each has its own, answers_1.csv and so on")
    if labelled := {part.group for part in place.of("dev/generated/<class>")}:
        alone = [part.group for part in place.of("dev/real/<class>") if part.group not in labelled]
        remarks += [f"no labelled generated pictures of {some(alone)}"] if alone else []
    return remarks


def _labelled(progress: Reading, label: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(label, done, total)
