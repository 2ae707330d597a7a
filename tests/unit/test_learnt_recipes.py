"""Recipes that train a network: refused in words without torch, the same from a seed, kept in the store."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contracts import checks, problems
from whorl import pipeline, recipes
from whorl.learning import workplace
from whorl.learning.loop import Running
from whorl.learning.workplace import Workplace
from whorl.networks import building
from whorl.pipeline import Settings
from whorl.records import BadInput, Recipe
from whorl.store import Store

LEARNT = [name for name in recipes.names() if recipes.learns(recipes.load(name))]
# One recipe for every kind of training.
KINDS = (
    "m23-picus.vector-123-real-linear",
    "m23-picus.deforming-gun-real-linear",
    "m23-aiml.trained-lbp",
    "m23-cse.relation",
    "m23-dmk.cnn",
    "m23-kde.convolutions",
    "m23-1510.resnet50",
    "m23-vcmi.latent-max",
    "m23-vcmi.split-max",
    "m23-vcmi.outliers",
    "m23-vcmi.outliers-of-two",
    "m23-vcmi.trained-patch-matching",
    "m23-vcmi.trained-patch-replacing",
    "m24-aiml.error-map",
    "m24-csm.weight-free-encoder-dual",
    "m24-kdelab.mobilenet",
    "m24-kdemed.trained-resnet18",
    "m25-aim.siamese",
    "m25-nexus.forest",
    "whorl.autoencoder",
    "a24-amis.cnn",
    "a24-sdva.trained-resnet18-pseudo",
    "a25-aim.siamese",
)


def tiny(name: str) -> Recipe:
    return recipes.with_effort(recipes.load(name), "tiny")


def score(recipe: Recipe, seed: int = 0, **settings: object) -> np.ndarray:
    told = {"seed": seed, "workplace": Workplace(threads=1), **settings}
    return pipeline.score(recipe, checks.toy(recipe), Settings(**told)).values


@pytest.fixture
def torch():
    pytest.importorskip("safetensors")
    workplace.forget()
    yield pytest.importorskip("torch")
    workplace.forget()


def test_every_kind_of_training_is_here_once() -> None:
    told = {
        (step.stage, step.name)
        for name in KINDS
        for step in recipes.load(name).steps
        if recipes.LEARNING in step.parameters or recipes.learns(replace(recipes.load(name), steps=(step,)))
    }
    there = {
        (step.stage, step.name)
        for name in LEARNT
        for recipe in (recipes.load(name), *recipes.load(name).members.values())
        for step in recipe.steps
        if recipes.learns(replace(recipe, steps=(step,), members={}))
    }
    shared = {
        ("scorer", "errors.nearest_mean"),
        ("scorer", "grouping.trained"),
        ("scorer", "clustering.encoded"),
    }
    assert there - told <= shared | {("prepare", "segmented_lungs"), ("prepare", "outside_segmented_lungs")}


@pytest.mark.parametrize("name", KINDS)
def test_without_torch_one_line_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workplace.forget()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BadInput) as caught:
        score(tiny(name))
    assert str(caught.value) == "this recipe needs torch: pip install 'whorl[deep]'"


@pytest.mark.parametrize("name", KINDS)
def test_a_seed_decides_what_is_learnt(torch: object, name: str) -> None:
    one = score(tiny(name))
    workplace.forget()
    again = score(tiny(name))
    assert one.tobytes() == again.tobytes()
    other = score(tiny(name), seed=1)
    assert name.startswith("a2") or not np.array_equal(one, other)


def test_effort_is_passed_on_to_all_that_an_ensemble_joins() -> None:
    changed = recipes.with_effort(recipes.load("m23-picus.vote"), "tiny")
    assert changed.digest != recipes.load("m23-picus.vote").digest
    efforts = {
        step.parameters["effort"] for one in changed.members.values() for step in one.chain("features")
    }
    assert efforts == {"tiny"}


def test_a_network_is_kept_in_the_store_and_not_learnt_again(torch: object, tmp_path: Path) -> None:
    steps: list[int] = []
    running = Running(watch=lambda moment: steps.append(moment.step))
    place = Workplace(running, threads=1)
    first = score(tiny(KINDS[0]), store=Store(tmp_path), workplace=place)
    assert steps == [1, 2, 3, 4]
    (folder,) = (tmp_path / "networks").iterdir()
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".safetensors"]
    workplace.forget()
    other = tiny("m23-picus.vector-123-real-knn")  # another classifier on the same network
    score(other, store=Store(tmp_path), workplace=place)
    assert steps == [1, 2, 3, 4]
    again = score(tiny(KINDS[0]), store=Store(tmp_path), workplace=place)
    assert first.tobytes() == again.tobytes()


def test_progress_tells_of_the_training(torch: object) -> None:
    told: list[tuple[str, int, int]] = []
    score(tiny(KINDS[0]), progress=lambda *words: told.append(words))
    assert ("training vector-net", 4, 4) in told


def test_what_is_fitted_sees_prepared_pictures(torch: object) -> None:
    plain = tiny(KINDS[0])
    flat = replace(plain, steps=(recipes.load("m24-inoue.trained-binarised").steps[0], *plain.steps))
    assert flat.steps[0].name == "binarise"
    assert not np.array_equal(score(plain), score(flat))
    from whorl.preparation import prepared_problem

    seen = prepared_problem(flat, checks.toy(flat), 0, Workplace())
    assert set(np.unique(seen.development.problem.queries.pixels)) <= {0, 255}
    assert prepared_problem(plain, checks.toy(plain), 0, Workplace()) is checks.toy(plain)


def test_pictures_of_another_size_and_order_and_name_learn_the_same(torch: object) -> None:
    recipe, problem = tiny("m23-1510.resnet50"), problems.membership().problem
    part = problem.development
    order = np.random.default_rng(0).permutation(len(part.problem.queries)).tolist()
    turned = replace(part, problem=problems.subset(part.problem, order))
    told = Settings(workplace=Workplace(threads=1))
    one = pipeline.score(recipe, problem, told)
    other = pipeline.score(recipe, replace(problem, development=turned), told)
    assert one.values.tobytes() == other.values.tobytes()


@pytest.mark.parametrize("name", ["m23-1510.resnet50", "m24-inoue.trained-plain", "a24-amis.resnet50"])
def test_without_pretrained_weights_a_recipe_stops_in_words(
    torch: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        building.timm_module()
    except BadInput as error:
        pytest.skip(f"timm cannot be imported: {error}")
    monkeypatch.delenv("WHORL_WEIGHTS", raising=False)
    with pytest.raises(BadInput, match=r"trains 'resnet\d+' further and needs its weights") as caught:
        score(recipes.load(name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KINDS[:2])
def test_without_a_development_part_it_is_refused_in_words(torch: object, name: str) -> None:
    recipe = tiny(name)
    problem = replace(checks.toy(recipe), development=None)
    with pytest.raises(BadInput, match="development part"):
        pipeline.score(recipe, problem, Settings())
