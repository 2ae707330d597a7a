"""Direction: copies raise scores, a leak is found, no leak is none; over every step and recipe."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from contracts import checks, problems
from contracts.checks import ALL, CATALOGUE, SCORED, SCORES, scoring
from contracts.problems import Toy, auc
from whorl import recipes, steps
from whorl.metrics import adjusted_rand_index
from whorl.records import Recipe

BY_POSITION = "the published code's ranks are file positions, which no copy moves in a known direction"
DILUTED = "a mean over all generated pictures: copies of others pull it back to the middle"
SHARED_OUT = "a share of the generated pictures: more of them, and each one counts less"
NOT_RAISED_BY_ITS_COPY = {
    "m23-vcmi.ssim-ranking-as-published": BY_POSITION,
    "m23-vcmi.resnet-ranking-as-published": BY_POSITION,
}
TAKES_ALL = "its cut takes nearly every pair, which is why the catalogue warns of it"
GRAIN = "describes the grain of a picture, not what is to be seen in it"
NOT_RAISED_BY_ALL_COPIES = {
    "m23-vcmi.ssim-ranking-as-published": BY_POSITION,
    "m23-dmk.phash-pairs-64": TAKES_ALL,
}
LOWERED_BY_OTHER_COPIES = {
    "pool.rank": DILUTED,
    "m23-vcmi.ssim-ranking": DILUTED,
    "m23-vcmi.ssim-ranking-as-published": BY_POSITION,
    "m23-vcmi.resnet-ranking-as-published": BY_POSITION,
    "m23-vcmi.resnet-ranking": DILUTED,
    "m24-cao.deep-retrieval": SHARED_OUT,
}
LEAK_NOT_FOUND = {
    "m23-vcmi.ssim-ranking-as-published": BY_POSITION,
    "m23-dmk.phash-pairs-64": TAKES_ALL,
    "m24-robot.lbp": GRAIN,
    "m24-robot.spectrum": GRAIN,
    "m23-vcmi.resnet-ranking-as-published": BY_POSITION,
}
DENSITY = "weighs how many of each kind lie near, which one copy among thirty hardly changes"
ALL_ALIKE = "asks which generated pictures stand out from the others; where all are copies, none does"
COPIED_NOT_FIRST = {
    "whorl.ratio": DENSITY,
    "whorl.texture-prominence": ALL_ALIKE,
    "scorer.neighbours.prominence": ALL_ALIKE,
    "m23-vcmi.ssim-ranking-as-published": BY_POSITION,
    "prepare.random_crop": "a picture and its copy are cut at places of their own",
    "features.residual.predictor": GRAIN,
    "features.cooccurrence.residuals": GRAIN,
    "m23-dmk.phash-pairs-64": TAKES_ALL,
    "m23-vcmi.resnet-ranking-as-published": BY_POSITION,
}
LEARNT = "learns used from not used on the development part; what it makes of a copy is its classifier's"
# Scorers that do not look for the generated picture most like a query.
BLIND = {
    "classifier.supervised": LEARNT,
    "classifier.substitute": LEARNT,
    "classifier.pseudo_labelled": LEARNT,
    "partition.named": LEARNT,
    "partition.numbered": "numbers clusters of the queries, whatever the numbers mean: published so",
    "partition.mostly_real": "shares in clusters of many generated pictures, in which one copy is little",
    "centres.per_class": LEARNT,
    "pairs.classified": LEARNT,
    "votes.nearest": LEARNT,
    "centres.nearest_cluster": "compares with means of many generated pictures, in which one copy is little",
    "additive.components": "adds up principal coordinates, wherever the generated pictures lie",
    "patches.matching": "compares patches from different places",
}
# Of these whose network is trained on the generated pictures: what one more copy does is the network's.
RELEARNT = "its network is trained anew where one generated picture more is there"
MEANS = "compares with the mean of many generated pictures, in which one copy is little"
BLIND |= {
    "additive.encoded": RELEARNT,
    "centroids.groups": MEANS,
    "centroids.used": LEARNT,
    "crops.matched": "compares crops from different places",
    "crops.replaced": RELEARNT,
    "errors.contrast": RELEARNT,
    "classifier.trained_substitute": LEARNT,
    "errors.nearest_map": LEARNT,
    "errors.nearest_mean": LEARNT,
    "errors.outliers": RELEARNT,
    "errors.outliers_of_two": RELEARNT,
    "meta.forest": RELEARNT,
    "networks.classified": LEARNT,
    "networks.transferred": LEARNT,
    "relation.network": LEARNT,
}
# Features that are learnt from the very pictures that are asked about, so that a copy changes them.
RELEARNING = ("latents.autoencoder",)
# Scorers that say one number per query, whatever generators there are.
JOINED = {"combine.vote", "combine.agreement", "combine.gate", "combine.mean_rank", "combine.regroup"}
OWN_COLUMNS = {
    "centroids.groups",
    "errors.contrast",
    "errors.outliers",
    "errors.outliers_of_two",
    "relation.network",
}
ONE_COLUMN = {*BLIND, *JOINED, "patches.replacing"} - OWN_COLUMNS
ACCEPTS_ALL = {"m23-dmk.phash-pairs-64": TAKES_ALL}
NO_LUNGS = "the toy pictures have no lungs: the mask cuts anywhere and scales what it leaves"
STRANGERS = "clusters of real pictures, of which the toy's, within a subset too, have nothing in common"
SMOOTHED = "turns by chance smooth the grain in which the toy's generators differ, under local patterns"
NOT_TOLD_APART = {
    "a24-csm.joined-crop-kmeans": SMOOTHED,
    "a24-csm.joined": SMOOTHED,
    "a24-csm.joined-kmeans": SMOOTHED,
    "a24-kdemed.lung-densenet": NO_LUNGS,
    "a24-kdemed.lung-lbp": NO_LUNGS,
    "a24-kdemed.lung-spectrum": NO_LUNGS,
    "a25-aim.resnet-kmeans": STRANGERS,
    "a25-aim.resnet-ward": STRANGERS,
    "a24-kdemed.lung-densenet-unet": NO_LUNGS,
}


def _blind(recipe: Recipe) -> bool:
    scorer = recipe.one("scorer")
    own = scorer is not None and scorer.name in BLIND
    return own or _relearnt(recipe) or any(_blind(member) for member in recipe.members.values())


def _relearnt(recipe: Recipe) -> bool:
    return any(step.name in RELEARNING for step in recipe.chain("features"))


MEMBERSHIP = [name for name in SCORES if ALL[name].task == "membership"]
PUBLISHED = {recipe.name for recipe in CATALOGUE} | {SCORED[scoring(recipe)] for recipe in CATALOGUE}
RECIPES = [name for name in MEMBERSHIP if name in PUBLISHED]
ATTRIBUTION = [recipe.name for recipe in CATALOGUE if recipe.task == "attribution"]
SEEING = [name for name in MEMBERSHIP if not _blind(ALL[name])]
LEAST_AUC = 0.6
CHANCE = (0.3, 0.7)


@cache
def clean() -> Toy:
    """A generator that copied nobody; enough pictures that chance stays near one half."""
    return problems.membership(members=40, holdout=40, leaking=False, seed=0)


def test_the_exemptions_are_counted() -> None:
    exempt = (NOT_RAISED_BY_ITS_COPY, NOT_RAISED_BY_ALL_COPIES, LEAK_NOT_FOUND, LOWERED_BY_OTHER_COPIES)
    assert [len(table) for table in (*exempt, COPIED_NOT_FIRST, ACCEPTS_ALL)] == [2, 2, 5, 6, 9, 1]
    learnt = {one.name for one in checks.LISTED if recipes.learns(one)}
    tables = (*exempt, COPIED_NOT_FIRST, ACCEPTS_ALL)
    assert all(set(table) <= {*MEMBERSHIP, *learnt} for table in tables)
    assert len(NOT_TOLD_APART) == 9 and set(NOT_TOLD_APART) <= {*ATTRIBUTION, *learnt}
    assert (len(BLIND), len(JOINED), len(ONE_COLUMN)) == (27, 5, 28)
    assert {step.name for step in steps.describe_all() if step.stage == "scorer"} >= ONE_COLUMN


@pytest.mark.parametrize("name", SEEING)
def test_its_own_copy_never_lowers_a_score(name: str) -> None:
    before = checks.first_column(checks.scores(name))
    rows = checks.own_rows()[::6]
    after = [_planted(ALL[name], [row])[row] for row in rows]
    holds = all(value >= before[row] for value, row in zip(after, rows, strict=True))
    checks.expect(holds, name, NOT_RAISED_BY_ITS_COPY, f"{before[rows]} became {after}")


@pytest.mark.parametrize("name", SEEING)
def test_copies_of_all_raise_the_mean_and_lower_none(name: str) -> None:
    rows = checks.own_rows()
    before = checks.first_column(checks.scores(name))[rows]
    after = _planted(ALL[name], rows)[rows]
    rises = bool(after.mean() > before.mean())
    checks.expect(rises, name, NOT_RAISED_BY_ALL_COPIES, f"mean {before.mean()} became {after.mean()}")
    holds = bool((after >= before).all())
    checks.expect(holds, name, LOWERED_BY_OTHER_COPIES, f"fell by {(before - after).max()}")


@pytest.mark.parametrize("name", [name for name in RECIPES if name in SEEING])
def test_a_leak_is_found(name: str) -> None:
    found = auc(checks.first_column(checks.scores(name)), checks.leaky().truth)
    checks.expect(found > LEAST_AUC, name, LEAK_NOT_FOUND, f"AUC {found:.2f} on a generator that copied")


@pytest.mark.parametrize("name", RECIPES)
def test_no_leak_is_chance(name: str) -> None:
    values = checks.first_column(checks.run(ALL[name], clean().problem))
    assert CHANCE[0] <= auc(values, clean().truth) <= CHANCE[1]


@pytest.mark.parametrize("name", MEMBERSHIP)
def test_queries_and_generated_cannot_be_exchanged(name: str) -> None:
    problem = problems.lopsided()
    right, wrong = (checks.run(ALL[name], one) for one in (problem, problems.exchanged(problem)))
    assert right.values.shape == wrong.values.shape
    differs = not np.array_equal(right.values, wrong.values)
    # What four steps teach, or a softmax over a batch, may be to say the same of every picture.
    differs = differs or (checks.hasty(ALL[name]) and float(np.ptp(right.values)) < 1e-6)
    checks.expect(differs, name, ACCEPTS_ALL, "the same answer both ways")


@pytest.mark.parametrize("name", SEEING)
def test_the_copied_picture_comes_first(name: str) -> None:
    values = checks.first_column(checks.run(ALL[name], problems.lopsided()))
    holds = bool(values[0] == values.max() and values[0] > values[1:].min())
    checks.expect(holds, name, COPIED_NOT_FIRST, f"{values[0]} among {values}")


@pytest.mark.parametrize("name", RECIPES)
def test_the_nearest_picture_is_the_copy(name: str) -> None:
    problem = checks.leaky().problem
    row = checks.own_rows()[0]
    nearest = checks.run(ALL[name], problems.plant(problem, [row])).nearest[row, 0]
    assert nearest in (-1, len(problem.generated["generator"]))


@pytest.mark.parametrize("name", MEMBERSHIP)
def test_every_generator_has_its_column(name: str) -> None:
    problem = checks.leaky().problem
    second = problems.image_set("other", problems.fields(20, 99))
    both = {"first": problem.generated["generator"], "second": second}
    table = checks.run(ALL[name], replace(problem, generated=both))
    scorer = ALL[name].one("scorer")
    if scorer is not None and scorer.name in ONE_COLUMN:
        assert len(table.groups) == 1
    elif _relearnt(ALL[name]):
        assert table.groups == ("first", "second")
    else:
        assert table.groups == ("first", "second")
        alone = checks.run(ALL[name], replace(problem, generated={"second": second}))
        np.testing.assert_array_equal(table.values[:, 1], alone.values[:, 0])
        np.testing.assert_array_equal(table.values[:, 0], checks.scores(name).values[:, 0])


# What is learnt in more than four steps is looked at in tests/unit/test_learnt_truth.py.
@pytest.mark.parametrize("name", [name for name in ATTRIBUTION if not checks.hasty(ALL[name])])
def test_generators_are_told_apart(name: str) -> None:
    _, truth = checks.bag()
    found = adjusted_rand_index(truth, checks.verdicts(name).labels)
    checks.expect(found > 0.4, name, NOT_TOLD_APART, f"adjusted Rand index {found:.2f}")


@pytest.mark.parametrize("name", ATTRIBUTION)
def test_one_generator_has_no_groups_to_find(name: str) -> None:
    bag = problems.image_set("bag", problems.fields(40, 11))
    problem = replace(checks.bag()[0], queries=bag, count=2)
    halves = ["first"] * 20 + ["second"] * 20
    assert abs(adjusted_rand_index(halves, checks.labels(ALL[name], problem))) < 0.3


def _planted(recipe: Recipe, rows: list[int]) -> np.ndarray:
    return checks.first_column(checks.run(recipe, problems.plant(checks.leaky().problem, rows)))
