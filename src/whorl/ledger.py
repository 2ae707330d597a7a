"""What a bench wrote down: one JSON object a line, read into runs, failures and qualities of generators."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from whorl import fields
from whorl.fields import Unfit
from whorl.outcomes import Gap
from whorl.records import BadInput, Interval

Question = Literal["membership", "attribution"]
Dial = str | float
Taken = TypeVar("Taken")


@dataclass(frozen=True)
class Run:
    """One recipe on one edition with one seed."""

    edition: str
    model: str
    task: Question
    recipe: str
    system: str
    seed: int
    measures: Mapping[str, Interval]
    seconds: float
    generator: str = ""
    kind: str = ""
    dials: Mapping[str, Dial] = field(default_factory=dict)
    fidelity: str = ""
    untrained: bool = False
    seeded: bool = True
    device: str = ""
    digest: str = ""
    count: int | None = None
    share_used: float | None = None
    p_value: float | None = None
    chance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    development: tuple[Gap, ...] = ()
    altered: str = ""

    @property
    def own(self) -> bool:
        """Whether the recipe is one of whorl's own, not a published one."""
        return is_own(self.system)


def is_own(system: str) -> bool:
    """Return whether a system is one of whorl's own, not a published one."""
    return system == "whorl" or system.startswith("whorl-")


@dataclass(frozen=True)
class Failure:
    """A recipe that could not be run on an edition, and why."""

    edition: str
    model: str
    recipe: str
    seed: int
    reason: str
    altered: str = ""


@dataclass(frozen=True)
class Spectrum:
    """Logarithm of the radial power of generated and of real pictures."""

    frequencies: tuple[float, ...]
    generated: tuple[float, ...]
    real: tuple[float, ...]


@dataclass(frozen=True)
class Quality:
    """How good the pictures of a generator are, beside halves of the real ones."""

    edition: str
    model: str
    kid: Interval | None
    kid_real: Interval | None
    precision: float | None
    recall: float | None
    precision_real: float | None
    recall_real: float | None
    spectrum: Spectrum | None
    pictures: int | None


@dataclass(frozen=True)
class Bench:
    """Everything a bench wrote down; `cut` if the last line was half written and left out."""

    runs: tuple[Run, ...]
    failures: tuple[Failure, ...] = ()
    qualities: tuple[Quality, ...] = ()
    cut: bool = False


def read_lines(file: Path) -> Bench:
    """Return what a file of JSON lines says; the last line about a thing wins."""
    found, cut = taken(file, _record)
    return _sorted(dict(found).values(), cut)


def taken(file: Path, take: Callable[[Mapping[str, Any]], Taken]) -> tuple[list[Taken], bool]:
    """Return what `take` makes of every line, and whether a killed run has left half a line at the end."""
    try:
        lines = Path(file).read_bytes().split(b"\n")
    except OSError as problem:
        raise BadInput(f"{file}: cannot be read ({problem.strerror}); give the bench's runs.jsonl") from None
    found: list[Taken] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(take(_parsed(line)))
        except Unfit as problem:
            # Only the end of a killed run lacks its line end; elsewhere something else went wrong.
            if number == len(lines) and problem.torn:
                return found, True
            raise BadInput(f"{file}, line {number}: {problem}; mend or delete the line") from None
    return found, False


def gathered(lines: Iterable[Mapping[str, Any]]) -> Bench:
    """Return what lines say that were not read from a file; the last about a thing wins."""
    return _sorted(dict(map(_record, lines)).values())


def _sorted(values: Iterable[Run | Failure | Quality], cut: bool = False) -> Bench:
    values = list(values)
    return Bench(
        tuple(value for value in values if isinstance(value, Run)),
        tuple(value for value in values if isinstance(value, Failure)),
        tuple(value for value in values if isinstance(value, Quality)),
        cut,
    )


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        # NaN and Infinity are no JSON: what they stand for is not known.
        value = json.loads(line.decode("utf-8"), parse_constant=lambda _word: None)
    except (ValueError, RecursionError):
        raise Unfit("is not JSON", torn=True) from None
    if not isinstance(value, dict):
        raise Unfit("is not a JSON object")
    return value


def _record(line: Mapping[str, Any]) -> tuple[tuple[object, ...], Run | Failure | Quality]:
    edition, model = fields.text(line, "edition"), fields.text(line, "model", "")
    if "quality" in line:
        return ("quality", edition, model), _quality(edition, model, fields.mapping(line, "quality"))
    recipe = fields.text(line, "recipe")
    seed = fields.whole(line, "seed")
    altered = fields.text(line, "altered", "")
    key = ("run", edition, model, altered, recipe, 0 if seed is None else seed)
    if "failed" in line:
        return key, Failure(edition, model, recipe, seed or 0, fields.text(line, "failed"), altered)
    return key, _run(line, edition, model, recipe, seed or 0)


def _run(line: Mapping[str, Any], edition: str, model: str, recipe: str, seed: int) -> Run:
    task = line.get("task")
    if task not in ("membership", "attribution"):
        raise Unfit("has no task: membership or attribution")
    measures = {
        str(name): _measured(value, f"measures, {name}")
        for name, value in fields.mapping(line, "measures").items()
        if value is not None
    }
    seconds = fields.number(line.get("seconds"), "seconds")
    if seconds is None or seconds < 0:
        raise Unfit("has no seconds")
    dials = {str(name): _dial(value) for name, value in fields.mapping(line, "dials").items()}
    return Run(
        edition=edition,
        model=model,
        task=task,
        recipe=recipe,
        system=fields.text(line, "system", "") or recipe.partition(".")[0],
        seed=seed,
        measures={name: value for name, value in measures.items() if value is not None},
        seconds=seconds,
        generator=fields.text(line, "generator", ""),
        kind=fields.text(line, "kind", ""),
        dials=dials,
        fidelity=fields.text(line, "fidelity", ""),
        untrained=line.get("untrained") is True,
        seeded=line.get("seeded") is not False,
        device=fields.text(line, "device", ""),
        digest=fields.text(line, "digest", ""),
        altered=fields.text(line, "altered", ""),
        count=fields.whole(line, "count"),
        share_used=fields.share(line, "share_used"),
        p_value=fields.share(line, "p_value"),
        chance=_chance(fields.mapping(line, "chance")),
        development=tuple(filter(None, map(_gap, fields.sequence(line, "development")))),
    )


def _chance(levels: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        str(name): {
            str(key): number
            for key, value in answers.items()
            if (number := fields.number(value, f"chance, {name}")) is not None
        }
        for name, answers in levels.items()
        if isinstance(answers, dict)
    }


def _gap(row: object) -> Gap | None:
    if not isinstance(row, list) or len(row) != 5 or not all(isinstance(name, str) for name in row[:2]):
        raise Unfit("development: expected [protocol, metric, development, test, gap]")
    first, test, gap = (fields.interval(value, "development") for value in row[2:])
    return None if first is None else Gap(row[0], row[1], first, test, gap)


def _quality(edition: str, model: str, said: Mapping[str, Any]) -> Quality:
    spectrum = said.get("spectrum")
    return Quality(
        edition,
        model,
        fields.interval(said.get("kid"), "kid"),
        fields.interval(said.get("kid_real"), "kid_real"),
        fields.share(said, "precision"),
        fields.share(said, "recall"),
        fields.share(said, "precision_real"),
        fields.share(said, "recall_real"),
        _spectrum(spectrum) if isinstance(spectrum, dict) else None,
        fields.whole(said, "pictures"),
    )


def _spectrum(said: Mapping[str, Any]) -> Spectrum | None:
    rows = [
        [fields.number(value, "spectrum") for value in fields.sequence(said, name)]
        for name in Spectrum.__annotations__
    ]
    # A frequency without power (all pictures alike there) has no logarithm.
    points = [point for point in zip(*rows, strict=False) if None not in point]
    if len({len(row) for row in rows}) != 1:
        raise Unfit("spectrum: frequencies, generated and real differ in length")
    columns = [tuple(value for value in column if value is not None) for column in zip(*points, strict=True)]
    return Spectrum(*columns) if len(points) > 1 else None


def _measured(value: object, name: str) -> Interval | None:
    found = fields.interval(value, name)
    if found is not None and not all(-1 <= end <= 1 for end in (found.estimate, found.low, found.high)):
        raise Unfit(f"{name}: expected numbers between -1 and 1")
    return found


def _dial(value: object) -> Dial:
    number = None if isinstance(value, bool | str) else fields.number(value, "dials")
    return str(value) if number is None else number
