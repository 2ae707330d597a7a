"""Networks untrained, or trained in haste, taken on request: what they touch says so wherever it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from whorl import extraction, recipes
from whorl.learning.effort import LIMITS, Effort
from whorl.networks.embedding import UNTRAINED, Networks
from whorl.records import BadInput, Recipe

MARK = f"+{UNTRAINED.replace(' ', '-')}"
HASTE: dict[Effort, str] = {effort: f"+{effort}-effort" for effort in LIMITS if effort != "full"}


def is_untrained(recipe: Recipe, networks: Networks) -> bool:
    """Return whether a recipe, or one that it joins, takes a network that nobody trained."""
    own = (networks.untrained(name) for name in extraction.networks_of(recipe))
    return any(own)


def marked(recipe: Recipe, networks: Networks, effort: Effort = "full") -> Recipe:
    """Return the recipe with that effort, under a name that says so; also where features are untrained."""
    if effort not in LIMITS:
        raise BadInput(f"effort '{effort}': give {', '.join(LIMITS)}")
    hasty = recipes.with_effort(recipe, effort) if effort != "full" else recipe
    if hasty.digest != recipe.digest:
        recipe = replace(hasty, name=recipe.name + HASTE[effort])
    return replace(recipe, name=recipe.name + MARK) if is_untrained(recipe, networks) else recipe


def effort_of(name: str) -> str:
    """Return the effort that a recipe's marked name tells, empty for the full one."""
    return next((effort for effort, mark in HASTE.items() if mark in name), "")


def notes(chosen: Sequence[Recipe], networks: Networks) -> tuple[str, ...]:
    """Return what a reader has to know of recipes with untrained features, or with less effort."""
    plain = [recipe.name for recipe in chosen if is_untrained(recipe, networks)]
    found = [_untrained(plain)] if plain else []
    for effort, mark in HASTE.items():
        named = [recipe.name for recipe in chosen if mark in recipe.name]
        if named:
            found.append(_hasty(effort, named))
    return tuple(found)


def _untrained(names: Sequence[str]) -> str:
    named = ", ".join(name.removesuffix(MARK) for name in names)
    said = "--random-weights gave the networks random weights; no figure here says what the recipe is worth"
    return f"{UNTRAINED} ({named}): {said}"


def _hasty(effort: Effort, names: Sequence[str]) -> str:
    limits = LIMITS[effort]
    named = ", ".join(name.partition("+")[0] for name in names)
    most = f"at most {limits.steps} steps of {limits.batch} pictures of {limits.side} × {limits.side}"
    said = "in place of the published training; no figure here is the system's"
    return f"{effort} effort ({named}): {most} {said}"
