"""What the listing commands show: recipes, steps, and the state of the installation."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whorl import recipes as catalogue
from whorl import steps as places
from whorl.display import print_json, print_table, say
from whorl.records import BadInput, Recipe

EXTRAS = {
    "dicom": ("pydicom", "openjpeg", "nibabel"),
    "parquet": ("pyarrow",),
    "deep": ("torch", "timm", "safetensors"),
    "blip": ("transformers",),
    "dist": ("ray",),
}


@dataclass(frozen=True)
class Listing:
    """Lines of text, tables, and the same content for machines."""

    lines: Sequence[str]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    content: Mapping[str, Any]


def show(listing: Listing, json: bool) -> None:
    """Print a listing for people or as JSON."""
    if json:
        print_json(listing.content)
        return
    for line in listing.lines:
        say(line)
    if listing.rows:
        print_table(listing.header, listing.rows)


def recipes(name: str | None) -> Listing:
    """List all recipes, those of one system, or show one in full."""
    if name is not None and (".toml:" in name or "." in name):
        return _one_recipe(catalogue.load(name))
    systems = catalogue.systems()
    if name is not None and name not in systems:
        catalogue.load(f"{name}.")
    found = [
        recipe
        for system in systems
        if name in (None, system)
        for recipe in catalogue.read(catalogue.catalogue() / f"{system}.toml")
    ]
    rows = [
        [recipe.name, recipe.task, str(recipe.about["fidelity"]), recipe.run or "", reported(recipe)]
        for recipe in found
    ]
    content = {"recipes": [_content(recipe) for recipe in found]}
    return Listing([], ["recipe", "question", "fidelity", "run", "reported"], rows, content)


def steps(name: str | None) -> Listing:
    """List all steps, or show one in full."""
    found = [step for step in places.describe_all() if name in (None, step.name, step.stage)]
    if not found:
        close = places.nearest(name or "", [step.name for step in places.describe_all()])
        hint = f"; did you mean '{close}'?" if close else "; `whorl steps` lists them"
        raise BadInput(f"no step is called '{name}'{hint}")
    rows = [
        [
            step.stage,
            step.name,
            ", ".join(f"{key} = {value}" for key, value in step.parameters.items()),
            step.summary,
        ]
        for step in found
    ]
    lines = [f"{step.summary} {step.details}" for step in found] if name and len(found) <= 2 else []
    content = {"steps": [{**vars(step), "parameters": dict(step.parameters)} for step in found]}
    return Listing(lines, ["stage", "step", "parameters", "what it does"], rows, content)


def weights() -> Listing:
    """List the networks that recipes can name and the weights that are known of each."""
    from whorl.networks.descriptions import table

    rows = []
    for name, network in table().items():
        for label, known in network.weights.items() or {"": None}.items():
            full = f"{name}.{label}" if known else name
            place = (known.url or known.hub) if known else "a function of your own (--embedder)"
            said = (
                known.sha256 or (f"{known.sha256_starts}..." if known.sha256_starts else "") if known else ""
            )
            licence = known.licence if known else ""
            rows.append([full, network.title, str(network.features or ""), licence, said, place])
    header = ["weights", "network", "features", "licence", "SHA-256", "address"]
    content = {"networks": {name: network.model_dump() for name, network in table().items()}}
    return Listing([], header, rows, content)


def doctor() -> Listing:
    """Describe the installation: versions, extras, cores, memory, GPU."""
    from whorl.api import versions

    facts = {f"version of {name}": found for name, found in versions().items()}
    facts["platform"] = platform.platform()
    facts["cores"] = str(os.cpu_count() or 1)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    facts["memory"] = f"{pages / 2**30:.1f} GiB"
    facts["GPU"] = _gpu()
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        lacking = f"missing {', '.join(missing)}: pip install 'whorl[{extra}]'"
        facts[f"extra {extra}"] = lacking if missing else "complete"
    facts["recipes"] = str(len(catalogue.names()))
    facts["steps"] = str(len(places.describe_all()))
    return Listing([], ["what", "found"], [list(pair) for pair in facts.items()], facts)


def reported(recipe: Recipe) -> str:
    """Return the published figures of a recipe as text."""
    return ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in recipe.reported.items())


def parameters(step: Any) -> str:
    """Return the parameters of a recipe's step as text."""
    found = [f"{key} = {value}" for key, value in step.parameters.items()]
    return ", ".join(found + ([] if step.on == "both" else [f"on the {step.on} only"]))


def _defaults(step: places.Description) -> str:
    return ", ".join(f"{key} = {value}" for key, value in step.parameters.items())


def _one_recipe(recipe: Recipe) -> Listing:
    about = recipe.about
    lines = [
        f"{recipe.name}: {about['title']} ({about['team'] or about['authors']}, {about['year']})",
        f"source: {about['reference']}",
        f"fidelity: {about['fidelity']}" + (f" ({about['reason']})" if about["reason"] else ""),
    ]
    if recipe.run:
        lines.append(f"run: {recipe.run}" + (f", reported {reported(recipe)}" if recipe.reported else ""))
    if recipe.note:
        lines.append(f"note: {recipe.note}")
    rows = [
        [step.stage, step.name, parameters(step), places.find(step.stage, step.name).summary]
        for step in recipe.steps
    ]
    return Listing(lines, ["stage", "step", "parameters", "what it does"], rows, _content(recipe))


def _content(recipe: Recipe) -> dict[str, Any]:
    chain = [{"stage": step.stage, "step": step.name, **step.parameters} for step in recipe.steps]
    return {
        "name": recipe.name,
        "task": recipe.task,
        "about": dict(recipe.about),
        "run": recipe.run,
        "reported": dict(recipe.reported),
        "note": recipe.note,
        "steps": chain,
        "digest": recipe.digest,
    }


def _gpu() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return "none found (not needed)"
    asked = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "nvidia-smi does not answer"
    return answer.stdout.strip().replace("\n", "; ") or "none found (not needed)"
