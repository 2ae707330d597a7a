"""Files and functions stay small enough to be read at one go."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from architecture.sources import PACKAGE, ROOT

FILE_LINES = 300
FUNCTION_LINES = 60
SHORT_LINES = 30
SHORT_SHARE = 0.9
FILES = sorted(
    [
        *PACKAGE.rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "docs").rglob("*.py"),
        *(ROOT / "benchmarks").rglob("*.py"),
    ]
)
JUNK_DRAWERS = frozenset({"utils", "util", "helpers", "helper", "common", "base", "types", "misc"})
Function = ast.FunctionDef | ast.AsyncFunctionDef


def lines(node: Function, *, docstring: bool = True) -> int:
    """Lines from `def` to the end, with or without the docstring."""
    assert node.end_lineno is not None
    count = node.end_lineno - node.lineno + 1
    if not docstring and ast.get_docstring(node, clean=False) is not None:
        count -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
    return count


def functions(file: Path) -> list[Function]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_files_are_short() -> None:
    long = {
        str(file.relative_to(ROOT)): count
        for file in FILES
        if (count := len(file.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    }
    assert not long, f"split these by meaning (at most {FILE_LINES} lines): {long}"


def test_no_function_is_long() -> None:
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}: {lines(node)}"
        for file in FILES
        for node in functions(file)
        if lines(node) > FUNCTION_LINES
    ]
    assert not long, f"at most {FUNCTION_LINES} lines: {long}"


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_nine_functions_of_ten_are_short(folder: str) -> None:
    found = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": lines(node, docstring=False)
        for file in FILES
        if file.is_relative_to(ROOT / folder)
        for node in functions(file)
    }
    long = {name: count for name, count in found.items() if count > SHORT_LINES}
    assert len(long) <= (1 - SHORT_SHARE) * len(found), long


def test_modules_are_named_for_what_they_hold() -> None:
    assert not [str(file.relative_to(ROOT)) for file in FILES if file.stem in JUNK_DRAWERS]


def test_lines_are_counted_with_and_without_the_docstring() -> None:
    node = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body[0]
    assert isinstance(node, ast.FunctionDef)
    assert (lines(node), lines(node, docstring=False)) == (6, 2)
