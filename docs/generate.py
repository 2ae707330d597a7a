"""Write the pages that the sources already hold: recipes.md, steps.md and cli.md.

`python docs/generate.py` writes them, `python docs/generate.py --check` names those that are stale.
"""

from __future__ import annotations

import io
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from cyclopts import App
from rich.console import Console

from whorl import recipes, steps
from whorl.cli import app
from whorl.listings import parameters, reported
from whorl.records import Recipe
from whorl.steps import Description

FOLDER = Path(__file__).parent
WIDTH = 100
MARK = "<!-- Written by docs/generate.py from the sources: change those, then run `make docs`. -->"
STAGES = {
    "prepare": "One picture in, one picture out.",
    "features": "Pictures in, one array per picture out. Several are joined end to end.",
    "similarity": "Queries and generated pictures in, a block of similarities out. Higher is more alike.",
    "pool": "A block of similarities in, one number per query out.",
    "calibrate": "Two numbers per query in, similarity to the generated and to the reference set; one out.",
    "scorer": "A whole problem in, a table of scores out. A scorer takes the place of pool and calibrate.",
    "decide": "A table of scores in, one label per query out.",
}
EXIT_CODES = """## Exit codes

| code | meaning |
| --- | --- |
| 0 | done; the verdict is in the output, not in the code |
| 2 | something in the command or the input has to be mended; one line on standard error says what |
| 3 | `--strict` was given and a file could not be read |
| 130 | interrupted; the same command goes on where it was |"""


def main(arguments: Sequence[str]) -> int:
    """Write every page, or with `--check` say which ones are stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/generate.py [--check]\n")
        return 2
    made = {name: make() for name, make in PAGES.items()}
    if not arguments:
        for name, text in made.items():
            (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
        return 0
    stale = [name for name, text in made.items() if not is_fresh(FOLDER / name, text)]
    for name in stale:
        sys.stderr.write(f"docs/{name} is stale: run `make docs`\n")
    return 1 if stale else 0


def is_fresh(page: Path, text: str) -> bool:
    """Say whether a page holds exactly this text, however its line ends were checked out."""
    return page.is_file() and page.read_text(encoding="utf-8") == text


def recipes_page() -> str:
    """Return the page of all recipes, one section per system."""
    systems = {name: recipes.read(_file(name)) for name in recipes.systems()}
    count = sum(map(len, systems.values()))
    panels = [[f"`{name}`", ", ".join(f"`{one}`" for one in own)] for name, own in recipes.panels().items()]
    lines = [
        *("# Recipes", "", MARK, ""),
        f"{count} recipes of {len(systems)} systems. A recipe is called `system.variant`; "
        "`whorl recipes NAME` shows one in full, [add-a-recipe.md](add-a-recipe.md) tells how to add one, "
        "[steps.md](steps.md) what each step does.",
        "",
        "A reported figure is what the source says of its own run, on its own pictures; it is no promise of "
        "what the recipe does on others.",
        "",
        *_table(["system", "title", "question", "fidelity", "recipes"], map(_system_row, systems.items())),
        *("## Panels of an audit", ""),
        *_table(["panel", "recipes"], panels),
    ]
    for name, variants in systems.items():
        lines += _system_section(name, variants)
    return _page(lines)


def _file(system: str) -> Path:
    return recipes.catalogue() / f"{system}.toml"


def _system_row(system: tuple[str, Sequence[Recipe]]) -> list[str]:
    name, variants = system
    kinds = "; ".join(dict.fromkeys(str(recipe.about["fidelity"]) for recipe in variants))
    return [f"[{name}](#{name})", variants[0].about["title"], variants[0].task, kinds, str(len(variants))]


def _system_section(name: str, variants: Sequence[Recipe]) -> list[str]:
    about = tomllib.loads(_file(name).read_text(encoding="utf-8"))["about"]
    maker = ", ".join(part for part in (about.get("team"), about.get("authors")) if part) or "not named"
    fidelity = " ".join([f"**{about['fidelity']}**.", *([about["reason"]] if about.get("reason") else [])])
    return [
        *(f"## {name}", "", f"{_cell(about['title'])}.", ""),
        f"- Question: {about['task']}",
        f"- By: {_cell(maker)}, {about['year']}",
        f"- Source: {_cell(about['reference'])}",
        f"- Fidelity: {_cell(fidelity)}",
        "",
        *_table(
            ["recipe", "run", "reported", "steps", "note"], [_recipe_row(one, about) for one in variants]
        ),
    ]


def _recipe_row(recipe: Recipe, about: Mapping[str, Any]) -> list[str]:
    notes = []
    if recipe.about["fidelity"] != about["fidelity"]:
        notes.append(f"Fidelity: {recipe.about['fidelity']}.")
    if recipe.about["reason"] != about.get("reason", ""):
        notes.append(recipe.about["reason"])
    told = " ".join([*notes, recipe.note]).strip()
    return [f"`{recipe.name}`", recipe.run or "", reported(recipe), _chain(recipe), told]


def _chain(recipe: Recipe) -> str:
    shown = []
    for step in recipe.steps:
        told = parameters(step)
        shown.append(f"`{step.name}`" + (f" ({told})" if told else ""))
    return " → ".join(shown)


def steps_page() -> str:
    """Return the page of whorl's own steps, stage by stage."""
    own = [step for step in steps.describe_all() if step.module.startswith("whorl.")]
    lines = [
        *("# Steps", "", MARK, ""),
        f"{len(own)} steps. A step is a function; its name is its place: `texture.lbp` under features is "
        "`lbp` in `features/texture.py`. [add-a-step.md](add-a-step.md) tells how to add one.",
        "",
        "n, q and g count pictures, queries and generated pictures; h and w are height and width. A step "
        "marked **transductive** looks at all queries at once: its answer for one picture depends on the "
        "others. A step marked **fitted** is fitted before it is used, never on the queries.",
        "",
    ]
    for stage, group in groupby(own, key=lambda step: step.stage):
        rows = [_step_row(step) for step in group]
        lines += [f"## {stage}", "", STAGES[stage], "", *_table(["step", "parameters", "what it does"], rows)]
    return _page(lines)


def _step_row(step: Description) -> list[str]:
    marks = [word for word, said in (("transductive", step.transductive), ("fitted", step.fitted)) if said]
    told = [f"`{key} = {default}`" if default else f"`{key}`" for key, default in step.parameters.items()]
    name = " ".join([f"`{step.name}`", *(f"**{mark}**" for mark in marks)])
    return [name, ", ".join(told), f"{step.summary} {step.details}".strip()]


def cli_page() -> str:
    """Return the page of all commands: what `--help` shows, 100 columns wide."""
    lines = [
        *("# Commands", "", MARK, ""),
        f"What `--help` shows, {WIDTH} columns wide. [quickstart.md](quickstart.md) shows them at work.",
        "",
    ]
    for tokens in commands(app):
        lines += [f"## {' '.join(['whorl', *tokens])}", "", "```text", *_help(tokens), "```", ""]
    return _page([*lines, EXIT_CODES])


def commands(parent: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, the one without words first."""
    yield path
    for name in parent:
        if not name.startswith("-"):
            yield from commands(parent[name], (*path, name))


def _help(tokens: Sequence[str]) -> list[str]:
    """Return a command's help as lines: same width and no colour whatever the machine."""
    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDTH, force_terminal=False, color_system=None, legacy_windows=False)
    app.help_print(list(tokens), console=console)
    return [line.rstrip() for line in buffer.getvalue().strip("\n").split("\n")]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    ruled = [list(header), ["---"] * len(header), *([_cell(cell) for cell in row] for row in rows)]
    return [*(f"| {' | '.join(row)} |" for row in ruled), ""]


def _cell(text: str) -> str:
    """Return text on one line; outside code, signs that would become markup are escaped."""
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    return "`".join(part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts))


def _page(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


PAGES: dict[str, Callable[[], str]] = {"recipes.md": recipes_page, "steps.md": steps_page, "cli.md": cli_page}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
