"""What the default panel sees on real pictures: `python benchmarks/real_pictures.py FOLDER/images.csv`.

The table has the columns file and patient, and perhaps one_per_patient (1 = take it); files lie beside it or
in images/. One picture per patient, split at random: a principal-component generator of the members, which
must be called a leak, and one of other patients, which must not.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

import whorl
from whorl.forge import classical
from whorl.records import Array


def pictures(table: Path, *, alone: bool = True) -> tuple[Array, Array]:
    """Read the grey pictures, one of every patient if `alone`, and the number of each one's patient."""
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not alone or row.get("one_per_patient", "1") == "1"]
    if alone:
        rows = list({row["patient"]: row for row in reversed(rows)}.values())
    folder = table.parent / "images" if (table.parent / "images").is_dir() else table.parent
    stack = np.stack([np.asarray(Image.open(folder / row["file"]).convert("L")) for row in rows])
    return stack, np.unique([row["patient"] for row in rows], return_inverse=True)[1]


def main() -> None:
    """Audit both generators and print what each attack found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--side", type=int, default=300, help="patients a side")
    parser.add_argument("--generated", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    stack, _ = pictures(chosen.table)
    order = np.random.default_rng(chosen.seed).permutation(len(stack))
    members, holdout, others = np.split(stack[order], [chosen.side, 2 * chosen.side])
    for name, source in (("of the members", members), ("of other patients", others)):
        made = classical.interpolating(source, chosen.generated, seed=chosen.seed + 1, components=100)
        started = time.perf_counter()
        report = whorl.audit(made, members, holdout)
        found = {
            "generator": name,
            "verdict": report.verdict,
            "smallest_noticeable_auc": round(report.record.detectable_auc, 3),
            "seconds": round(time.perf_counter() - started, 1),
            "attacks": {
                attack.recipe: {
                    "auc": [round(value, 3) for value in vars(attack.auc).values()],
                    "found_at_1_percent": [round(value, 3) for value in vars(attack.tpr).values()],
                    "p_adjusted": attack.p_adjusted,
                }
                for attack in report.record.attacks
            },
        }
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
