"""Structural similarity per pair beside scikit-image, in one run: `python benchmarks/ssim_pairs.py`.

Prints the ratio of the two medians and the largest difference; writes nothing.
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


def reference(queries: Array, gallery: Array) -> Array:
    """Return scikit-image's value for every pair: uniform 7 × 7 window, data range 255."""
    rows = [[structural_similarity(one, other, data_range=255) for other in gallery] for one in queries]
    return np.asarray(rows)


def main() -> None:
    """Measure both on the same pictures, in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    pictures = draw_hospital(patients=32, slices=4, size=chosen.size, seed=chosen.seed).pixels
    queries, gallery = pictures[:64], pictures[64:]
    few = (queries[:4], gallery[:8])
    ssim(*few)  # compile
    ours, theirs = [], []
    for _ in range(chosen.rounds):
        ours += seconds(lambda: ssim(queries, gallery), 1)
        theirs += seconds(lambda: reference(*few), 1)
    own = statistics.median(ours) / (len(queries) * len(gallery))
    other = statistics.median(theirs) / (len(few[0]) * len(few[1]))
    gap = float(np.abs(ssim(*few) - reference(*few)).max())
    found = {
        "size": chosen.size,
        "cores": len(os.sched_getaffinity(0)),
        "rounds": chosen.rounds,
        "whorl_ms_per_pair": round(own * 1e3, 5),
        "scikit_image_ms_per_pair": round(other * 1e3, 3),
        "ratio": round(other / own, 1),
        "largest_difference": gap,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
