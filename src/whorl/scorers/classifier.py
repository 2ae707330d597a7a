"""Scorers that learn used from not used on the development part and judge each query alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from whorl.learning.effort import Effort
from whorl.learning.samplers import drawn
from whorl.learning.workplace import ALONE, Workplace
from whorl.records import Array, BadInput, Count, ImageSet, Problem, Scores, Share, one_column

VERSION = 1
TRANSDUCTIVE = ("pseudo_labelled",)
Features = Callable[[ImageSet], Array]
Model = Literal["logistic", "svm-linear", "svm-2", "svm-rbf", "knn", "forest", "boosting", "network"]
Training = Literal["real", "full"]


def supervised(
    problem: Problem,
    features: Features,
    seed: int = 0,
    model: Model = "logistic",
    target: Literal["used", "real"] = "used",
    train: Training = "real",
    balance: Literal["none", "adasyn"] = "none",
    components: Count | None = None,
) -> Scores:
    """Class score of a model fitted on development: used against not used, or real against generated.

    Problem with n queries -> Scores (n, 1). `train` = full adds the generated pictures as used (PicusLabMed);
    with `target` = real the score is that of looking generated.
    """
    part, truth = _development(problem)
    real = _table(features(part.queries))
    made = _table(features(next(iter(part.generated.values()))))
    if target == "real":
        table, labels = np.vstack([made, real]), np.repeat([True, False], [len(made), len(real)])
    elif train == "full":
        table, labels = np.vstack([real, made]), np.concatenate([truth, np.ones(len(made), bool)])
    else:
        table, labels = real, truth
    queries = _table(features(problem.queries))
    if components is not None:
        table, queries = _reduced(table, queries, components, seed)
    if balance == "adasyn":
        table, labels = _balanced(table, labels, seed)
    return one_column(problem, _judged(model, table, labels, queries, seed))


def substitute(
    problem: Problem,
    features: Features,
    seed: int = 0,
    components: Count = 60,
    model: Model = "svm-rbf",
) -> Scores:
    """Given generator against one of one's own, trained on the not used pictures (AIMultimediaLab 2023).

    Problem with n queries -> Scores (n, 1). Class 1: development generated and used; class 0: not used and
    pictures drawn from their principal components with Gaussian weights.
    """
    return _against(
        problem, features, model, seed, lambda unused, count: _drawn(unused, count, components, seed)
    )


def trained_substitute(
    problem: Problem,
    features: Features,
    seed: int = 0,
    model: Model = "svm-rbf",
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """As `substitute`, the own generator a network: an autoencoder whose latents are drawn anew.

    Problem with n queries -> Scores (n, 1).
    """
    return _against(
        problem, features, model, seed, lambda unused, count: drawn(unused, count, effort, seed, workplace)
    )


def _against(
    problem: Problem, features: Features, model: Model, seed: int, generate: Callable[[Array, int], Array]
) -> Scores:
    part, truth = _development(problem)
    made = next(iter(part.generated.values()))
    own = generate(part.queries.pixels[~truth], len(made))
    real = _table(features(part.queries))
    drawn = ImageSet("own generator", _names(own), own, _names(own))
    table = np.vstack([_table(features(made)), real[truth], real[~truth], _table(features(drawn))])
    sizes = [len(made), int(truth.sum()), int((~truth).sum()), len(own)]
    labels = np.repeat([True, True, False, False], sizes)
    return one_column(problem, _judged(model, table, labels, _table(features(problem.queries)), seed))


def pseudo_labelled(
    problem: Problem,
    features: Features,
    seed: int = 0,
    model: Model = "logistic",
    confidence: Share = 0.9,
) -> Scores:
    """Class score of a model fitted on development and then on the queries that it was sure of as well.

    Problem with n queries -> Scores (n, 1). A query enters with the label of its probability if that is at
    least `confidence` (KDE-lab 2023: the test set as the last stage of training).
    """
    part, truth = _development(problem)
    real, queries = _table(features(part.queries)), _table(features(problem.queries))
    first = _judged(model, real, truth, queries, seed)
    chance = 1.0 / (1.0 + np.exp(-np.clip(first, -30, 30)))
    sure = np.maximum(chance, 1.0 - chance) >= confidence
    if not sure.any():
        return one_column(problem, first)
    order = sorted(np.flatnonzero(sure), key=lambda row: queries[row].tobytes())  # not that of the files
    table = np.vstack([real, queries[order]])
    labels = np.concatenate([truth, first[order] > 0])
    return one_column(problem, _judged(model, table, labels, queries, seed))


def _judged(model: Model, table: Array, labels: Array, queries: Array, seed: int) -> Array:
    """Fit a model on standardised rows and return a score per query, higher = more likely True, (n,)."""
    spread = table.std(axis=0)
    scale = np.where(spread > 1e-12, spread, 1.0)
    middle = table.mean(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops before it has settled is still a fit
        machine = _machine(model, seed).fit((table - middle) / scale, labels)
    rows = (queries - middle) / scale
    if hasattr(machine, "decision_function"):
        return np.asarray(machine.decision_function(rows))
    return np.asarray(machine.predict_proba(rows)[:, 1] - 0.5)


def _machine(model: Model, seed: int) -> Any:
    if model.startswith("svm"):
        from sklearn.svm import SVC

        kernel: dict[str, dict[str, Any]] = {
            "svm-linear": {"kernel": "linear"},
            "svm-2": {"kernel": "poly", "degree": 2, "coef0": 1.0, "gamma": 1.0},
            "svm-rbf": {"kernel": "rbf", "gamma": "scale"},
        }
        return SVC(C=1.0, **kernel[model])
    if model in ("forest", "boosting"):
        from sklearn import ensemble

        if model == "forest":
            return ensemble.RandomForestClassifier(200, random_state=seed)
        return ensemble.HistGradientBoostingClassifier(random_state=seed)
    if model == "knn":
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(5)
    if model == "network":
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier((64,), alpha=1e-2, max_iter=2000, random_state=seed)
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)


def _development(problem: Problem) -> tuple[Problem, Array]:
    part = problem.development
    if part is None:
        raise BadInput("this recipe learns on a development part with answers: dev/ in the edition")
    return part.problem, part.used()


def _reduced(table: Array, queries: Array, components: int, seed: int) -> tuple[Array, Array]:
    from sklearn.decomposition import PCA

    reducer = PCA(min(components, *table.shape), random_state=seed).fit(table)
    return reducer.transform(table), reducer.transform(queries)


def _balanced(table: Array, labels: Array, seed: int) -> tuple[Array, Array]:
    """Add synthetic rows to the smaller class where it is hard to tell apart (ADASYN)."""
    try:
        from imblearn.over_sampling import ADASYN
    except ImportError:
        raise BadInput("balance = adasyn needs the extra: pip install 'whorl[bench]'") from None
    fewest = int(min(labels.sum(), (~labels).sum()))
    if fewest < 2 or abs(2 * labels.sum() - len(labels)) < 2:
        return table, labels
    try:
        added = ADASYN(n_neighbors=min(5, fewest - 1), random_state=seed).fit_resample(table, labels)
    except (RuntimeError, ValueError):
        return table, labels  # nothing is hard to tell apart: there is nothing to add
    return np.asarray(added[0]), np.asarray(added[1])


def _drawn(pictures: Array, count: int, components: int, seed: int) -> Array:
    flat = pictures.reshape(len(pictures), -1).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    kept = min(components, len(flat) - 1)
    _, scale, right = np.linalg.svd(centred, full_matrices=False)
    weights = np.random.default_rng(seed).normal(size=(count, kept)) * scale[:kept] / np.sqrt(len(flat))
    drawn = flat.mean(axis=0) + weights @ right[:kept]
    stack: Array = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
    return stack.reshape(count, *pictures.shape[1:])


def _names(pictures: Array) -> tuple[str, ...]:
    return tuple(f"own {row:06d} {_digest_of(picture)}" for row, picture in enumerate(pictures))


def _digest_of(picture: Array) -> str:
    """Digest of one picture, so that features of drawn pictures are kept under their content."""
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()[:32]


def _table(array: Array) -> Array:
    return np.asarray(array.reshape(len(array), -1), np.float64)
