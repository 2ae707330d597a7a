"""Recipes x editions x seeds: what is missing is run, each run is one line of a file, a killed bench goes on.

A line is made anew only if the edition's pictures or answers, the recipe, or the networks it uses are others.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from whorl import fields, ledger, recipes
from whorl.challenge import editions
from whorl.compare import Progress, silent
from whorl.executors import Executor
from whorl.folders import shown
from whorl.records import BadInput, Recipe
from whorl.runlines import Bench, Job, Line, Source, draws, edition_of, key_of, line_of, published
from whorl.steps import nearest


def sources(folders: Sequence[Path]) -> list[Source]:
    """Return every model of every edition; a folder of editions stands for all of them."""
    found: list[Source] = []
    for folder in folders:
        inside = sorted(path for path in folder.iterdir() if _is_edition(path)) if folder.is_dir() else []
        places = [folder] if _is_edition(folder) else inside
        if not places:
            raise BadInput(
                f"--editions {shown(folder)}: no edition here; give folders of `whorl forge edition`"
            )
        for place in places:
            models = editions.models(published(place))
            found += [Source(place, number, place.name, one.model) for number, one in enumerate(models)]
    keys = [(one.name, one.model) for one in found]
    twice = next((one for one in found if keys.count((one.name, one.model)) > 1), None)
    if twice is not None:
        raise BadInput(
            f"--editions {shown(twice.folder)}: two editions are called {shown(twice.name)}; rename one"
        )
    return found


def altered(where: Sequence[Source], names: Sequence[str]) -> list[Source]:
    """Return the editions, those that ask for generators also with their test pictures altered."""
    found = []
    for source in where:
        ways = names if edition_of(source).problem.task == "attribution" else ()
        found += [source, *(replace(source, altered=name) for name in ways)]
    return found


def chosen(patterns: Sequence[str]) -> list[str]:
    """Return the recipes that names, patterns (`m23-*`) and panels mean, each once.

    `all` means every one, `free` every one that has no network, pretrained or its own.
    """
    known, panels = recipes.names(), recipes.panels()
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern in ("all", "free"):
            some: Sequence[str] = [name for name in known if pattern == "all" or _is_free(recipes.load(name))]
        else:
            some = panels.get(pattern) or fnmatch.filter(known, pattern)
        if not some and (":" in pattern or "/" in pattern):
            some = [recipes.load(pattern).name and pattern]
        if not some:
            close = nearest(pattern, [*known, *panels])
            hint = f"; did you mean '{close}'?" if close else "; `whorl recipes` lists all"
            raise BadInput(f"no recipe and no panel is called '{shown(pattern)}'{hint}")
        found |= dict.fromkeys(some)
    return list(found)


def jobs(where: Sequence[Source], names: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """Return every run: recipes of the edition's question; one seed is enough where nothing is drawn."""
    found = []
    for source in where:
        task = edition_of(source).problem.task
        found += [Job(source, "", 0)] if task == "membership" else []
        for name in names:
            recipe = recipes.load(name)
            if recipe.task == task:
                found += [Job(source, name, seed) for seed in (seeds if draws(recipe) else seeds[:1])]
    return found


def perform(
    bench: Bench,
    wanted: Sequence[Job],
    executor: Executor,
    *,
    written: Callable[[Line], None],
    there: Mapping[str, Line] | None = None,
    progress: Progress = silent,
) -> list[Line]:
    """Make every line that is not there yet; return those of all jobs, in their order."""
    keys = [key_of(bench, job) for job in wanted]
    asked = set(keys)
    # What failed is tried again: an extra may have been installed, weights may be there now.
    found = {key: one for key, one in (there or {}).items() if key in asked and "failed" not in one}
    missing = [place for place, key in enumerate(keys) if key not in found]
    progress("runs", len(wanted) - len(missing), len(wanted))
    todo = [(keys[place], wanted[place]) for place in missing]
    for done, (place, line) in enumerate(executor.run(line_of, bench, todo), start=1):
        found[todo[place][0]] = line
        written(line)
        progress("runs", len(wanted) - len(missing) + done, len(wanted))
    return [found[key] for key in keys]


def read_lines(file: Path) -> dict[str, Line]:
    """Return the lines of a file by key, the last of each; half a line of a killed run is passed over."""
    if not file.is_file():
        return {}
    return dict(ledger.taken(file, lambda line: (fields.text(line, "key"), dict(line)))[0])


def _is_free(recipe: Recipe) -> bool:
    return not recipes.needs_weights(recipe) and not recipes.learns(recipe)


@contextmanager
def log(file: Path) -> Iterator[Callable[[Line], None]]:
    """Append lines to a file, each whole and at once; what a killed run left half-written is cut off."""
    with file.open("a+b") as stream:
        stream.seek(0)
        stream.truncate(stream.read().rfind(b"\n") + 1)

        def write(line: Line) -> None:
            stream.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            stream.flush()

        yield write


def _is_edition(folder: Path) -> bool:
    return (published(folder) / "edition.toml").is_file()
