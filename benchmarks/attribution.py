"""How well generators are told apart, counted, recognised: `python benchmarks/attribution.py [images.csv]`.

Nine generators, and two that differ in nothing but the seed of their filters, learn from random members of
made-up patients and, with a table as for `lidc_editions.py`, of real ones. Measured: the adjusted Rand index
with the number given, clean and after one change of processing at a time; how often the number is right
without being told; whether one generator, and real pictures, stay whole; and recognising enrolled generators,
each left out in turn. `--results FILE.json` is what `python docs/attribution.py` reads; `--more SEEDS` puts
into it how the index grows with the number of pictures, members and content drawn anew for every seed,
`--again SEEDS` the index for many such draws, `--others SEEDS` for other filters of the same kinds of
generators, everything drawn anew, and `--saved SEEDS` how they are counted where pictures were saved as JPEG.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from saving import keep

from whorl import (
    attribution,
    bearings,
    clusters,
    content,
    grouping,
    identification,
    images,
    pipeline,
    recipes,
    scenes,
)
from whorl.alterations import ALTERATIONS, Alteration
from whorl.forge import generators
from whorl.forge.phantom import draw_hospital
from whorl.identifier import Identifier
from whorl.metrics import adjusted_rand_index, auc
from whorl.pipeline import Settings
from whorl.records import Array, ImageSet, Problem, Recipe

SPECS = {
    "transposed 4": "decoder:upsampling=transposed,kernel=4,weights=31",
    "transposed 2": "decoder:upsampling=transposed,kernel=2,weights=32",
    "nearest 3": "decoder:upsampling=nearest,kernel=3,weights=33",
    "nearest 5": "decoder:upsampling=nearest,kernel=5,weights=34",
    "bilinear 3": "decoder:upsampling=bilinear,kernel=3,weights=35",
    "shuffle 3": "decoder:upsampling=shuffle,kernel=3,weights=36",
    "components": "components:components=100",
    "quilt": "quilt",
    "near copies": "copies:rate=1",
}
PAIR = {"nearest 3, seed a": SPECS["nearest 3"], "nearest 3, seed b": SPECS["nearest 3"].replace("33", "43")}
EACH, POOL, LEARNED, SERIES, BAGS = (100, 300), 300, 200, 1000, 30
GROWING, GROWN = (50, 100, 200, 300), ("clean", "JPEG 85", "JPEG 75")
Measure = Callable[[str, int, str], list[dict[str, Any]]]


# As docs/attribution.md calls them.
CHANGES: dict[str, Alteration] = {
    "clean": lambda stack, rng: stack,
    "shifted by 1 pixel": ALTERATIONS["shift-1"],
    "cropped by up to 8": ALTERATIONS["crop-8"],
    "half mirrored": ALTERATIONS["mirror-half"],
    "JPEG 95": ALTERATIONS["jpeg-95"],
    "JPEG 85": ALTERATIONS["jpeg-85"],
    "JPEG 75": ALTERATIONS["jpeg-75"],
    "noise 1": ALTERATIONS["noise-1"],
    "noise 2": ALTERATIONS["noise-2"],
    "resized to 0.9": ALTERATIONS["resize-0.9"],
    "brightness ± 10 %": ALTERATIONS["brightness"],
    "6 bits": ALTERATIONS["bits-6"],
}


def real_pictures(table: str) -> Array:
    """Read one grey picture of every patient, or draw made-up ones."""
    if not table:
        return np.asarray(draw_hospital(patients=800, slices=1, size=128, seed=77).pixels)
    file = Path(table)
    with file.open(encoding="utf-8", newline="") as opened:
        rows = [row for row in csv.DictReader(opened) if row.get("one_per_patient", "1") == "1"]
    folder = file.parent / "images" if (file.parent / "images").is_dir() else file.parent
    return np.stack([np.asarray(Image.open(folder / row["file"]).convert("L")) for row in rows])


def filters(spec: str, series: int) -> str:
    """The same kind of generator with the filters of another series, if it has any."""
    return re.sub(r"(?<=weights=)\d+", lambda number: str(int(number[0]) + SERIES * series), spec)


@cache
def sampled(table: str, seed: int, series: int = 0) -> dict[str, Array]:
    """Pictures of every generator, each trained on members of its own; and the real ones."""
    real = real_pictures(table)
    rng = np.random.default_rng(seed)
    made = {"real": real[rng.permutation(len(real))[:POOL]]}
    for number, (name, spec) in enumerate({**SPECS, **PAIR}.items()):
        members = real[rng.permutation(len(real))[:LEARNED]]
        generator = generators.make(filters(spec, series), background=real)
        made[name] = generator.fit(members, seed + number).sample(POOL, seed + number)
    return made


def features(stack: Array, recipe: Recipe) -> list[Array]:
    """The blocks of a fingerprint of some pictures."""
    return pipeline.blocks(recipe, Problem("attribution", images.load(stack, name="bag")), Settings())


@dataclass(frozen=True)
class Known:
    """Pictures of every generator, and what is known of each alone: blocks of features, what is shown."""

    recipe: Recipe
    parts: Mapping[str, tuple[Array, list[Array], Array]]


def described(stacks: Mapping[str, Array]) -> Known:
    """Describe pictures by the recipe that `whorl attribute` takes for them all."""
    every = images.load(np.concatenate(list(stacks.values())), name="bag")
    recipe = recipes.load(attribution.suited(every))
    parts = {
        name: (stack, features(stack, recipe), scenes.described(stack)) for name, stack in stacks.items()
    }
    return Known(recipe, parts)


def bag(
    known: Known, rows: Mapping[str, Array], rng: np.random.Generator, seed: int
) -> tuple[clusters.Bag, Array]:
    """Mix some pictures of some generators, as `whorl attribute` does once they are described."""
    truth = np.concatenate([[name] * len(taken) for name, taken in rows.items()])
    order = rng.permutation(len(truth))
    pixels = np.concatenate([known.parts[name][0][taken] for name, taken in rows.items()])[order]
    shown = np.concatenate([known.parts[name][2][taken] for name, taken in rows.items()])[order]
    steps = [step.name for step in known.recipe.chain("features")]
    blocks = tuple(
        np.concatenate([known.parts[name][1][block][taken] for name, taken in rows.items()])[order]
        for block in range(len(steps))
    )
    mixed = images.load(pixels, name="bag")
    varied = content.content(mixed, np.arange(len(order)), blocks, known.recipe, Settings(seed=seed))
    return clusters.Bag(blocks, varied, scenes.main(shown), bearings.directed(steps)), truth[order]


def told_apart(
    table: str, seed: int, change: str, each: int, names: Sequence[str], series: int = 0
) -> dict[str, Any]:
    """The number is given: adjusted Rand index of a bag after one change of processing."""
    made, rng = sampled(table, seed, series), np.random.default_rng(seed)
    known = described({name: CHANGES[change](made[name][:each], rng) for name in names})
    mixed, truth = bag(known, {name: np.arange(each) for name in names}, rng, seed)
    ari = adjusted_rand_index(truth, grouping.grouped(mixed, seed, len(names)).labels)
    return {"change": change, "each": each, "generators": len(names), "ari": ari}


def grown(table: str, seed: int, change: str) -> list[dict[str, Any]]:
    """The number is given: bags of more and more pictures of every generator."""
    made, rng = sampled(table, seed), np.random.default_rng(seed)
    known = described({name: CHANGES[change](made[name], rng) for name in SPECS})
    rows = []
    for each in GROWING:
        mixed, truth = bag(known, {name: np.arange(each) for name in SPECS}, rng, seed)
        ari = adjusted_rand_index(truth, grouping.grouped(mixed, seed, len(SPECS)).labels)
        rows.append({"seed": seed, "change": change, "each": each, "ari": ari})
    return rows


def others(table: str, seed: int, change: str) -> list[dict[str, Any]]:
    """The number is given: generators of the same kinds, whose filters are those of the seed too."""
    return [{"seed": seed} | told_apart(table, seed, change, EACH[0], list(SPECS), seed)]


def again(table: str, seed: int, change: str) -> list[dict[str, Any]]:
    """The number is given: the very generators of the page, other members, pictures and content."""
    return [{"seed": seed} | told_apart(table, seed, change, EACH[0], list(SPECS))]


def drawn(measure: Measure, table: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of one measure for some seeds, after some changes."""
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(measure, table, *one) for one in product(seeds, GROWN)]
        return [row for job in jobs for row in job.result()]


def counted(table: str, seed: int, bags: int, change: str = "clean") -> dict[str, Any]:
    """The number is not given: bags of one to six generators, of one, and of real pictures."""
    made, rng = sampled(table, seed), np.random.default_rng([seed, 1])
    alter = CHANGES[change]
    known = described({name: alter(stack, rng) for name, stack in made.items() if name not in PAIR})
    names = list(SPECS)
    found = []
    for place in range(bags):
        chosen = [str(name) for name in rng.choice(names, 1 + place % 6, replace=False)]
        rows = {name: rng.permutation(POOL)[: rng.integers(100, POOL + 1)] for name in chosen}
        mixed, truth = bag(known, rows, rng, seed)
        made_out = grouping.grouped(mixed, seed)
        ari = adjusted_rand_index(truth, made_out.labels)
        found.append({"generators": chosen, "pictures": len(truth), "found": made_out.found, "ari": ari})
    whole = {}
    for name in [*names, "real"]:
        draws = [bag(known, {name: rng.permutation(POOL)[:take]}, rng, seed)[0] for take in (100, 150, 200)]
        whole[name] = [grouping.grouped(one, seed).found for one in draws]
    return {"bags": found, "alone": whole}


def saved(table: str, seed: int, change: str) -> list[dict[str, Any]]:
    """The number is not given, and every picture was changed."""
    return [{"seed": seed, "change": change} | counted(table, seed, BAGS, change)]


def recognised(table: str, seed: int) -> dict[str, Any]:
    """Each generator is left out in turn: known or not, for single pictures."""
    made, recipe = sampled(table, seed), recipes.load(identification.FINGERPRINT)
    names = list(SPECS)
    half = POOL // 3 * 2
    enrolled, held = {}, {}
    for name in names:
        shown: ImageSet = images.load(made[name][:half], name=name)
        enrolled[name] = identification.fingerprint(name, shown, recipe, Settings())
        held[name] = features(made[name][half:], recipe)
    rows = []
    for left in names:
        machine = Identifier([enrolled[name] for name in names if name != left])
        stranger = machine.compare(held[left]).p_values.max(axis=1)
        own = [machine.compare(held[name]).p_values.max(axis=1) for name in names if name != left]
        familiar = np.concatenate(own)
        truth = np.repeat([True, False], [len(stranger), len(familiar)])
        area = auc(-np.concatenate([stranger, familiar]), truth)
        rows.append([left, area, float((stranger < 0.01).mean()), float((familiar < 0.01).mean())])
    return {"left_out": rows, "enrolled_pictures": half}


PARTS: dict[str, Measure] = {"more": grown, "again": again, "others": others, "saved": saved}


def main() -> None:
    """Measure everything on two processes and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", nargs="?", default="")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--bags", type=int, default=BAGS)
    parser.add_argument("--results", type=Path)
    for part in PARTS:
        parser.add_argument(
            f"--{part}", type=int, nargs="+", metavar="SEED", help="only this, into --results"
        )
    chosen = parser.parse_args()
    asked = [
        (part, measure, getattr(chosen, part)) for part, measure in PARTS.items() if getattr(chosen, part)
    ]
    if asked and not chosen.results:
        parser.error(f"--{' and --'.join(PARTS)} put figures into the file of --results: give it")
    for part, measure, seeds in asked:
        found = {part: drawn(measure, chosen.table, seeds)}
        keep(json.loads(chosen.results.read_text(encoding="utf-8")) | found, chosen.results)
    if asked:
        return
    tables = {"made-up patients": "", **({"real pictures": chosen.table} if chosen.table else {})}
    started = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        jobs: dict[str, Any] = {}
        for kind, table in tables.items():
            share = (table, chosen.seed)
            jobs[kind] = {
                "counted": pool.submit(counted, *share, chosen.bags),
                "recognised": pool.submit(recognised, *share),
                "changes": [
                    pool.submit(told_apart, *share, *one, list(SPECS)) for one in product(CHANGES, EACH)
                ],
                "pair": [pool.submit(told_apart, *share, "clean", each, list(PAIR)) for each in EACH],
            }
        measured: dict[str, Any] = {"schema": "whorl.attribution-results/1", "seed": chosen.seed}
        for kind, parts in jobs.items():
            measured[kind] = {
                name: [one.result() for one in part] if isinstance(part, list) else part.result()
                for name, part in parts.items()
            }
            sys.stderr.write(f"{kind}: done after {time.perf_counter() - started:.0f} s\n")
    keep(measured, chosen.results)


if __name__ == "__main__":
    main()
