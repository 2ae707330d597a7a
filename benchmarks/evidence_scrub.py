"""What `whorl scrub` removes: `python benchmarks/evidence_scrub.py images.csv`.

One picture of every patient of a table as for `lidc_editions.py`, half of them used; 5 % of the generated
pictures are near copies of used ones. Counted: copies and others that are removed, and what the audits of the
patients who had no say found before and after. `--results FILE.json` is what `docs/evidence.py` reads.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from evidence_power import divided
from real_pictures import pictures
from saving import keep

from whorl import images, recipes, scrubbing
from whorl.forge.planted import Copies
from whorl.outcomes import Audit
from whorl.pipeline import Settings
from whorl.records import Array

RATE = 0.05


def scrubbed(stack: Array, seed: int, generated: int) -> dict[str, Any]:
    """Plant copies, scrub, and count."""
    used, unused = divided(stack, seed)
    made, truth = Copies(RATE, background=stack).fit(used, seed).sample_with_truth(generated, seed + 1)
    named = {"generated": made, "members": used, "holdout": unused}
    found = scrubbing.scrub(
        **{name: images.load(pixels, name=name) for name, pixels in named.items()},
        recipes=[recipes.load(name) for name in recipes.panels()["default"]],
        settings=Settings(seed),
    )
    removed = [truth[entry.row] >= 0 for entry in found.removed]
    return {
        "seed": seed,
        "copies": int((truth >= 0).sum()),
        "copies removed": int(sum(removed)),
        "others": int((truth < 0).sum()),
        "others removed": int(len(removed) - sum(removed)),
        "before": _said(found.before),
        "after": None if found.after is None else _said(found.after),
        "sentence": found.sentence,
    }


def _said(audit: Audit) -> dict[str, Any]:
    return {
        "verdict": audit.verdict,
        "near copies": len(audit.near_copies),
        "smallest AUC noticed": audit.detectable_auc,
    }


def main() -> None:
    """Scrub with several seeds, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--generated", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    stack, _ = pictures(chosen.table)
    started, lines = time.perf_counter(), []
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        lines.append(scrubbed(stack, seed, chosen.generated))
        sys.stderr.write(f"{time.perf_counter() - started:6.0f} s  seed {seed}\n")
    keep({"generated": chosen.generated, "rate": RATE, "runs": lines}, chosen.results)


if __name__ == "__main__":
    main()
