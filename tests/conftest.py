"""What all tests share: the tests folder is importable, and busy machines do not change the outcome."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The linear algebra of the toy problems is tiny: threads only wait for one another. Set before NumPy loads.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).parent))

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

# The same examples in every run, and no verdict about speed: other work may share the cores.
settings.register_profile("whorl", derandomize=True, deadline=None)
settings.load_profile("whorl")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs torch, so that `-m network` takes it and nothing else."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        named = item.callspec.params.get("name") if hasattr(item, "callspec") else None
        learnt = item.module.__name__.startswith("contracts.") and _learns(named)
        if learnt or "torch" in item.fixturenames or hasattr(item.module, "torch"):
            item.add_marker("network")


def _learns(name: object) -> bool:
    """Whether a recipe of the contracts trains a network."""
    from contracts.checks import ALL
    from whorl import recipes

    return isinstance(name, str) and name in ALL and recipes.learns(ALL[name])
