"""Networks trained further: they start where their weights are, and everything that was cut is told."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import small_networks
from contracts import checks, problems
from small_networks import KNOWN, SHARED, needs_shared
from whorl import api, extraction, pipeline, recipes, untrained
from whorl.cli import main
from whorl.forge import editions
from whorl.learning import backbones, workplace
from whorl.learning.backbones import Start
from whorl.learning.devices import steady, usual_threads
from whorl.learning.effort import LIMITS
from whorl.learning.workplace import Workplace, outputs
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.records import BadInput, Recipe
from whorl.store import Store

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
PLACE = Workplace(threads=1)


def begun(name: str, networks: Networks, fresh: bool = True):
    """A network where its training starts, from grey pictures of 0 to 1."""
    with steady(torch, 1, 0):
        return backbones.grey(torch, Start(name, "pretrained", LIMITS["small"], networks), fresh)


def features(name: str, networks: Networks, pictures: np.ndarray) -> np.ndarray:
    return outputs(begun(name, networks)[0].eval(), pictures, "unit", PLACE)


@pytest.fixture
def weights(tmp_path):
    return small_networks.weights(tmp_path)


def test_a_training_starts_from_the_features_that_the_weights_give(weights):
    networks, pictures = Networks(weights=weights, known=KNOWN), small_networks.pictures()
    expected = networks.embed(pictures, "small")
    np.testing.assert_allclose(features("small", networks, pictures), expected, rtol=1e-4, atol=1e-5)
    other = features("small", replace(networks, random=True), pictures)
    assert not np.allclose(other, expected, atol=1e-2)


@needs_shared
@pytest.mark.parametrize("name", ["mobilenetv2_100", "squeezenet1_0"])
def test_real_weights_are_scaled_and_padded_as_they_ask_for(name):
    networks, pictures = Networks(weights=SHARED), small_networks.pictures()
    expected = networks.embed(pictures, name)
    np.testing.assert_allclose(features(name, networks, pictures), expected, rtol=1e-3, atol=1e-4)


@needs_shared
def test_normalisation_that_is_folded_into_convolutions_keeps_its_statistics():
    own = torch.rand(8, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    network, _ = begun("mobilenetv2_100", Networks(weights=SHARED))
    with torch.no_grad():
        before = network.eval()(own)
        learning = network.train()(own)
    kinds = {layer.training for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)}
    assert network.training and kinds == {False}
    torch.testing.assert_close(learning, before, rtol=1e-4, atol=1e-4)
    assert float(before.std()) > 0.1, "statistics of a batch make these features all alike"
    other, _ = begun("mobilenetv2_100", Networks(random=True))
    assert all(layer.training for layer in other.train().modules())


def further(name: str = "small", **told: object) -> Recipe:
    """A recipe that trains a small network further, as far as can be afforded."""
    recipe = recipes.with_effort(recipes.load("m24-kdelab.mobilenet"), "small")
    settings = {"network": name, "epochs": 1, "size": 32, "batch": 4, **told}
    made = [
        replace(step, parameters={**step.parameters, **settings}) if step.stage == "scorer" else step
        for step in recipe.steps
    ]
    return replace(recipe, steps=tuple(made))


def test_weights_and_known_networks_reach_what_is_trained_and_enter_the_key(weights, tmp_path):
    workplace.forget()
    problem, store = problems.membership().problem, Store(tmp_path / "store")
    there = Networks(weights=weights, known=KNOWN)
    ways = [there, replace(there, random=True)]
    tables = [
        pipeline.score(further(), problem, Settings(store=store, networks=way, workplace=PLACE)).values
        for way in ways
    ]
    assert not np.array_equal(*tables)
    again = pipeline.score(further(), problem, Settings(networks=there, workplace=PLACE)).values
    assert again.tobytes() == tables[0].tobytes()
    with pytest.raises(BadInput, match=r"trains 'other' further and needs its weights: .*other\.safetensors"):
        pipeline.score(further("other"), problem, Settings(networks=there))
    other = pipeline.score(further("test_resnet"), problem, Settings(networks=Networks(random=True)))
    assert np.ptp(other.values) > 0, "a network of timm that nobody described"
    assert untrained.is_untrained(further("test_resnet"), Networks(random=True))
    with pytest.raises(BadInput, match="neither whorl nor timm knows a network 'nothing'"):
        pipeline.score(further("nothing"), problem, Settings(networks=replace(there, random=True)))


def test_a_recipe_tells_which_networks_it_trains_further():
    named = extraction.networks_of
    assert named(recipes.load("m24-inoue.trained-plain")) == ["resnet152"]
    assert named(recipes.load("m23-1510.resnet50")) == ["resnet50"]
    assert named(recipes.load("m23-dmk.cnn")) == [] == named(recipes.load("m23-picus.vector-1-real-linear"))
    assert named(recipes.with_effort(recipes.load("m23-1510.resnet50"), "tiny")) == []
    assert named(further(weights="random")) == []
    assert named(further(effort="most")) == ["small"], "a wrong word is told later"
    with pytest.raises(BadInput, match="effort = 'most'"):
        pipeline.score(further(effort="most"), problems.membership().problem, Settings())
    assert untrained.is_untrained(recipes.load("m23-1510.resnet50"), Networks(random=True))


@pytest.mark.parametrize(
    ("name", "side"), [("inception_v3", 75), ("resnet18", 64), ("vit_base_patch32_224", 64)]
)
def test_less_effort_shows_no_smaller_pictures_than_a_network_takes(name, side):
    assert backbones.side_of(name, 299, LIMITS["small"]) == side
    assert backbones.side_of(name, 224, LIMITS["full"]) == 224
    assert backbones.side_of(name, 224, LIMITS["tiny"]) == 32


def test_a_run_with_less_effort_says_so_in_name_note_and_every_row(tmp_path, capsys):
    plan = editions.Plan(patients=12, slices=2, generated=24, size=64, seed=1)
    editions.write_all(tmp_path / "phantom", plan)
    out, edition = tmp_path / "out", tmp_path / "phantom" / "membership-leaking"
    assert main(["run", "m23-dmk.cnn", str(edition), "--effort", "tiny", "--out", str(out)]) == 0
    assert (
        "note: tiny effort (m23-dmk.cnn): at most 4 steps of 8 pictures of 32 × 32" in capsys.readouterr().out
    )
    assert json.loads((out / "result.json").read_text())["recipe"] == "m23-dmk.cnn+tiny-effort"
    lines = (out / "verdicts.csv").read_text().splitlines()
    assert lines[0] == "file,score,label,effort" and all(line.endswith(",tiny") for line in lines[1:])


def test_effort_changes_nothing_where_nothing_is_trained():
    plain = recipes.load("whorl.thumbnail")
    assert untrained.marked(plain, Networks(), "tiny") is plain and untrained.effort_of(plain.name) == ""
    joined = untrained.marked(recipes.load("m24-inoue.trained-majority"), Networks(random=True), "small")
    assert joined.name.endswith("+small-effort+untrained-features")
    assert untrained.effort_of(joined.name) == "small"
    assert len(untrained.notes([joined], Networks(random=True))) == 2
    with pytest.raises(BadInput, match="effort 'most': give full, small, tiny"):
        untrained.marked(plain, Networks(), "most")
    toy = problems.membership()
    used, unused = (toy.problem.queries.pixels[rows] for rows in (toy.truth, ~toy.truth))
    made = next(iter(toy.problem.generated.values())).pixels
    report = api.audit(made, used, unused, recipes=["whorl.thumbnail"], running=api.Running(effort="tiny"))
    assert report.to_dict()["attacks"][0]["recipe"] == "whorl.thumbnail"


def test_embedding_tells_after_every_batch_how_far_it_is(weights):
    told: list[tuple[str, int, int]] = []
    recipe = checks.with_network(recipes.load("m24-robot.resnet50"), "small")
    networks = Networks(weights=weights, known=KNOWN, batch=5)
    settings = Settings(networks=networks, progress=lambda *words: told.append(words))
    problem = problems.membership().problem
    pipeline.score(recipe, problem, settings)
    label, total = f"{recipe.name}: small", len(problem.queries)
    expected = [(label, done, total) for done in [*range(0, total, 5), total]]
    assert [one for one in told if one[0] == label][: len(expected)] == expected


def test_threads_wait_without_keeping_a_processor_busy(monkeypatch):
    for given, threads in (("1", 1), ("4", 2), ("", 2)):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert usual_threads() == threads == Workplace().threads
    code = "import os; from whorl.learning import devices; devices.torch_or_refusal();"
    code += "print(os.environ['OMP_WAIT_POLICY'])"
    for given, kept in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        told = {"OMP_WAIT_POLICY": given} if given else {}
        monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
        for key, value in told.items():
            monkeypatch.setenv(key, value)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == kept, done.stderr


def test_what_is_trained_in_stages_gives_features():
    recipe = recipes.with_effort(recipes.load("m24-kdemed.trained-resnet18"), "tiny")
    (step,) = recipe.chain("features")
    plain = replace(recipe, steps=(step, *(one for one in recipe.steps if one.stage in ("scorer", "decide"))))
    problem = problems.membership().problem
    found = pipeline.score(plain, problem, Settings(workplace=PLACE)).values
    assert found.shape == (len(problem.queries), 1) and np.ptp(found) > 0
