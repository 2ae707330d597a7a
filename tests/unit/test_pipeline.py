"""The way from problem to scores, compared with the same written out by hand; the store; other packages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata

from contracts import problems
from contracts.foreign import installed
from whorl import compare, pipeline, recipes, steps
from whorl.arrays import allocate
from whorl.pipeline import Settings
from whorl.records import Array, BadInput, Problem, Recipe, Scores, Step
from whorl.store import Shelf, Store

TOY = problems.membership()
PROBLEM = TOY.problem


def made(*parts: tuple[str, str, dict[str, object]], name: str = "toy.one") -> Recipe:
    stages = {
        "features": Step("features", "pixels.grey"),
        "similarity": Step("similarity", "vectors.euclidean"),
        "pool": Step("pool", "maximum"),
        "decide": Step("decide", "half"),
    } | {stage: Step(stage, step, parameters) for stage, step, parameters in parts}
    return Recipe(name, "membership", tuple(stages.values()), {})


def column(recipe: Recipe, problem: Problem = PROBLEM, settings: Settings | None = None) -> Array:
    return pipeline.score(recipe, problem, settings or Settings()).values[:, 0]


def distances(queries: Array, gallery: Array) -> Array:
    flat = [stack.reshape(len(stack), -1).astype(np.float64) for stack in (queries, gallery)]
    return np.sqrt(((flat[0][:, None, :] - flat[1][None, :, :]) ** 2).sum(axis=2))


@pytest.fixture(scope="module")
def alike() -> Array:
    """Minus the distances of all queries to all generated pictures, (24, 30)."""
    return -distances(PROBLEM.queries.pixels, PROBLEM.generated["generator"].pixels)


def test_pooling_is_what_it_says(alike: Array) -> None:
    ordered = np.sort(alike, axis=1)[:, ::-1]
    ranks = rankdata(alike.astype(np.float32), axis=0)
    best = alike.argmax(axis=0)
    expected = {
        ("maximum", ()): ordered[:, 0],
        ("kth", (("k", 3),)): ordered[:, 2],
        ("kth", (("k", 99),)): ordered[:, -1],
        ("top_mean", (("k", 4),)): ordered[:, :4].mean(axis=1),
        ("mean", ()): alike.mean(axis=1),
        ("share_within", (("radius", float(np.median(alike))),)): (alike >= np.median(alike)).mean(axis=1),
        ("rank", ()): ranks.mean(axis=1),
        ("retrieval", ()): np.bincount(best, minlength=24) / 30,
    }
    for (pool, parameters), values in expected.items():
        scores = pipeline.score(made(("pool", pool, dict(parameters))), PROBLEM, Settings())
        np.testing.assert_allclose(scores.values[:, 0], values, rtol=1e-6)
        np.testing.assert_array_equal(scores.nearest[:, 0], alike.argmax(axis=1))


def test_a_copy_is_exactly_as_near_as_can_be() -> None:
    planted = problems.plant(PROBLEM, [5])
    scores = pipeline.score(made(), planted, Settings())
    assert scores.values[5, 0] == 0.0
    assert scores.nearest[5, 0] == 30


def test_calibration_compares_with_the_reference(alike: Array) -> None:
    assert PROBLEM.reference is not None
    beside = -distances(PROBLEM.queries.pixels, PROBLEM.reference.pixels).min(axis=1)
    own = alike.max(axis=1)
    np.testing.assert_allclose(column(made(("calibrate", "difference", {}))), own - beside, rtol=1e-5)
    np.testing.assert_allclose(column(made(("calibrate", "ratio", {}))), beside / own, rtol=1e-5)
    with pytest.raises(BadInput, match=r"toy\.one needs a reference set"):
        column(made(("calibrate", "ratio", {})), replace(PROBLEM, reference=None))


def test_similarities_among_queries_leave_out_the_picture_itself() -> None:
    pictures = PROBLEM.queries.pixels[:7]
    similarity = steps.resolve(Step("similarity", "vectors.euclidean"))
    table = -distances(pictures, pictures)
    found = compare.among_themselves(compare.Loop(block_bytes=1), similarity, pictures)
    largest = np.where(np.eye(7, dtype=bool), -np.inf, table).max(axis=1)
    np.fill_diagonal(table, table.mean(axis=1))
    np.testing.assert_allclose(found, np.stack([largest, table.mean(1), table.std(1)], axis=1), rtol=1e-5)


def test_noise_belongs_to_the_picture_and_the_seed() -> None:
    noisy = made(("prepare", "gaussian_noise", {"sigma": 20.0}))
    noisy = replace(noisy, steps=tuple(sorted(noisy.steps, key=lambda step: step.stage != "prepare")))
    both, one = column(noisy), replace(noisy, steps=(replace(noisy.steps[0], on="queries"), *noisy.steps[1:]))
    assert not np.array_equal(both, column(one))
    assert not np.array_equal(both, column(noisy, settings=Settings(seed=1)))
    alone = column(noisy, problems.subset(PROBLEM, [4, 2]))
    np.testing.assert_array_equal(alone, both[[4, 2]])


def test_noise_hangs_on_the_pixels_and_not_on_the_name_or_the_place() -> None:
    noisy = replace(made(), steps=(Step("prepare", "gaussian_noise", on="queries"), *made().steps))
    stack = problems.fields(3, 8)
    alike = replace(PROBLEM, queries=problems.image_set("twins", stack[[0, 1, 0, 2]]), development=None)
    renamed = replace(PROBLEM, queries=problems.image_set("others", stack[[2, 0]]), development=None)
    found = column(noisy, alike).tolist()
    assert found[0] == found[2]
    assert len(set(found)) == 3
    assert column(noisy, renamed).tolist() == [found[3], found[0]]
    flat = replace(PROBLEM, queries=problems.image_set("flat", stack * 0 + 90), development=None)
    assert len({*column(noisy, flat).tolist()}) == 1


def test_a_rule_fitted_on_development_uses_its_answers() -> None:
    tuned = made(("decide", "tuned", {"metric": "accuracy"}))
    settings = Settings()
    verdicts = pipeline.judge(tuned, pipeline.score(tuned, PROBLEM, settings), PROBLEM, settings)
    assert [label == "used" for label in verdicts.labels] == TOY.truth.tolist()
    bare = replace(PROBLEM, development=None)
    with pytest.raises(BadInput, match="needs a development part"):
        pipeline.judge(tuned, pipeline.score(tuned, bare, settings), bare, settings)


def test_a_kept_piece_is_used_and_a_damaged_one_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    fresh = column(made(), settings=Settings(store=store))
    (file,) = tmp_path.rglob("*.npz")
    written = file.stat().st_mtime_ns
    assert column(made(), settings=Settings(store=store)).tobytes() == fresh.tobytes()
    assert file.stat().st_mtime_ns == written, "what is there is not made again"
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    file.write_bytes(data)
    assert column(made(), settings=Settings(store=store)).tobytes() == fresh.tobytes()
    assert file.read_bytes() != bytes(data)


def test_what_changes_a_number_changes_the_piece(tmp_path: Path) -> None:
    store = Store(tmp_path)
    runs = [
        (made(), PROBLEM, 0),
        (made(), PROBLEM, 1),
        (made(("pool", "mean", {})), PROBLEM, 0),
        (made(), problems.plant(PROBLEM, [1]), 0),
        (made(), problems.subset(PROBLEM, [0, 1]), 0),
    ]
    for recipe, problem, seed in runs:
        pipeline.score(recipe, problem, Settings(seed=seed, store=store))
    assert len(list(tmp_path.rglob("*.npz"))) == len(runs)


def test_rules_share_the_scores_they_judge(tmp_path: Path) -> None:
    """Five variants of one system differ in their rule only: the dear part is made once."""
    settings = Settings(store=Store(tmp_path))
    one = pipeline.score(made(), PROBLEM, settings)
    other = pipeline.score(made(("decide", "two_means", {}), name="toy.two"), PROBLEM, settings)
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    assert one.values.tobytes() == other.values.tobytes()


def test_a_kept_piece_bears_the_name_it_was_asked_by(tmp_path: Path) -> None:
    settings = Settings(store=Store(tmp_path))
    pipeline.score(made(), PROBLEM, settings)
    assert pipeline.score(made(name="toy.two"), PROBLEM, settings).recipe == "toy.two"


@pytest.mark.parametrize("spill_bytes", [80, 0])
def test_the_shelf_throws_out_the_longest_unused(spill_bytes: int) -> None:
    in_memory = spill_bytes > 0
    shelf, calls = Shelf(3 * 80, 0) if in_memory else Shelf(0, 3 * 80), []

    def get(key: str) -> Array:
        def make() -> Array:
            calls.append(key)
            return allocate((10,), np.float64, spill_bytes)

        return shelf.get(key, make)

    for key in "abcadad":
        get(key)
    assert "".join(calls) == "abcd"
    get("b")
    assert "".join(calls) == "abcdb"


def test_blocks_are_the_features_one_step_at_a_time() -> None:
    recipe = recipes.load("whorl-fingerprint.ward")
    bag, _ = problems.attribution(each=4)
    found = pipeline.blocks(recipe, bag, Settings())
    assert len(found) == len(recipe.chain("features"))
    for table, step in zip(found, recipe.chain("features"), strict=True):
        alone = steps.resolve(step)(bag.queries.pixels, **step.parameters)
        np.testing.assert_array_equal(table, alone.reshape(len(alone), -1))


FOREIGN = '''
"""Features of another package."""
import numpy as np


class Centred:
    """Pictures less the mean of the generated ones.

    (n, h, w) -> (n, h * w).
    """

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def fit(self, problem) -> None:
        self.mean = next(iter(problem.generated.values())).pixels.mean(axis=0)

    def __call__(self, images):
        return ((images - self.weight * self.mean).reshape(len(images), -1)).astype(np.float32)


def projected(images, width: int = 8, seed: int = 0):
    """Random projections.

    (n, h, w) -> (n, width).
    """
    flat = np.asarray(images, np.float64).reshape(len(images), -1)
    return (flat @ np.random.default_rng(seed).normal(size=(flat.shape[1], width))).astype(np.float32)
'''


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package that joins through the entry point, for the length of a test."""
    with installed(tmp_path, monkeypatch, "colleague", "lab", {"features": FOREIGN}):
        yield


def test_a_step_of_another_package_is_fitted_and_run(foreign: None) -> None:
    step = steps.find("features", "lab:own.Centred")
    assert (step.fitted, dict(step.parameters)) == (True, {"weight": "1.0"})
    own = made(("features", "lab:own.Centred", {"weight": 0.5}))
    np.testing.assert_allclose(column(own), column(made()), rtol=1e-4)
    with pytest.raises(BadInput, match="weight = 'much'"):
        column(made(("features", "lab:own.Centred", {"weight": "much"})))


def test_a_features_step_that_asks_for_the_seed_gets_it(foreign: None) -> None:
    drawn = made(("features", "lab:own.projected", {}))
    assert not np.array_equal(column(drawn), column(drawn, settings=Settings(seed=5)))


def test_scores_refuse_what_is_no_table() -> None:
    table = np.zeros((2, 1), np.float32)
    nearest = np.zeros((2, 1), np.int64)
    with pytest.raises(ValueError, match="not finite"):
        Scores(("a", "b"), ("g",), table * np.float32("nan"), nearest)
    with pytest.raises(ValueError, match="float32"):
        Scores(("a", "b"), ("g",), table.astype(np.float64), nearest)
    with pytest.raises(ValueError, match=r"expected a table of \(2, 2\)"):
        Scores(("a", "b"), ("g", "h"), table, nearest)
