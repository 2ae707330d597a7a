"""Which way pictures lie: what depends on it tells generators apart, and makes no two of one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from whorl import api, bearings, grouping, images
from whorl.alterations import jpeg
from whorl.attribution import AFTER_JPEG, attribute, suited
from whorl.clusters import Bag
from whorl.compression import strong
from whorl.features.upsampling import neighbours
from whorl.fingerprints import quarters
from whorl.forge.decoders import Decoder
from whorl.forge.phantom import draw_hospital
from whorl.grouping import grouped
from whorl.identification import FINGERPRINT
from whorl.kernels.differences import half_plane
from whorl.metrics import adjusted_rand_index
from whorl.pipeline import Settings
from whorl.recipes import load, with_further
from whorl.records import BadInput

REACH = 3
ODD = draw_hospital(patients=6, slices=1, size=64, seed=3).pixels[:, :63, :63]  # mirrored about a pixel


def leaning(count: int, seed: int, strength: float, steps: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Pictures whose noise goes along one diagonal, more in every second row and column."""
    noise = np.random.default_rng(seed).standard_normal((count, 64, 64))
    noise += strength * np.roll(noise, steps, axis=(1, 2))
    noise[:, ::2] *= 1.2
    noise[:, :, ::2] *= 1.2
    return np.clip(np.rint(120 + 12 * noise), 0, 255).astype(np.uint8)


def bag(table: np.ndarray, other: np.ndarray, directed: bool = True) -> Bag:
    """A bag of one block blind to turns and one that is not."""
    blocks = (other, table)
    noise = tuple(np.eye(block.shape[1]) for block in blocks)
    return Bag(blocks, noise, directed=(1,) if directed else ())


@pytest.mark.parametrize(("reach", "shape"), [(1, (63, 63)), (3, (63, 50)), (2, (40, 61))])
def test_neighbours_are_correlations_of_evened_residuals_by_row_and_column(reach, shape):
    stack = ODD[:1, : shape[0], : shape[1]]
    found = neighbours(stack, reach=reach, around=9)[0]
    assert found.shape == (8 * reach * (reach + 1) + 3,)
    grey = stack[0].astype(np.float64)
    fine = grey - gaussian_filter(grey, 1.0, mode="reflect")
    even = np.clip(fine / (uniform_filter(np.abs(fine), 9, mode="nearest") + 0.25), -3, 3)
    expected = []
    for down, across in half_plane(reach):
        first = even[: shape[0] - down, max(0, -across) : shape[1] - max(0, across)]
        second = even[down:, max(0, across) : shape[1] - max(0, -across)]
        rows = (-1.0) ** np.arange(len(first))[:, None]
        columns = (-1.0) ** (np.arange(first.shape[1]) + max(0, -across))[None]
        expected += [(first * second * sign).sum() for sign in (1, rows, columns, rows * columns)]
    np.testing.assert_allclose(found, np.array(expected[1:]) / expected[0], atol=2e-5)


@pytest.mark.parametrize(
    ("changed", "way"),
    [
        (lambda stack: stack[:, ::-1], (-1, 1, False, 1, 1)),
        (lambda stack: stack[:, :, ::-1], (1, -1, False, 1, 1)),
        (lambda stack: stack.transpose(0, 2, 1), (1, 1, True, 1, 1)),
        (lambda stack: np.rot90(stack, 1, (1, 2)), (1, -1, True, 1, 1)),
        (lambda stack: np.rot90(stack, 2, (1, 2)), (-1, -1, False, 1, 1)),
    ],
)
def test_a_turned_picture_has_the_turned_numbers(changed, way):
    lies, turned = (bearings._planes(neighbours(stack)) for stack in (ODD, changed(ODD)))
    np.testing.assert_allclose(turned, bearings._lying(lies, bearings.Way(*way)), atol=1e-5)
    assert np.abs(turned - lies).max() > 0.01


@pytest.mark.parametrize(("first", "way"), [((1, 0), (1, 1, False, -1, 1)), ((0, 1), (1, 1, False, 1, -1))])
def test_a_picture_cut_at_an_odd_place_has_the_numbers_of_a_moved_one(first, way):
    stack = leaning(40, 0, 0.8)
    cut = stack[:, first[0] : first[0] + 61, first[1] : first[1] + 61]
    lies, moved = (bearings._planes(neighbours(one)).mean(0) for one in (stack[:, :61, :61], cut))
    as_if = bearings._lying(lies[None], bearings.Way(*way))[0]
    assert np.abs(moved - as_if).max() < 0.2 * np.abs(moved - lies).max()


@pytest.mark.parametrize(
    "changed", [lambda s: s[:, ::-1], lambda s: np.rot90(s, 1, (1, 2)), lambda s: s[:, 1:]]
)
def test_one_generator_in_two_bearings_is_seen_and_two_generators_are_not(changed):
    one, other = leaning(40, 1, 0.8), leaning(40, 2, 0.8)
    labels = np.repeat([0, 1], 40)
    twins = np.concatenate([neighbours(one), neighbours(changed(other))])
    assert bearings.turned_copies(twins, labels)
    assert not bearings.turned_copies(np.concatenate([neighbours(one), neighbours(other)]), labels)
    stranger = neighbours(leaning(40, 3, 0.4, (0, 2)))
    assert not bearings.turned_copies(np.concatenate([neighbours(one), stranger]), labels)


def test_groups_that_differ_by_chance_only_are_nobodys_turned_copies():
    noise = np.random.default_rng(5).standard_normal((120, 64, 64))
    table = neighbours(np.clip(np.rint(120 + 12 * noise), 0, 255).astype(np.uint8))  # alike in all bearings
    for seed in range(20):
        labels = np.random.default_rng(seed).integers(0, 6, 120)
        assert not bearings.turned_copies(table, labels)
    assert not bearings.turned_copies(table, np.zeros(120, np.int64))


@pytest.mark.parametrize(("few", "seen"), [(11, False), (12, True)])
def test_fewer_pictures_than_make_a_generator_are_no_evidence(few, seen):
    stack = leaning(40 + few, 1, 0.8)
    stack[40:] = stack[40:, ::-1]
    assert bearings.turned_copies(neighbours(stack), np.repeat([0, 1], [40, few])) == seen


def test_two_generators_half_of_whose_pictures_are_mirrored_are_told_apart_by_what_is_blind_to_that():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 60)
    blind = rng.standard_normal((120, 12)) + 1.5 * truth[:, None]
    stack = leaning(120, 6, 0.8)
    straight = grouped(bag(neighbours(stack), blind), 0, 2)
    assert straight.bag.directed == (1,), "nothing lies another way"
    stack[::2] = stack[::2, ::-1]
    mixed = neighbours(stack)
    trusting = grouped(bag(mixed, blind, directed=False), 0, 2)
    assert bearings.turned_copies(mixed, trusting.labels)
    assert adjusted_rand_index(truth, trusting.labels) < 0.2, "the mirror image is what divides"
    careful = grouped(bag(mixed, blind), 0, 2)
    assert careful.bag.directed == ()
    assert adjusted_rand_index(truth, careful.labels) > 0.9


def test_an_unasked_number_is_not_raised_by_a_mirror_image_either():
    stack = leaning(120, 6, 0.8)
    stack[::2] = stack[::2, ::-1]
    blind = np.random.default_rng(0).standard_normal((120, 12))
    mixed = neighbours(stack)
    assert grouped(bag(mixed, blind, directed=False), 0).found == 2
    for count in (None, 1):
        careful = grouped(bag(mixed, blind), 0, count)
        assert careful.found == 1
        assert careful.bag.directed == ()


def test_every_block_that_depends_on_bearing_is_left_out_unless_there_is_no_other():
    stack = leaning(120, 6, 0.8)
    stack[::2] = stack[::2, ::-1]
    tables = neighbours(stack), neighbours(stack, reach=1)
    noise = tuple(np.eye(table.shape[1]) for table in tables)
    blind = np.random.default_rng(0).standard_normal((120, 12))
    both = Bag((*tables, blind), (*noise, np.eye(12)), directed=(0, 1))
    assert len(grouped(both, 0, 2).bag.blocks) == 1
    alone = Bag(tables, noise, directed=(0, 1))
    assert grouped(alone, 0, 2).bag is alone


def test_what_depends_on_bearing_is_asked_only_of_pictures_saved_as_strong_jpeg():
    stack = leaning(48, 8, 0.8)
    assert suited(images.load(stack, name="bag")) == FINGERPRINT
    assert suited(images.load(jpeg(stack, 95), name="bag")) == FINGERPRINT
    saved = jpeg(stack, 75)
    assert suited(images.load(saved, name="bag")) == AFTER_JPEG
    assert suited(images.load(saved[::-1], name="bag")) == AFTER_JPEG
    few = np.concatenate([jpeg(stack[:20], 75), stack[20:]])
    assert suited(images.load(few, name="bag")) == FINGERPRINT
    assert strong(np.concatenate([jpeg(stack[:24], 75), stack[24:]])) > 0, "half of them are enough"
    assert strong(np.concatenate([jpeg(stack[:24], 75), jpeg(stack[24:], 95)])) == strong(saved[:24])
    assert abs(strong(saved.astype(np.float32)) - 75) <= 3
    blind, seeing = (load(name).chain("features") for name in (FINGERPRINT, AFTER_JPEG))
    assert seeing[: len(blind)] == blind
    assert [step.name for step in seeing[len(blind) :]] == [bearings.DIRECTED]


def test_the_recipe_is_the_one_suited_unless_one_is_named():
    saved = jpeg(leaning(30, 10, 0.8), 75)
    asked = (None, AFTER_JPEG), (FINGERPRINT, FINGERPRINT)
    for named, used in asked:
        record = api.attribute(saved, count=1, recipe=named).record
        assert list(record.provenance["recipes"]) == [used]


def test_the_block_named_once_more_counts_once():
    twice = with_further(load(AFTER_JPEG), [bearings.DIRECTED])
    assert twice == load(AFTER_JPEG)
    wider = with_further(load(FINGERPRINT), [bearings.DIRECTED, bearings.DIRECTED])
    assert [step.name for step in wider.chain("features")].count(bearings.DIRECTED) == 1


def test_quarters_keep_even_rows_and_the_blocks_of_jpeg():
    stack = np.arange(250 * 121, dtype=np.int64).reshape(1, 250, 121)
    begun = [divmod(int(part[0, 0]), 121) for part in quarters(stack)]
    assert begun == [(0, 0), (0, 56), (184, 0), (184, 56)]


def test_the_answer_names_what_was_used_and_says_what_was_left_out(monkeypatch):
    members = draw_hospital(patients=40, slices=1, size=64, seed=9).pixels
    made = [Decoder("shuffle", weights=seed).fit(members, seed).sample(40, seed) for seed in (1, 2)]
    saved = images.load(jpeg(np.concatenate(made), 75), name="bag")

    def asked():
        found = attribute(images=saved, recipe=load(AFTER_JPEG), settings=Settings(), count=2)
        return dict(found.separations[0].blocks), [note for note in found.notes if "lie another way" in note]

    blocks, notes = asked()
    assert "neighbours by direction" in blocks
    assert not notes
    monkeypatch.setattr(grouping, "turned_copies", lambda table, labels: True)
    fewer, notes = asked()
    assert set(blocks) - set(fewer) == {"neighbours by direction"}
    assert len(notes) == 1
    assert bearings.DIRECTED in notes[0]


def test_neighbours_say_how_small_a_picture_may_be():
    assert neighbours(ODD[:, :16, :16]).shape == (6, 8 * REACH * (REACH + 1) + 3)
    assert np.isfinite(neighbours(np.full((2, 32, 32), 7, np.uint8))).all()
    with pytest.raises(BadInput, match=r"neighbours needs pictures of 16 pixels or more: give --size 16"):
        neighbours(ODD[:, :15, :15])
    with pytest.raises(BadInput, match="around 8: give an odd number"):
        neighbours(ODD, around=8)
    with pytest.raises(BadInput, match="of 20 pixels"):
        neighbours(ODD[:, :19, :19], reach=9)
