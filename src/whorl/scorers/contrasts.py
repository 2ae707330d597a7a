"""Scorers that ask what explains a query better: the generated pictures, or other real ones.

The real ones are the other queries, used or not, without those of the query's own fold and so of its own
patient; a reference set, where there is one, joins them. Nothing is told who was used: what a permutation
of the answers tests is exactly what was scored.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from whorl.kernels.principal import Rows, axes
from whorl.kernels.threads import one_thread
from whorl.records import Array, Count, Floats, ImageSet, Problem, Scores

VERSION = 2
TRANSDUCTIVE = ("subspace", "mixture", "ratio")
Features = Callable[[ImageSet], Array]
Folds = Callable[[int], Array]
Misfit = Callable[[Rows], Array]
FOLDS = 5
LEAST_VARIANCE = 1e-6


def subspace(
    problem: Problem, features: Features, folds: Folds, seed: int = 0, components: Count = 100
) -> Scores:
    """How much better the generated pictures' principal components rebuild a query than other real ones'.

    Problem with n queries and g groups -> Scores (n, g): log of the ratio of the errors, above 0 = better.
    """

    def learn(known: Rows, count: int) -> Misfit:
        found = axes(known, min(components, count // 2 + 1), seed)
        return lambda asked: np.log(found.placed(asked)[1])

    return _contrast(problem, features, folds, learn)


def mixture(
    problem: Problem,
    features: Features,
    folds: Folds,
    seed: int = 0,
    components: Count = 50,
    kinds: Count = 4,
) -> Scores:
    """How much likelier a query is under a mixture of the generated pictures than of other real ones.

    Problem with n queries and g groups -> Scores (n, g): difference of log likelihoods. The mixture lives on
    principal components; what lies outside them is spherical.
    """
    from sklearn.mixture import GaussianMixture

    def learn(known: Rows, count: int) -> Misfit:
        found = axes(known, min(components, count // 4 + 1), seed)
        inner, rest = found.placed(known)
        scale = np.sqrt(np.maximum(found.variance, LEAST_VARIANCE))
        free = max(1, known.width - len(found.along))
        grain = max(float(rest.mean()) / free, LEAST_VARIANCE)
        parts = max(1, min(kinds, count // (4 * len(found.along))))
        model = GaussianMixture(parts, reg_covar=0.05, max_iter=30, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a mixture that still moves a little will do
            with one_thread():
                model.fit((np.repeat(inner, 2, axis=0) if len(inner) < 2 else inner) / scale)

        def strange(asked: Rows) -> Array:
            within, outside = found.placed(asked)
            with one_thread():
                likely = model.score_samples(within / scale) - np.log(scale).sum()
            return np.asarray((outside / grain + free * np.log(grain)) / 2 - likely)

        return strange

    return _contrast(problem, features, folds, learn)


def ratio(
    problem: Problem, features: Features, folds: Folds, seed: int = 0, components: Count = 150
) -> Scores:
    """Log odds that a query is generated rather than real, by a penalised quadratic classifier.

    Problem with n queries and g groups -> Scores (n, g). Fitted on principal coordinates and their squares,
    each query by a classifier that saw no picture of its fold.
    """
    from sklearn.linear_model import LogisticRegression

    real = _real(problem, features, folds)
    values = np.empty((len(problem.queries), len(problem.generated)), np.float32)
    for column, images in enumerate(problem.generated.values()):
        made = _by_content(images, features)
        found = axes(made, min(components, len(made) // 2 + 1), seed)
        scale = np.sqrt(np.maximum(found.variance, LEAST_VARIANCE))
        tables = [found.placed(rows)[0] / scale for rows in (made, real.rows(slice(None)))]
        ours, theirs = (np.hstack([table, table**2 - 1]) for table in tables)
        for asked, others in real.held():
            rows = np.vstack([ours, theirs[others]])
            labels = np.arange(len(rows)) < len(ours)
            with one_thread():
                model = LogisticRegression(C=0.01, max_iter=300, class_weight="balanced").fit(rows, labels)
                values[real.query[asked], column] = model.decision_function(theirs[asked])
    return _scores(problem, values)


def _contrast(
    problem: Problem, features: Features, folds: Folds, learn: Callable[[Rows, int], Misfit]
) -> Scores:
    """The misfit of a query to other real pictures minus its misfit to the generated ones.

    `learn` is told how many pictures are known on the poorer side: both sides get models of one size.
    """
    real = _real(problem, features, folds)
    held = list(real.held())
    values = np.empty((len(problem.queries), len(problem.generated)), np.float32)
    for column, images in enumerate(problem.generated.values()):
        made = _by_content(images, features)
        count = min(len(made), *(len(others) for _, others in held))
        to_made = learn(made, count)
        for asked, others in held:
            rows, to_real = real.rows(asked), learn(real.rows(others), count)
            values[real.query[asked], column] = to_real(rows) - to_made(rows)
    return _scores(problem, values)


@dataclass(frozen=True, eq=False)
class _Real:
    """Real pictures in an order that only their content decides, so that sums do not depend on file names.

    `table` (m, ...) and its `order`; in that order the `fold` of each and which `query` it is, both -1 for
    the reference.
    """

    table: Array
    order: Array
    fold: Array
    query: Array

    def rows(self, places: Array | slice) -> Rows:
        """Some of them."""
        return Rows(self.table, self.order[places])

    def held(self) -> Iterator[tuple[Array, Array]]:
        """Of every fold the rows of its queries, and the rows of other folds; its own if it is alone."""
        for fold in range(int(self.fold.max()) + 1):
            asked = np.flatnonzero(self.fold == fold)
            others = np.flatnonzero(self.fold != fold)
            yield asked, others if len(others) else asked


def _real(problem: Problem, features: Features, folds: Folds) -> _Real:
    """The queries and the reference, if there is one."""
    stacks, digests = [features(problem.queries)], list(problem.queries.digests)
    fold, query = folds(FOLDS), np.arange(len(problem.queries))
    if problem.reference is not None:
        stacks.append(features(problem.reference))
        digests += problem.reference.digests
        outside = np.full(len(problem.reference), -1)
        fold, query = np.concatenate([fold, outside]), np.concatenate([query, outside])
    order = np.argsort(np.asarray(digests), kind="stable")
    table = np.concatenate(stacks) if len(stacks) > 1 else stacks[0]
    return _Real(table, order, fold[order], query[order])


def _by_content(images: ImageSet, features: Features) -> Rows:
    return Rows(features(images), np.argsort(np.asarray(images.digests), kind="stable"))


def _scores(problem: Problem, values: Floats) -> Scores:
    return Scores(problem.queries.ids, tuple(problem.generated), values, np.full(values.shape, -1, np.int64))
