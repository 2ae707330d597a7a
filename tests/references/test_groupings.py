"""Grouping steps and recipes against plain restatements, and the runs that they stand for."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import logsumexp

from contracts import checks, problems
from whorl import pipeline, recipes
from whorl.challenge.figures import published
from whorl.metrics import adjusted_rand_index
from whorl.pipeline import Settings
from whorl.records import Answers, Development, Problem, Scores, Verdicts
from whorl.scorers import clustering, grouping

TEAMS = {
    "a24-sdva": ("SDVAHCS/UCSD", "225 545 546 547 548 549 550 590"),
    "a24-big": ("Biomedical Imaging Goa", "307 321 323 324"),
    "a24-kdemed": ("KDE-med-lab", "237 254 257 270 271 480"),
    "a24-csm": ("Csmorgan", "446 447 451 452 453 454 456 458"),
    "a24-aiml": ("AI Multimedia Lab", "326 327 328 329 330 331 332 333 334 335"),
}
RECIPES = {system: recipes.read(recipes.catalogue() / f"{system}.toml") for system in TEAMS}


def ask(rows, count=3):
    pictures = problems.image_set("bag", np.zeros((len(rows), 2, 2), np.uint8))
    return Problem("attribution", pictures, count=count), (lambda images: rows)


def labels(scores: Scores) -> list[int]:
    return scores.values.argmax(axis=1).tolist()


def blobs(seed=0, count=90, width=6):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count)
    scale = np.linspace(2.0, 0.2, width)
    return (rng.normal(size=(3, width))[truth] * 2 + rng.normal(size=(count, width))) * scale, truth


@pytest.mark.parametrize("system", TEAMS)
def test_every_submission_of_a_system_is_one_recipe(system):
    runs = Counter(run for one in RECIPES[system] if one.run for run in one.run.split(", "))
    assert runs == Counter(TEAMS[system][1].split())


@pytest.mark.parametrize("system", TEAMS)
def test_reported_figures_are_those_of_the_published_table(system):
    with published("attribution").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["team"] == TEAMS[system][0] and row["run"]]
    printed = {row["run"]: float(row["ari"]) for row in rows if row["protocol"] == "test"}
    reported = {one.run: one.reported["adjusted_rand_index"] for one in RECIPES[system] if one.reported}
    assert reported == printed


@pytest.mark.parametrize("system", TEAMS)
def test_every_system_runs_without_weights(system):
    """And keeps what a stand-in is out of `from the text`."""
    free = [one for one in RECIPES[system] if not recipes.needs_weights(one)]
    assert free
    for one in free:
        own = system == "a24-aiml" and one.name.startswith("a24-aiml.lbp")  # the paper's own descriptor
        assert own or (one.about["fidelity"] == "approximation" and one.about["reason"] and one.note)


def test_goa_starts_its_mixtures_in_all_four_ways():
    starts = {one.run: one.one("scorer").parameters["start"] for one in RECIPES["a24-big"] if one.run}
    assert starts == {"307": "kmeans", "321": "k-means++", "324": "random", "323": "random_from_data"}


def test_principal_components_are_as_many_as_hold_the_share():
    rows, _ = blobs()
    centred = rows - rows.mean(axis=0)
    power = np.linalg.svd(centred, compute_uv=False) ** 2
    for share in (0.95, 0.9):
        count = int(np.argmax(np.cumsum(power) / power.sum() >= share)) + 1
        assert count < rows.shape[1]
        directions = np.linalg.svd(centred)[2][:count]
        by_hand = fcluster(linkage(centred @ directions.T, "ward"), 3, "maxclust")
        found = clustering.ward(*ask(rows), components=share)
        assert adjusted_rand_index(by_hand.tolist(), labels(found)) == 1


def test_a_mixture_is_a_fixed_point_of_expectation_and_maximisation():
    """The chances that are returned make weights, means and variances that give the same chances."""
    rows, truth = blobs(3)
    rows = rows + 2 * np.eye(3, rows.shape[1])[truth]
    chances = clustering.gmm(*ask(rows), covariance="diag").values.astype(np.float64)
    weight = chances.sum(axis=0)
    means = chances.T @ rows / weight[:, None]
    variances = chances.T @ rows**2 / weight[:, None] - means**2 + 1e-6
    gaps = (rows[:, None, :] - means) ** 2 / variances + np.log(2 * np.pi * variances)
    logarithm = np.log(weight / len(rows)) - gaps.sum(axis=2) / 2
    again = np.exp(logarithm - logsumexp(logarithm, axis=1, keepdims=True))
    np.testing.assert_allclose(again, chances, atol=0.02)


def test_tsne_keeps_neighbours_and_the_groups_of_separate_blobs():
    rows, truth = blobs(1, 120)
    rows = rows + 30 * np.eye(3, rows.shape[1])[truth]
    for way in ("ward", "kmeans"):
        found = clustering.tsne(*ask(rows), components=3, grouping=way)
        assert adjusted_rand_index(truth, labels(found)) == 1
    plane = clustering._plane(rows, 10.0, 0)
    near = [np.argsort(((one[:, None] - one) ** 2).sum(axis=2), axis=1)[:, 1:6] for one in (rows, plane)]
    kept = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(*near, strict=True)])
    assert kept > 0.5, "five nearest of 40 in the same blob: an eighth by chance"


def decisions(seed, count=60, groups=3, ways=4):
    """Groupings of one truth, some labels wrong, under names of their own."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, groups, count)
    found = []
    for _ in range(ways):
        noisy = np.where(rng.random(count) < 0.25, rng.integers(0, groups, count), truth)
        found.append(rng.permutation(groups)[noisy])
    return found


def outcomes(problem, groupings):
    ids = problem.queries.ids
    table = Scores(ids, ("x",), np.zeros((len(ids), 1), np.float32), np.full((len(ids), 1), -1, np.int64))
    return {
        str(place): (table, Verdicts(ids, tuple(map(str, one)), None, ""))
        for place, one in enumerate(groupings)
    }


@pytest.mark.parametrize("seed", range(6))
def test_votes_are_those_of_the_best_of_all_namings(seed):
    """Every one-to-one naming tried, in place of the Hungarian method."""
    groupings = decisions(seed)
    problem, _ = ask(np.zeros((60, 1)))
    found = grouping.vote(problem, outcomes(problem, groupings), tuple("0123")).values
    best = {}
    for centre, names in enumerate(groupings):
        renamed = [
            max((np.asarray(way)[one] for way in permutations(range(3))), key=lambda it: (it == names).mean())
            for one in groupings
        ]
        best[centre] = (np.mean([one == names for one in renamed]), renamed)
    renamed = max(best.values(), key=lambda pair: pair[0])[1]
    shares = np.mean([np.eye(3)[one] for one in renamed], axis=0)
    expected = shares[:, np.argsort(-shares.sum(axis=0), kind="stable")]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_re_ranking_is_density_clustering_picture_by_picture(seed):
    """DBSCAN in words: chains of pictures with enough others within the radius, the rest to the nearest."""
    groupings = np.asarray(decisions(seed)).T
    problem, _ = ask(np.zeros((60, 1)))
    found = grouping.rerank(problem, outcomes(problem, groupings.T), tuple("0123"), least=4)
    apart = (groupings[:, None, :] != groupings[None, :, :]).mean(axis=2)
    near = apart <= 0.25
    core = near.sum(axis=1) >= 4
    reach = np.where(core[:, None] & core[None, :], near, False)
    for _ in range(6):
        reach = reach | ((reach.astype(int) @ reach.astype(int)) > 0)
    chains = sorted({tuple(np.flatnonzero(row)) for row in reach if row.any()}, key=len, reverse=True)
    inside = {row: place for place, chain in enumerate(chains) for row in chain}
    core_rows = [row for row in range(60) if row in inside]
    said = np.asarray(labels(found))
    kept = [row for row in core_rows if inside[row] < 3]
    assert len(kept) > 20
    assert adjusted_rand_index([inside[row] for row in kept], said[kept]) == 1
    assert len(found.groups) <= 3


def test_pseudo_labels_name_the_known_and_find_the_new():
    """Two generators of the toy bag are known, the third is new."""
    bag, truth = checks.bag()
    shown, makers = problems.attribution(each=6, seed=50)
    rows = [row for row, maker in enumerate(makers) if maker != "lines"]
    part = Problem("attribution", problems.subset(shown, rows).queries, count=2)
    known = Answers({shown.queries.ids[row]: makers[row] for row in rows})
    bag = replace(bag, development=Development(part, known))
    name = "a24-sdva.lbp-pseudo"
    scores = pipeline.score(recipes.load(name), bag, Settings())
    assert set(scores.groups) == {"white", "blocky", "new 1"}
    said = [scores.groups[place] for place in labels(scores)]
    right = [one == {"lines": "new 1"}.get(made, made) for one, made in zip(said, truth, strict=True)]
    assert np.mean(right) > 0.95
    alone = pipeline.score(recipes.load("a24-sdva.lbp-known"), bag, Settings())
    assert set(alone.groups) == {"white", "blocky"}
