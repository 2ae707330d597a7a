"""Scorers that learn on pairs of a real and a generated picture and average over a query's pairs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from whorl.records import Array, BadInput, Count, ImageSet, Problem, Scores, one_column

VERSION = 1
Features = Callable[[ImageSet], Array]
Join = Literal["concatenated", "difference", "wasserstein"]
Model = Literal["logistic", "forest", "network", "boosting", "svm-rbf", "best"]
TRIED, FOLDS = 3000, 3
MODELS: tuple[Model, ...] = ("logistic", "forest", "network", "boosting")


def classified(
    problem: Problem,
    features: Features,
    seed: int = 0,
    join: Join = "concatenated",
    model: Model = "logistic",
    per_side: Count | None = None,
    sampled: Count = 500,
    pairs: Count = 20000,
) -> Scores:
    """Mean score of a query's pairs with generated pictures under a model of used against not used pairs.

    Problem with n queries -> Scores (n, 1), above 0 = used. Each development generated picture is paired
    with `per_side` used and not used ones (all where none is given), at most `pairs` in all; `best` picks
    the model by cross-validation in which no real picture is on both sides.
    """
    part = problem.development
    if part is None:
        raise BadInput("this recipe learns on a development part with answers: dev/ in the edition")
    truth = part.used()
    real, made = features(part.problem.queries), features(next(iter(part.problem.generated.values())))
    generator = np.random.default_rng(seed)
    left, right = _drawn(truth, len(made), per_side, pairs, generator)
    table, labels = _joined(real[left], made[right], join), truth[left]
    name = _best(table, labels, left, seed) if model == "best" else model
    middle, scale = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    machine = _fitted(name, seed, (table - middle) / scale, labels)
    gallery = features(next(iter(problem.generated.values())))
    some = np.sort(generator.permutation(len(gallery))[:sampled])
    queries = features(problem.queries)
    values = np.empty(len(queries), np.float32)
    for row in range(len(queries)):
        rows = _joined(np.repeat(queries[row : row + 1], len(some), axis=0), gallery[some], join)
        values[row] = _chances(machine, (rows - middle) / scale).mean() - 0.5
    return one_column(problem, values)


def _drawn(
    truth: Array, made: int, per_side: int | None, most: int, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Places of the real and the generated picture of every training pair, both classes alike often."""
    sides = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    take = min(per_side or max(map(len, sides)), *map(len, sides))
    used = np.sort(generator.permutation(made)[: max(1, most // (2 * take))])
    left = [generator.permutation(side)[:take] for _ in used for side in sides]
    return np.concatenate(left), np.repeat(used, 2 * take)


def _joined(real: Array, made: Array, join: Join) -> Array:
    """One row per pair; for Wasserstein the features are cumulative distributions (n, maps, bins)."""
    if join == "wasserstein":
        return np.asarray(np.abs(real.astype(np.float64) - made).mean(axis=2))
    one, other = (np.asarray(part.reshape(len(part), -1), np.float64) for part in (real, made))
    return np.abs(one - other) if join == "difference" else np.hstack([one, other])


def _best(table: Array, labels: Array, real: Array, seed: int) -> Model:
    """The model with the best balanced accuracy over three folds that share no real picture."""
    generator = np.random.default_rng(seed)
    some = np.sort(generator.permutation(len(table))[:TRIED])
    table, labels, real = table[some], labels[some], real[some]
    folds = generator.permutation(int(real.max()) + 1)[real] % FOLDS
    quality: dict[Model, float] = {}
    for name in MODELS:
        found = []
        for fold in range(FOLDS):
            train, test = folds != fold, folds == fold
            if len(np.unique(labels[train])) < 2 or len(np.unique(labels[test])) < 2:
                continue
            middle, scale = table[train].mean(axis=0), np.maximum(table[train].std(axis=0), 1e-9)
            machine = _fitted(name, seed, (table[train] - middle) / scale, labels[train])
            called = machine.predict((table[test] - middle) / scale)
            found.append((called[labels[test]].mean() + (~called[~labels[test]]).mean()) / 2)
        quality[name] = float(np.mean(found)) if found else 0.5
    return max(MODELS, key=lambda name: quality[name])


def _fitted(model: Model, seed: int, rows: Array, labels: Array) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops early is still a fit; its worth is cross-validated
        return _machine(model, seed).fit(rows, labels)


def _chances(machine: Any, rows: Array) -> Array:
    """Probability of used for every pair; a support vector machine gives votes, 0 or 1."""
    if hasattr(machine, "predict_proba"):
        return np.asarray(machine.predict_proba(rows)[:, 1])
    return np.asarray(machine.predict(rows), np.float64)


def _machine(model: Model, seed: int) -> Any:
    if model == "forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(50, min_samples_leaf=5, max_depth=8, random_state=seed)
    if model == "boosting":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, random_state=seed)
    if model == "network":
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier((16,), alpha=1e-2, max_iter=60, random_state=seed)
    if model == "svm-rbf":
        from sklearn.svm import SVC

        return SVC(C=1.0, gamma="scale")
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)
