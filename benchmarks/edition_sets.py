"""Pictures of the generators behind editions: `python benchmarks/edition_sets.py EDITION... --out DIR`.

Editions as `whorl forge editions` left them, with what the generator learnt in sealed/generators: writes
DIR/NAME.npz with the arrays generated (fresh samples), used and unused (all real ones of the edition), for
`evidence_power.py --sets`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from whorl.challenge import editions
from whorl.forge import generators
from whorl.records import Array


def sides(folder: Path) -> tuple[Array, Array]:
    """Return the used and the unused real pictures, of the development and of the test part."""
    found = editions.read(folder / "edition", answers=folder / "sealed" / "answers.csv")
    assert found.answers is not None
    parts = [(found.problem.queries, found.answers.labels)]
    if (known := found.problem.development) is not None:
        parts.append((known.problem.queries, known.answers.labels))
    rows = [
        (labels[name] == "used", one)
        for real, labels in parts
        for name, one in zip(real.ids, real.pixels, strict=True)
    ]
    used, unused = (np.stack([one for side, one in rows if side is wanted]) for wanted in (True, False))
    return used, unused


def main() -> None:
    """Sample, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("editions", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generated", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=77)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    for folder in chosen.editions:
        used, unused = sides(folder)
        model = generators.load(folder / "sealed" / "generators" / "model_1")
        made = model.sample(chosen.generated, chosen.seed)
        np.savez_compressed(chosen.out / f"{folder.name}.npz", generated=made, used=used, unused=unused)


if __name__ == "__main__":
    main()
