"""One line of a bench: what a recipe was worth on an edition, or how near its generator came to real ones."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from whorl import alterations, memory, quality, recipes, steps, untrained
from whorl.challenge import editions
from whorl.challenge.editions import Edition
from whorl.extraction import networks_of
from whorl.folders import shown
from whorl.forge import generators, sealing
from whorl.forge.neural import Neural
from whorl.learning.effort import Effort
from whorl.learning.workplace import Workplace
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.protocols import protocols
from whorl.records import BadInput, Interval, Recipe, Result, Task, digest_of
from whorl.store import Shelf, Store
from whorl.trials import Trial, trial

FORM = "whorl.bench/1"
KEPT: Mapping[Task, tuple[str, ...]] = {
    "membership": ("auc", "tpr_at_1_percent_fpr", "f1", "accuracy", "balanced_accuracy", "kappa"),
    "attribution": ("adjusted_rand_index", "normalised_mutual_information", "hungarian_accuracy"),
}
REMEMBERED = 4  # editions that a process keeps in memory
DRAWN = ("seed", "workplace")  # what a step is handed if it draws random numbers
Line = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One model's edition: the folder, the model's place in it, what it calls itself, what was altered."""

    folder: Path
    place: int
    name: str
    model: str
    altered: str = ""


@dataclass(frozen=True)
class Job:
    """One run; without a recipe, the quality of the edition's generator."""

    source: Source
    recipe: str
    seed: int


@dataclass(frozen=True)
class Bench:
    """What all runs share: where things are kept, how networks are got, how long own ones learn."""

    out: Path
    networks: Networks = field(default_factory=Networks)
    effort: Effort = "full"
    threads: int = 1
    keep_features: bool = False
    memory: int | None = None


def key_of(bench: Bench, job: Job) -> str:
    """Name a run by all that its numbers depend on."""
    edition = edition_of(job.source)
    answers = edition.answers
    truth = [sorted(answers.labels.items()), sorted(answers.patients.items())] if answers else []
    where = [FORM, job.source.name, job.source.model, edition.problem.digest, truth]
    if not job.recipe:
        return digest_of(*where, "quality", quality.VERSION)
    recipe = _recipe(bench, job)
    weights = [[name, _identity(bench.networks, name)] for name in sorted(networks_of(recipe))]
    return digest_of(*where, recipe.name, recipe.digest, job.seed, weights)


def _identity(networks: Networks, name: str) -> str:
    """Return what a network is known by; one whose weights are missing is tried again once they are there."""
    try:
        return networks.identity(name)
    except BadInput:
        return "missing"


def draws(recipe: Recipe) -> bool:
    """Return whether a recipe, or one that it joins, draws random numbers."""
    own = any(set(DRAWN) & set(steps.find(step.stage, step.name).handed) for step in recipe.steps)
    return own or any(map(draws, recipe.members.values()))


def _recipe(bench: Bench, job: Job) -> Recipe:
    return untrained.marked(recipes.load(job.recipe), bench.networks, bench.effort)


def line_of(bench: Bench, job: tuple[str, Job]) -> Line:
    """Make one line; a run that fails says why in its line, and the others go on."""
    key, asked = job
    started = time.perf_counter()
    line: Line = {"key": key, **_where(asked.source)}
    try:
        line |= _run(bench, asked) if asked.recipe else {"quality": _quality(asked)}
    except BadInput as error:
        line |= _named(bench, asked) | {"failed": str(error)}
    except Exception as error:
        # One recipe's fault must not cost the others their hours; the line says that it is a fault.
        line |= _named(bench, asked) | {"failed": f"a fault of whorl: {type(error).__name__}: {error}"}
    return {**line, "seconds": round(time.perf_counter() - started, 2)}


def _run(bench: Bench, job: Job) -> Line:
    recipe, edition = _recipe(bench, job), edition_of(job.source)
    total = bench.memory or memory.half_of_free()
    settings = Settings(
        seed=job.seed,
        store=Store(bench.out / ".store"),
        networks=bench.networks,
        keep_features=bench.keep_features,
        block_bytes=memory.block(total),
        spill_bytes=memory.spill(total),
        shelf=_shelf(bench.memory),
        workplace=Workplace(
            device="gpu" if bench.networks.device == "cuda" else "cpu", threads=bench.threads
        ),
    )
    found = trial(recipe, edition, settings, ways=protocols(0, edition.problem.task))
    if found.result is None:
        raise BadInput(
            f"{shown(job.source.folder)}: no answers: a bench needs editions whose answers are known"
        )
    return {**_named(bench, job), "problem": edition.problem.digest, **_figures(found.result, found)}


def _named(bench: Bench, job: Job) -> Line:
    recipe = _recipe(bench, job)
    return {
        "recipe": recipe.name,
        "system": recipe.name.partition(".")[0],
        "fidelity": str(recipe.about["fidelity"]),
        "untrained": untrained.is_untrained(recipe, bench.networks),
        "effort": untrained.effort_of(recipe.name),
        "digest": recipe.digest,
        "seed": job.seed,
        "seeded": draws(recipe),
        "device": bench.networks.device,
    }


def _figures(result: Result, found: Trial) -> Line:
    measures = {measure.name: measure for measure in result.measures if measure.name in KEPT[result.task]}
    return {
        "count": result.count,
        "share_used": result.share_used,
        "p_value": result.p_value,
        "measures": {name: _interval(measure.interval) for name, measure in measures.items()},
        "chance": {name: dict(measure.chance) for name, measure in measures.items() if measure.chance},
        "development": [
            [gap.protocol, gap.metric, *map(_interval, (gap.development, gap.test, gap.gap))]
            for gap in found.development
        ],
    }


def _quality(job: Job) -> Line:
    """Compare the test part's generated pictures with its real ones."""
    problem = edition_of(job.source).problem
    (made,) = problem.generated.values()
    found = quality.quality(made.pixels, problem.queries.pixels)
    plain = {one.name: getattr(found, one.name) for one in fields(found)}
    spectrum = {key: list(plain.pop(key)) for key in ("frequencies", "generated", "real")}
    intervals = {key: _interval(plain.pop(key)) for key in ("kid", "kid_real")}
    return {**intervals, **plain, "spectrum": spectrum}


def _interval(value: Interval | None) -> list[float] | None:
    return None if value is None else [round(float(one), 6) for one in asdict(value).values()]


def _where(source: Source) -> Line:
    """Return what is known of an edition: its generator, and the dials of its leak."""
    edition = edition_of(source)
    spec = _spec(source)
    made = generators.make(spec) if spec else None
    dials: dict[str, Any] = {}
    if isinstance(made, Neural):
        dials = {**made.settings, "steps": made.scale.steps}
        dials = {key: value for key, value in dials.items() if key not in ("device", "threads")}
    elif made is not None:
        dials = {key: getattr(made, key) for key in generators.parameters(type(made))}
    return {
        "edition": source.name,
        "model": source.model,
        "altered": source.altered,
        "task": edition.problem.task,
        "generator": spec,
        "kind": spec.partition(":")[0],
        "dials": dials,
    }


def _spec(source: Source) -> str:
    """Return the text of the generator that an organiser has written down; nothing if none has."""
    file = source.folder / "sealed" / "sealed.toml"
    if not file.is_file():
        return ""
    about = sealing.read_toml(file)
    named = about.get("generators", [])
    return str(named[source.place]) if about.get("question") == "membership" else ""


def published(folder: Path) -> Path:
    """Return where the edition itself lies: organisers keep it beside what they seal."""
    return folder / "edition" if (folder / "sealed").is_dir() else folder


@lru_cache(1)
def _shelf(total: int | None) -> Shelf:
    """Features that recipes of a process share, so that times leave out what another has computed."""
    return memory.shelf(total or memory.half_of_free())


@lru_cache(REMEMBERED)
def edition_of(source: Source) -> Edition:
    """Read an edition; the last few stay in memory."""
    home = published(source.folder)
    answers = source.folder / "sealed" if home != source.folder else None
    found = editions.read_all(home, answers=answers)[source.place]
    if not source.altered:
        return found
    queries = alterations.altered(found.problem.queries, source.altered)
    return replace(found, problem=replace(found.problem, queries=queries))
