"""Networks as they are before training, taken on request: what they touch says so wherever it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from whorl import extraction
from whorl.networks.embedding import UNTRAINED, Networks
from whorl.records import Recipe

MARK = f"+{UNTRAINED.replace(' ', '-')}"


def is_untrained(recipe: Recipe, networks: Networks) -> bool:
    """Return whether a recipe, or one that it joins, takes features of a network that nobody trained."""
    own = (networks.untrained(name) for name in extraction.networks_of(recipe))
    return any(own)


def marked(recipe: Recipe, networks: Networks) -> Recipe:
    """Return the recipe, under a name that says so where its features are untrained."""
    return replace(recipe, name=recipe.name + MARK) if is_untrained(recipe, networks) else recipe


def notes(recipes: Sequence[Recipe], networks: Networks) -> tuple[str, ...]:
    """Return what a reader has to know of recipes with untrained features."""
    named = [recipe.name.removesuffix(MARK) for recipe in recipes if is_untrained(recipe, networks)]
    said = "--random-weights gave the networks random weights; no figure here says what the recipe is worth"
    return (f"{UNTRAINED} ({', '.join(named)}): {said}",) if named else ()
