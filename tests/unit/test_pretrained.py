"""Recipes that name a network: refused in words without its weights, run with other features."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest

from contracts import checks, problems
from whorl import pipeline, recipes
from whorl.challenge.figures import published
from whorl.extraction import networks_of
from whorl.features.pretrained import backbone
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.records import BadInput

NEEDS = r"needs the weights of .* nor WHORL_WEIGHTS says .*weights fetch .*--features.*--random-weights"
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
    functions = {"painters", "deeploc"} & set(networks_of(recipe))
    said = r"--embedder (painters|deeploc)=" if functions else NEEDS
    with pytest.raises(BadInput, match=said) as caught:
        pipeline.score(recipe, checks.toy(recipe), Settings())
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("WHORL_WEIGHTS", str(tmp_path))
    with pytest.raises(BadInput, match=r"resnet50\.safetensors is missing"):
        backbone(np.zeros((1, 32, 32), np.uint8), Networks(), "resnet50")


@pytest.mark.parametrize("how", [{"random": True}, {}])
def test_without_pytorch_the_extra_is_named(tmp_path, monkeypatch, how):
    monkeypatch.setitem(sys.modules, "torch", None)
    (tmp_path / "resnet50.safetensors").write_bytes(b"anything")
    recipe = recipes.load("m24-robot.resnet50")
    networks = Networks(weights=tmp_path, **how)
    with pytest.raises(BadInput, match=r"needs the extra: pip install 'whorl\[deep\]'") as caught:
        pipeline.score(recipe, checks.toy(recipe), Settings(networks=networks))
    assert "\n" not in str(caught.value)


def test_without_weights_and_without_pytorch_both_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delenv("WHORL_WEIGHTS", raising=False)
    with pytest.raises(BadInput, match=r"fetch resnet50.*--random-weights; it also needs the extra: pip"):
        Networks().identity("resnet50")


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
