"""Attribution of planted mixtures: the number of generators, the groups, and how sure they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from whorl import api, clusters, images
from whorl.alterations import ALTERATIONS
from whorl.attribution import attribute
from whorl.clusters import Bag
from whorl.forge import editions
from whorl.metrics import adjusted_rand_index
from whorl.pipeline import Settings
from whorl.recipes import load, with_further
from whorl.records import Answers, BadInput, ImageSet
from whorl.report.attribution_view import headline

RECIPE = load(api.FINGERPRINT)


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """What three generators made, by name."""
    return dict(editions.make(editions.Plan(patients=16, slices=2, generated=24, size=64, seed=4)).generated)


@pytest.fixture(scope="module")
def mixture(made) -> tuple[ImageSet, list[str]]:
    """The three generators' pictures in unequal numbers, shuffled, and who made which."""
    parts = {
        "leaking": made["leaking"],
        "interpolating": made["interpolating"][:12],
        "clean": made["clean"][:18],
    }
    order = np.random.default_rng(1).permutation(54)
    truth = [name for name, pixels in parts.items() for _ in pixels]
    return images.load(np.concatenate(list(parts.values()))[order], name="bag"), [truth[row] for row in order]


def ask(bag: ImageSet, **more):
    return attribute(images=bag, recipe=RECIPE, settings=Settings(), **more)


def joined(blocks) -> np.ndarray:
    """Coordinates of blocks of features in which nothing is known to be content."""
    return clusters.joined(Bag(tuple(blocks), tuple(np.zeros((block.shape[1],) * 2) for block in blocks)))


def partition(ids, labels) -> set[frozenset[str]]:
    """The groups as sets of names, whatever they are called."""
    groups: dict[str, set[str]] = {}
    for name, label in zip(ids, labels, strict=True):
        groups.setdefault(label, set()).add(name)
    return {frozenset(group) for group in groups.values()}


def test_three_generators_are_counted_and_told_apart(mixture):
    bag, truth = mixture
    found = ask(bag)
    assert (found.count, found.count_given) == (3, False)
    assert adjusted_rand_index(truth, found.labels) > 0.9
    assert set(found.labels) == {"1", "2", "3"} == {cluster.label for cluster in found.clusters}
    sizes = [found.labels.count(label) for label in ("1", "2", "3")]
    assert sizes == sorted(sizes, reverse=True) == [cluster.size for cluster in found.clusters]
    assert found.confidence.shape == (54,) and found.coordinates.shape == (54, 2)
    assert found.confidence.min() >= 0 and found.confidence.max() <= 1 and found.confidence.mean() > 0.9
    assert [choice.count for choice in found.choices] == list(range(1, len(found.choices) + 1))


def test_a_number_that_compression_makes_too_small_is_told_with_a_caution(mixture):
    bag, _ = mixture
    strong = images.load(ALTERATIONS["jpeg-75"](bag.pixels, np.random.default_rng(0)), name="bag")
    found = ask(strong)
    assert found.at_least and "saved as JPEG, with quality 7" in found.why
    assert headline(found).endswith(" or more.")
    for plain in (ask(strong, count=3), ask(bag)):
        assert not plain.at_least and "JPEG" not in plain.why and "or more" not in headline(plain)


@pytest.mark.parametrize("name", ["leaking", "interpolating", "clean"])
def test_one_generator_alone_is_one(made, name):
    found = ask(images.load(made[name], name="bag"))
    assert found.count == 1 and set(found.labels) == {"1"} and (found.confidence == 1).all()


def test_a_number_that_is_given_is_kept_and_the_estimate_is_told(mixture):
    bag, _ = mixture
    for count in (1, 2, 5, 54):
        found = ask(bag, count=count)
        assert (found.count, found.count_given, len(set(found.labels))) == (count, True, count)
        assert "would have been 3" in found.why
        assert sum(cluster.size for cluster in found.clusters) == 54
    for wrong in (0, -1, 55):
        with pytest.raises(BadInput, match=f"-k {wrong}: give a number from 1 to 54"):
            ask(bag, count=wrong)


def test_the_order_of_the_files_changes_only_the_names_of_the_groups(mixture):
    bag, _ = mixture
    shuffled = images.select(bag, np.random.default_rng(5).permutation(len(bag)))
    for count in (None, 2, 4):
        one, other = ask(bag, count=count), ask(shuffled, count=count)
        assert one.count == other.count
        assert partition(one.ids, one.labels) == partition(other.ids, other.labels)


def test_the_same_question_has_the_same_answer(mixture):
    bag, _ = mixture
    one, other = ask(bag), ask(bag)
    assert (one.labels, one.choices, one.why) == (other.labels, other.choices, other.why)
    np.testing.assert_array_equal(one.confidence, other.confidence)


def test_groups_that_are_not_there_are_less_sure(made, mixture):
    bag, _ = mixture
    forced = ask(images.load(made["clean"], name="bag"), count=3)
    assert forced.confidence.mean() < 0.9 < ask(bag, count=3).confidence.mean()


def test_answers_enter_as_measures_only(mixture):
    bag, truth = mixture
    answers = Answers(dict(zip(bag.ids, truth, strict=True)))
    blind, told = ask(bag), ask(bag, answers=answers)
    assert (blind.labels, blind.measures) == (told.labels, ())
    measures = {measure.name: measure for measure in told.measures}
    ari = measures["adjusted_rand_index"]
    assert ari.interval.estimate == pytest.approx(adjusted_rand_index(truth, told.labels))
    assert ari.interval.low <= ari.interval.estimate <= ari.interval.high
    with pytest.raises(BadInput, match="53 pictures have none"):
        ask(bag, answers=Answers({bag.ids[0]: "a"}))


def test_pictures_that_do_not_differ_are_one_generator():
    flat = np.full((6, 32, 32), 90, np.uint8)
    assert ask(images.load(flat, name="bag")).count == 1
    assert set(ask(images.load(flat, name="bag"), count=2).labels) == {"1", "2"}
    alone = ask(images.load(flat[:1], name="bag"))
    assert (alone.count, alone.labels) == (1, ("1",))


def test_blocks_have_equal_weight_however_wide_and_however_scaled():
    random = np.random.default_rng(0)
    group = np.arange(60) % 2
    narrow = (group[:, None] * 4.0 + random.normal(size=(60, 1))) * 1e-3
    wide = random.normal(size=(60, 200)) * 1e4
    where = joined([narrow, wide])
    assert where.shape[0] == 60 and where.dtype == np.float64
    # The one column that tells the groups apart is the first direction: two hundred of noise do not drown it.
    assert abs(np.corrcoef(where[:, 0], group)[0, 1]) > 0.8
    total = (where**2).sum(axis=1).mean()
    assert total == pytest.approx(2, rel=0.2)


def test_blocks_may_be_scaled_shifted_and_exchanged():
    random = np.random.default_rng(1)
    one, other = random.normal(size=(30, 4)), random.normal(size=(30, 7))

    def distances(blocks):
        where = joined(blocks)
        return np.linalg.norm(where[:, None] - where[None], axis=2)

    wanted = distances([one, other])
    np.testing.assert_allclose(distances([1000 * one + 5, other / 7 - 3]), wanted, atol=1e-9)
    np.testing.assert_allclose(distances([other, one]), wanted, atol=1e-9)
    np.testing.assert_allclose(distances([one, np.ones((30, 3)), other]), wanted, atol=1e-9)
    order = random.permutation(30)
    np.testing.assert_allclose(distances([one[order], other[order]]), wanted[order][:, order], atol=1e-9)
    assert joined([np.ones((5, 3))]).tolist() == [[0.0]] * 5


def test_clusters_show_typical_pictures_of_their_own(mixture):
    bag, _ = mixture
    found = ask(replace(bag, name="bag"), count=3)
    for cluster in found.clusters:
        assert 1 <= len(set(cluster.examples)) == len(cluster.examples) <= 6
        assert {found.labels[row] for row in cluster.examples} == {cluster.label}
        assert cluster.residual.shape == cluster.spectrum.shape == (64, 64)
        assert np.isfinite(cluster.radial).all() and len(cluster.radial) == 32


def test_a_further_step_is_one_more_block_beside_the_recipes_own(mixture):
    bag, truth = mixture
    recipe = with_further(RECIPE, ["frequency.radial_spectrum"])
    assert recipe.chain("features")[:-1] == RECIPE.chain("features") and recipe.digest != RECIPE.digest
    found = attribute(images=bag, recipe=recipe, settings=Settings())
    assert adjusted_rand_index(truth, found.labels) == 1
    assert [name for name, _ in found.separations[0].blocks][-1] == "frequency radial spectrum"
    assert len(found.separations[0].blocks) == len(RECIPE.chain("features")) + 1


def test_a_further_step_can_tell_apart_what_the_recipe_does_not_see():
    """Pictures that differ in brightness only: local patterns see nothing, a further block does."""
    random = np.random.default_rng(5)
    level = np.repeat([60, 190], 40)
    stack = level[:, None, None] + np.rint(8 * random.normal(size=(80, 64, 64)))
    bag = images.load(np.asarray(stack, np.uint8), name="bag")
    blind = replace(RECIPE, steps=tuple(step for step in RECIPE.steps if step.name != "texture.lbp"))
    for seen, recipe in ((False, blind), (True, with_further(blind, ["pixels.thumbnail"]))):
        found = attribute(images=bag, recipe=recipe, settings=Settings(), count=2)
        assert (adjusted_rand_index(level, found.labels) > 0.9) == seen


def test_a_further_step_must_exist_and_give_as_many_numbers_at_any_size(mixture):
    with pytest.raises(BadInput, match=r"did you mean 'texture\.lbp'"):
        with_further(RECIPE, ["texture.lbpp"])
    with pytest.raises(BadInput, match=r"numbers for a picture and .* for a quarter"):
        attribute(images=mixture[0], recipe=with_further(RECIPE, ["pixels.grey"]), settings=Settings())


def test_pictures_of_a_rarer_kind_are_put_to_their_generator():
    """Two generators, told by their grain; a quarter of the pictures of both is bright."""
    rng = np.random.default_rng(3)
    truth, bright = np.repeat(["fine", "coarse"], 100), np.tile(np.arange(100) % 4 == 0, 2)
    made = []
    for name, light in zip(truth, bright, strict=True):
        grain = gaussian_filter(rng.standard_normal((64, 64)), 0.5 if name == "fine" else 0.9)
        content = gaussian_filter(rng.standard_normal((64, 64)), 8) * 300 + (190 if light else 60)
        made.append(np.clip(np.rint(content + 4 * grain / grain.std()), 0, 255).astype(np.uint8))
    order = rng.permutation(len(made))
    bag = images.load(np.stack(made)[order], name="bag")
    found = ask(bag, count=2)
    assert adjusted_rand_index(truth[order], found.labels) > 0.95
