"""Groups from labels: learnt from known generators, from pseudo-labels, or joined from other recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from whorl.learning import roles, transfer
from whorl.learning.backbones import Weights, side_of
from whorl.learning.classifiers import Form
from whorl.learning.effort import LIMITS, Effort
from whorl.learning.transfer import Pace, Stage
from whorl.learning.workplace import ALONE, Workplace
from whorl.records import Array, BadInput, Count, ImageSet, Problem, Scores, Share, Verdicts, group_count

VERSION = 1
TRANSDUCTIVE = ("pseudo", "vote", "rerank", "trained_pseudo")
Features = Callable[[ImageSet], Array]
Outcomes = Mapping[str, tuple[Scores, Verdicts]]


def known(problem: Problem, features: Features) -> Scores:
    """Linear classifier of the generators of the development part; it cannot name a new one.

    Problem with n queries -> Scores (n, known generators), rows sum to 1.
    """
    if problem.development is None:
        raise BadInput("this recipe learns known generators on a development part: dev/ in the edition")
    asked = _flat(features(problem.queries))
    rows, labels = _development(problem, features, asked.shape[1])
    names = sorted(set(labels))
    return _scores(problem, names, _learnt(rows, [names.index(label) for label in labels], asked))


def pseudo(
    problem: Problem, features: Features, seed: int = 0, clusters: int | None = None, added: Count = 200
) -> Scores:
    """Linear classifier of the known generators and of groups of queries that are none of them.

    Problem with n queries -> Scores (n, generators), rows sum to 1. K-means groups the queries; groups that
    no known generator is matched with (Hungarian, by their means) are new, and their `added` most central
    pictures are taken for examples. Without a development part every group is new.
    """
    from sklearn.cluster import KMeans

    asked = _flat(features(problem.queries))
    order = np.asarray(sorted(range(len(asked)), key=lambda row: asked[row].tobytes()))
    rows, labels = _development(problem, features, asked.shape[1])
    names = sorted(set(labels))
    train = [names.index(label) for label in labels]
    both = _standardised(np.concatenate([rows, asked[order]]))
    learnt, queries = both[: len(rows)], both[len(rows) :]
    model = KMeans(group_count(problem, clusters), n_init=10, random_state=seed).fit(queries)
    distance = ((queries - model.cluster_centers_[model.labels_]) ** 2).sum(axis=1)
    examples = [learnt]
    for cluster in _unmatched(model.cluster_centers_, _means(learnt, train)):
        members = np.flatnonzero(model.labels_ == cluster)
        central = members[np.argsort(distance[members], kind="stable")[:added]]
        examples.append(queries[central])
        train += [len(names)] * len(central)
        names.append(_new_name(names))
    chances = _learnt(np.concatenate(examples), train, queries)
    return _scores(problem, names, chances[np.argsort(order)])


def trained(
    problem: Problem,
    features: Features,
    seed: int = 0,
    network: str = "resnet34",
    weights: Weights = "pretrained",
    size: Count = 224,
    epochs: Count = 20,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """Chances of the known generators under a network trained on their pictures; it cannot name a new one.

    Problem with n queries -> Scores (n, known generators), rows sum to 1.
    """
    school = _School(network, weights, size, Pace(epochs, batch, rate, 0), effort, seed, workplace)
    found, names, stage = school.known(problem, features)
    asked = roles.sized(features(problem.queries), school.form.side)
    return _scores(problem, names, _chances(school.judged(found, stage, asked)[:, : len(names)]))


def trained_pseudo(
    problem: Problem,
    features: Features,
    seed: int = 0,
    network: str = "resnet34",
    weights: Weights = "pretrained",
    clusters: int | None = None,
    added: Count = 200,
    size: Count = 224,
    epochs: Count = 20,
    batch: Count = 32,
    rate: float = 1e-4,
    effort: Effort = "full",
    workplace: Workplace = ALONE,
) -> Scores:
    """As `trained`, then trained again with the `added` most central queries of groups that are nobody's.

    Problem with n queries -> Scores (n, generators), rows sum to 1. Groups are those of k-means on what the
    network sees before its last layer.
    """
    school = _School(network, weights, size, Pace(epochs, batch, rate, 0), effort, seed, workplace)
    found, names, stage = school.known(problem, features)
    asked = roles.sized(features(problem.queries), school.form.side)
    order = np.asarray(sorted(range(len(asked)), key=lambda row: asked[row].tobytes()))
    own, shown = (school.seen(found, stage, one) for one in (asked[order], stage.pictures))
    from sklearn.cluster import KMeans

    model = KMeans(group_count(problem, clusters), n_init=10, random_state=seed).fit(own)
    apart = ((own - model.cluster_centers_[model.labels_]) ** 2).sum(axis=1)
    pictures, labels = [stage.pictures], list(stage.labels)
    for cluster in _unmatched(model.cluster_centers_, _means(shown, stage.labels)):
        members = np.flatnonzero(model.labels_ == cluster)
        central = members[np.argsort(apart[members], kind="stable")[:added]]
        pictures.append(asked[order][central])
        labels += [len(names)] * len(central)
        names = [*names, _new_name(names)]
    again = Stage("pseudo-labels", np.concatenate(pictures), tuple(labels))
    found = school.learnt([stage, again])
    return _scores(problem, names, _chances(school.judged(found, again, asked)[:, : len(names)]))


def vote(problem: Problem, outcomes: Outcomes, recipes: Sequence[str] = ()) -> Scores:
    """Share of the recipes that put a query into each group, the groups named alike (Hungarian).

    Problem with n queries -> Scores (n, groups), rows sum to 1. The recipe most like the others gives the
    names.
    """
    codes = _codes(outcomes, recipes)
    size = int(codes.max()) + 1
    renamed = [[_renamed(one, other, size) for one in codes.T] for other in codes.T]
    like = [np.mean([one == other for one in each]) for each, other in zip(renamed, codes.T, strict=True)]
    chosen = np.stack(renamed[int(np.argmax(like))], axis=1)
    return _by_size(problem, (chosen[:, :, None] == np.arange(size)).mean(axis=1))


def rerank(
    problem: Problem,
    outcomes: Outcomes,
    recipes: Sequence[str] = (),
    clusters: int | None = None,
    radius: Share = 0.25,
    least: Count = 5,
) -> Scores:
    """DBSCAN on earlier groupings: two queries are as far apart as the share of recipes that part them.

    Problem with n queries -> Scores (n, groups), 1 for the group of each query. No more groups than were told
    stay, the largest; strays and the pictures of other groups join the nearest.
    """
    from sklearn.cluster import DBSCAN

    profiles, place, counts = np.unique(
        _codes(outcomes, recipes), axis=0, return_inverse=True, return_counts=True
    )
    distance = np.mean([one[:, None] != one[None, :] for one in profiles.T], axis=0)
    model = DBSCAN(eps=max(radius, 1e-9), min_samples=least, metric="precomputed")
    found = model.fit(distance, sample_weight=counts).labels_
    member = (found[:, None] == np.unique(found[found >= 0])[None, :]) * counts[:, None]
    if not member.shape[1]:
        return _by_size(problem, np.ones((len(problem.queries), 1)))
    told = problem.count if clusters is None else clusters
    member = member[:, np.argsort(-member.sum(axis=0), kind="stable")[:told]]
    apart = distance @ member / member.sum(axis=0)
    nearest = np.where(member.any(axis=1), member.argmax(axis=1), apart.argmin(axis=1))
    return _by_size(problem, np.eye(member.shape[1])[nearest[place.reshape(-1)]])


class _School:
    """A network, how it is trained, and what it learns from the development part."""

    def __init__(
        self,
        network: str,
        weights: Weights,
        size: int,
        pace: Pace,
        effort: Effort,
        seed: int,
        workplace: Workplace,
    ) -> None:
        limits = LIMITS[effort]
        side = side_of(network, size, limits)
        self.form = Form(network, side, limits, weights, networks=workplace.networks)
        self.pace = replace(pace, batch=min(pace.batch, limits.batch), most=limits.steps)
        self.seed, self.workplace = seed, workplace

    def known(self, problem: Problem, features: Features) -> tuple[Any, list[str], Stage]:
        """Train on the generators of the development part; return weights, names and what was shown."""
        pictures = roles.makers(problem, self.form.side, features)
        names = sorted(pictures.rows)
        labels = roles.labels_of(pictures, names).tolist()
        stage = Stage("development", pictures.pictures, tuple(labels))
        return self.learnt([stage]), names, stage

    def learnt(self, path: Sequence[Stage]) -> Any:
        return transfer.learnt(self.form, path, self.pace, self.seed, self.workplace)

    def judged(self, found: Any, stage: Stage, pictures: Array) -> Array:
        return transfer.judged(self.form, found, stage.classes, pictures, self.workplace)

    def seen(self, found: Any, stage: Stage, pictures: Array) -> Array:
        made = transfer.seen(self.form, found, stage.classes, pictures, self.workplace)
        return np.asarray(made, np.float64)


def _chances(numbers: Array) -> Array:
    raised = np.exp(numbers.astype(np.float64) - numbers.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _development(problem: Problem, features: Features, width: int) -> tuple[Array, list[str]]:
    """Features (m, width) and generators of the development part; nothing where there is none."""
    part = problem.development
    if part is None:
        return np.zeros((0, width)), []
    images = part.problem.queries
    rows = _flat(features(images))
    if rows.shape[1] != width:
        raise BadInput("development pictures differ from the others in size: give --size N")
    return rows, [part.answers.labels[name] for name in images.ids]


def _learnt(rows: Array, labels: Sequence[int], queries: Array) -> Array:
    """Chances of every label for the queries, (n, labels), by logistic regression on standardised rows."""
    from sklearn.linear_model import LogisticRegression

    if len(set(labels)) == 1:
        return np.ones((len(queries), 1))
    both = _standardised(np.concatenate([rows, queries]), len(rows))
    model = LogisticRegression(max_iter=2000, tol=1e-3).fit(both[: len(rows)], labels)
    return np.asarray(model.predict_proba(both[len(rows) :]))


def _standardised(rows: Array, first: int | None = None) -> Array:
    """Rows with mean 0 and spread 1 over the first of them."""
    spread = rows[:first].std(axis=0)
    return np.asarray((rows - rows[:first].mean(axis=0)) / np.where(spread > 1e-12, spread, 1.0))


def _means(rows: Array, labels: Sequence[int]) -> Array:
    return np.asarray([rows[np.asarray(labels) == label].mean(axis=0) for label in sorted(set(labels))])


def _unmatched(centres: Array, means: Array) -> list[int]:
    """Clusters that are nobody's when every known generator takes one, all as near as can be."""
    from scipy.optimize import linear_sum_assignment

    if not len(means):
        return list(range(len(centres)))
    distance = ((centres[:, None, :] - means[None, :, :]) ** 2).sum(axis=2)
    taken = set(linear_sum_assignment(distance)[0].tolist())
    return [cluster for cluster in range(len(centres)) if cluster not in taken]


def _new_name(names: Sequence[str]) -> str:
    return next(name for name in (f"new {i}" for i in range(1, len(names) + 2)) if name not in names)


def _codes(outcomes: Outcomes, recipes: Sequence[str]) -> Array:
    """The group of every query in every recipe, (n, recipes) of numbers from 0."""
    labels = [np.asarray(outcomes[name][1].labels) for name in recipes]
    return np.stack([np.unique(one, return_inverse=True)[1].reshape(-1) for one in labels], axis=1)


def _renamed(labels: Array, names: Array, size: int) -> Array:
    """Labels under the names of another grouping that fit best, one to one."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((size, size))
    np.add.at(table, (labels, names), 1)
    return np.asarray(linear_sum_assignment(table, maximize=True)[1][labels])


def _by_size(problem: Problem, chances: Array) -> Scores:
    """One column per group, the largest first; groups that nobody is in are left out."""
    total = chances.sum(axis=0)
    order = [column for column in np.argsort(-total, kind="stable") if total[column] > 0]
    return _scores(problem, [str(place + 1) for place in range(len(order))], chances[:, order])


def _scores(problem: Problem, names: Sequence[str], chances: Array) -> Scores:
    values = np.asarray(chances, np.float32)
    return Scores(problem.queries.ids, tuple(names), values, np.full(values.shape, -1, np.int64))


def _flat(found: Array) -> Array:
    return np.asarray(found.reshape(len(found), -1), np.float64)
