"""The records that flow through whorl: frozen, checked on creation, and nothing more."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import annotated_types
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Task = Literal["membership", "attribution"]
Count = Annotated[int, annotated_types.Ge(1)]
Share = Annotated[float, annotated_types.Interval(ge=0, le=1)]
Side = Literal["both", "queries", "generated"]
Progress = Callable[[str, int, int], None]
STAGES = ("prepare", "features", "similarity", "pool", "calibrate", "scorer", "decide")


class BadInput(ValueError):
    """A problem the user can mend; its text is one line: what, where, what to do."""


def silent(_label: str, _done: int, _total: int) -> None:
    """Report no progress."""


def digest_of(*parts: object) -> str:
    """Return a SHA-256 over the JSON form of plain values (32 hexadecimal digits)."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


@dataclass(frozen=True)
class Quarantined:
    """One file that was left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Pictures in a fixed order: ids, one stack of grey pixels, a digest each; never a label.

    `pixels` is (n, height, width), uint8 or float32 on the scale 0 to 255, in memory or
    memory-mapped; `digests` are SHA-256 of the decoded pixels.
    """

    name: str
    ids: tuple[str, ...]
    pixels: Array
    digests: tuple[str, ...]
    patients: tuple[str, ...] | None = None
    quarantined: tuple[Quarantined, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or len(self.pixels) != len(self.ids):
            raise BadInput(f"{self.name}: expected {len(self.ids)} grey pictures of one size")
        if len(set(self.ids)) != len(self.ids):
            raise BadInput(f"{self.name}: picture names are not unique")
        if len(self.digests) != len(self.ids):
            raise BadInput(f"{self.name}: every picture needs a digest")
        if self.patients is not None and len(self.patients) != len(self.ids):
            raise BadInput(f"{self.name}: every picture needs a patient, or none has one")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def digest(self) -> str:
        """Digest of names, pixels and size: what a result depends on."""
        return digest_of("set", list(self.ids), list(self.digests), list(self.pixels.shape[1:]))


@dataclass(frozen=True)
class Answers:
    """The truth: picture id → label; joined in `evaluate` and nowhere else."""

    labels: Mapping[str, str]
    patients: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Problem:
    """A question without its answer.

    Membership: `queries` are real pictures, `generated` holds one set per generator.
    Attribution: `queries` are generated pictures, `count` the number of generators if told; for the subset
    question `generated` holds the real subsets that they are compared with.
    """

    task: Task
    queries: ImageSet
    generated: Mapping[str, ImageSet] = field(default_factory=dict)
    reference: ImageSet | None = None
    development: Development | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.task == "membership" and not self.generated:
            raise BadInput("a membership problem needs generated pictures")
        if len(self.queries) == 0:
            raise BadInput(f"{self.queries.name}: no readable picture")
        for name, images in self.generated.items():
            if len(images) == 0:
                raise BadInput(f"{name}: no readable picture")
            if images.pixels.shape[1:] != self.queries.pixels.shape[1:]:
                raise BadInput(_sizes_differ(images, self.queries))
        beside = self.reference
        if beside is not None and beside.pixels.shape[1:] != self.queries.pixels.shape[1:]:
            raise BadInput(_sizes_differ(beside, self.queries))

    @property
    def digest(self) -> str:
        """Digest of everything a method may look at."""
        part = self.development
        return digest_of(
            self.task,
            self.queries.digest,
            list(self.queries.patients or ()),
            {name: images.digest for name, images in self.generated.items()},
            None if self.reference is None else self.reference.digest,
            None if part is None else [part.problem.digest, dict(part.answers.labels)],
            self.count,
        )


@dataclass(frozen=True, eq=False)
class Development:
    """A small problem whose answers are known; methods may be fitted on it."""

    problem: Problem
    answers: Answers

    def used(self) -> NDArray[np.bool_]:
        """Return which of its queries were used, (n,); both kinds must be there."""
        truth = np.asarray([self.answers.labels[name] == "used" for name in self.problem.queries.ids])
        if truth.all() or not truth.any():
            raise BadInput("the development part needs both used and not used pictures")
        return truth


@dataclass(frozen=True)
class Step:
    """One named function of one stage with its parameters; `on` limits a preparation to one side."""

    stage: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    on: Side = "both"
    version: int = 1

    @property
    def digest(self) -> str:
        """Digest of what the step computes."""
        return digest_of(self.stage, self.name, dict(self.parameters), self.on, self.version)


@dataclass(frozen=True)
class Recipe:
    """A published system's variant as data: `system.variant`, its steps and where it comes from.

    `members` are the recipes an ensemble joins, by variant name, one level deep.
    """

    name: str
    task: Task
    steps: tuple[Step, ...]
    about: Mapping[str, Any]
    run: str | None = None
    reported: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    members: Mapping[str, Recipe] = field(default_factory=dict)

    def chain(self, stage: str) -> tuple[Step, ...]:
        """Return the steps of one stage, in order."""
        return tuple(step for step in self.steps if step.stage == stage)

    def one(self, stage: str) -> Step | None:
        """Return the single step of a stage, or nothing."""
        found = self.chain(stage)
        return found[0] if found else None

    @property
    def digest(self) -> str:
        """Digest of the steps, not of the words about them."""
        return digest_of(self.scoring_digest, [step.digest for step in self.chain("decide")])

    @property
    def scoring_digest(self) -> str:
        """Digest of the steps that make the scores: recipes that differ in their rule alone share them."""
        joined = {name: member.digest for name, member in self.members.items()}
        return digest_of(self.task, [step.digest for step in self.steps if step.stage != "decide"], joined)


@dataclass(frozen=True, eq=False)
class Scores:
    """One table: queries × groups, float32, higher = more likely; with the nearest example of each.

    `nearest` is (n, g): the index of the most similar generated picture, or -1 where a method has none.
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    values: Floats
    nearest: NDArray[np.int64]
    recipe: str = ""
    problem: str = ""

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.groups))
        if self.values.shape != shape or self.nearest.shape != shape:
            raise ValueError(f"scores: expected a table of {shape}, got {self.values.shape}")
        if self.values.dtype != np.float32:
            raise ValueError("scores: expected float32")
        if not np.isfinite(self.values).all():
            raise ValueError(f"scores of {self.recipe or 'a step'} are not finite")


def group_count(problem: Problem, clusters: int | None) -> int:
    """Return how many groups to make: the number a recipe fixes, or the one that the problem tells."""
    count = problem.count if clusters is None else clusters
    if count is None:
        raise BadInput("this recipe needs the number of generators: -k N, or generators = N in edition.toml")
    if not 1 <= count <= len(problem.queries):
        raise BadInput(f"cannot make {count} groups of {len(problem.queries)} pictures")
    return count


def one_column(problem: Problem, values: Array, nearest: Array | None = None) -> Scores:
    """Return the table of a method that gives one number per query, whatever generator it is."""
    table = np.asarray(values, np.float32).reshape(-1, 1)
    places = np.full(table.shape, -1) if nearest is None else np.asarray(nearest).reshape(-1, 1)
    return Scores(problem.queries.ids, ("generated",), table, places.astype(np.int64))


@dataclass(frozen=True)
class Verdicts:
    """A label per query, and the threshold that gave it with how it was found."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    threshold: float | None
    rule: str

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.labels):
            raise ValueError("verdicts: one label for every query")


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Measure:
    """One metric: estimate and interval, with what chance gives beside it."""

    name: str
    interval: Interval
    chance: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What an evaluation says: metrics with intervals, control, chance, and all provenance."""

    task: Task
    recipe: str
    measures: tuple[Measure, ...]
    control: Measure | None
    p_value: float | None
    count: int
    share_used: float | None
    seed: int
    provenance: Mapping[str, Any]
    notes: Sequence[str] = ()


def _sizes_differ(one: ImageSet, other: ImageSet) -> str:
    first, second = ("×".join(map(str, images.pixels.shape[:0:-1])) for images in (one, other))
    return f"{one.name} has pictures of {first}, {other.name} of {second}: give --size N to bring all to N×N"
