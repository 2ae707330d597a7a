"""Structural similarity per pair beside scikit-image, in one run: `python benchmarks/ssim_pairs.py`.

Prints the ratio of the two medians and the largest difference, for both windows; writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
from skimage.metrics import structural_similarity

from whorl.forge.phantom import draw_hospital
from whorl.kernels.structural import Window
from whorl.records import Array
from whorl.similarity.maps import ssim


def seconds(task: Callable[[], object], rounds: int) -> list[float]:
    """Return the wall time of each round."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        task()
        found.append(time.perf_counter() - started)
    return found


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def reference(queries: Array, gallery: Array, window: Window) -> Array:
    """Return scikit-image's value for every pair, data range 255."""
    given = GAUSSIAN if window == "gaussian" else {}
    rows = [
        [structural_similarity(one, other, data_range=255, **given) for other in gallery] for one in queries
    ]
    return np.asarray(rows)


def measured(queries: Array, gallery: Array, window: Window, rounds: int) -> dict[str, object]:
    """Time both in turn on the same pictures."""
    few = (queries[:3], gallery[:8])
    ssim(*few, window=window)  # compile
    ours, theirs = [], []
    for _ in range(rounds):
        ours += seconds(lambda: ssim(queries, gallery, window=window), 1)
        theirs += seconds(lambda: reference(*few, window), 1)
    own = statistics.median(ours) / (len(queries) * len(gallery))
    other = statistics.median(theirs) / (len(few[0]) * len(few[1]))
    gap = float(np.abs(ssim(*few, window=window) - reference(*few, window)).max())
    return {
        "window": window,
        "whorl_ms_per_pair": round(own * 1e3, 5),
        "scikit_image_ms_per_pair": round(other * 1e3, 3),
        "ratio": round(other / own, 1),
        "largest_difference": gap,
    }


def main() -> None:
    """Measure both windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    pictures = draw_hospital(patients=80, slices=4, size=chosen.size, seed=chosen.seed).pixels
    queries, gallery = pictures[:64], pictures[64:]
    found = {"size": chosen.size, "cores": len(os.sched_getaffinity(0)), "rounds": chosen.rounds}
    windows = [
        measured(queries, gallery, "uniform", chosen.rounds),
        measured(queries[:16], gallery, "gaussian", chosen.rounds),
    ]
    print(json.dumps({**found, "windows": windows}, indent=2))


if __name__ == "__main__":
    main()
