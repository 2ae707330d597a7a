"""Do audits without a leak stay silent? `python benchmarks/evidence_nulls.py [images.csv]`.

On scores: panels of correlated attacks, 1 or 10 slices a patient, no attack better than chance; the same with
half the members really remembered, for the lists; and attacks of a known AUC, for the intervals. On pictures:
members and holdout drawn from one source, a generator of other patients, the default panel. With a table as
for `lidc_editions.py` half the pictures are real. `--results FILE.json` is what `docs/evidence.py` reads.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from real_pictures import pictures
from saving import keep
from scipy.stats import norm

from whorl import auditing, images, recipes
from whorl.conclusions import Rules
from whorl.evidence.discoveries import patient_discoveries, picture_discoveries
from whorl.evidence.epsilon import by_patient, epsilon_clopper_pearson
from whorl.evidence.intervals import auc_interval, bootstrap_weights, tpr_interval
from whorl.evidence.permutation import permutation_test
from whorl.evidence.stacking import FOLDS, stack
from whorl.folding import folds
from whorl.forge.classical import interpolating
from whorl.forge.phantom import draw_hospital
from whorl.pipeline import Settings
from whorl.records import Array

ATTACKS = 12
RULES = Rules(permutations=499, draws=400)
KINDS = {"made-up patients, 1 slice": ("phantom", 1), "made-up patients, 10 slices": ("phantom", 10)}
REAL = {"real pictures, 1 slice": ("real", 1), "real pictures, 1 to 10 slices": ("real", 10)}


def on_scores(seed: int, slices: int, patients: int) -> dict[str, float]:
    """One panel of scores without a leak, judged as an audit judges it."""
    rng = np.random.default_rng([seed, slices])
    patient = np.repeat(np.arange(2 * patients), slices)
    mixing = 0.5 * rng.normal(size=(ATTACKS, ATTACKS)) + np.eye(ATTACKS)
    own = rng.normal(size=(len(patient), ATTACKS))
    shared = rng.normal(size=(2 * patients, ATTACKS))[patient]
    values = (np.sqrt(0.6) * shared + np.sqrt(0.4) * own) @ mixing
    members, names = patient < patients, [f"patient {number}" for number in patient]
    stacked = stack(values, folds(names, FOLDS))
    test = permutation_test(values, members, names, 499, seed, stacked)
    scores = stacked.scores(members[None])[0]
    weights = bootstrap_weights(names, members, 400, seed)
    single = auc_interval(values[:, 0], members, weights)
    inside, outside = (
        by_patient(scores[side], np.asarray(names)[side].tolist(), "mean")[0] for side in (members, ~members)
    )
    return {
        "leak at 0.05": float(test.p_adjusted.min() <= 0.05),
        "leak at 0.01": float(test.p_adjusted.min() <= 0.01),
        "stack at 0.05": float(test.p_value[-1] <= 0.05),
        "AUC interval misses 0.5": float(not single.low <= 0.5 <= single.high),
        "list of pictures not empty": float(picture_discoveries(scores, members, names).listed.any()),
        "list of patients not empty": float(
            patient_discoveries(scores, members, names, seed=seed).listed.any()
        ),
        "loss of privacy above 0": float(epsilon_clopper_pearson(inside, outside) > 0),
    }


def half_remembered(seed: int, slices: int, patients: int) -> dict[str, float]:
    """Half the members score higher by three spreads: what share of the lists is wrong, and what is found?"""
    rng = np.random.default_rng([seed, slices, 1])
    patient = np.repeat(np.arange(2 * patients), slices)
    shared = rng.normal(size=2 * patients)[patient]
    scores = np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=len(patient))
    true = patient < patients // 2
    scores[true] += 3.0
    members, names = patient < patients, [f"patient {number:04d}" for number in patient]
    found = picture_discoveries(scores, members, names)
    rows = np.asarray(found.names)[found.listed].astype(int)
    people = patient_discoveries(scores, members, names, seed=seed)
    listed = np.asarray(people.names)[people.listed]
    wrong = [int(name.split()[1]) >= patients // 2 for name in listed]
    return {
        "false share, pictures": float((~true[rows]).mean()) if len(rows) else 0.0,
        "found, pictures": float(true[rows].sum() / true.sum()),
        "false share, patients": float(np.mean(wrong)) if wrong else 0.0,
        "found, patients": (len(wrong) - sum(wrong)) / (patients // 2),
    }


def intervals(seed: int, slices: int, patients: int) -> dict[str, float]:
    """One attack of known AUC: do the intervals of AUC and of the share found at 1 % hold the truth?"""
    rng = np.random.default_rng([seed, slices, 2])
    target = (0.5, 0.7, 0.9)[seed % 3]
    apart = float(np.sqrt(2) * norm.ppf(target))
    patient = np.repeat(np.arange(2 * patients), slices)
    shared = rng.normal(size=2 * patients)[patient]
    scores = (
        np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=len(patient)) + apart * (patient < patients)
    )
    members, names = patient < patients, [f"patient {number}" for number in patient]
    weights = bootstrap_weights(names, members, 400, seed)
    auc, found = auc_interval(scores, members, weights), tpr_interval(scores, members, weights)
    true = float(norm.sf(norm.isf(0.01) - apart))
    return {
        "AUC interval holds the truth": float(auc.low <= target <= auc.high),
        "interval of the share found at 1 % holds the truth": float(found.low <= true <= found.high),
    }


@cache
def _hospital(kind: str, table: Path | None, slices: int) -> tuple[Array, Array]:
    """All pictures of one source at 64 × 64, and the patient of each as a number."""
    if kind == "phantom":
        drawn = draw_hospital(patients=240, slices=slices, size=64, seed=77)
        return drawn.pixels, np.unique(np.asarray(drawn.patients), return_inverse=True)[1]
    assert table is not None
    stack, owner = pictures(table, alone=slices == 1)
    return stack.reshape(len(stack), 64, 2, 64, 2).mean(axis=(2, 4)).round().astype(np.uint8), owner


def on_pictures(job: tuple[int, str, int, Path | None, int]) -> dict[str, float]:
    """A whole audit of pictures whose generator knew neither side."""
    seed, kind, slices, table, patients = job
    stack, owner = _hospital(kind, table, slices)
    rng = np.random.default_rng([seed, 3])
    order = rng.permutation(int(owner.max()) + 1)
    parts = [np.isin(owner, order[start : start + patients]) for start in (0, patients, 2 * patients)]
    made = interpolating(stack[parts[2]], 200, seed=seed, components=min(40, int(parts[2].sum()) // 2))
    sides = []
    for name, part in zip(("members", "holdout"), parts, strict=False):
        loaded = images.load(stack[part], name=name)
        owners = tuple(f"{name} {number:04d}" for number in owner[part])
        sides.append(type(loaded)(name, loaded.ids, loaded.pixels, loaded.digests, owners))
    found = auditing.audit(
        generated=images.load(made, name="generated"),
        members=sides[0],
        holdout=sides[1],
        recipes=[recipes.load(name) for name in recipes.panels()["default"]],
        settings=Settings(seed),
        rules=RULES,
    )
    best = min(attack.p_adjusted for attack in (*found.attacks, found.combined) if attack)
    missed = [not attack.auc.low <= 0.5 <= attack.auc.high for attack in found.attacks]
    assert found.combined and found.privacy_loss and found.remembrance and found.blind
    return {
        "called a leak": float(found.verdict == "leak"),
        "called no evidence": float(found.verdict == "no evidence"),
        "adjusted p at most 0.05": float(best <= 0.05),
        "near copies named": float(len(found.near_copies) > 0),
        "AUC interval misses 0.5, per attack": float(np.mean(missed)),
        "AUC interval misses 0.5, all together": float(
            not found.combined.auc.low <= 0.5 <= found.combined.auc.high
        ),
        "list of pictures not empty": float(len(found.remembrance.pictures) > 0),
        "loss of privacy above 0": float(found.privacy_loss.epsilon > 0),
        "called different without a generator": float(bool(found.blind.confounded(0.05))),
    }


def mean(lines: list[dict[str, float]]) -> dict[str, Any]:
    """The mean of every figure, and of how many runs."""
    return {"runs": len(lines), **{name: float(np.mean([line[name] for line in lines])) for name in lines[0]}}


def main() -> None:
    """Simulate, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, nargs="?")
    parser.add_argument("--scores", type=int, default=1000, help="simulated audits on scores, of each kind")
    parser.add_argument("--pictures", type=int, default=50, help="audits of pictures, of each kind")
    parser.add_argument("--patients", type=int, default=60, help="patients a side")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path)
    chosen = parser.parse_args()
    content: dict[str, Any] = {"patients": chosen.patients, "seed": chosen.seed, "scores": {}, "pictures": {}}
    started = time.perf_counter()
    with ProcessPoolExecutor(chosen.workers) as pool:
        seeds = [chosen.seed * 100_000 + number for number in range(max(chosen.scores, chosen.pictures))]
        for what in (on_scores, half_remembered, intervals):
            for slices in (1, 10):
                count = 5 * chosen.patients if what is intervals else chosen.patients
                size = chosen.scores
                lines = list(pool.map(what, seeds[:size], [slices] * size, [count] * size, chunksize=8))
                content["scores"][f"{what.__name__}, {slices} a patient"] = {"patients": count, **mean(lines)}
                sys.stderr.write(f"{what.__name__} {slices}: {time.perf_counter() - started:.0f} s\n")
        for name, (kind, slices) in {**KINDS, **(REAL if chosen.table else {})}.items():
            jobs = [(seed, kind, slices, chosen.table, chosen.patients) for seed in seeds[: chosen.pictures]]
            content["pictures"][name] = mean(list(pool.map(on_pictures, jobs)))
            sys.stderr.write(f"{name}: {time.perf_counter() - started:.0f} s\n")
    keep(content, chosen.results)


if __name__ == "__main__":
    main()
