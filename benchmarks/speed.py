"""Each kernel beside the package people use for it, in turn, in one run: `python benchmarks/speed.py`.

Medians of rounds as wall time and as time of the processor divided by the cores that a kernel uses (what the
wall would show on a machine with nothing else to do); the peak of memory; and what the machine itself can do:
bytes copied and products of matrices by NumPy. `--results FILE.json` is what `docs/speed.py` reads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import first_use
import imagehash
import numpy as np
import panel_features
import whole_folder
from PIL import Image
from skimage.feature import local_binary_pattern
from skimage.metrics import structural_similarity

from whorl.features.hashes import phash
from whorl.features.texture import lbp
from whorl.forge import generators
from whorl.forge.phantom import draw_hospital
from whorl.kernels import nearest, searches
from whorl.kernels import neighbours as vectors_nearest
from whorl.kernels.measures import measure_for
from whorl.records import Array
from whorl.similarity import vectors
from whorl.similarity.maps import ssim

CORES = len(os.sched_getaffinity(0))
GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
Task = Callable[[], object]


def timed(task: Task) -> tuple[float, float]:
    """Return seconds of the wall and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - processor


def beside(own: Task, units: int, other: Task, other_units: int, rounds: int) -> dict[str, Any]:
    """Measure a kernel, which may use all cores, and its rival, which uses one, in turn."""
    own()  # compile
    other()
    ours, theirs = zip(*((timed(own), timed(other)) for _ in range(rounds)), strict=True)
    wall, processor = (statistics.median(line[part] for line in ours) / units for part in (0, 1))
    rival, rival_processor = (
        statistics.median(line[part] for line in theirs) / other_units for part in (0, 1)
    )
    return {
        "own_ms": wall * 1e3,
        "own_processor_ms": processor * 1e3,
        "rival_ms": rival * 1e3,
        "rival_processor_ms": rival_processor * 1e3,
        "ratio": rival / wall,
        "ratio_free": rival_processor / (processor / CORES),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def brute(queries: Array, gallery: Array, **given: Any) -> Array:
    """Return scikit-image's value of every pair."""
    values = [[structural_similarity(a, b, data_range=255, **given) for b in gallery] for a in queries]
    return np.asarray(values)


def pairs(queries: Array, gallery: Array, rounds: int) -> dict[str, Any]:
    """Structural similarity of all pairs, both windows."""
    few, some = (queries[:3], gallery[:6]), queries[: len(queries) // 4]
    found: dict[str, Any] = {}
    for name, window, mine, given in (
        ("SSIM, all pairs, uniform", "uniform", queries, {}),
        ("SSIM, all pairs, Gaussian", "gaussian", some, GAUSSIAN),
    ):
        line = beside(
            lambda mine=mine, window=window: ssim(mine, gallery, window=window),
            len(mine) * len(gallery),
            lambda given=given: brute(*few, **given),
            18,
            rounds,
        )
        gap = float(np.abs(ssim(*few, window=window) - brute(*few, **given)).max())
        found[name] = {**line, "unit": "pair", "rival": "scikit-image", "largest_difference": gap}
    return found


def winners(queries: Array, gallery: Array, kind: str, rounds: int) -> dict[str, Any]:
    """The most similar picture of every query; the winners must be those of all pairs."""
    values, places = nearest.best(queries, gallery)
    whole = ssim(queries, gallery)
    few = (queries[:3], gallery[:6])
    line = beside(
        lambda: nearest.best(queries, gallery), len(queries) * len(gallery), lambda: brute(*few), 18, rounds
    )
    same = bool((values[:, 0] == whole.max(axis=1)).all() and (places[:, 0] == whole.argmax(axis=1)).all())
    name = f"SSIM, best match, {kind}"
    shares = {"same_winners": same, "share_summed": share_summed(queries, gallery)}
    return {name: {**line, "unit": "pair", "rival": "scikit-image", **shares}}


def share_summed(queries: Array, gallery: Array) -> float:
    """Which share of the cells of all pairs a search sums."""
    search = searches.Search(queries, gallery, measure_for("uniform", 255.0, queries, gallery), 1)
    with ThreadPoolExecutor(CORES) as pool:
        search.all(pool)
    return search.summed / (len(search.cells) * len(queries) * len(gallery))


def neighbours(rounds: int, count: int, width: int = 768, k: int = 10) -> dict[str, Any]:
    """The k nearest vectors, ordered by float64, beside what faiss and scikit-learn find in float32."""
    import faiss
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(1)
    mine, theirs = (rng.normal(size=(count, width)).astype(np.float32) for _ in range(2))
    mine, theirs = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (mine, theirs))
    # Of vectors of length 1 the nearest are those with the largest product.
    plain = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(theirs)
    rivals: dict[str, Task] = {
        "faiss": lambda: faiss.knn(mine, theirs, k, metric=faiss.METRIC_INNER_PRODUCT),
        "scikit-learn": lambda: plain.kneighbors(mine),
    }
    found = {}
    for name, rival in rivals.items():
        line = beside(lambda: vectors_nearest.best(mine, theirs, k), count, rival, count, rounds)
        line["ratio_free"] /= CORES  # all use all cores
        ours = f"{k} nearest of {count} vectors of {width}"
        found[ours if name == "faiss" else f"{ours}, again"] = {**line, "unit": "vector", "rival": name}
    return found


def windows_by_torch(pictures: Array, rounds: int) -> dict[str, Any]:
    """The Gaussian window beside torchmetrics, where that is installed; it takes pairs one to one."""
    try:
        import torch
        from torchmetrics.functional.image import structural_similarity_index_measure as by_torch
    except ImportError:
        return {}
    few = torch.from_numpy(pictures[:16, None].astype(np.float32))
    line = beside(
        lambda: ssim(pictures[:16], pictures[:64], window="gaussian"),
        16 * 64,
        lambda: by_torch(few, few.flip(0), data_range=255.0, sigma=1.5),
        len(few),
        rounds,
    )
    line["ratio_free"] /= CORES
    return {"SSIM, all pairs, Gaussian, by torch": {**line, "unit": "pair", "rival": "torchmetrics"}}


def textures(pictures: Array, rounds: int) -> dict[str, Any]:
    """Local binary patterns and perceptual hashes of every picture."""

    def patterns() -> None:
        for image in pictures[:20]:
            np.bincount(local_binary_pattern(image, 8, 1, "uniform").astype(int).ravel(), minlength=10)

    def hashes() -> None:
        for image in pictures[:20]:
            imagehash.phash(Image.fromarray(image), 8)

    found = {}
    for name, own, other, rival in (
        ("LBP, 8 points, uniform", lambda: lbp(pictures), patterns, "scikit-image"),
        ("perceptual hash", lambda: phash(pictures), hashes, "imagehash"),
    ):
        line = beside(own, len(pictures), other, 20, rounds)
        found[name] = {**line, "ratio_free": line["ratio_free"] / CORES, "unit": "picture", "rival": rival}
    return found


def roofline(rounds: int) -> dict[str, float]:
    """What the machine can do: bytes copied and multiply-adds of a float32 product, by NumPy."""
    source, target = np.ones(2**24, np.float64), np.empty(2**24, np.float64)
    left = np.ones((2048, 2048), np.float32)
    copied = statistics.median(timed(lambda: np.copyto(target, source))[0] for _ in range(rounds))
    product = statistics.median(timed(lambda: left @ left)[0] for _ in range(rounds))
    return {
        "copy_gb_per_s": 2 * source.nbytes / copied / 1e9,
        "gemm_gflop_per_s": 2 * 2048**3 / product / 1e9,
    }


def scaling(gallery: Array, rounds: int) -> dict[str, Any]:
    """Processor time against the number of gallery pictures, with the fitted exponent."""
    rng = np.random.default_rng(0)
    rows = {name: [] for name in ("SSIM, all pairs", "SSIM, best match", "correlation")}
    sizes = [250, 500, 1000, 2000, 4000, 8000]
    small = np.concatenate([gallery[:, ::2, ::2]] * (1 + sizes[-1] // len(gallery)))[: sizes[-1]]
    noisy = np.clip(small + rng.normal(0, 6, small.shape), 0, 255).astype(np.uint8)
    for size in sizes:
        part = noisy[:size]
        for name, task in (
            ("SSIM, all pairs", lambda part=part: ssim(small[:64], part)),
            ("SSIM, best match", lambda part=part: nearest.best(small[:64], part)),
            ("correlation", lambda part=part: vectors.correlation(small[:64], part)),
        ):
            rows[name].append(statistics.median(timed(task)[1] for _ in range(rounds)))
    return {
        name: {
            "sizes": sizes,
            "seconds": seconds,
            "exponent": float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]),
        }
        for name, seconds in rows.items()
    }


def processor() -> str:
    """Return what the system says of the processor: ratios of vector code differ from one kind to another."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "processor not told"
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    first = {name.strip(): value.strip() for name, _, value in lines}
    named = [f"{key} {first[key]}" for key in ("cpu family", "model") if key in first]
    return ", ".join([first.get("model name", platform.machine()), *named])


def say(words: str) -> None:
    """Tell who watches what is being measured."""
    print(f"speed: {words}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure everything and print it, or write it where the page is made from."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=512)
    parser.add_argument("--generated", type=int, default=2000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--vectors", type=int, default=20000, help="vectors on each side of the nearest")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--full", type=Path, help="also a whole folder, made and read here; many minutes")
    chosen = parser.parse_args()
    real = draw_hospital(patients=chosen.queries + 72, slices=1, size=chosen.size, seed=3).pixels
    queries, found = real[: chosen.queries], {}
    galleries = {}
    for spec in ("components:components=100", "copies:rate=0.05"):
        fitted = generators.make(spec, background=real).fit(real, 1)
        galleries[spec.partition(":")[0]] = fitted.sample(chosen.generated, 2)
    gallery = galleries["components"]
    say("all pairs")
    found |= pairs(queries[:128], gallery[:400], chosen.rounds)
    for kind, made in galleries.items():
        say(f"best match, {kind}")
        found |= winners(queries, made, kind, chosen.rounds)
    say("torchmetrics, textures, vectors")
    found |= windows_by_torch(real, chosen.rounds)
    found |= textures(real, chosen.rounds)
    found |= neighbours(chosen.rounds, chosen.vectors)
    say("what the machine can do, how time grows")
    told = {
        "machine": {"cores": CORES, "processor": processor(), "numpy": np.__version__},
        "size": chosen.size,
        "queries": chosen.queries,
        "generated": chosen.generated,
        "rounds": chosen.rounds,
        "kernels": found,
        "panel": panel_features.measured(real, chosen.rounds),
        "roofline": roofline(chosen.rounds),
        "scaling": scaling(gallery[:400], 3),
        "first_use": first_use.measured(),
    }
    if chosen.full:
        say("a whole folder")
        told["folder"] = whole_folder.measured(chosen.full / "whole", 4000, 7200, 256, ["run", "audit"])
        told["growth"] = whole_folder.growth(chosen.full / "growth", 256)
    elif chosen.results and chosen.results.is_file():  # what takes long stays as it was measured
        before = json.loads(chosen.results.read_text(encoding="utf-8"))
        told |= {name: before[name] for name in ("folder", "growth") if name in before}
    text = json.dumps(told, indent=1) + "\n"
    if chosen.results:
        chosen.results.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
