"""Write a generated page, or say that it is stale: what the scripts of this folder share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any


def main(page: Path, data: Path, make: Callable[[Mapping[str, Any]], str], arguments: Sequence[str]) -> int:
    """Write the page from its data, or with `--check` say whether it is stale."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"usage: python docs/{page.stem}.py [--check]\n")
        return 2
    text = make(json.loads(data.read_text(encoding="utf-8")))
    if not arguments:
        page.write_text(text, encoding="utf-8", newline="\n")
        return 0
    if page.is_file() and page.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"docs/{page.name} is stale: run `make docs`\n")
    return 1


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
