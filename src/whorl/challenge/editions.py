"""Read an edition: a folder with generated and real pictures, a development part and perhaps answers.

Membership: `test/generated`, `test/real_unknown`, `dev/generated|real_used|real_not_used`, and, for recipes
that calibrate, `test/reference` (real pictures known not to be used).
Attribution: `test/images`, `dev/<model>/`. Both: `edition.toml`, `answers.csv` (file, label, patient).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whorl import images, tables
from whorl.records import Answers, BadInput, Development, ImageSet, Problem, Quarantined, Task

FORMAT = "whorl.edition/1"
Reading = Callable[[str, int, int], None]
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


def read(folder: Path, *, size: int | None = None, progress: Reading | None = None) -> Edition:
    """Read an edition folder of either question."""
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such folder")
    about = _about(folder)
    task = _task(folder)
    loaded: list[ImageSet] = []

    def load(part: str) -> ImageSet:
        found = images.load(
            folder / part, name=part, size=size, progress=progress and _labelled(progress, f"reading {part}")
        )
        loaded.append(found)
        return found

    problem = _membership(folder, load) if task == "membership" else _attribution(folder, load, about)
    return Edition(
        name=str(about.get("name", folder.resolve().name)),
        problem=problem,
        answers=_answers(folder / "answers.csv", task),
        about=about,
        quarantined=tuple(entry for found in loaded for entry in found.quarantined),
        notes=tuple(f"{found.name}: {note}" for found in loaded for note in found.notes),
    )


def read_answers(file: Path, task: Task) -> Answers:
    """Read a table with columns file, label and perhaps patient."""
    labels: dict[str, str] = {}
    patients: dict[str, str] = {}
    for row in tables.read(file):
        if "label" not in row:
            raise BadInput(f"{file}: needs the columns file,label")
        name, label = str(row["file"]), str(row["label"]).strip()
        if task == "membership":
            if label not in USED:
                raise BadInput(f"{file}: label '{label}' of '{name}' is none of used, not_used, 1, 0")
            label = USED[label]
        if name in labels:
            raise BadInput(f"{file}: '{name}' is listed twice")
        labels[name] = label
        if row.get("patient"):
            patients[name] = str(row["patient"])
    return Answers(labels, patients)


def _about(folder: Path) -> dict[str, Any]:
    file = folder / "edition.toml"
    if not file.is_file():
        return {}
    try:
        about = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not a TOML file: {error}") from None
    if about.get("format", FORMAT) != FORMAT:
        raise BadInput(f"{file}: format '{about['format']}' is unknown; this whorl reads '{FORMAT}'")
    return about


def _task(folder: Path) -> Task:
    if (folder / "test" / "real_unknown").is_dir() and (folder / "test" / "generated").is_dir():
        return "membership"
    if (folder / "test" / "images").is_dir():
        return "attribution"
    raise BadInput(
        f"{folder}: no edition: it has neither test/generated and test/real_unknown nor test/images"
    )


def _membership(folder: Path, load: Callable[[str], ImageSet]) -> Problem:
    development = None
    if (folder / "dev").is_dir():
        used, unused = load("dev/real_used"), load("dev/real_not_used")
        labels = {f"used/{name}": "used" for name in used.ids}
        labels |= {f"not_used/{name}": "not_used" for name in unused.ids}
        real = images.join({"used": used, "not_used": unused}, "development pictures")
        part = Problem("membership", real, {"generated": load("dev/generated")})
        development = Development(part, Answers(labels))
    queries, made = load("test/real_unknown"), load("test/generated")
    reference = load("test/reference") if (folder / "test" / "reference").is_dir() else None
    return Problem("membership", queries, {"generated": made}, reference, development)


def _attribution(folder: Path, load: Callable[[str], ImageSet], about: dict[str, Any]) -> Problem:
    development = None
    models = (
        sorted(part.name for part in (folder / "dev").iterdir() if part.is_dir())
        if (folder / "dev").is_dir()
        else []
    )
    if models:
        sets = {model: load(f"dev/{model}") for model in models}
        labels = {f"{model}/{name}": model for model, found in sets.items() for name in found.ids}
        bag = images.join(sets, "development pictures")
        development = Development(Problem("attribution", bag, count=len(models)), Answers(labels))
    count = about.get("generators")
    if count is not None and (type(count) is not int or count < 1):
        raise BadInput(f"{folder / 'edition.toml'}: generators = {count!r} must be a number of 1 or more")
    return Problem("attribution", load("test/images"), development=development, count=count)


def _answers(file: Path, task: Task) -> Answers | None:
    return read_answers(file, task) if file.is_file() else None


def _labelled(progress: Reading, label: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(label, done, total)
