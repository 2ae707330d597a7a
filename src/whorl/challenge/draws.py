"""Scores of many runs on redrawn patients: counts by patient, one matrix product a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from whorl.challenge.scoring import Truth
from whorl.evidence.intervals import Resamples, bootstrap_weights
from whorl.metrics import VERDICT_METRICS
from whorl.records import Array

SLAB_BYTES = 64 << 20


def verdict_draws(
    truths: Sequence[Truth], answers: Sequence[Array], metrics: Sequence[str], draws: int, seed: int
) -> dict[str, Array]:
    """Return metrics of every run on resampled patients: name → (models, draws, runs).

    `answers` are (runs, pictures) of 0 and 1 for each model; a patient of several models is drawn once.
    """
    names = [name for place, truth in enumerate(truths) for name in patients_of(truth, place)]
    strata = np.concatenate([2 * place + (truth.labels == 1) for place, truth in enumerate(truths)])
    weights = bootstrap_weights(names, strata, draws, seed)
    ends = np.cumsum([len(truth) for truth in truths])
    found: dict[str, list[Array]] = {metric: [] for metric in metrics}
    for truth, said, end in zip(truths, answers, ends, strict=True):
        present, patient = np.unique(weights.patient[end - len(truth) : end], return_inverse=True)
        cells = _redrawn(Resamples(weights.counts[:, present], patient), truth.labels == 1, said == 1)
        for metric in metrics:
            found[metric].append(np.asarray(VERDICT_METRICS[metric](*cells)))
    return {metric: np.stack(values) for metric, values in found.items()}


def rand_index_draws(truth: Truth, answers: Array, draws: int, seed: int) -> Array:
    """Return the adjusted Rand index of (runs, pictures) on random halves of the patients: (draws, runs).

    Halves, as in `label_interval`: drawn twice, a picture would be a pair that every grouping keeps.
    """
    patient = np.unique(patients_of(truth), return_inverse=True)[1]
    total = int(patient.max()) + 1
    generator = np.random.default_rng(seed)
    halves = (np.isin(patient, generator.permutation(total)[: total // 2]) for _ in range(draws))
    return np.stack([_rand_indices(truth.labels[kept], answers[:, kept]) for kept in halves])


def shuffled_rand_indices(truth: Truth, answers: Array, shuffles: int, seed: int) -> Array:
    """Return the adjusted Rand index of (runs, pictures) against shuffled answers: (shuffles, runs)."""
    generator = np.random.default_rng(seed)
    rounds = (generator.permutation(truth.labels) for _ in range(shuffles))
    return np.stack([_rand_indices(labels, answers) for labels in rounds])


def ranks(scores: Array) -> Array:
    """Return ranks of the last axis, 1 for the highest; equal scores share the better rank."""
    # What differs only by rounding is a tie.
    rows = np.round(scores, 12).reshape(-1, scores.shape[-1])
    found = [len(row) + 1 - np.searchsorted(np.sort(row), row, side="right") for row in rows]
    return np.stack(found).reshape(scores.shape)


def patients_of(truth: Truth, place: int = 0) -> list[str]:
    """Return each picture's patient; a name of its own where patients are not known."""
    return list(truth.patients) or [f"{place}\0{row}" for row in range(len(truth))]


def _redrawn(weights: Resamples, used: Array, said: Array) -> tuple[Array, Array, Array, Array]:
    """Return tp, fp, fn and tn, each (draws, runs), of answers (runs, pictures)."""
    patients = weights.counts.shape[1]
    totals = [_by_patient(weights.patient, one[None], patients) for one in (used, ~used)]
    all_used, all_unused = (np.concatenate(list(_products(weights.counts, each))) for each in totals)
    runs = max(1, SLAB_BYTES // (16 * patients))
    tp, fp = [], []
    for start in range(0, len(said), runs):
        some = said[start : start + runs]
        both = np.concatenate([some & used, some & ~used])
        table = _by_patient(weights.patient, both, patients)
        counted = np.concatenate(list(_products(weights.counts, table)))
        tp.append(counted[:, : len(some)])
        fp.append(counted[:, len(some) :])
    hits, alarms = np.concatenate(tp, axis=1), np.concatenate(fp, axis=1)
    return hits, alarms, all_used - hits, all_unused - alarms


def _by_patient(patient: Array, flags: Array, patients: int) -> Array:
    """Count the pictures flagged (runs, pictures) of each patient: (patients, runs)."""
    found = np.empty((patients, len(flags)))
    for run, flagged in enumerate(flags):
        found[:, run] = np.bincount(patient[flagged], minlength=patients)
    return found


def _products(counts: Array, table: Array) -> Iterator[Array]:
    rows = max(1, SLAB_BYTES // (8 * counts.shape[1]))
    for start in range(0, len(counts), rows):
        # Whole numbers: exact in double precision, whatever the order of adding.
        yield counts[start : start + rows].astype(np.float64) @ table


def _rand_indices(truth: Array, answers: Array) -> Array:
    """Return the adjusted Rand index of many groupings (runs, pictures) with one truth: (runs,)."""
    groups, kinds = int(answers.max()) + 1, int(truth.max()) + 1
    cell = answers.astype(np.int64) * kinds + truth
    cell += groups * kinds * np.arange(len(answers))[:, None]
    size = len(answers) * groups * kinds
    table = np.bincount(cell.ravel(), minlength=size).reshape(-1, groups, kinds).astype(np.float64)
    together = _pairs(table).sum(axis=(1, 2))
    rows, columns = _pairs(table.sum(axis=2)).sum(axis=1), _pairs(table.sum(axis=1)).sum(axis=1)
    expected = rows * columns / max(len(truth) * (len(truth) - 1) / 2, 1.0)
    highest = (rows + columns) / 2
    same = highest == expected  # both groupings trivial, hence equal
    return np.where(same, 1.0, (together - expected) / np.where(same, 1.0, highest - expected))


def _pairs(sizes: Array) -> Array:
    return np.asarray(sizes * (sizes - 1) / 2)
