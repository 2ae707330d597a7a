"""A package of somebody else's steps, installed for the length of a test."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from whorl import steps


@contextmanager
def installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, prefix: str, sources: Mapping[str, str]
) -> Iterator[None]:
    """Write a package with a module `own` per stage, and let it join under a prefix."""
    for stage, source in sources.items():
        (folder / name / stage).mkdir(parents=True)
        (folder / name / stage / "__init__.py").touch()
        (folder / name / stage / "own.py").write_text(source)
    (folder / name / "__init__.py").touch()
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[whorl.steps]\n{prefix} = {name}\n")
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    steps.describe_all.cache_clear()
    yield
    steps.describe_all.cache_clear()
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]
