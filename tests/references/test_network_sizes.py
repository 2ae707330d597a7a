"""Networks against what papers and code say of them: sizes, shapes, losses written out in NumPy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from whorl import recipes
from whorl.learning import autoencoders, classifiers, deforming, relation, siamese, vector_net
from whorl.learning.backbones import jet
from whorl.learning.classifiers import Form
from whorl.learning.effort import LIMITS, halvings
from whorl.learning.layers import parameter_count
from whorl.learning.loop import Batch

torch = pytest.importorskip("torch")
FULL, TINY = LIMITS["full"], LIMITS["tiny"]
PLACE = SimpleNamespace(device="cpu", precision="full", pictures=None)


@pytest.fixture
def meta():
    """Networks without memory: sizes and shapes cost nothing."""
    with torch.device("meta"):
        yield


def numbers(network):
    """What a network holds, the statistics of its normalisation included."""
    held = [value for key, value in network.state_dict().items() if "num_batches" not in key]
    return sum(value.numel() for value in held)


def batch(rows, pictures):
    return Batch(torch.as_tensor(pictures), torch.as_tensor(rows), torch.Generator().manual_seed(0), 0.0)


def test_vector_net_has_the_published_size(meta):
    network = vector_net.build(torch, 256, FULL)
    assert parameter_count(network) == 11_246_048
    assert network(torch.zeros(2, 1, 256, 256)).shape == (2, 64)


@pytest.mark.parametrize(("block", "down", "up"), [("plain", 0.427, 8.847), ("residual", 1.607, 9.437)])
def test_vcmi_autoencoders_have_the_sizes_counted_in_their_code(meta, block, down, up):
    network = autoencoders.several(torch, 256, FULL, block, 1)
    assert round(numbers(network.encoder) / 1e6, 3) == down
    assert round(numbers(network.decoder_0) / 1e6, 3) == up
    assert network(torch.zeros(2, 1, 256, 256)).shape == (2, 1, 256, 256)


def test_the_siamese_network_has_the_size_counted_in_its_code(meta):
    network = siamese.siamese(torch, 256, FULL)
    assert parameter_count(network) == 6_519_936
    assert siamese.stages(256) == [127, 62, 30, 14]


def test_the_relation_network_has_the_size_counted_in_its_code(meta):
    form = relation.Form(relation.BLOCKS, FULL)
    network = relation.build(torch, form)
    parts = [parameter_count(part) / 1e6 for part in (network.real, network.made, network.judge)]
    assert [round(part, 2) for part in parts] == [42.49, 42.49, 113.27]
    assert round(sum(parts), 1) == 198.3
    assert network.real(torch.zeros(1, 1, 256, 256)).shape == (1, 2048, 16, 16)


def test_the_amis_network_flattens_to_the_published_width(meta):
    body, width = classifiers._amis(torch, Form("amis", 256, FULL))
    dense = [layer for layer in body if isinstance(layer, torch.nn.Linear)]
    assert [layer.in_features for layer in dense] == [262_144, 256] and width == 64
    assert dense[0].weight.numel() == 67_108_864
    assert body(torch.zeros(1, 1, 256, 256)).shape == (1, 64)


def test_the_deforming_autoencoder_has_the_published_shapes(meta):
    network = deforming.build(torch, 256, FULL)
    made, warp = network(torch.zeros(2, 1, 256, 256))
    assert made.shape == (2, 1, 256, 256) and warp.shape == (2, 256, 256, 2)
    assert network.encoder(torch.zeros(2, 1, 256, 256)).shape == (2, 128)
    blocks = [layer for layer in network.texture.modules() if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert len(blocks) == 8 and halvings(256) == 6


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("m23-picus.vector-1-real-linear", "11,246,048"),
        ("m23-cse.relation", "198.3 million"),
        ("m23-vcmi.latent-max", "0.427 and 8.847 million"),
        ("m25-aim.siamese", "6,519,936"),
        ("a25-aim.siamese", "6,519,936"),
        ("a24-amis.cnn", "67.1 million"),
    ],
)
def test_recipes_tell_the_sizes_that_papers_or_code_state(name, told):
    """The sizes themselves are counted above."""
    assert told in recipes.load(name).about["reason"]


def test_a_warp_never_folds_and_even_steps_leave_a_picture_straight():
    steps = torch.rand(3, 2, 16, 16, generator=torch.Generator().manual_seed(1))
    warp = deforming.warped(torch, steps)
    assert (warp[..., 0].diff(dim=2) >= 0).all() and (warp[..., 1].diff(dim=1) >= 0).all()
    even = deforming.warped(torch, torch.full((1, 2, 200, 200), 0.4))
    straight = deforming.straight(torch, torch.zeros(1, 1, 200, 200))
    inside = straight.abs() < 0.7
    assert ((even - straight).abs()[inside] < 0.21).all(), "0.4 * 5 = 2: from -1.2 to 0.8 in even steps"


@pytest.mark.parametrize("constraints", [[1], [1, 2], [1, 2, 3]])
def test_the_triplet_loss_is_that_of_the_constraints(constraints):
    vectors = np.random.default_rng(0).normal(size=(4, 5, 3))
    table = torch.tensor(vectors.reshape(20, 3), dtype=torch.float32)
    network = torch.nn.Identity()
    network.forward = lambda own: table
    network.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    lesson = vector_net.lesson(torch, PLACE, network, constraints, 0.2, (1e-3, 0.0))
    rows = np.zeros((4, 5), np.int64)
    found = float(lesson.loss(batch(rows, np.zeros((4, 5, 2, 2), np.float32))))
    u, g, n, other = vectors
    told = {1: (g, u, n), 2: (u, g, n), 3: (u, g, other)}
    expected = 0.0
    for number in constraints:
        a, p, q = told[number]
        gap = np.linalg.norm(a - p, axis=1) - np.linalg.norm(a - q, axis=1) + 0.2
        expected += np.maximum(gap, 0).mean()
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_contrastive_loss_pulls_pairs_of_a_class_and_pushes_others():
    vectors = np.random.default_rng(1).normal(size=(2, 6, 4)) / 3
    table = torch.tensor(vectors.reshape(12, 4), dtype=torch.float32)
    network = torch.nn.Linear(1, 1)
    network.forward = lambda own: table
    same = [True] * 3 + [False] * 3
    lesson = siamese.pair_lesson(torch, PLACE, network, same, 1.0, (1e-3, "unit"))
    found = float(lesson.loss(batch(np.zeros((2, 6), np.int64), np.zeros((2, 6, 2, 2), np.float32))))
    apart = np.linalg.norm(vectors[0] - vectors[1], axis=1)
    expected = np.where(same, apart**2, np.maximum(0, 1 - apart) ** 2).mean()
    assert found == pytest.approx(expected, rel=1e-5)


def test_a_softmax_over_the_batch_says_one_of_one_pair_and_never_half_of_eight():
    form = relation.Form((1, 1, 1, 1), TINY, as_published=True)
    torch.manual_seed(0)
    judge = relation.judge(torch, form).eval()
    width = judge.body[0].in_channels // 2
    real = torch.randn(8, width, 6, 6) * 50
    made = torch.randn(8, width, 6, 6) * 50
    with torch.no_grad():
        assert torch.equal(judge(real[:1], made[:1]), torch.ones(1))
        eight = judge(real, made)
    # Sigmoids lie between 0 and 1, so of eight the largest share is e / (e + 7) and the least 1 / (1 + 7e).
    assert eight.max() <= np.e / (np.e + 7) + 1e-6 and eight.min() >= 1 / (1 + 7 * np.e) - 1e-6


def test_as_meant_a_pair_is_judged_whatever_is_beside_it():
    torch.manual_seed(0)
    judge = relation.judge(torch, relation.Form((1, 1, 1, 1), TINY)).eval()
    width = judge.body[0].in_channels // 2
    real, made = torch.randn(4, width, 6, 6), torch.randn(4, width, 6, 6)
    with torch.no_grad():
        assert torch.allclose(judge(real, made)[:1], judge(real[:1], made[:1]), atol=1e-6)


def test_moves_of_nothing_change_nothing_and_others_do():
    own = torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(2))
    noise = torch.Generator().manual_seed(3)
    assert torch.allclose(classifiers.moved(torch, 0.0, 0.0, 0.0)(own, noise), own, atol=1e-5)
    assert not torch.allclose(classifiers.moved(torch, 10.0, 0.1, 0.1)(own, noise), own, atol=1e-2)


def test_the_jet_map_goes_from_blue_over_green_to_red():
    grey = torch.tensor([0.25, 0.5, 0.75]).reshape(3, 1, 1, 1)
    colours = jet(torch, grey)[:, :, 0, 0]
    assert colours.argmax(1).tolist() == [2, 1, 0]
    assert colours.min() >= 0 and colours.max() <= 1
