"""The page on speed is made from its data, and says what the data say."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def page(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    spec = importlib.util.spec_from_file_location("speed_page", DOCS / "speed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_fresh_and_names_every_kernel(monkeypatch):
    module = page(monkeypatch)
    monkeypatch.delitem(sys.modules, "pages")
    found = json.loads((DOCS / "data" / "speed.json").read_text(encoding="utf-8"))
    text = (DOCS / "speed.md").read_text(encoding="utf-8")
    assert module.page(found) == text, "docs/speed.md is stale: run `make docs`"
    assert all(f"| {name} |" in text for name in (*found["kernels"], *found["scaling"]))


def test_what_was_measured_agrees_with_the_rivals():
    found = json.loads((DOCS / "data" / "speed.json").read_text(encoding="utf-8"))["kernels"].values()
    assert all(line.get("largest_difference", 0) < 1e-5 for line in found)
    assert all(line.get("same_winners", True) for line in found)
