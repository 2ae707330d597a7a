"""Find, describe and resolve steps: a step's name is its place, and listing imports nothing."""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from whorl.records import STAGES, BadInput, Step

PLACES = {"pool": "pooling", "scorer": "scorers"}
HANDED = frozenset({"image", "images", "queries", "gallery", "block", "own", "reference", "scores"}) | {
    "development",
    "problem",
    "features",
    "compare",
    "outcomes",
    "folds",
    "networks",
    "seed",
    "workplace",
}


@dataclass(frozen=True)
class Description:
    """What the source says of a step: where it is, what it does, which parameters a recipe may set."""

    stage: str
    name: str
    summary: str
    details: str
    parameters: Mapping[str, str]
    handed: tuple[str, ...]
    version: int
    transductive: bool
    fitted: bool
    module: str
    attribute: str


@cache
def describe_all() -> tuple[Description, ...]:
    """Describe every step of whorl and of the packages that join through the entry points `whorl.steps`."""
    found = _describe_package("whorl", "")
    for point in sorted(entry_points(group="whorl.steps"), key=lambda point: point.name):
        found += _describe_package(point.value, f"{point.name}:")
    return tuple(found)


def find(stage: str, name: str) -> Description:
    """Return the description of one step, or say which name is nearest."""
    known = {step.name: step for step in describe_all() if step.stage == stage}
    if name in known:
        return known[name]
    raise BadInput(f"no {stage} step is called '{name}'{_nearest(name, known)}")


def check(stage: str, name: str, parameters: Mapping[str, object]) -> Description:
    """Check that a step exists and takes the parameters, by reading its source."""
    step = find(stage, name)
    for key in parameters:
        if key not in step.parameters:
            hint = _nearest(key, step.parameters)
            raise BadInput(f"{stage} step '{name}' takes no parameter '{key}'{hint}")
    return step


def resolve(step: Step) -> Callable[..., Any]:
    """Import the function or class of a step, its parameters' types checked."""
    from pydantic import TypeAdapter, ValidationError

    description = find(step.stage, step.name)
    target = getattr(importlib.import_module(description.module), description.attribute)
    hints = typing.get_type_hints(target.__init__ if description.fitted else target, include_extras=True)
    for key, value in step.parameters.items():
        try:
            TypeAdapter(hints[key]).validate_python(value, strict=True)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise BadInput(f"{step.stage} step '{step.name}': {key} = {value!r}: {reason}") from None
    return typing.cast(Callable[..., Any], target)


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """Return the known name most like a mistyped one, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return found[0] if found else ""


def _nearest(name: str, known: typing.Iterable[str]) -> str:
    close = nearest(name, known)
    return f"; did you mean '{close}'?" if close else f"; known: {', '.join(known) or 'none'}"


def _describe_package(package: str, prefix: str) -> list[Description]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BadInput(f"the entry point '{prefix}' names '{package}', which is not a package")
    root = Path(next(iter(spec.submodule_search_locations)))
    found: list[Description] = []
    for stage in STAGES:
        place = PLACES.get(stage, stage)
        if (root / f"{place}.py").is_file():
            found += _describe_file(root / f"{place}.py", stage, f"{package}.{place}", prefix)
        for file in sorted((root / place).glob("*.py")):
            if not file.name.startswith("_"):
                module = f"{package}.{place}.{file.stem}"
                found += _describe_file(file, stage, module, f"{prefix}{file.stem}.")
    return found


def _describe_file(file: Path, stage: str, module: str, prefix: str) -> list[Description]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = _constants(tree)
    found = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        function = _signature(node)
        if function is None:
            continue
        words = (ast.get_docstring(node) or "").strip().split("\n", 1)
        arguments = _arguments(function)
        transductive = constants.get("TRANSDUCTIVE", ())
        found.append(
            Description(
                stage=stage,
                name=f"{prefix}{node.name}",
                summary=words[0],
                details=" ".join(words[1].split()) if len(words) > 1 else "",
                parameters={key: value for key, value in arguments.items() if key not in HANDED},
                handed=tuple(key for key in arguments if key in HANDED),
                version=typing.cast(int, constants.get("VERSION", 1)),
                transductive=node.name in typing.cast("tuple[str, ...]", transductive),
                fitted=isinstance(node, ast.ClassDef),
                module=module,
                attribute=node.name,
            )
        )
    return found


def _constants(tree: ast.Module) -> dict[str, object]:
    return {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id in {"VERSION", "TRANSDUCTIVE"}
    }


def _signature(node: ast.FunctionDef | ast.ClassDef) -> ast.FunctionDef | None:
    """The function itself, or the constructor of a class that can be fitted and called."""
    if isinstance(node, ast.FunctionDef):
        return node
    methods = {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}
    return methods.get("__init__") if {"fit", "__call__", "__init__"} <= methods.keys() else None


def _arguments(function: ast.FunctionDef) -> dict[str, str]:
    """Argument → its default as source text, empty where there is none."""
    names = [argument.arg for argument in [*function.args.posonlyargs, *function.args.args]]
    defaults = [""] * (len(names) - len(function.args.defaults))
    defaults += [ast.unparse(value) for value in function.args.defaults]
    found = dict(zip(names, defaults, strict=True))
    for argument, value in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        found[argument.arg] = ast.unparse(value) if value is not None else ""
    found.pop("self", None)
    return found
