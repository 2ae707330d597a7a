"""Development parts scored three ways: what leaks into a figure shows, and whole patients stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from contracts import problems
from whorl import protocols, recipes
from whorl.images import select
from whorl.pipeline import Settings
from whorl.protocols import Protocol, gaps, validate
from whorl.records import Answers, BadInput, Development, Interval, Problem, Result, Step

MEMORISING = """
[about]
title = "a nearest neighbour that knows its own examples"
year = 2026
reference = "tests"
task = "membership"
fidelity = "our own"

[base]
features = {{ step = "pixels.thumbnail", size = 8 }}
scorer = {{ step = "classifier.supervised", model = "{model}" }}
decide = {{ step = "fixed", threshold = 0.5 }}

[variant.only]
"""


def noise_part(pictures: int = 60, each: int = 1, seed: int = 0) -> Development:
    """A development part whose labels say nothing: unrelated pictures, `each` of them to a patient."""
    pixels = problems.fields(pictures, seed, 32)
    queries = problems.image_set("real", pixels)
    owners = tuple(f"p{row // each:03d}" for row in range(pictures))
    queries = replace(queries, patients=owners)
    coins = np.random.default_rng(seed).permutation(pictures // each) % 2
    labels = {name: ("used" if coins[row // each] else "not_used") for row, name in enumerate(queries.ids)}
    made = problems.image_set("made", problems.fields(20, seed + 1, 32))
    return Development(Problem("membership", queries, {"generated": made}), Answers(labels))


def measure(result: Result, name: str) -> Interval:
    return next(one.interval for one in result.measures if one.name == name)


@pytest.fixture
def memorising(tmp_path):
    def make(model: str = "forest"):
        file = tmp_path / f"{model}.toml"
        file.write_text(MEMORISING.format(model=model), encoding="utf-8")
        return recipes.load(f"{file}:only")

    return make


def test_a_method_that_knows_its_examples_shines_on_them_alone(memorising) -> None:
    part = noise_part()
    found = {
        way.name: validate(memorising(), part, way, Settings())
        for way in protocols.protocols(5, "membership")
    }
    assert measure(found["on itself"], "auc").estimate > 0.95
    nested = measure(found["5 folds, nested"], "auc")
    assert nested.low < 0.5 < nested.high


def test_a_threshold_chosen_on_its_own_answers_promises_too_much() -> None:
    recipe = recipes.load("whorl.thumbnail")
    kept = tuple(step for step in recipe.steps if step.stage != "decide")
    tuned = replace(recipe, steps=(*kept, Step("decide", "tuned", {"metric": "accuracy"})))
    leaky, honest = [], []
    for seed in range(6):
        part = noise_part(seed=seed)
        for way, figures in ((Protocol("a", 5, nested=False), leaky), (Protocol("b", 5), honest)):
            figures.append(measure(validate(tuned, part, way, Settings(seed=seed)), "accuracy").estimate)
    assert np.mean(leaky) > 0.55 > np.mean(honest) + 0.02


def test_whole_patients_are_held_back_together_whatever_the_order() -> None:
    part = noise_part(each=3)
    places, notes = protocols._folds(part, 4, 0)
    owners = np.asarray(part.problem.queries.patients)
    assert all(len(np.unique(places[owners == owner])) == 1 for owner in owners)
    assert set(places) == {0, 1, 2, 3} and not notes
    order = np.random.default_rng(1).permutation(len(places))
    shuffled = replace(part.problem, queries=select(part.problem.queries, order))
    again, _ = protocols._folds(Development(shuffled, part.answers), 4, 0)
    assert (again == places[order]).all()


def test_copies_of_a_patient_fool_folds_by_picture_and_not_by_patient(memorising) -> None:
    part = noise_part(each=4)
    pixels = (
        np.repeat(part.problem.queries.pixels[::4], 4, axis=0)
        + np.arange(60, dtype=np.uint8)[:, None, None] % 4
    )
    queries = replace(problems.image_set("real", pixels), patients=part.problem.queries.patients)
    known = Development(replace(part.problem, queries=queries), part.answers)
    blind = Development(replace(part.problem, queries=replace(queries, patients=None)), part.answers)
    way = Protocol("folds", 5)
    by_patient = validate(memorising(), known, way, Settings())
    by_picture = validate(memorising(), blind, way, Settings())
    assert measure(by_picture, "auc").estimate > 0.9 > measure(by_patient, "auc").estimate
    assert any("patients of the development part unknown" in note for note in by_picture.notes)


def test_a_real_leak_survives_every_protocol() -> None:
    toy = problems.membership()
    assert toy.problem.development is not None
    recipe = recipes.load("whorl.thumbnail")
    for way in protocols.protocols(3, "membership"):
        assert measure(validate(recipe, toy.problem.development, way, Settings()), "auc").estimate > 0.9


def test_the_gap_has_the_width_of_both_figures() -> None:
    part = noise_part()
    recipe = recipes.load("whorl.thumbnail")
    one = validate(recipe, part, Protocol("on itself"), Settings())
    other = validate(recipe, noise_part(seed=9), Protocol("on itself"), Settings())
    for gap in gaps("on itself", one, other):
        assert gap.test is not None and gap.gap is not None
        assert gap.gap.estimate == pytest.approx(gap.development.estimate - gap.test.estimate)
        widest = max(gap.development.high - gap.development.low, gap.test.high - gap.test.low)
        assert gap.gap.low <= gap.gap.estimate <= gap.gap.high
        assert gap.gap.high - gap.gap.low >= widest
    assert all(gap.gap is None for gap in gaps("on itself", one, None))


def test_impossible_folds_are_one_line() -> None:
    with pytest.raises(BadInput, match="2 or more"):
        Protocol("one", 1)
    with pytest.raises(BadInput, match="only"):
        validate(recipes.load("whorl.thumbnail"), noise_part(each=15), Protocol("many", 10), Settings())


def test_groups_have_no_names_across_folds() -> None:
    assert [way.folds for way in protocols.protocols(5, "attribution")] == [0]
