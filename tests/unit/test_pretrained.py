"""Recipes that name a network: refused in words without its weights, run with other features."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from contracts import checks, problems
from whorl import pipeline, recipes
from whorl.challenge.figures import published
from whorl.features.pretrained import backbone
from whorl.pipeline import Settings
from whorl.records import BadInput

NAMED = [name for name in recipes.names() if recipes.needs_weights(recipes.load(name))]
TEAMS = {"m24-robot": "Robot", "m24-big": "Biomedical Imaging Goa", "m24-cao": "Shitongcao"}
TEAMS |= {
    "m24-inoue": "Inoue Koki",
    "m24-sdva": "SDVAHCS/UCSD",
    "m24-csm": "Csmorgan",
    "m24-aiml": "AI Multimedia Lab",
}


@pytest.mark.parametrize("name", NAMED)
def test_without_weights_it_stops_in_one_line_that_says_what_to_do(name, monkeypatch):
    monkeypatch.delenv("WHORL_WEIGHTS", raising=False)
    recipe = recipes.load(name)
    with pytest.raises(
        BadInput, match=r"needs the weights of .* WHORL_WEIGHTS is not set.*--features"
    ) as caught:
        pipeline.score(recipe, checks.toy(recipe), Settings())
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WHORL_WEIGHTS", str(tmp_path))
    with pytest.raises(BadInput, match=r"resnet50\.safetensors is missing"):
        backbone(np.zeros((1, 32, 32), np.uint8), "resnet50")


@pytest.mark.parametrize("name", ["m24-robot.resnet101", "m24-csm.re-rank", "m24-inoue.agreement"])
def test_other_features_take_the_place_of_the_network_also_in_ensembles(name):
    swapped = recipes.with_features(recipes.load(name), "texture.lbp")
    assert swapped.name == f"{name}+texture.lbp"
    assert not recipes.needs_weights(swapped)
    assert swapped.digest != recipes.load(name).digest
    problem = problems.membership().problem
    assert len(pipeline.score(swapped, problem, Settings()).ids) == len(problem.queries)


def test_an_unknown_step_in_its_place_is_answered_with_the_nearest():
    with pytest.raises(BadInput, match=r"did you mean 'texture\.lbp'"):
        recipes.with_features(recipes.load("m24-robot.mae"), "texture.lpb")


def test_reported_figures_are_those_of_the_published_table():
    with published("membership").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"].startswith("overview 2024")]
    checked = 0
    for name in recipes.names():
        recipe = recipes.load(name)
        team = TEAMS.get(name.partition(".")[0])
        if team is None or recipe.run is None:
            continue
        run = recipe.run.partition(",")[0]
        for model in ("1", "2"):
            found = [
                row for row in rows if row["team"] == team and row["run"] == run and row["model"] == model
            ]
            assert len(found) == 1, (name, run, model)
            assert recipe.reported[f"f1_model_{model}"] == pytest.approx(float(found[0]["f1"]), abs=1e-9), (
                name
            )
            checked += 1
    assert checked >= 60
