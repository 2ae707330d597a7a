"""The source of whorl as these tests read it: modules, their syntax trees, what each imports of whorl."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "whorl"


@cache
def modules() -> dict[str, ast.Module]:
    """Dotted name → syntax tree of every module of the package."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = ["whorl", *file.relative_to(PACKAGE).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text(encoding="utf-8"), str(file))
    return found


def imports(name: str) -> set[str]:
    """The modules of whorl that a module imports, wherever the import stands."""
    return {found for node in ast.walk(modules()[name]) for found in _imported(node)} - {name}


def imported_packages(tree: ast.Module) -> set[str]:
    """Every dotted name that a module imports, with and without its last part."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name in modules()}
    if isinstance(node, ast.ImportFrom) and node.module in modules():
        inner = {f"{node.module}.{alias.name}" for alias in node.names}
        within = inner & modules().keys()
        return within | ({str(node.module)} if inner - within else set())
    return set()
