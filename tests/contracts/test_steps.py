"""Every step found: its words, its defaults, what it gives back when it is called by itself."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whorl
from contracts import checks, problems
from contracts.checks import ALL
from whorl import pipeline, steps
from whorl.pipeline import Settings
from whorl.records import STAGES, Array, BadInput, Recipe, Scores, Step
from whorl.steps import PLACES, Description

DESCRIPTIONS = {f"{step.stage}.{step.name}": step for step in steps.describe_all()}
TRANSDUCTIVE = [name for name, step in DESCRIPTIONS.items() if step.transductive]
# Similarities that count what one picture finds in the other.
ONE_WAY = ("similarity.keypoints.ratio_matches",)


def of(stage: str) -> list[str]:
    return [name for name, step in DESCRIPTIONS.items() if step.stage == stage and name in ALL]


def function(name: str) -> Any:
    """The step bound to the parameters that the checks give it."""
    step = DESCRIPTIONS[name]
    made = next(part for part in ALL[name].steps if part.stage == step.stage)
    target = steps.resolve(made)
    if step.fitted:
        machine = target(**made.parameters)
        machine.fit(checks.toy(ALL[name]))
        return machine
    return lambda *given, **more: target(*given, **made.parameters, **more)


def pictures(kind: type, count: int = 5) -> Array:
    pixels = problems.fields(count, 21).astype(kind)[:, :48, :]
    pixels.flags.writeable = False
    return pixels


def table(rows: int, columns: int, seed: int = 3) -> Array:
    block = np.random.default_rng(seed).uniform(-1, 1, (rows, columns)).astype(np.float32)
    block.flags.writeable = False
    return block


def test_every_stage_has_steps() -> None:
    assert {step.stage for step in DESCRIPTIONS.values()} == set(STAGES)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_it_says_what_it_does_with_shapes(name: str) -> None:
    step = DESCRIPTIONS[name]
    assert step.summary.endswith("."), "one line that says what the step does"
    assert len(step.summary) <= 110
    assert "->" in step.details, "a second line with shapes: (n, h, w) -> (n, size)"
    assert isinstance(step.version, int)
    assert step.version >= 1


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_its_description_is_what_python_sees(name: str) -> None:
    step = DESCRIPTIONS[name]
    target = steps.resolve(Step(step.stage, step.name))
    signature = inspect.signature(target)
    assert {*step.parameters, *step.handed} == set(signature.parameters)
    for key, default in step.parameters.items():
        given = signature.parameters[key].default
        assert default, f"{key} needs a default"
        assert checks.immutable(default), f"{key} = {default}: a default must be immutable"
        assert ast.literal_eval(default) == given
        assert signature.parameters[key].annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_parameter_of_the_wrong_type_is_refused(name: str) -> None:
    step = DESCRIPTIONS[name]
    for key in step.parameters:
        with pytest.raises(BadInput, match=key):
            steps.resolve(Step(step.stage, step.name, {key: {"no": "such"}}))


def test_only_numbers_are_numbers() -> None:
    """A file can say size = "16", 16.0 or true; none of them may reach a step that counts with it."""
    taken = []
    for name, step in DESCRIPTIONS.items():
        for key, default in step.parameters.items():
            kind = type(ast.literal_eval(default))
            wrong = {int: ["16", True, 16.0], float: ["0.5", "16"]}.get(kind, [])
            taken += [f"{name} {key} = {value!r}" for value in wrong if _taken(step, key, value)]
            assert kind not in (int, float) or _taken(step, key, kind(1)), f"{name}: {key} = 1 is a number"
            assert kind is not float or _taken(step, key, 1), "a whole number does for any number"
    assert not taken


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_mistyped_step_or_parameter_names_the_nearest(name: str) -> None:
    step = DESCRIPTIONS[name]
    with pytest.raises(BadInput, match=rf"no {step.stage} step is called .*'{step.name}'"):
        steps.find(step.stage, step.name + "x")
    for key in step.parameters:
        with pytest.raises(BadInput, match=f"takes no parameter '{key}x'; did you mean '{key}'"):
            steps.check(step.stage, step.name, {key + "x": 1})


@pytest.mark.parametrize("stage", STAGES)
def test_every_transductive_mark_names_a_step(stage: str) -> None:
    place = Path(whorl.__file__).parent / PLACES.get(stage, stage)
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        marks = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TRANSDUCTIVE"
        ]
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert all(set(mark) <= names for mark in marks), file


@pytest.mark.parametrize("name", of("prepare"))
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_prepare_gives_a_grey_picture(name: str, kind: type) -> None:
    for picture in (*pictures(kind, 2), np.full((40, 57), 7, kind)):
        seeded = {"seed": 4} if "seed" in DESCRIPTIONS[name].handed else {}
        made = function(name)(picture, **seeded)
        assert made.dtype == np.float32
        assert made.ndim == 2
        assert np.isfinite(made).all()
        assert made.min() >= -1e-3
        assert made.max() <= 255.001
        assert not np.shares_memory(made, picture) or not made.flags.writeable
        np.testing.assert_array_equal(made, function(name)(picture, **seeded))


@pytest.mark.parametrize("name", of("features"))
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_features_describe_each_picture_alone(name: str, kind: type) -> None:
    stack = pictures(kind)
    made = function(name)(stack)
    assert len(made) == len(stack)
    assert np.isfinite(made).all()
    assert made.dtype in (np.float32, np.uint8)
    for rows in (slice(0, 1), slice(2, 5)):
        np.testing.assert_array_equal(function(name)(stack[rows]), made[rows])


@pytest.mark.parametrize("name", of("similarity"))
def test_similarity_is_highest_for_equals(name: str) -> None:
    rows = np.rint(pictures(np.float32, 9))
    if "hamming" in name:
        rows = (rows > 128).astype(np.uint8)
    if "keypoints" in name:
        rows = function("features.keypoints.sift")(rows)
    queries, gallery = rows[:6], rows[1:]
    block = function(name)(queries, gallery)
    assert block.shape == (6, 8)
    assert block.dtype == np.float32
    np.testing.assert_array_equal(block.argmax(axis=1)[1:], np.arange(5))
    if name not in ONE_WAY:
        np.testing.assert_allclose(function(name)(gallery, queries).T, block, atol=1e-6)
    parts = np.block([[function(name)(queries[:2], gallery)], [function(name)(queries[2:], gallery)]])
    assert parts.tobytes() == block.tobytes()


@pytest.mark.parametrize("name", of("pool"))
def test_pool_gives_a_number_per_query(name: str) -> None:
    block = table(7, 11)
    pooled = function(name)(block)
    assert pooled.shape == (7,)
    assert np.isfinite(pooled).all()
    if DESCRIPTIONS[name].transductive:
        whole = function(name)(block[:, :4]) + function(name)(block[:, 4:])
        np.testing.assert_array_equal(whole, pooled, "a tally must add up over the generated pictures")
        assert not np.array_equal(function(name)(block[:3]), pooled[:3])
    else:
        assert pooled.dtype == np.float32
        assert function(name)(block[2:5]).tobytes() == pooled[2:5].tobytes()
        order = np.random.default_rng(0).permutation(11)
        np.testing.assert_allclose(function(name)(block[:, order]), pooled, atol=1e-6)
    assert function(name)(block[:1, :1]).shape == (1,)


@pytest.mark.parametrize("name", of("calibrate"))
def test_calibrate_rises_with_the_own_similarity(name: str) -> None:
    own, beside = -np.linspace(3, 1, 6, dtype=np.float32), -np.full(6, 2, np.float32)
    made = function(name)(own, beside)
    assert made.shape == (6,)
    assert made.dtype == np.float32
    assert (np.diff(made) > 0).all()
    assert (np.diff(function(name)(beside, own)) < 0).all()


@pytest.mark.parametrize(
    "name", [name for name in TRANSDUCTIVE if DESCRIPTIONS[name].stage == "scorer" and name in ALL]
)
def test_a_transductive_scorer_needs_all_queries(name: str) -> None:
    recipe, problem = ALL[name], checks.toy(ALL[name])
    truth = checks.bag()[1]
    alike = [row for row, made in enumerate(truth) if made == truth[0]]
    rows = alike if recipe.task == "attribution" else list(range(0, 24, 2))
    part = checks.run(recipe, problems.subset(problem, rows))
    assert not checks.is_subset(part, checks.scores(name), rows), "take out the mark TRANSDUCTIVE"


@pytest.mark.parametrize("name", of("decide"))
def test_a_rule_is_transductive_as_marked(name: str) -> None:
    """On given scores of several heights, with some of the queries left out."""
    ranks = np.random.default_rng(2).permutation(24) + 1.0
    parts = [np.flatnonzero(ranks > 12), np.flatnonzero(ranks <= 12), np.arange(0, 24, 2)]
    steady = all(
        _judged(ALL[name], ranks * scale)[rows].tolist()
        == _judged(ALL[name], ranks * scale, rows.tolist()).tolist()
        for rows in parts
        for scale in (1.0, 1 / 24, 1 / 72)
    )
    assert steady != DESCRIPTIONS[name].transductive, f"{name}: the mark TRANSDUCTIVE is wrong"


@pytest.mark.parametrize("name", of("decide"))
def test_a_higher_score_is_never_judged_lower(name: str) -> None:
    values = np.random.default_rng(3).uniform(0, 24, 24)
    called = _judged(ALL[name], values)
    if set(called) <= {"used", "not_used"}:
        used = called == "used"
        assert not used.any() or used.all() or values[used].min() > values[~used].max()


def _taken(step: Description, key: str, value: object) -> bool:
    try:
        steps.resolve(Step(step.stage, step.name, {key: value}))
    except BadInput:
        return False
    return True


def _judged(recipe: Recipe, values: Array, rows: list[int] | None = None) -> Array:
    problem = checks.leaky().problem
    if rows is not None:
        problem, values = problems.subset(problem, rows), values[rows]
    column = np.asarray(values, np.float32)[:, None]
    scores = Scores(problem.queries.ids, ("generator",), column, np.full(column.shape, -1, np.int64))
    return np.asarray(pipeline.judge(recipe, scores, problem, Settings()).labels)


def test_a_description_is_found_by_its_place() -> None:
    step: Description = steps.find("features", "texture.lbp")
    assert (step.module, step.attribute) == ("whorl.features.texture", "lbp")
    assert step.parameters["points"] == "8"
