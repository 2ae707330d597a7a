"""Write a generated page, or say that it is stale: what the scripts of this folder share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Maker = Callable[[Mapping[str, Any]], str]


def main(
    page: Path, data: Path, make: Maker, arguments: Sequence[str], also: Mapping[Path, Maker] | None = None
) -> int:
    """Write the page, and what else is made from its data, or with `--check` say what is stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"usage: python docs/{page.stem}.py [--check]\n")
        return 2
    found, stale = json.loads(data.read_text(encoding="utf-8")), 0
    for file, maker in {page: make, **(also or {})}.items():
        text = maker(found)
        if not arguments:
            file.write_text(text, encoding="utf-8", newline="\n")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"docs/{file.relative_to(page.parent)} is stale: run `make docs`\n")
            stale = 1
    return stale


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
