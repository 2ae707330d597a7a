"""What all tests share: the tests folder is importable, and busy machines do not change the outcome."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# The linear algebra of the toy problems is tiny: threads only wait for one another. Set before NumPy loads.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
sys.path.insert(0, str(Path(__file__).parent))

from hypothesis import settings  # noqa: E402

# The same examples in every run, and no verdict about speed: other work may share the cores.
settings.register_profile("whorl", derandomize=True, deadline=None)
settings.load_profile("whorl")
