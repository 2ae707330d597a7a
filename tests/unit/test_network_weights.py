"""Weight files read by PyTorch: refused where they do not fit, known by their sum, part of every key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import small_networks
from contracts import checks, problems
from small_networks import KNOWN, SHARED, SMALL, needs_shared
from whorl import pipeline, recipes
from whorl.networks import building, weightfiles
from whorl.networks.descriptions import Weights, table
from whorl.networks.embedding import Networks
from whorl.pipeline import Settings
from whorl.records import BadInput
from whorl.store import Store

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return small_networks.pictures()


@pytest.fixture
def weights(tmp_path) -> Path:
    return small_networks.weights(tmp_path)


@needs_shared
def test_weights_under_another_name_are_known_by_their_sum(tmp_path):
    right = SHARED / "mobilenetv2_100.coral_in1k_quant.safetensors"
    (tmp_path / "mobilenetv2_100.safetensors").symlink_to(right)
    one, other = (Networks(weights=place).plan("mobilenetv2_100") for place in (tmp_path, right))
    assert one.mean == one.spread == other.mean == (128 / 255,) * 3
    assert one.padding == other.padding == "same"
    (tmp_path / "resnet18.safetensors").symlink_to(right)
    with pytest.raises(BadInput, match="these are the weights of 'mobilenetv2_100', not of 'resnet18'"):
        Networks(weights=tmp_path).identity("resnet18")


def test_a_known_training_in_the_name_brings_its_normalisation(weights, tmp_path):
    half = Weights(source="a", licence="b", mean=(0.5,) * 3, spread=(0.25,) * 3)
    tagged = SMALL.model_copy(update={"weights": {"half": half}})
    usual = Networks(weights=weights, known={"small": tagged}).plan("small")
    assert (usual.mean, usual.spread) == (SMALL.mean, SMALL.spread)
    (weights / "small.safetensors").rename(tmp_path / "small.half.safetensors")
    plan = Networks(weights=tmp_path, known={"small": tagged}).plan("small")
    assert (plan.mean, plan.spread) == (half.mean, half.spread)
    assert plan.identity != usual.identity


def test_a_pth_file_is_read_for_its_tensors_alone(weights, pictures, tmp_path):
    from safetensors.torch import load_file

    state = load_file(weights / "small.safetensors")
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "other.pth")
    networks = Networks(weights=tmp_path, known=KNOWN)
    expected = networks.embed(pictures, "small")
    np.testing.assert_array_equal(networks.embed(pictures, "other"), expected)
    torch.save({"state_dict": state, "more": Path("/")}, tmp_path / "evil.pth")
    with pytest.raises(BadInput, match="holds more than tensors and is not read"):
        weightfiles.read([tmp_path / "evil.pth"])


@pytest.mark.parametrize("name", ["small.safetensors", "small.pth"])
def test_damaged_and_foreign_files_are_one_line(name, weights, pictures, tmp_path):
    whole = (weights / "small.safetensors").read_bytes()
    (tmp_path / "bad").mkdir()
    for content in (b"", whole[:1000], b"PK\x03\x04" + whole[:100], b"\x80\x02."):
        (tmp_path / "bad" / name).write_bytes(content)
        with pytest.raises(BadInput) as caught:
            Networks(weights=tmp_path / "bad", known=KNOWN).embed(pictures, "small")
        assert "\n" not in str(caught.value) and name in str(caught.value)


def test_weights_that_lack_tensors_or_have_other_shapes_are_refused(weights, pictures, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(weights / "small.safetensors")
    first = min(state)
    fewer = {key: value for key, value in state.items() if key != first}
    for content, said in (
        (fewer, rf"1 of its tensors are missing, such as '{first}'"),
        ({**state, first: torch.zeros(3, 3, 3)}, rf"'{first}' is \(3, 3, 3\) in place of"),
    ):
        save_file(content, tmp_path / "other.safetensors")
        with pytest.raises(BadInput, match=said):
            Networks(weights=tmp_path, known=KNOWN).embed(pictures, "other")


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("vgg11", {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3"}),
        ("densenet121", {"norm1": "norm.1", "norm2": "norm.2", "conv1": "conv.1", "conv2": "conv.2"}),
    ],
)
def test_names_of_torchvision_s_older_files_are_translated(name, renamed):
    model = building.build(table()[name], seed=1)
    foreign = {}
    for key, value in model.state_dict().items():
        own = "denselayer" in key or "pre_logits" in key
        part = next((old for old in renamed if own and f"{old}." in key), "")
        dense = part.startswith("pre_logits") and value.ndim == 4
        foreign[key.replace(part, renamed[part]) if part else key] = value.flatten(1) if dense else value
    assert set(foreign) != set(model.state_dict())
    other = building.build(table()[name], seed=2)
    weightfiles.load(other, foreign, name)
    found = other.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in model.state_dict().items())


def test_weights_enter_the_key_of_finished_scores(weights, tmp_path):
    """Other weights of the same name give other scores, also where earlier ones are kept."""
    recipe = checks.with_network(recipes.load("m24-robot.resnet50"), "small")
    problem = problems.membership().problem
    store = Store(tmp_path / "store")
    both = (Networks(weights=weights, known=KNOWN), Networks(random=True, known=KNOWN))
    one, other = (pipeline.score(recipe, problem, Settings(store=store, networks=way)) for way in both)
    assert not np.array_equal(one.values, other.values)


def test_features_are_kept_only_on_request_and_then_taken_from_the_store(weights, tmp_path, monkeypatch):
    names = ("m24-robot.resnet50", "m24-robot.resnet101-euclidean", "m24-robot.resnet101-mean")
    asked = [checks.with_network(recipes.load(name), "small") for name in names]
    problem = problems.membership().problem
    networks = Networks(weights=weights, known=KNOWN)

    def run(place: int, keep: bool) -> int:
        settings = Settings(store=Store(tmp_path / "s"), networks=networks, keep_features=keep)
        pipeline.score(asked[place], problem, settings)
        return len(list((tmp_path / "s").rglob("*.npz")))

    assert run(0, False) == 1, "scores alone"
    assert run(1, True) == 4, "scores, and the features of queries and generated"
    monkeypatch.setattr(building, "pooled", lambda *_: pytest.fail("taken again"))
    assert run(2, True) == 5
    for piece in (tmp_path / "s").rglob("*.npz"):
        piece.write_bytes(b"damaged")
    with pytest.raises(pytest.fail.Exception, match="taken again"):
        run(0, True)
