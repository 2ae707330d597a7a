"""Tables and JSON for people and machines: safe in spreadsheets, the same bytes for the same content."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whorl.store import write_text

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV table; text that a spreadsheet would take for a formula gets a leading apostrophe."""
    lines = [",".join(_cell(value) for value in row) for row in (header, *rows)]
    write_text(path, "".join(f"{line}\n" for line in lines))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON document."""
    write_text(path, json_text(content) + "\n")


def json_text(content: Mapping[str, Any]) -> str:
    """Return indented JSON; arrays become lists, records become objects, text stays ASCII."""
    return json.dumps(content, indent=2, ensure_ascii=True, default=_plain, allow_nan=False)


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.7g}"
    text = str(value)
    if isinstance(value, str) and text.startswith(FORMULA):
        text = "'" + text
    # Quoted by hand: the csv module lets a carriage return through, which readers take for a new row.
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\r\n') else text


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
