"""The commands that list: recipes, steps, doctor."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from whorl.cli.options import flag

Json = Annotated[bool, flag("Print the result as JSON and nothing else.")]


def recipes(
    name: Annotated[str | None, Parameter(help="A system, or a recipe to see in full.")] = None,
    *,
    json: Json = False,
) -> None:
    """List the recipes, or show one system or one recipe.

    Example: whorl recipes m23-vcmi
    """
    from whorl import listings

    listings.show(listings.recipes(name), json)


def steps(
    name: Annotated[str | None, Parameter(help="A stage, or a step to see in full.")] = None,
    *,
    json: Json = False,
) -> None:
    """List the steps that recipes are made of, or show one.

    Example: whorl steps maps.ssim
    """
    from whorl import listings

    listings.show(listings.steps(name), json)


def doctor(*, json: Json = False) -> None:
    """Show versions, extras, cores, memory and GPU.

    Example: whorl doctor
    """
    from whorl import listings

    listings.show(listings.doctor(), json)
