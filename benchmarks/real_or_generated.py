"""Whether generated pictures can be told from real ones: `python benchmarks/real_or_generated.py EDITION …`.

A logistic classifier on local binary patterns and spectrum, every picture scored by one that has not seen it
(five folds), as many real as generated pictures. The control: the same for two random halves of the real
ones, which nothing tells apart. `--results FILE.json` is what `docs/results.py` reads.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from saving import keep
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from whorl.challenge import editions
from whorl.evidence.intervals import auc_interval, bootstrap_weights
from whorl.features.frequency import spectrum
from whorl.features.texture import lbp
from whorl.records import Array, Interval

FOLDS, SEED = 5, 0


def told_apart(one: Array, other: Array) -> Interval:
    """AUC of held-out pictures of two sets, (n, d) each, with its interval."""
    features = np.concatenate([one, other])
    truth = np.arange(len(features)) < len(one)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    scores = cross_val_predict(model, features, truth, cv=folds, method="decision_function")
    weights = bootstrap_weights([str(row) for row in range(len(truth))], truth)
    return auc_interval(scores, truth, weights)


def measured(folder: Path) -> dict[str, Any]:
    """Generated against real, and real against real, of one edition."""
    problem = editions.read(folder / "edition").problem
    (made,) = problem.generated.values()
    real, generated = (
        np.hstack([lbp(pixels), spectrum(pixels)]) for pixels in (problem.queries.pixels, made.pixels)
    )
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(real))
    count = min(len(real), len(generated))
    halves = real[order[: len(real) // 2]], real[order[len(real) // 2 :]]
    return {
        "edition": folder.name,
        "real": len(real),
        "generated_pictures": len(generated),
        "generated": _rounded(told_apart(generated[:count], real[order[:count]])),
        "halves": _rounded(told_apart(*halves)),
    }


def _rounded(found: Interval) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(found).items()}


def main() -> None:
    """Measure every edition, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("editions", type=Path, nargs="+")
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    folders = [folder for folder in chosen.editions if (folder / "edition").is_dir()]
    keep({"runs": [measured(folder) for folder in folders]}, chosen.results)


if __name__ == "__main__":
    main()
