"""Faults of published systems, planted again, are caught; what is sound passes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from contracts import problems
from contracts.foreign import installed
from whorl import recipes
from whorl.challenge.editions import Edition
from whorl.challenge.stress import content, stress
from whorl.cli import main
from whorl.forge import editions
from whorl.pipeline import Settings
from whorl.records import Answers, Problem, Recipe, Step

FAULTY = '''
"""Steps with the faults of published systems."""
import numpy as np
from whorl.records import one_column


def softmax_over_the_batch(images):
    """Features that sum to one over the pictures of a batch.

    (n, h, w) -> (n, 16).
    """
    flat = images.reshape(len(images), 16, -1).mean(axis=2) / 8.0
    power = np.exp(flat - flat.max())
    return (power / power.sum(axis=0)).astype(np.float32)
'''
SCORERS = '''
"""Scorers with the faults of published systems."""
import numpy as np
from whorl.records import Scores


def names_in_another_order(problem):
    """Right scores, attached to the names in another order.

    Problem with n queries -> Scores (n, 1).
    """
    values = problem.queries.pixels.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)[:, None]
    ids = tuple(sorted(problem.queries.ids, key=lambda name: name[::-1]))
    return Scores(ids, ("generated",), values, np.full(values.shape, -1, np.int64))
'''


def edition(each: int = 12) -> Edition:
    toy = problems.membership(members=each, holdout=each)
    labels = {
        name: "used" if used else "not_used"
        for name, used in zip(toy.problem.queries.ids, toy.truth, strict=True)
    }
    return Edition("toy", toy.problem, Answers(labels), {}, (), ())


@pytest.fixture
def faulty(tmp_path, monkeypatch):
    with installed(tmp_path, monkeypatch, "faulty", "bad", {"features": FAULTY, "scorers": SCORERS}):
        yield


def broken(recipe: Recipe) -> set[str]:
    trials = stress(recipe, edition(), Settings())
    return {trial.name.partition(",")[0] for trial in trials if not trial.passed}


@pytest.mark.parametrize("name", ["whorl.ssim", "m23-vcmi.ssim-ranking", "m24-cao.gaussian-noise"])
def test_a_sound_recipe_passes_also_with_noise(name):
    assert not broken(recipes.load(name))


def test_the_published_ranking_is_caught_and_owes_its_accuracy_to_the_stacking(tmp_path):
    """Places of the more similar queries are averaged: stacked by class, the places tell the class."""
    rng = np.random.default_rng(3)
    used = rng.random(120) < 0.5
    near = rng.normal(size=(120, 32, 32)) + 0.12 * used[:, None, None]
    made = rng.normal(size=(60, 32, 32)) + 0.12
    real, generated = (
        problems.image_set(name, np.clip(128 + 30 * stack, 0, 255).astype(np.uint8))
        for name, stack in (("real", near), ("generated", made))
    )
    labels = {name: "used" if one else "not_used" for name, one in zip(real.ids, used, strict=True)}
    posed = Problem("membership", real, {"generator": generated})
    stacked = Edition("stacked", posed, Answers(labels), {}, (), ())
    chain = (
        Step("features", "pixels.grey"),
        Step("similarity", "vectors.euclidean"),
        Step("pool", "rank", {"as_published": True}),
        Step("decide", "ranking"),
    )
    trials = stress(Recipe("toy.published", "membership", chain, {}), stacked, Settings())
    by_name = {trial.name: trial for trial in trials}
    shuffled = [trial.accuracy for trial in trials if trial.name.startswith("files shuffled")]
    assert not any(trial.passed for trial in trials if trial.name.startswith("files"))
    assert by_name["one picture a batch, small blocks"].passed
    assert by_name["files stacked by class"].accuracy > max(np.mean(shuffled) + 0.15, 0.65)


def test_features_that_depend_on_their_batch_are_caught(faulty):
    chain = (
        Step("features", "bad:own.softmax_over_the_batch"),
        Step("similarity", "vectors.euclidean"),
        Step("pool", "maximum"),
        Step("decide", "half"),
    )
    assert "one picture a batch" in broken(Recipe("toy.batch", "membership", chain, {}))


def test_labels_attached_in_another_order_are_caught(faulty):
    chain = (Step("scorer", "bad:own.names_in_another_order"), Step("decide", "half"))
    assert "files shuffled" in broken(Recipe("toy.names", "membership", chain, {}))


def test_the_command_tells_people_and_machines(tmp_path, capsys):
    plan = editions.Plan(patients=8, slices=2, generated=12, size=64)
    part = editions.make(plan)
    editions.write_membership(tmp_path / "edition", "leaking", part, part, plan)
    words = ["challenge", "stress", "whorl.thumbnail", str(tmp_path / "edition")]
    assert main(words) == 0
    assert "whorl.thumbnail passes" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "whorl.stress/1"
    assert told["passed"] is True
    assert len(told["trials"]) == len(content(recipes.load("whorl.thumbnail"), ())["trials"]) + 9
