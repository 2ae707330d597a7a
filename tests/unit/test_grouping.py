"""Grouping scorers on planted features: known and new generators, votes under any names, strays."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.problems import image_set
from whorl.metrics import adjusted_rand_index, hungarian_accuracy
from whorl.records import Answers, BadInput, Development, Problem, Scores, Verdicts
from whorl.scorers import clustering, grouping

CENTRES = np.asarray([[0, 0, 0], [9, 0, 0], [0, 9, 0], [0, 0, 9]], np.float64)


def bag(sizes=(30, 20, 25, 15), known=(0, 1, 2), seed=0, count=4):
    """Pictures whose grey levels are only numbers, features about four centres, and who made which."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(4), sizes))
    shown = np.repeat(np.asarray(known, np.int64), 12)
    rows = {
        name: CENTRES[made] + rng.normal(size=(len(made), 3))
        for name, made in (("bag", truth), ("known", shown))
    }
    part = None
    if known:
        beside = numbered("known", len(shown))
        answers = Answers({name: f"model {label}" for name, label in zip(beside.ids, shown, strict=True)})
        part = Development(Problem("attribution", beside, count=len(known)), answers)
    problem = Problem("attribution", numbered("bag", len(truth)), development=part, count=count)
    return problem, (lambda images: rows[images.name]), truth


def numbered(name, count):
    """Pictures that are only there to be counted."""
    return image_set(name, np.arange(count * 4).reshape(-1, 2, 2).astype(np.uint8))


def labels(scores: Scores) -> list[str]:
    return [scores.groups[place] for place in scores.values.argmax(axis=1)]


def outcomes(problem, *groupings):
    """Outcomes of recipes that said so; scores are not looked at."""
    ids = problem.queries.ids
    empty = Scores(
        ids, ("x",), np.zeros((len(ids), 1), np.float32), np.full((len(ids), 1), -1, dtype=np.int64)
    )
    said = [Verdicts(ids, tuple(str(one) for one in each), None, "") for each in groupings]
    return {f"r{place}": (empty, one) for place, one in enumerate(said)}


def test_known_generators_are_named_and_a_new_one_goes_to_them():
    problem, features, truth = bag()
    scores = grouping.known(problem, features)
    assert scores.groups == ("model 0", "model 1", "model 2")
    np.testing.assert_allclose(scores.values.sum(axis=1), 1, atol=1e-5)
    found = np.asarray(labels(scores))
    for model in range(3):
        assert np.mean(found[truth == model] == f"model {model}") > 0.95
    assert set(found[truth == 3]) <= set(scores.groups)


@pytest.mark.parametrize("known", [(0, 1, 2), (2,), (3, 1)])
def test_pseudo_labels_find_the_generators_nobody_showed(known):
    problem, features, truth = bag(known=known)
    scores = grouping.pseudo(problem, features, added=8)
    new = [f"new {place + 1}" for place in range(4 - len(known))]
    assert scores.groups == (*sorted(f"model {model}" for model in known), *new)
    assert adjusted_rand_index(truth, labels(scores)) > 0.95
    for model in known:
        assert np.mean(np.asarray(labels(scores))[truth == model] == f"model {model}") > 0.95


def test_pseudo_labels_without_a_development_part_are_those_of_groups():
    problem, features, truth = bag(known=())
    scores = grouping.pseudo(problem, features, added=5)
    assert scores.groups == ("new 1", "new 2", "new 3", "new 4")
    assert adjusted_rand_index(truth, labels(scores)) > 0.95
    with pytest.raises(BadInput, match="learns known generators on a development part"):
        grouping.known(problem, features)


def test_a_known_generator_may_be_called_new():
    problem, features, _ = bag()
    part = problem.development
    renamed = Answers(
        {name: label.replace("model 1", "new 1") for name, label in part.answers.labels.items()}
    )
    again = Problem("attribution", problem.queries, development=Development(part.problem, renamed), count=4)
    assert grouping.pseudo(again, features, added=8).groups == ("model 0", "model 2", "new 1", "new 2")


def test_more_known_generators_than_groups_add_none():
    problem, features, _ = bag(count=2)
    assert grouping.pseudo(problem, features).groups == ("model 0", "model 1", "model 2")


def test_the_number_of_generators_must_be_told_and_possible():
    problem, features, _ = bag(count=None)
    with pytest.raises(BadInput, match="needs the number of generators"):
        grouping.pseudo(problem, features)
    with pytest.raises(BadInput, match="cannot make 91 groups of 90 pictures"):
        grouping.pseudo(problem, features, clusters=91)
    assert len(grouping.pseudo(problem, features, clusters=4).groups) == 4


@pytest.mark.parametrize("scorer", [grouping.known, grouping.pseudo])
def test_development_pictures_of_another_size_are_refused(scorer):
    problem, features, _ = bag()
    with pytest.raises(BadInput, match="differ from the others in size"):
        scorer(problem, lambda images: features(images)[:, : 2 if images.name == "known" else 3])


def test_a_vote_does_not_care_what_groups_are_called():
    problem, _, truth = bag()
    rng = np.random.default_rng(5)
    names = np.asarray([*"dbca"])
    noisy = [np.where(rng.random(90) < 0.2, rng.integers(0, 4, 90), truth) for _ in range(5)]
    called = [rng.permutation(names)[one] for one in noisy]
    scores = grouping.vote(problem, outcomes(problem, *called), tuple(f"r{place}" for place in range(5)))
    alone = [hungarian_accuracy(truth, one) for one in called]
    assert hungarian_accuracy(truth, labels(scores)) > max(alone)
    np.testing.assert_allclose(scores.values.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(scores.values * 5, np.rint(scores.values * 5), atol=1e-5)
    sizes = scores.values.sum(axis=0)
    assert (np.diff(sizes) <= 0).all(), "the largest group comes first"


def test_a_vote_of_one_is_its_own_and_more_groups_are_kept():
    problem, _, truth = bag()
    alone = grouping.vote(problem, outcomes(problem, truth), ("r0",))
    assert adjusted_rand_index(truth, labels(alone)) == 1
    fewer = np.where(truth == 3, 2, truth)
    joined = grouping.vote(problem, outcomes(problem, fewer, truth, truth), ("r0", "r1", "r2"))
    assert adjusted_rand_index(truth, labels(joined)) == 1


def test_re_ranking_keeps_dense_decisions_and_takes_strays_to_the_nearest():
    problem, _, truth = bag()
    groupings = [np.array(truth) for _ in range(5)]
    stray = int(np.flatnonzero(truth == 1)[0])
    for one in groupings[:2]:
        one[stray] = 2
    recipes = tuple(f"r{place}" for place in range(5))
    scores = grouping.rerank(problem, outcomes(problem, *groupings), recipes)
    assert adjusted_rand_index(truth, labels(scores)) == 1, "three of five recipes had it right"
    assert set(np.unique(scores.values)) == {0, 1}


def test_re_ranking_keeps_no_more_groups_than_were_told():
    problem, _, truth = bag(count=3)
    scores = grouping.rerank(problem, outcomes(problem, truth, truth), ("r0", "r1"))
    assert len(scores.groups) == 3, "the smallest group went to another"
    kept = np.isin(truth, [0, 1, 2])
    assert adjusted_rand_index(truth[kept], np.asarray(labels(scores))[kept]) == 1
    everyone = grouping.rerank(problem, outcomes(problem, np.arange(90)), ("r0",))
    assert everyone.groups == ("1",), "all are strays"


def test_tsne_groups_what_no_plane_of_straight_lines_shows():
    """Rings around one another: their means are the same, their neighbourhoods are not."""
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1], 60)
    turn = rng.uniform(0, 2 * np.pi, 120)
    reach = np.where(truth == 0, 1.0, 6.0) + rng.normal(0, 0.05, 120)
    rows = np.column_stack([reach * np.cos(turn), reach * np.sin(turn), np.zeros(120)])
    problem = Problem("attribution", image_set("rings", np.zeros((120, 2, 2), np.uint8)), count=2)
    plain = labels(clustering.kmeans(problem, lambda _: rows))
    assert adjusted_rand_index(truth, plain) < 0.5
    found = labels(clustering.tsne(problem, lambda _: rows, perplexity=10.0, clusters=4))
    purest = np.mean([max(np.bincount(truth[np.asarray(found) == name])) for name in set(found)]) * 4 / 120
    assert purest > 0.95


@pytest.mark.parametrize(
    "rows", [np.ones((9, 5)), np.arange(3.0)[:, None], np.eye(3), np.arange(8.0)[:, None]]
)
def test_tsne_of_next_to_nothing_is_answered(rows):
    problem = Problem("attribution", image_set("few", np.zeros((len(rows), 2, 2), np.uint8)), count=2)
    assert clustering.tsne(problem, lambda _: rows).values.shape[0] == len(rows)


@pytest.mark.parametrize("start", ["kmeans", "k-means++", "random", "random_from_data"])
def test_a_seed_draws_the_same_pictures_in_any_order_of_the_files(start):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(60, 4))  # nothing to be found: what is found hangs on the start
    order = rng.permutation(60)
    problem = Problem("attribution", image_set("bag", np.zeros((60, 2, 2), np.uint8)), count=3)
    for seed in range(3):
        first = labels(clustering.gmm(problem, lambda _: rows, seed, start=start))
        other = labels(clustering.gmm(problem, lambda _: rows[order], seed, start=start))
        assert adjusted_rand_index(np.asarray(first)[order], other) == 1
    starts = [labels(clustering.gmm(problem, lambda _: rows, seed, start=start)) for seed in range(4)]
    assert any(adjusted_rand_index(starts[0], one) < 1 for one in starts[1:]), "the seed has no effect"
