"""Generators told apart by pretrained networks: `attribution_networks.py WEIGHTS [images.csv]`.

Eight generators learn from made-up patients or, with a table as for `lidc_editions.py`, from real pictures.
Their pictures are grouped, the number told, by features of MobileNetV2 and SqueezeNet with real weights
(WEIGHTS is a folder with the two files that `whorl weights list` knows by their SHA-256), by local binary
patterns and by the default fingerprint: adjusted Rand index for every recipe, clean and after one change of
processing. `--results FILE.json` keeps the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from attribution import CHANGES, LEARNED, SPECS, real_pictures

from whorl import images, pipeline, recipes
from whorl.forge import generators
from whorl.installation import versions
from whorl.metrics import adjusted_rand_index
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.records import Array, Problem
from whorl.store import write_text

EIGHT = [name for name in SPECS if name != "near copies"]
CHANGED = ("clean", "JPEG 85", "noise 2", "resized to 0.9")
RECIPES = {
    "fingerprint, Ward": "whorl-fingerprint.ward",
    "local binary patterns, Ward": "a24-aiml.lbp-ward",
    "local binary patterns, k-means": "a24-aiml.lbp-kmeans",
    "MobileNetV2, Ward": "a24-aiml.mobilenet-ward",
    "MobileNetV2, k-means": "a24-aiml.mobilenet-kmeans",
    "MobileNetV2, 16 components of equal spread, Ward": "whorl-fingerprint.mobilenet",
    "SqueezeNet, 16 components of equal spread, Ward": "whorl-fingerprint.squeezenet",
    "SqueezeNet, k-means": "a24-sdva.kmeans-squeezenet",
    "SqueezeNet, t-SNE then Ward": "a24-sdva.tsne-squeezenet",
}


def sampled(table: str, each: int, seed: int) -> dict[str, Array]:
    """Pictures of every generator, each trained on members of its own."""
    real = real_pictures(table)
    rng = np.random.default_rng(seed)
    made = {}
    for number, name in enumerate(EIGHT):
        members = real[rng.permutation(len(real))[:LEARNED]]
        generator = generators.make(SPECS[name], background=real)
        made[name] = generator.fit(members, seed + number).sample(each, seed + number)
        sys.stderr.write(f"{name}: sampled\n")
    return made


def measured(made: dict[str, Array], change: str, networks: Networks, seed: int) -> list[dict[str, Any]]:
    """The adjusted Rand index of every recipe on the mixed bag after one change."""
    rng = np.random.default_rng(seed)
    stack = np.concatenate([CHANGES[change](part, rng) for part in made.values()])
    truth = np.repeat(list(made), [len(part) for part in made.values()])
    order = rng.permutation(len(truth))
    bag = images.load(np.ascontiguousarray(stack[order]), name="bag")
    problem = Problem("attribution", bag, count=len(made))
    settings = Settings(seed=seed, networks=networks)
    rows = []
    for title, name in RECIPES.items():
        recipe = recipes.load(name)
        start = time.perf_counter()
        scores = pipeline.score(recipe, problem, settings)
        labels = pipeline.judge(recipe, scores, problem, settings).labels
        ari = adjusted_rand_index(truth[order].tolist(), labels)
        took = time.perf_counter() - start
        rows.append({"features": title, "recipe": name, "change": change, "ari": ari, "seconds": took})
        sys.stderr.write(f"{change}, {title}: {ari:.3f} ({took:.0f} s)\n")
    return rows


def main() -> None:
    """Measure every recipe under every change and print the table as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("table", nargs="?", default="")
    parser.add_argument("--each", type=int, default=100, help="pictures of each generator")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--changes", nargs="*", default=list(CHANGED), choices=list(CHANGES))
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    made = sampled(chosen.table, chosen.each, chosen.seed)
    networks = Networks(weights=chosen.weights)
    rows = [row for change in chosen.changes for row in measured(made, change, networks, chosen.seed)]
    content = {
        "schema": "whorl.attribution-networks/1",
        "pictures": "real" if chosen.table else "made-up",
        "generators": EIGHT,
        "each": chosen.each,
        "size": int(next(iter(made.values())).shape[1]),
        "seed": chosen.seed,
        "rows": rows,
        "versions": versions(),
    }
    text = json.dumps(content, indent=1) + "\n"
    if chosen.results:
        write_text(chosen.results, text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
