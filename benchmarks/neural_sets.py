"""Pictures of generators that learn: `python benchmarks/neural_sets.py images.csv --out DIR`.

One picture of every patient of a table as for `lidc_editions.py`, averaged down to `--side` pixels, half of
them used; trains each generator of `--specs` on the used ones and writes DIR/NAME.npz with the arrays
generated, used, unused, for `evidence_power.py --sets`. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
from evidence_power import divided
from real_pictures import pictures

from whorl.forge import generators
from whorl.forge.neural import Neural
from whorl.learning.loop import Moment, Running
from whorl.records import Array

SPECS = ("vae", "gan")


def smaller(stack: Array, side: int) -> Array:
    """Average cells of pixels: (n, h, w) -> (n, side, side)."""
    factor = stack.shape[1] // side
    cells = stack[:, : side * factor, : side * factor].reshape(len(stack), side, factor, side, factor)
    return np.rint(cells.mean(axis=(2, 4))).astype(np.uint8)


def main() -> None:
    """Train, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--specs", nargs="+", default=list(SPECS))
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--generated", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    used, unused = divided(smaller(pictures(chosen.table)[0], chosen.side), chosen.seed)
    chosen.out.mkdir(parents=True, exist_ok=True)

    def told(moment: Moment) -> None:
        if moment.step % 500 == 0:
            sys.stderr.write(
                f"step {moment.step}, loss {moment.loss:.4f}, {moment.seconds_left:.0f} s left\n"
            )

    for spec in chosen.specs:
        started = time.perf_counter()
        maker = generators.make(spec)
        if isinstance(maker, Neural):
            running = Running(folder=chosen.out / "training", every=1000, watch=told)
            maker = dataclasses.replace(maker, running=running)
        made = maker.fit(used, chosen.seed).sample(chosen.generated, chosen.seed)
        name = spec.replace(":", "-").replace(",", "-").replace("=", "-")
        np.savez_compressed(chosen.out / f"{name}.npz", generated=made, used=used, unused=unused)
        sys.stderr.write(f"{spec}: {time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    main()
