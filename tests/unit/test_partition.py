"""Clusters that are named, subsets told apart, queries that enter training: on points with a truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from contracts import problems
from whorl import pipeline
from whorl.pipeline import Settings
from whorl.records import Answers, Development, ImageSet, Problem, Recipe, Step
from whorl.scorers import classifier, partition, subsets
from whorl.similarity.vectors import mean_square

Points = dict[str, np.ndarray]
Features = Callable[[ImageSet], np.ndarray]


def images(points: np.ndarray, name: str) -> ImageSet:
    """Pictures that stand for points: the features of a set are found by its name."""
    return problems.image_set(name, problems.fields(len(points), seed=len(name), size=16))


def problem(
    points: Points, used: int, named: str = "used"
) -> tuple[Problem, Callable[[ImageSet], np.ndarray]]:
    """A membership problem on points; the first development reals are used."""
    sets = {name: images(part, name) for name, part in points.items()}
    other = "not_used" if named == "used" else "used"
    labels = {one: named if row < used else other for row, one in enumerate(sets["dev"].ids)}
    part = Development(Problem("membership", sets["dev"], {"g": sets["made"]}), Answers(labels))
    asked = Problem("membership", sets["queries"], {"g": sets["made"]}, development=part)
    return asked, lambda found: points[found.name]


@pytest.fixture
def points() -> Points:
    rng = np.random.default_rng(0)
    near, far = np.zeros((20, 3)), np.full((20, 3), 5.0)
    both = np.concatenate([near, far])
    return {
        "dev": both + 0.1 * rng.standard_normal((40, 3)),
        "queries": both[10:30] + 0.1 * rng.standard_normal((20, 3)),
        "made": near[:8] + 0.1 * rng.standard_normal((8, 3)),
    }


@pytest.mark.parametrize(("named", "sign"), [("used", 1.0), ("not_used", -1.0)])
def test_clusters_bear_the_name_of_what_they_hold(points: Points, named: str, sign: float) -> None:
    asked, features = problem(points, 20, named)
    values = partition.named(asked, features).values[:, 0] * sign
    assert (values[:10] > 0).all() and (values[10:] < 0).all()


def test_of_clusters_with_equal_shares_the_one_by_the_generated_pictures_is_used(points: Points) -> None:
    order = np.argsort(np.tile([0, 1], 20), kind="stable")  # half of either cluster is used
    asked, features = problem({**points, "dev": points["dev"][order]}, 20)
    values = partition.named(asked, features).values[:, 0]
    assert (values[:10] > 0).all() and (values[10:] < 0).all()


def test_numbers_of_clusters_are_those_of_scikit_learn(points: Points) -> None:
    asked, features = problem(points, 20)
    expected = AgglomerativeClustering(2).fit_predict(points["queries"])
    np.testing.assert_array_equal(partition.numbered(asked, features).values[:, 0] > 0, expected == 1)


def test_queries_among_generated_pictures_score_above_those_among_themselves(points: Points) -> None:
    asked, features = problem(points, 20)
    values = partition.mostly_real(asked, features, clusters=2).values[:, 0]
    share = 8 / 28
    np.testing.assert_allclose(values[:10], 8 / 18 - share, rtol=1e-5)
    np.testing.assert_allclose(values[10:], -share, rtol=1e-5)


def test_sure_queries_enter_and_move_the_border(points: Points) -> None:
    asked, features = problem(points, 20)
    alone = classifier.supervised(asked, features).values
    joined = classifier.pseudo_labelled(asked, features, confidence=0.9).values
    assert (np.sign(alone) == np.sign(joined)).all() and np.abs(joined - alone).max() > 1e-3
    unsure = classifier.pseudo_labelled(asked, features, confidence=1.0)
    np.testing.assert_allclose(unsure.values, alone, rtol=1e-6)


@pytest.mark.parametrize("count", [2, 4])
def test_subsets_are_told_apart_by_planes_and_by_clusters(count: int) -> None:
    rng = np.random.default_rng(1)
    middles = 6.0 * rng.standard_normal((count, 5))
    points = {f"t{place}": middles[place] + 0.3 * rng.standard_normal((12, 5)) for place in range(count)}
    truth = np.repeat(np.arange(count), 3)
    points["queries"] = middles[truth] + 0.3 * rng.standard_normal((3 * count, 5))
    real = {name: images(points[name], name) for name in points if name != "queries"}
    asked = Problem("attribution", images(points["queries"], "queries"), real, count=count)

    def features(found: ImageSet) -> np.ndarray:
        return points[found.name]

    tables = [subsets.linear(asked, features)]
    tables += [subsets.clusters(asked, features, method=method) for method in ("kmeans", "ward")]
    for table in tables:
        assert table.groups == tuple(real)
        np.testing.assert_array_equal(table.values.argmax(axis=1), truth)


def test_mean_square_is_one_minus_the_mean_squared_difference() -> None:
    rng = np.random.default_rng(2)
    one, other = rng.standard_normal((4, 3, 5)), rng.standard_normal((6, 3, 5))
    expected = 1 - ((one[:, None] - other[None]) ** 2).mean(axis=(2, 3))
    np.testing.assert_allclose(mean_square(one, other), expected, rtol=1e-5)
    assert (np.diag(mean_square(one, one)) == 1.0).all()


def test_pairs_under_a_support_vector_machine_are_votes() -> None:
    """Every pair votes 0 or 1, so that a score times the number of generated pictures is whole."""
    toy = problems.membership()
    scorer = Step("scorer", "pairs.classified", {"model": "svm-rbf", "pairs": 200})
    steps = (Step("features", "pixels.thumbnail", {"size": 8}), scorer, Step("decide", "fixed"))
    scores = pipeline.score(Recipe("toy.votes", "membership", steps, {}), toy.problem, Settings())
    counts = (scores.values + 0.5) * len(toy.problem.generated["generator"])
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-4)
