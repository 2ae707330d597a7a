"""What networks learn: planted truth is found, an error falls, faults of published code are visible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contracts import problems
from whorl import images, pipeline, recipes
from whorl.learning import effort, roles, samplers, segmentation, transfer, workplace
from whorl.learning.workplace import Workplace
from whorl.metrics import adjusted_rand_index
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.records import Answers, BadInput, Development, Problem, Recipe, Step
from whorl.scorers import errors
from whorl.steps import find

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
PLACE = Workplace(threads=1)
SIDE = 32


def grain(count: int, seed: int, kind: str) -> np.ndarray:
    """Pictures of one grain: lines that lie, lines that stand, spots, or loud spots."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(count, SIDE, SIDE))
    if kind == "lying":
        noise = noise.mean(axis=2, keepdims=True) * 5 + noise / 4
    if kind == "standing":
        noise = noise.mean(axis=1, keepdims=True) * 5 + noise / 4
    return np.clip(np.rint(120 + (70 if kind == "loud" else 40) * noise), 0, 255).astype(np.uint8)


def membership(
    used: str = "lying", unused: str = "standing", made: str = "lying"
) -> tuple[Problem, np.ndarray]:
    """Used and not used pictures that a network can tell apart, of development and asked about."""

    def part(seed: int) -> tuple[Problem, list[str]]:
        real = np.concatenate([grain(16, seed, used), grain(16, seed + 1, unused)])
        generated = images.load(grain(24, seed + 2, made), name="generated")
        question = Problem("membership", images.load(real, name="real"), {"generated": generated})
        return question, ["used"] * 16 + ["not_used"] * 16

    known, labels = part(10)
    asked, truth = part(20)
    answers = Answers(dict(zip(known.queries.ids, labels, strict=True)))
    whole = Problem("membership", asked.queries, asked.generated, development=Development(known, answers))
    return whole, np.asarray([label == "used" for label in truth])


def recipe(task: str, *told: tuple[str, str, dict[str, object]]) -> Recipe:
    """A recipe of steps, those that learn with the least effort."""
    made = []
    for stage, name, parameters in told:
        effort = {"effort": "tiny"} if recipes.LEARNING in find(stage, name).parameters else {}
        made.append(Step(stage, name, {**parameters, **effort}))
    return Recipe("own.one", task, tuple(made), {"fidelity": "our own"})


@pytest.fixture
def longer(monkeypatch: pytest.MonkeyPatch):
    """Small networks, but steps enough to learn what is planted."""
    more = replace(effort.LIMITS["tiny"], side=SIDE, steps=60, batch=16, narrow=8)
    monkeypatch.setitem(effort.LIMITS, "tiny", more)
    workplace.forget()
    yield
    workplace.forget()


def scored(made: Recipe, problem: Problem) -> np.ndarray:
    return pipeline.score(made, problem, Settings(workplace=PLACE)).values


GREY = ("features", "pixels.grey", {})


@pytest.mark.parametrize(
    "steps",
    [
        [GREY, ("scorer", "networks.classified", {"network": "three-layer", "rate": 5e-3, "epochs": 99})],
        [GREY, ("scorer", "networks.transferred", {"network": "four-layer", "rate": 5e-3, "epochs": 99})],
        [
            ("features", "fingerprints.vector_net", {"rate": 2e-3, "constraints": [1, 2], "epochs": 99}),
            ("scorer", "centroids.used", {}),
        ],
        [
            ("features", "embeddings.siamese", {"rate": 2e-3, "epochs": 99}),
            ("scorer", "centroids.used", {}),
        ],
        [
            ("features", "embeddings.transferred", {"network": "four-layer", "rate": 5e-3, "epochs": 99}),
            ("scorer", "partition.named", {}),
        ],
        [
            ("features", "descriptors.textural", {}),
            ("scorer", "meta.forest", {"epochs": 99}),
        ],
        [
            ("features", "descriptors.textural", {}),
            ("scorer", "classifier.trained_substitute", {}),
        ],
        [
            ("features", "embeddings.triplet", {"network": "resnet50", "rate": 5e-3, "epochs": 99}),
            ("similarity", "vectors.euclidean", {}),
            ("pool", "top_mean", {}),
        ],
    ],
    ids=lambda steps: steps[-1][1] + " " + steps[0][1],
)
def test_used_and_not_used_that_differ_are_told_apart(longer: None, steps: list) -> None:
    problem, truth = membership()
    values = scored(recipe("membership", *steps), problem)
    assert problems.auc(values[:, 0], truth) > 0.9


def test_the_relation_network_learns_who_was_used(longer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(effort.LIMITS, "tiny", replace(effort.LIMITS["tiny"], steps=120))
    problem, truth = membership()
    made = recipe("membership", GREY, ("scorer", "relation.network", {"rate": 3e-3, "batch": 16}))
    assert problems.auc(scored(made, problem)[:, 0], truth) > 0.7


def test_error_maps_go_to_the_nearer_mean_and_the_more_alike_map() -> None:
    problem, truth = membership()
    rng = np.random.default_rng(4)
    left = np.repeat([[1.0, 0.1]], SIDE, axis=0).repeat(SIDE // 2, axis=1)

    def maps(collection: object) -> np.ndarray:
        used = np.arange(len(collection.ids)) < 16
        shape = np.where(used[:, None, None], left, 0.8 * left[:, ::-1])
        return (shape * rng.uniform(0.9, 1.1, shape.shape)).astype(np.float32)

    for rule in (errors.nearest_mean, errors.nearest_map):
        assert np.array_equal(rule(problem, maps).values[:, 0] > 0, truth)


def test_pictures_unlike_what_was_generated_are_outliers(longer: None) -> None:
    problem, truth = membership(used="lying", unused="loud", made="lying")
    for name in ("errors.outliers", "errors.outliers_of_two"):
        made = recipe("membership", GREY, ("scorer", name, {"epochs": 99}))
        assert problems.auc(scored(made, problem)[:, 0], truth) > 0.9


def slopes(count: int, seed: int, axis: int) -> np.ndarray:
    """Pictures that become brighter along one axis, some more than others."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(-100.0, 100.0, SIDE)[:, None] * rng.uniform(0.4, 1.0, (count, 1, 1))
    stack = ramp + 5 * rng.normal(size=(count, SIDE, SIDE))
    return np.clip(np.rint(128 + (stack if axis else stack.swapaxes(1, 2))), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("axis", "low", "high"), [(0, 0.8, 1.0), (1, 0.0, 0.2)])
def test_what_was_generated_is_made_again_better_than_by_other_real_ones(
    longer: None, axis: int, low: float, high: float
) -> None:
    real = images.load(np.concatenate([slopes(16, 1, 0), slopes(16, 2, 1)]), name="real")
    problem = Problem("membership", real, {"generated": images.load(slopes(24, 3, axis), name="generated")})
    made = recipe("membership", GREY, ("scorer", "errors.contrast", {"epochs": 99, "rate": 5e-3}))
    assert low <= problems.auc(scored(made, problem)[:, 0], np.arange(32) < 16) <= high


def test_a_network_of_real_against_generated_says_the_same_of_all_that_is_real(longer: None) -> None:
    problem, _ = membership(used="lying", unused="lying", made="standing")
    told = {"network": "three-layer", "rate": 5e-3, "epochs": 99, "target": "real"}
    values = scored(recipe("membership", GREY, ("scorer", "networks.classified", told)), problem)
    assert (values > 0).mean() > 0.95, "the constant answer of Inoue Koki's runs"


def bag() -> tuple[Problem, list[str]]:
    kinds = ("lying", "standing", "spots")
    order = np.random.default_rng(3).permutation(45)
    stack = np.concatenate([grain(15, 40 + place, kind) for place, kind in enumerate(kinds)])[order]
    shown = np.concatenate([grain(15, 50 + place, kind) for place, kind in enumerate(kinds)])
    known = images.load(shown, name="known")
    labels = {name: kinds[place // 15] for place, name in enumerate(known.ids)}
    part = Development(Problem("attribution", known, count=3), Answers(labels))
    question = Problem("attribution", images.load(stack, name="bag"), development=part, count=3)
    return question, [kinds[place // 15] for place in order]


def test_generators_learnt_are_grouped_and_a_shuffled_order_loses_them(
    longer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(effort.LIMITS, "tiny", replace(effort.LIMITS["tiny"], steps=150))
    problem, truth = bag()
    found = {}
    for name in ("clustering.kmeans", "clustering.mismatched"):
        makers = ("features", "embeddings.makers", {"rate": 1e-3})
        made = recipe("attribution", makers, ("scorer", name, {}))
        labels = scored(made, problem).argmax(axis=1).astype(str)
        found[name] = adjusted_rand_index(truth, labels.tolist())
    assert found["clustering.kmeans"] > 0.9
    assert abs(found["clustering.mismatched"]) < 0.2


def test_a_new_generator_gets_a_group_of_its_own_only_with_pseudo_labels(longer: None) -> None:
    problem, truth = bag()
    part = problem.development
    rows = [row for row, name in enumerate(part.problem.queries.ids) if part.answers.labels[name] != "spots"]
    known = Development(problems.subset(part.problem, rows), part.answers)
    problem = Problem("attribution", problem.queries, development=known, count=3)
    found = {}
    for name in ("grouping.trained", "grouping.trained_pseudo"):
        told = {"network": "three-layer", "rate": 5e-3, "epochs": 99}
        values = scored(recipe("attribution", GREY, ("scorer", name, told)), problem)
        found[name] = adjusted_rand_index(truth, values.argmax(axis=1).astype(str).tolist())
        assert np.allclose(values.sum(axis=1), 1, atol=1e-5)
    assert found["grouping.trained_pseudo"] > 0.8 > found["grouping.trained"]


def test_stages_are_folders_of_classes_and_change_what_is_learnt(longer: None, tmp_path: Path) -> None:
    for kind in ("lying", "spots"):
        (tmp_path / "outside" / kind).mkdir(parents=True)
        for place, picture in enumerate(grain(6, 70, kind)):
            Image.fromarray(picture).save(tmp_path / "outside" / kind / f"{place}.png")
    stage = transfer.folder_stage(str(tmp_path / "outside"), 24)
    assert stage.pictures.shape == (12, 24, 24) and stage.classes == 2 and sum(stage.labels) == 6
    problem, _ = membership()
    told = {"network": "four-layer", "sure": 1.0}
    one = recipe("membership", GREY, ("scorer", "networks.transferred", dict(told)))
    more = {**told, "stages": [str(tmp_path / "outside")]}
    other = recipe("membership", GREY, ("scorer", "networks.transferred", more))
    assert not np.array_equal(scored(one, problem), scored(other, problem))
    with pytest.raises(BadInput, match="a folder of pictures for every class"):
        transfer.folder_stage(str(tmp_path / "outside" / "lying"), 24)


def test_lungs_are_found_as_in_the_phantoms_they_were_learnt_from() -> None:
    from whorl.forge import lungs

    pairs, side = lungs.pairs(6, 99), segmentation.SIDE
    for pair in pairs:
        told = replace(PLACE, networks=Networks(known={}))  # what nothing here hangs on, not even hashable
        found, true = segmentation.lung_mask(pair[:side], told), pair[side:] > 0
        assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.9
    assert not segmentation.lung_mask(np.full((50, 70), 90, np.float32), PLACE).any()


def test_an_own_generator_draws_pictures_of_the_kind_that_it_learnt(
    longer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(effort.LIMITS, "tiny", replace(effort.LIMITS["tiny"], steps=200))
    dark, light = (np.clip(grain(24, 5, "lying").astype(int) + shade, 0, 255) for shade in (-90, 90))
    for shown in (dark, light):
        made = samplers.drawn(shown.astype(np.uint8), 40, "tiny", 0, PLACE)
        assert made.shape == (40, SIDE, SIDE) and made.dtype == np.uint8
        assert abs(float(made.mean()) - float(shown.mean())) < 25
        assert len(np.unique(made.reshape(40, -1), axis=0)) == 40


def test_roles_are_in_the_order_of_their_content() -> None:
    stack = grain(9, 1, "spots")
    order = np.random.default_rng(0).permutation(9)
    one, other = (roles.gathered({"all": part}, SIDE) for part in (stack, stack[order]))
    assert np.array_equal(one.pictures, other.pictures) and len(one["all"]) == 9
