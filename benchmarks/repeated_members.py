"""Who is remembered where half of the members are repeated: `python benchmarks/repeated_members.py EDITION`.

Editions of `whorl forge editions` by a generator with duplication. For a few recipes: the AUC of the members
that were repeated, and of those that were not, against the pictures that were not used. `--results FILE.json`
is what `docs/results.py` reads.
"""

from __future__ import annotations

import argparse
import csv
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from saving import keep

from whorl import pipeline, recipes
from whorl.challenge import editions
from whorl.forge import generators, splits
from whorl.forge.neural import Neural, repeats
from whorl.metrics import auc
from whorl.pipeline import Settings

RECIPES = ("whorl.texture-standing", "whorl.texture-density", "m23-vcmi.ssim-retrieval")


def repeated(folder: Path) -> tuple[set[str], set[str]]:
    """Return the used pictures of the test part that were repeated, and those that were not."""
    sealed = tomllib.loads((folder / "sealed" / "sealed.toml").read_text(encoding="utf-8"))
    kind = generators.make(sealed["generators"][0])
    assert isinstance(kind, Neural)
    with (folder / "sealed" / "answers.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    with (folder / "sealed" / "origin.csv").open(encoding="utf-8", newline="") as file:
        origins = {row["file"]: row["origin"] for row in csv.DictReader(file)}

    def used(file: str) -> bool:
        name = file.removeprefix("test/real_unknown/")
        return labels[name] == "used" if file.startswith("test/") else "/real_used/" in file

    # The order in which the generator got its members is that of their names.
    members = sorted((origin, file) for file, origin in origins.items() if used(file))
    shown = repeats(len(members), kind.duplication, splits.small_seed(int(sealed["seed"]), "training 1"))
    asked = [
        (file.rpartition("/")[2], often)
        for (_, file), often in zip(members, shown, strict=True)
        if file.startswith("test/")
    ]
    return {name for name, often in asked if often > 1}, {name for name, often in asked if often == 1}


def measured(folder: Path, name: str) -> dict[str, Any]:
    """Return the AUC of all used pictures and of either half."""
    found = editions.read(folder / "edition", answers=folder / "sealed" / "answers.csv")
    assert found.answers is not None
    scores = pipeline.score(recipes.load(name), found.problem, Settings(0))
    values = dict(zip(scores.ids, scores.values.max(axis=1), strict=True))
    unused = [values[one] for one in values if found.answers.labels[one] != "used"]
    often, once = repeated(folder)
    line: dict[str, Any] = {"edition": folder.name, "recipe": name}
    for what, names in (("all", often | once), ("repeated", often), ("others", once)):
        own = [values[one] for one in sorted(names)]
        truth = np.arange(len(own) + len(unused)) < len(own)
        line[what] = {
            "pictures": len(own),
            "auc": round(auc(np.asarray([*own, *unused]), truth), 4) if own else None,
        }
    return line


def main() -> None:
    """Score, divide, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("editions", type=Path, nargs="+")
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    keep({"runs": [measured(folder, name) for folder in chosen.editions for name in RECIPES]}, chosen.results)


if __name__ == "__main__":
    main()
