"""Scores of every recipe on a fixed toy problem, as they were when each step's version was last raised.

A change here means that published numbers of whorl change: raise the step's VERSION, write a changelog line,
and store the new scores with `python tests/golden/test_golden.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from whorl import images, pipeline, recipes
from whorl.pipeline import Settings
from whorl.records import Answers, Development, Problem

# Networks' numbers differ in their last digits from processor to processor, and training magnifies them.
NAMES = [name for name in recipes.names() if not recipes.learns(recipes.load(name))]
FILE = Path(__file__).with_name("scores.json")
TOLERANCE = 2e-3


def pictures(seed, count):
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=(count, 48, 48)), [0, 3, 3]) * 500
    fine = gaussian_filter(rng.normal(size=(count, 48, 48)), [0, 0.6, 0.6]) * 18
    return np.clip(smooth + fine + 120, 0, 255).astype(np.uint8)


def part(seed):
    members, holdout = pictures(seed, 8), pictures(seed + 1, 8)
    noise = np.random.default_rng(seed + 2).normal(0, 5, (12, 48, 48))
    copies = np.roll(members[np.arange(12) % 8], 1, axis=2) + noise
    made = np.concatenate([np.clip(copies, 0, 255).astype(np.uint8), pictures(seed + 3, 12)])
    real = images.load(np.concatenate([members, holdout]), name="real")
    return real, images.load(made, name="generated")


def known_generators():
    kinds = [pictures(41, 6), 255 - pictures(42, 6) // 2]
    shown = images.load(np.concatenate(kinds), name="known")
    labels = {name: f"model {place // 6}" for place, name in enumerate(shown.ids)}
    return Development(Problem("attribution", shown, count=2), Answers(labels))


def problem(task):
    if task == "attribution":
        kinds = [pictures(31, 10), 255 - pictures(32, 10) // 2, np.roll(pictures(33, 10), 1, 1) // 3 + 90]
        real = {f"t{place}": images.load(kind[::2], name=f"t{place}") for place, kind in enumerate(kinds)}
        bag = images.load(np.concatenate(kinds), name="bag")
        return Problem("attribution", bag, real, development=known_generators(), count=3)
    real, made = part(11)
    dev_real, dev_made = part(21)
    labels = {name: "used" if place < 8 else "not_used" for place, name in enumerate(dev_real.ids)}
    development = Development(Problem("membership", dev_real, {"generated": dev_made}), Answers(labels))
    return Problem("membership", real, {"generated": made}, development=development)


def outcome(name):
    recipe = recipes.load(name)
    if recipes.needs_weights(recipe):
        recipe = recipes.with_features(recipe, "texture.lbp")
    question = problem(recipe.task)
    settings = Settings(seed=7)
    scores = pipeline.score(recipe, question, settings)
    verdicts = pipeline.judge(recipe, scores, question, settings)
    return {
        "steps": {f"{step.stage} {step.name}": step.version for step in recipe.steps},
        "scores": [[round(float(value), 5) for value in row] for row in scores.values],
        "labels": list(verdicts.labels),
    }


def stored():
    return json.loads(FILE.read_text(encoding="utf-8"))


def test_every_recipe_has_golden_scores_and_no_other():
    assert sorted(stored()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_golden_ones(name):
    expected, found = stored()[name], outcome(name)
    assert found["steps"] == expected["steps"], "a step's version changed: store new golden scores"
    gap = np.abs(np.asarray(found["scores"]) - np.asarray(expected["scores"]))
    assert gap.max() <= TOLERANCE * max(1.0, np.abs(expected["scores"]).max())
    assert found["labels"] == expected["labels"]


if __name__ == "__main__":
    content = {name: outcome(name) for name in NAMES}
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(content.items())]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
