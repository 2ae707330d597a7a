"""What must change no number: a second run, blocks, batches, company, order; over every step and recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts import checks, problems
from contracts.checks import ALL, SCORES
from whorl import images as reading
from whorl import pipeline, recipes
from whorl.arrays import SPILL_BYTES
from whorl.metrics import adjusted_rand_index
from whorl.records import BadInput, Problem, Recipe

BY_POSITION = "the published code ranks by file positions (one argsort, not two)"
ORDER_MATTERS = {
    "m23-vcmi.ssim-ranking-as-published": BY_POSITION,
    "m23-vcmi.ssim-ensemble-as-published": "joins the ranking that depends on file positions",
    "m23-vcmi.resnet-ranking-as-published": BY_POSITION,
    "m23-vcmi.resnet-ensemble-as-published": "joins the ranking that depends on file positions",
}
ORDER_MATTERS |= {
    f"m23-vcmi.{name}-as-published": BY_POSITION
    for name in (
        "latent-ranking",
        "latent-600-ranking",
        "residual-ranking",
        "residual-ensemble",
        "split-ranking",
        "split-ensemble",
    )
}
MISMATCHED = "hands its answers to files in another order, on purpose"
GROUPS_LOST = {
    "a24-amis.cnn-mismatched": MISMATCHED,
    "a24-amis.efficientnet-mismatched": MISMATCHED,
}
# k-means starts from pictures drawn by their place: with other files first it may end elsewhere, or may not.
MAY_DEPEND_ON_ORDER = (
    "m24-aiml.full-lbp-kmeans",
    "m24-aiml.full-thumbnail-kmeans",
    "m24-aiml.outer-resnet-kmeans",
    # Join a ranking by position with two rules that it may or may not change.
    "m23-vcmi.latent-ensemble-as-published",
    "m23-vcmi.latent-600-ensemble-as-published",
)
ROWS = [0, 3, 4, 7, 8, 9, 15, 23]
NAMES = list(ALL)
MEMBERSHIP = [name for name in SCORES if ALL[name].task == "membership"]
ATTRIBUTION = [name for name, recipe in ALL.items() if recipe.task == "attribution"]
STEADY = [name for name in SCORES if not checks.is_transductive(ALL[name])]
RULES = [
    name
    for name, recipe in ALL.items()
    if not checks.is_transductive(recipe) and not checks.is_transductive(recipe, ["decide"])
]


def test_the_exemptions_are_counted() -> None:
    assert [len(table) for table in (ORDER_MATTERS, MAY_DEPEND_ON_ORDER, GROUPS_LOST)] == [10, 5, 2]
    learnt = {name for name in recipes.names() if recipes.learns(recipes.load(name))}
    assert {*ORDER_MATTERS, *GROUPS_LOST} <= {*NAMES, *learnt}


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_numbers(name: str) -> None:
    recipe = ALL[name]
    problem = checks.toy(recipe)
    checks.assert_same(checks.scores(name), checks.run(recipe, problem))
    assert checks.verdicts(name).labels == checks.labels(recipe, problem)


@pytest.mark.parametrize("name", [name for name in NAMES if "noise" in name or "pepper" in name])
def test_another_seed_gives_other_noise(name: str) -> None:
    other = checks.run(ALL[name], checks.toy(ALL[name]), seed=1)
    assert not np.array_equal(checks.scores(name).values, other.values)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(("block_bytes", "spill_bytes"), [(1, 0), (5_000, SPILL_BYTES)])
def test_neither_the_size_of_a_block_nor_where_features_lie_changes_a_byte(
    name: str, block_bytes: int, spill_bytes: int
) -> None:
    recipe = ALL[name]
    found = checks.run(recipe, checks.toy(recipe), block_bytes, spill_bytes=spill_bytes)
    checks.assert_same(checks.scores(name), found)


@pytest.mark.parametrize("name", SCORES)
def test_the_size_of_a_batch_changes_no_byte(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = checks.scores(name)
    checks.change_batches(monkeypatch, 1)
    checks.assert_same(expected, checks.run(ALL[name], checks.toy(ALL[name])))
    checks.change_batches(monkeypatch, 5 * 8 * problems.SIZE**2)
    checks.assert_same(expected, checks.run(ALL[name], checks.toy(ALL[name])))


@pytest.mark.parametrize("name", STEADY)
def test_a_query_is_scored_whatever_is_asked_beside_it(name: str) -> None:
    part = checks.run(ALL[name], problems.subset(checks.toy(ALL[name]), ROWS))
    assert checks.is_subset(part, checks.scores(name), ROWS)


@pytest.mark.parametrize("name", RULES)
def test_a_query_is_judged_whatever_is_asked_beside_it(name: str) -> None:
    part = checks.labels(ALL[name], problems.subset(checks.toy(ALL[name]), ROWS))
    assert part == tuple(checks.verdicts(name).labels[row] for row in ROWS)


@pytest.mark.parametrize("name", [name for name in MEMBERSHIP if name not in MAY_DEPEND_ON_ORDER])
def test_the_order_of_the_files_changes_no_score(name: str) -> None:
    problem, expected = checks.toy(ALL[name]), checks.scores(name).values
    order = np.random.default_rng(1).permutation(len(expected))
    turned = checks.run(ALL[name], problems.subset(problem, order.tolist())).values
    holds = np.allclose(turned, expected[order], rtol=0, atol=1e-5)
    checks.expect(holds, name, ORDER_MATTERS, "scores depend on the order of the queries")
    back = checks.run(ALL[name], _generated_backwards(problem)).values
    np.testing.assert_allclose(back, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ATTRIBUTION)
def test_the_order_of_the_files_changes_no_group(name: str) -> None:
    problem, _ = checks.bag()
    order = np.random.default_rng(1).permutation(len(problem.queries))
    turned = checks.labels(ALL[name], problems.subset(problem, order.tolist()))
    expected = np.asarray(checks.verdicts(name).labels)[order]
    found = adjusted_rand_index(expected.tolist(), turned)
    checks.expect(found == 1.0, name, GROUPS_LOST, f"adjusted Rand index {found}")


@pytest.mark.parametrize("name", NAMES)
def test_the_table_has_the_right_shape(name: str) -> None:
    recipe, table, verdicts = ALL[name], checks.scores(name), checks.verdicts(name)
    assert table.ids == verdicts.ids == checks.toy(recipe).queries.ids
    assert table.values.dtype == np.float32
    assert np.isfinite(table.values).all()
    assert table.recipe == name
    assert table.problem == checks.toy(recipe).digest
    made = max(map(len, checks.toy(recipe).generated.values()))
    assert table.nearest.min() >= -1
    assert table.nearest.max() < made
    allowed = {"used", "not_used"} if recipe.one("decide").name != "assign" else set(table.groups)
    assert set(verdicts.labels) <= allowed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [problems.narrow, problems.tiny])
def test_a_poor_problem_is_answered_or_refused_in_words(name: str, make: object) -> None:
    recipe = ALL[name]
    problem = make(recipe.task)  # type: ignore[operator]
    settings = checks.settings()
    try:
        found = pipeline.judge(recipe, pipeline.score(recipe, problem, settings), problem, settings)
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert len(found.labels) == len(problem.queries)


@pytest.mark.parametrize("name", NAMES)
def test_the_other_question_is_refused(name: str) -> None:
    recipe = ALL[name]
    other = checks.bag()[0] if recipe.task == "membership" else checks.leaky().problem
    with pytest.raises(BadInput, match=f"answers the {recipe.task} question"):
        checks.run(recipe, other)


def test_the_toy_pixels_cannot_be_written() -> None:
    for problem in (checks.leaky().problem, checks.bag()[0]):
        assert not problem.queries.pixels.flags.writeable
        assert not any(images.pixels.flags.writeable for images in problem.generated.values())


def test_the_checks_can_fail() -> None:
    fickle: Recipe = replace(ALL["whorl.thumbnail"], steps=ALL["pool.rank"].steps)
    part = checks.run(fickle, problems.subset(checks.leaky().problem, ROWS))
    assert not checks.is_subset(part, checks.scores("pool.rank"), ROWS)
    with pytest.raises(AssertionError):
        checks.assert_same(checks.scores("whorl.thumbnail"), checks.scores("whorl.pixels"))
    with pytest.raises(AssertionError, match="take out the exemption"):
        checks.expect(True, "x", {"x": "a reason"}, "")


def _generated_backwards(problem: Problem) -> Problem:
    turned = {
        name: reading.select(images, list(range(len(images)))[::-1])
        for name, images in problem.generated.items()
    }
    return replace(problem, generated=turned)
