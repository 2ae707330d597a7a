"""A small network for tests, its weights from a seed, and pictures for it; only where PyTorch is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts import problems
from whorl.networks import building
from whorl.networks.descriptions import Network

SHARED = Path("/work/shared/weights")
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the two shared weight files are not here")
SMALL = Network(
    title="A small one", library="timm", architecture="test_resnet", features=384, reference="timm"
)
KNOWN = {"small": SMALL, "other": SMALL}


def pictures() -> np.ndarray:
    """Six pictures of 96 × 96."""
    return problems.fields(6, seed=5, size=96)


def weights(folder: Path) -> Path:
    """Write weights of the small network, not those that random ones would be, and return the folder."""
    from safetensors.torch import save_file

    model: Any = building.build(SMALL, seed=7)
    save_file(dict(model.state_dict()), folder / "small.safetensors")
    return folder
