"""Read and check recipes: one text file per system, one level of inheritance, no expressions."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from whorl import steps
from whorl.records import STAGES, BadInput, Recipe, Side, Step, Task

Fidelity = Literal["matches authors' numbers", "from the text", "approximation", "our own"]
Spec = str | dict[str, Any]
Chain = Spec | list[Spec]
REPLACED_BY = {"scorer": ("pool", "calibrate"), "pool": ("scorer",)}
PANELS = "panels.toml"
LEARNING = "effort"  # the parameter of every step that trains a network


class Strict(BaseModel):
    """A table of the file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


class About(Strict):
    """Where a system comes from and how faithfully it is rebuilt."""

    title: str = Field(min_length=1)
    team: str = ""
    authors: str = ""
    year: int
    reference: str = Field(min_length=1)
    task: Task
    fidelity: Fidelity
    reason: str = ""


class Stages(Strict):
    """The steps of a base or a variant, by stage."""

    prepare: Chain | None = None
    features: Chain | None = None
    similarity: Spec | None = None
    pool: Spec | None = None
    calibrate: Spec | None = None
    scorer: Spec | None = None
    decide: Spec | None = None


class Variant(Stages):
    """The stages that differ from the base, and what the paper says of this run.

    `further` steps come after the features that it has of its own or from the base.
    """

    further: Chain | None = None
    run: str | None = None
    reported: dict[str, float] = Field(default_factory=dict)
    note: str = ""
    fidelity: Fidelity | None = None
    reason: str | None = None


class System(Strict):
    """One file of the catalogue."""

    about: About
    base: Stages = Field(default_factory=Stages)
    variant: dict[str, Variant] = Field(min_length=1)


def catalogue() -> Path:
    """Return the folder of the recipes that come with whorl."""
    return Path(str(files("whorl") / "catalogue"))


def systems() -> list[str]:
    """Return the names of all systems of the catalogue."""
    return sorted(file.stem for file in catalogue().glob("*.toml") if file.name != PANELS)


def names() -> list[str]:
    """Return the names of all recipes of the catalogue."""
    return [recipe.name for system in systems() for recipe in read(catalogue() / f"{system}.toml")]


def load(name: str) -> Recipe:
    """Return the recipe `system.variant` of the catalogue, or `FILE.toml:variant` of a file of one's own."""
    if name.endswith(".toml"):
        found = ", ".join(recipe.name.removeprefix(f"{Path(name).stem}.") for recipe in read(Path(name)))
        raise BadInput(f"{name}: say which variant, {name}:VARIANT; it has: {found}")
    if ".toml:" in name:
        path, _, variant = name.rpartition(":")
        file = Path(path)
    else:
        system, _, variant = name.partition(".")
        file = catalogue() / f"{system}.toml"
        if system not in systems():
            close = steps.nearest(system, systems())
            hint = f"; did you mean '{close}'?" if close else "; `whorl recipes` lists them"
            raise BadInput(f"no system is called '{system}'{hint}")
    variants = {recipe.name.removeprefix(f"{file.stem}."): recipe for recipe in read(file)}
    if variant not in variants:
        close = steps.nearest(variant, variants)
        hint = f"; did you mean '{file.stem}.{close}'?" if close else f"; it has: {', '.join(variants)}"
        said = f"'{variant}' is no variant of {file.stem}" if variant else f"say which variant of {file.stem}"
        raise BadInput(said + hint)
    return variants[variant]


def with_features(recipe: Recipe, name: str) -> Recipe:
    """Return a recipe with another step in place of its features, also in the recipes it joins."""
    description = steps.check("features", name, {})
    swapped = Step("features", name, {}, "both", description.version)
    kept = [step for step in recipe.steps if step.stage != "features"]
    made = (*kept, swapped) if recipe.chain("features") else recipe.steps
    ordered = tuple(sorted(made, key=lambda step: STAGES.index(step.stage)))
    members = {variant: with_features(member, name) for variant, member in recipe.members.items()}
    return replace(recipe, name=f"{recipe.name}+{name}", steps=ordered, members=members)


def with_further(recipe: Recipe, names: Iterable[str]) -> Recipe:
    """Return a recipe with further steps beside its features, such as those of a pretrained network."""
    for name in names:
        description = steps.check("features", name, {})
        further = Step("features", name, {}, "both", description.version)
        if further in recipe.steps:
            continue
        if not recipe.chain("features"):
            raise BadInput(f"{recipe.name} looks at no features, so that none can be put beside them")
        ordered = tuple(sorted((*recipe.steps, further), key=lambda step: STAGES.index(step.stage)))
        recipe = replace(recipe, name=f"{recipe.name} and {name}", steps=ordered)
    return recipe


def needs_weights(recipe: Recipe) -> bool:
    """Return whether a recipe or one that it joins names a pretrained network."""
    scorer = recipe.one("scorer")
    asked = scorer is None or {"features", "compare"} & set(steps.find("scorer", scorer.name).handed)
    named = any("networks" in steps.find("features", step.name).handed for step in recipe.chain("features"))
    return (bool(asked) and named) or any(needs_weights(member) for member in recipe.members.values())


def learns(recipe: Recipe) -> bool:
    """Return whether a recipe or one that it joins has a network of its own, which needs torch."""
    own = any("workplace" in steps.find(step.stage, step.name).handed for step in recipe.steps)
    return own or any(map(learns, recipe.members.values()))


def with_effort(recipe: Recipe, effort: str) -> Recipe:
    """Return a recipe whose networks are trained with another effort: full, small or tiny."""
    changed = tuple(
        replace(step, parameters={**step.parameters, LEARNING: effort})
        if LEARNING in steps.find(step.stage, step.name).parameters
        else step
        for step in recipe.steps
    )
    members = {variant: with_effort(member, effort) for variant, member in recipe.members.items()}
    return replace(recipe, steps=changed, members=members)


@cache
def panels() -> Mapping[str, tuple[str, ...]]:
    """Return the panels of an audit: name → recipes."""
    table = tomllib.loads((catalogue() / PANELS).read_text(encoding="utf-8"))
    found: dict[str, tuple[str, ...]] = {}
    for name, content in table.items():
        found[name] = (*found.get(content.get("begins_with", ""), ()), *content["recipes"])
    return found


def read(file: Path) -> tuple[Recipe, ...]:
    """Read one file and return its recipes, each step checked against the source."""
    try:
        return _read(file, file.read_bytes())
    except OSError as error:
        raise BadInput(f"{file}: cannot read the recipe ({error.strerror})") from None


@cache
def _read(file: Path, content: bytes) -> tuple[Recipe, ...]:
    try:
        system = System.model_validate(tomllib.loads(content.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not a TOML file: {error}") from None
    except ValidationError as error:
        raise BadInput(f"{file}: {_first(error)}") from None
    try:
        made = {name: _recipe(file.stem, system, name, part) for name, part in system.variant.items()}
        return tuple(_join(recipe, made) for recipe in made.values())
    except BadInput as error:
        raise BadInput(f"{file}: {error}") from None


def _recipe(system: str, content: System, name: str, variant: Variant) -> Recipe:
    chosen: dict[str, Chain] = {}
    for stage in STAGES:
        own, inherited = getattr(variant, stage), getattr(content.base, stage)
        replaced = any(
            stage in gone for other, gone in REPLACED_BY.items() if getattr(variant, other) is not None
        )
        if own is not None:
            chosen[stage] = own
        elif inherited is not None and not replaced:
            chosen[stage] = inherited
        if stage == "features" and variant.further is not None:
            before = list(_specs(stage, chosen[stage])) if stage in chosen else []
            chosen[stage] = [*before, *_specs("further", variant.further)]
    full = f"{system}.{name}"
    _check_shape(full, chosen)
    about = content.about.model_dump()
    about |= {key: value for key in ("fidelity", "reason") if (value := getattr(variant, key)) is not None}
    if about["fidelity"] == "approximation" and not about["reason"]:
        raise BadInput(f"{full}: an approximation must give its reason")
    made = tuple(_step(stage, spec) for stage, chain in chosen.items() for spec in _specs(stage, chain))
    return Recipe(full, content.about.task, made, about, variant.run, variant.reported, variant.note)


def _join(recipe: Recipe, made: Mapping[str, Recipe]) -> Recipe:
    """Attach the recipes that an ensemble names; they must be plain recipes of the same file."""
    scorer = recipe.one("scorer")
    if scorer is None or not _joins(scorer):
        return recipe
    named = [name for value in scorer.parameters.values() if isinstance(value, list) for name in value]
    for name in named:
        if name not in made:
            raise BadInput(f"{recipe.name}: no variant '{name}'; the file has: {', '.join(made)}")
        inner = made[name].one("scorer")
        if inner is not None and _joins(inner):
            raise BadInput(f"{recipe.name}: '{name}' is an ensemble itself; only one level is allowed")
    if not named:
        raise BadInput(f"{recipe.name}: an ensemble must name its recipes")
    return replace(recipe, members={name: made[name] for name in named})


def _joins(scorer: Step) -> bool:
    return "outcomes" in steps.find("scorer", scorer.name).handed


def _check_shape(full: str, chosen: Mapping[str, Chain]) -> None:
    if "decide" not in chosen:
        raise BadInput(f"{full}: a recipe needs a decide step")
    if ("scorer" in chosen) == ("pool" in chosen):
        raise BadInput(f"{full}: a recipe needs either a scorer or a pool step")
    if "pool" in chosen and not {"features", "similarity"} <= chosen.keys():
        raise BadInput(f"{full}: pooling needs features and a similarity")


def _specs(stage: str, chain: Chain) -> Iterator[Spec]:
    if chain == []:
        raise BadInput(f"{stage}: an empty list; leave the stage out or name a step")
    yield from chain if isinstance(chain, list) else [chain]


def _step(stage: str, spec: Spec) -> Step:
    content = {"step": spec} if isinstance(spec, str) else dict(spec)
    name = content.pop("step", None)
    if not isinstance(name, str):
        raise BadInput(f'{stage}: a step needs its name: step = "..."')
    side = cast(Side, content.pop("on", "both"))
    if side not in get_args(Side) or (side != "both" and stage != "prepare"):
        raise BadInput(f"{stage}.{name}: on = {side!r}: only prepare has it, as 'queries' or 'generated'")
    return Step(stage, name, content, side, steps.check(stage, name, content).version)


def _first(error: ValidationError) -> str:
    detail = error.errors()[0]
    place = [str(part) for part in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        models: dict[str, type[Strict]] = {"about": About, "base": Stages, "variant": Variant}
        model = models.get(place[0], System)
        close = steps.nearest(place[-1], model.model_fields)
        return f"unknown key {'.'.join(place)}" + (f"; did you mean '{close}'?" if close else "")
    return f"{'.'.join(place)}: {detail['msg']}"
