"""All features that the default panel of an audit looks at, beside reading the pictures.

`python benchmarks/panel_features.py` measures that alone, `benchmarks/speed.py` for the page on speed.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from whorl import images, recipes, steps
from whorl.extraction import BATCH_BYTES, Extraction, threads
from whorl.forge.phantom import draw_hospital
from whorl.pipeline import Settings
from whorl.records import Array, Step, silent

PANEL = "default"


def features(panel: str) -> list[Step]:
    """Return every features step of a panel's recipes once."""
    found = {}
    for name in recipes.panels()[panel]:
        for step in recipes.load(name).chain("features"):
            found.setdefault(step.digest, step)
    return list(found.values())


def extraction(chosen: list[Step]) -> Extraction:
    """Return what takes features as the pipeline does, all steps on each batch."""
    settings = Settings()
    return Extraction(
        name="panel",
        preparations=(),
        extractors=tuple(
            (step, functools.partial(steps.resolve(step), **step.parameters)) for step in chosen
        ),
        networks=settings.networks,
        workplace=settings.place(),
        seed=0,
        batch_bytes=BATCH_BYTES,
        progress=silent,
    )


def medians(tasks: dict[str, Callable[[], object]], count: int, rounds: int) -> dict[str, float]:
    """Milliseconds a picture, wall and processor, all tasks in turn; the first round does not count."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            wall, processor = time.perf_counter(), time.process_time()
            task()
            taken[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        f"{name}{word}": statistics.median(line[part] for line in lines[1:]) / count * 1e3
        for name, lines in taken.items()
        for part, word in enumerate(("_ms", "_processor_ms"))
    }


def measured(pictures: Array, rounds: int, count: int = 600) -> dict[str, Any]:
    """Measure reading a folder of 8-bit PNG files and taking all features of the same pictures, in turn."""
    chosen = features(PANEL)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(count):
            Image.fromarray(pictures[number % len(pictures)]).save(folder / f"{number:05d}.png")
        read = images.load(folder, name="folder")
        take = extraction(chosen)
        lines = medians(
            {"reading": lambda: images.load(folder, name="folder"), "features": lambda: take(read)},
            count,
            rounds,
        )
    return {
        "panel": PANEL,
        "steps": len(chosen),
        "pictures": count,
        "threads": threads(),
        **lines,
        "ratio": lines["reading_ms"] / lines["features_ms"],
        "ratio_processor": lines["reading_processor_ms"] / lines["features_processor_ms"],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--size", type=int, default=256)
    chosen = parser.parse_args()
    pictures = draw_hospital(patients=100, slices=1, size=chosen.size, seed=3).pixels
    print(json.dumps(measured(pictures, chosen.rounds, chosen.count), indent=1))


if __name__ == "__main__":
    main()
