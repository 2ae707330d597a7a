"""Every recipe that names a network, run on the toy problems with tiny untrained networks in their place."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from contracts import checks, problems
from contracts.checks import LISTED
from whorl import extraction, pipeline, recipes
from whorl.networks.descriptions import Network, table
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.records import Problem, Recipe, Scores

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
NAMED = checks.distinct([recipe for recipe in LISTED if recipes.needs_weights(recipe)])
# Few enough layers that all recipes together take a minute; one shape of output for each kind of network.
TINY = {
    "timm": "test_resnet",
    "transformers": "test_vit",
    "whorl": "test_efficientnet",
    "callable": "test_efficientnet",
}
TINIEST = {
    "vit_base_patch16_224.mae": "test_vit2",
    "vit_base_patch14_dinov2": "test_vit3",
    "vgg16": "test_vit",
}


def tiny(name: str, network: Network) -> Network:
    """A network of few layers under the name of a large one."""
    architecture = TINIEST.get(name, TINY[network.library])
    transformer = "vit" in architecture
    changed = {
        "library": "timm",
        "architecture": architecture,
        "options": {"dynamic_img_size": True} if transformer else {},
        "size": 32 if transformer else 0,
        "least": 16,
        "multiple": 16 if transformer else 1,
        "pooling": "token" if transformer else "mean",
    }
    return network.model_copy(update=changed)


NETWORKS = Networks(random=True, known={name: tiny(name, one) for name, one in table().items()})


@cache
def subsets() -> Problem:
    """Which of three real subsets is each generated picture from?"""
    parts = {f"t{place}": problems.fields(10, seed=place) for place in range(3)}
    from whorl import images

    sets = {name: images.load(stack, name=name) for name, stack in parts.items()}
    made = np.concatenate([stack[:4] for stack in parts.values()])
    return Problem("attribution", images.load(made, name="test"), sets, count=3)


def toy(recipe: Recipe) -> Problem:
    scorer = recipe.one("scorer")
    if scorer is not None and scorer.name.startswith("subsets."):
        return subsets()
    return checks.toy(recipe)


def hasty(name: str) -> Recipe:
    """The recipe by this name; what it learns beside the named network, it learns in a few steps."""
    return recipes.with_effort(recipes.load(name), "tiny")


@cache
def scored(name: str) -> Scores:
    recipe = hasty(name)
    return pipeline.score(recipe, toy(recipe), Settings(networks=NETWORKS))


@pytest.mark.parametrize("name", [recipe.name for recipe in NAMED])
def test_it_runs_and_answers_every_query(name: str) -> None:
    recipe = hasty(name)
    problem, scores = toy(recipe), scored(name)
    assert scores.ids == problem.queries.ids and scores.values.dtype == np.float32
    assert np.isfinite(scores.values).all()
    settings = Settings(networks=NETWORKS)
    labels = pipeline.judge(recipe, scores, problem, settings).labels
    known = {"used", "not_used"} if recipe.task == "membership" else set(scores.groups)
    assert len(labels) == len(problem.queries) and set(labels) <= known


@pytest.mark.parametrize(
    "name", ["m24-robot.vgg-inceptionnet", "a24-csm.joined", "m24-kdemed.densenet", "m23-cse.pairs"]
)
def test_the_same_seed_gives_the_same_numbers_and_batches_move_them_by_rounding(name: str) -> None:
    recipe, first = hasty(name), scored(name)
    again = pipeline.score(recipe, toy(recipe), Settings(networks=NETWORKS))
    checks.assert_same(first, again)
    few = Networks(random=True, known=NETWORKS.known, batch=3)
    other = pipeline.score(recipe, toy(recipe), Settings(networks=few))
    np.testing.assert_allclose(other.values, first.values, rtol=1e-3, atol=1e-4)


def test_queries_are_scored_alone_where_nothing_is_transductive() -> None:
    recipe = hasty("m24-robot.resnet50")
    rows = [1, 3, 4]
    part = pipeline.score(recipe, problems.subset(toy(recipe), rows), Settings(networks=NETWORKS))
    np.testing.assert_allclose(part.values, scored(recipe.name).values[rows], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["m24-robot.resnet50", "m24-cao.deep-cosine", "m23-vcmi.resnet-max"])
def test_copies_score_above_others(name: str) -> None:
    truth = checks.leaky().truth
    values = scored(name).values[:, 0]
    assert values[truth].mean() > values[~truth].mean()


@pytest.mark.parametrize("scorer", ["linear", "clusters"])
def test_pictures_of_a_subset_are_told_to_be_of_it(scorer: str) -> None:
    """Every query is a copy of a picture of its subset, so the linear one has to know it again."""
    recipe = recipes.load("a25-aim.resnet-svm" if scorer == "linear" else "a25-aim.resnet-kmeans")
    problem = subsets()
    labels = pipeline.judge(recipe, scored(recipe.name), problem, Settings(networks=NETWORKS)).labels
    expected = np.repeat(list(problem.generated), 4)
    right = float(np.mean(np.asarray(labels) == expected))
    assert right == 1.0 if scorer == "linear" else right >= 1 / 3


def test_every_network_of_the_catalogue_has_a_tiny_one() -> None:
    named = {network for recipe in NAMED for network in extraction.networks_of(recipe)}
    assert len(NAMED) >= 100 and named <= set(NETWORKS.known or {})
