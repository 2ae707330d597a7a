"""Time and memory of an attribution, 3,000 pictures of 256 px: `python benchmarks/attribution_size.py`.

Draws made-up patients, lets six generators that learned from some of them make 500 pictures each, writes the
bag shuffled into a temporary folder and runs `whorl attribute` on it, without the number and with it. Prints
wall minutes, peak memory, the number found and the adjusted Rand index; `--results FILE.json` is what
`python docs/attribution.py` reads.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from saving import keep
from whole_folder import told

from whorl.forge import generators
from whorl.forge.phantom import draw_hospital
from whorl.metrics import adjusted_rand_index

SPECS = (
    "decoder:upsampling=transposed,kernel=4,weights=51",
    "decoder:upsampling=nearest,kernel=3,weights=52",
    "decoder:upsampling=bilinear,kernel=3,weights=53",
    "decoder:upsampling=shuffle,kernel=3,weights=54",
    "components:components=100",
    "kernels",
)
PATIENTS, LEARNED = 250, 150


def write_bag(folder: Path, each: int, size: int) -> dict[str, int]:
    """Write the pictures under names that tell nothing; return which generator made which."""
    real = np.asarray(draw_hospital(patients=PATIENTS, slices=1, size=size, seed=3).pixels)
    order = np.random.default_rng(0).permutation(len(SPECS) * each)
    truth = {}
    for number, spec in enumerate(SPECS):
        members = real[np.random.default_rng(number).permutation(PATIENTS)[:LEARNED]]
        made = generators.make(spec, background=real).fit(members, number).sample(each, number)
        for place, picture in zip(order[number * each :], made, strict=False):
            name = f"{place:06d}.png"
            Image.fromarray(picture).save(folder / name)
            truth[name] = number
    return truth


def grouped(bag: Path, out: Path, truth: dict[str, int], number: list[str]) -> dict[str, Any]:
    """What one run of `whorl attribute` took and found."""
    took = told(["attribute", str(bag), *number], out)
    with (out / "labels.csv").open(encoding="utf-8", newline="") as opened:
        labels = {Path(row["file"]).name: row["label"] for row in csv.DictReader(opened)}
    names = sorted(truth)
    ari = adjusted_rand_index([truth[name] for name in names], [labels[name] for name in names])
    return {
        "told": bool(number),
        "minutes": round(took["minutes"], 2),
        "peak_gb": round(took["peak_gb"], 2),
        "found": len(set(labels.values())),
        "ari": round(ari, 3),
    }


def main() -> None:
    """Make the pictures, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--each", type=int, default=500, help="pictures of every generator")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        bag = Path(place) / "bag"
        bag.mkdir()
        truth = write_bag(bag, chosen.each, chosen.size)
        runs = [
            grouped(bag, Path(place) / f"out-{run}", truth, number)
            for run, number in enumerate(([], ["-k", str(len(SPECS))]))
        ]
    found = {
        "schema": "whorl.attribution-size/1",
        "pictures": len(truth),
        "size": chosen.size,
        "cores": len(os.sched_getaffinity(0)),
        "generators": len(SPECS),
        "runs": runs,
    }
    keep(found, chosen.results)


if __name__ == "__main__":
    main()
