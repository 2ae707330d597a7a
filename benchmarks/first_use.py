"""What is compiled when a kernel is first used, and for how long: `python benchmarks/first_use.py`.

A new process with an empty folder for machine code uses every kernel once; a second one finds it all on disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba.core import event

from whorl.records import Array


class Watch(event.Listener):
    """Seconds of every compilation that is not part of another."""

    def __init__(self) -> None:
        self.open: list[tuple[str, float]] = []
        self.seconds: dict[str, float] = {}

    def on_start(self, heard: Any) -> None:
        """Remember when it began."""
        self.open.append((heard.data["dispatcher"].py_func.__name__, time.perf_counter()))

    def on_end(self, _heard: Any) -> None:
        """Count the outermost one."""
        name, began = self.open.pop()
        if not self.open:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def kernels() -> dict[str, list[Callable[[], object]]]:
    """Every kernel on pictures of 8 bits, and those that are compiled again for fractions."""
    from whorl.features import cooccurrence, hashes, residual, texture
    from whorl.forge.phantom import draw_hospital
    from whorl.kernels import nearest, neighbours
    from whorl.similarity.maps import ssim

    drawn = draw_hospital(patients=8, slices=1, size=64, seed=1).pixels
    fractions, rows = drawn * 0.9, np.random.default_rng(1).normal(size=(40, 16)).astype(np.float32)

    def similar(pictures: Array) -> list[Callable[[], object]]:
        return [
            lambda: ssim(pictures, pictures),
            lambda: ssim(pictures, pictures, window="gaussian"),
            lambda: nearest.best(pictures, pictures),
            lambda: texture.local_contrast(pictures),
            lambda: residual.high_pass(pictures),
        ]

    others: list[Callable[[], object]] = [
        lambda: neighbours.best(rows, rows, 3),
        lambda: texture.lbp(drawn),
        lambda: texture.lbp(drawn, method="symmetric"),
        lambda: cooccurrence.residuals(drawn),
        lambda: cooccurrence.evened(drawn),
        lambda: hashes.phash(drawn),
    ]
    return {"8 bits": [*similar(drawn), *others], "fractions": similar(fractions)}


def used() -> dict[str, dict[str, float]]:
    """Use every kernel once in this process; return seconds of compilation by name."""
    watch, found = Watch(), {}
    event.register("numba:compile", watch)
    for kind, calls in kernels().items():
        for kernel in calls:
            kernel()
        found[kind], watch.seconds = watch.seconds, {}
    return found


def measured() -> dict[str, Any]:
    """Use them in two processes one after the other, with an empty folder for what is compiled."""
    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, str(Path(__file__)), "--once"]
        first, second = (
            json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=surroundings).stdout)
            for _ in range(2)
        )
    totals = {kind: sum(seconds.values()) for kind, seconds in first.items()}
    return {"seconds": first, "totals": totals, "again": sum(sum(one.values()) for one in second.values())}


if __name__ == "__main__":
    print(json.dumps(used() if sys.argv[1:] == ["--once"] else measured(), indent=1))
