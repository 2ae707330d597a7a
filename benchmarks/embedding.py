"""Pictures through MobileNetV2, ours beside a bare timm loop: `python benchmarks/embedding.py WEIGHTS`.

WEIGHTS is a folder with the two files whose SHA-256 `whorl weights list` shows (MobileNetV2 of google-coral,
SqueezeNet of Han and others). Measured in one run, on the same pictures and in the same batches: the rate of
both, in turn; the second run through the store beside the first; and how far our features lie from those of
plain forwards of timm and, where it can be imported, torchvision.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from whorl import images, recipes
from whorl.forge.phantom import draw_hospital
from whorl.installation import versions
from whorl.networks import building, weightfiles
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings, blocks
from whorl.records import Array, ImageSet, Problem
from whorl.store import Store, write_text

MOBILE = "mobilenetv2_100"
SQUEEZE = "squeezenet1_0"
RECIPE = "a24-aiml.mobilenet-ward"
SLICE = 128


def pictures(count: int, size: int) -> Array:
    """Draw made-up pictures; a few anatomies, each under its own noise, are enough to keep a network busy."""
    drawn = np.asarray(draw_hospital(patients=40, slices=1, size=size, seed=3).pixels, np.float32)
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 4, (count, size, size)).astype(np.float32)
    return np.clip(drawn[np.arange(count) % len(drawn)] + noise, 0, 255).astype(np.uint8)


def bare(model: Any, stack: Array, batch: int) -> Array:
    """The loop that anybody would write with timm."""
    import torch

    found = []
    with torch.inference_mode():
        for start in range(0, len(stack), batch):
            part = torch.from_numpy(stack[start : start + batch]).float()
            found.append(model((part[:, None].expand(-1, 3, -1, -1) - 128) / 128).numpy())
    return np.concatenate(found)


def ours(found: ImageSet, networks: Networks, folder: Path | None) -> Array:
    """The features of a recipe, through the pipeline; kept in a store where a folder is given."""
    store = Store(folder) if folder else None
    settings = Settings(store=store, networks=networks, keep_features=folder is not None)
    return blocks(recipes.load(RECIPE), Problem("attribution", found), settings)[0]


def timed(work: Callable[[], Array]) -> tuple[float, Array]:
    """Seconds and what came out."""
    start = time.perf_counter()
    made = work()
    return time.perf_counter() - start, made


def in_turn(
    model: Any, stack: Array, networks: Networks, batch: int, rounds: int
) -> tuple[dict[str, list[tuple[float, float]]], Array, Array]:
    """Wall and processor seconds of either way for slice after slice, so that other work hits both alike."""
    clocks: dict[str, list[tuple[float, float]]] = {"bare": [], "ours": []}
    made: dict[str, list[Array]] = {"bare": [], "ours": []}
    for place, start in enumerate([*range(0, len(stack), SLICE)] * rounds):
        part = stack[start : start + SLICE]
        found = images.load(part, name="pictures")
        for name in sorted(clocks, reverse=place % 2 == 1):
            before = time.process_time()
            work = (
                partial(ours, found, networks, None) if name == "ours" else partial(bare, model, part, batch)
            )
            took, rows = timed(work)
            clocks[name].append((took, time.process_time() - before))
            made[name].append(rows)
    first = -(-len(stack) // SLICE)
    return clocks, np.concatenate(made["bare"][:first]), np.concatenate(made["ours"][:first])


def beside(clocks: dict[str, list[tuple[float, float]]], clock: int) -> float:
    """Our rate in units of the bare loop's: the median over the slices."""
    return float(
        np.median([a[clock] / b[clock] for a, b in zip(clocks["bare"], clocks["ours"], strict=True)])
    )


def plain_mobilenet(weights: Path) -> Any:
    """MobileNetV2 as its own README loads it."""
    file = weightfiles.files_of(MOBILE, weights)[0]
    timm = building.timm_module()
    made = timm.create_model(MOBILE, pad_type="same", checkpoint_path=str(file)).eval()
    made.reset_classifier(0)
    return made


def squeezenet_gap(stack: Array, weights: Path) -> float | None:
    """Largest difference from torchvision's SqueezeNet, in units of the largest feature."""
    import torch
    from safetensors.torch import load_file

    building.timm_module()
    try:
        import torchvision
    except (ImportError, RuntimeError):
        return None
    model = torchvision.models.squeezenet1_0(weights=None).eval()
    model.load_state_dict(load_file(weightfiles.files_of(SQUEEZE, weights)[0]))
    with torch.inference_mode():
        part = torch.from_numpy(stack).float()[:, None].expand(-1, 3, -1, -1) / 255
        expected = model.features(part).mean((2, 3)).numpy()
    found = Networks(weights=weights).embed(stack, SQUEEZE)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def measure(weights: Path, count: int, size: int, batch: int, rounds: int) -> dict[str, Any]:
    """Both loops in turn, then the store, then parity."""
    import torch

    stack = pictures(count, size)
    networks = Networks(weights=weights, batch=batch)
    model = plain_mobilenet(weights)
    bare(model, stack[:batch], batch)  # the first batch sets things up; so does ours
    networks.embed(stack[:batch], MOBILE)
    found = images.load(stack, name="pictures")
    clocks, expected, own = in_turn(model, stack, networks, batch, rounds)
    with tempfile.TemporaryDirectory() as folder:
        first, _ = timed(lambda: ours(found, networks, Path(folder)))
        second, again = timed(lambda: ours(found, networks, Path(folder)))
    return {
        "schema": "whorl.embedding-benchmark/1",
        "pictures": count,
        "size": size,
        "batch": batch,
        "threads": torch.get_num_threads(),
        "slices": len(clocks["bare"]),
        "seconds": {
            name: [sum(column) for column in zip(*each, strict=True)] for name, each in clocks.items()
        },
        "rate_beside_bare_loop": beside(clocks, 0),
        "rate_beside_bare_loop_by_processor_time": beside(clocks, 1),
        "store": {"first_seconds": first, "second_seconds": second, "times_faster": first / second},
        "store_gives_the_same": bool(np.array_equal(again, own)),
        "largest_difference_mobilenet": float(np.abs(own - expected).max() / np.abs(expected).max()),
        "largest_difference_squeezenet": squeezenet_gap(stack[:32], weights),
        "versions": versions(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    found = measure(chosen.weights, chosen.pictures, chosen.size, chosen.batch, chosen.rounds)
    text = json.dumps(found, indent=1) + "\n"
    if chosen.results:
        write_text(chosen.results, text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
