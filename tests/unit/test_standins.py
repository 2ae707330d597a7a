"""Stand-ins for generators: made from the bag's pictures, saved as these were, blind to names and order."""

from __future__ import annotations

import numpy as np
import pytest

from whorl import api, content, images, pipeline, recipes
from whorl.alterations import jpeg
from whorl.clusters import Bag, joined
from whorl.compression import saved
from whorl.content import both
from whorl.forge.phantom import draw_hospital
from whorl.pipeline import Settings
from whorl.records import Array, Problem
from whorl.standins import FEWEST, KINDS, LEAST, MADE, standins


@pytest.fixture(scope="module")
def pictures() -> Array:
    return np.asarray(draw_hospital(patients=40, slices=1, size=128, seed=5).pixels)


def made(pixels: Array, seed: int = 0, order: Array | None = None) -> list[Array]:
    return list(standins(pixels, np.arange(len(pixels)) if order is None else order, seed))


@pytest.mark.parametrize("quality", [40, 60, 75, 85])
def test_how_pictures_were_saved_is_seen_in_their_pixels(pictures, quality):
    found = saved(jpeg(pictures, quality))
    assert np.median(np.abs(found - quality)) <= 5
    cut = np.ascontiguousarray(jpeg(pictures, quality)[:, 3:, 5:])
    assert np.median(np.abs(saved(cut) - quality)) <= 5, "the grid of blocks need not begin in the corner"


def test_what_was_never_saved_as_jpeg_is_left_so(pictures):
    assert (saved(pictures) == 0).mean() > 0.9
    rng = np.random.default_rng(0)
    for stack in (np.zeros((4, 64, 64)), np.full((4, 64, 64), 255), rng.integers(0, 256, (4, 64, 64))):
        assert (saved(np.asarray(stack, np.uint8)) == 0).all()


def test_stand_ins_are_saved_as_the_bag_was(pictures):
    plain, after = made(pictures), made(jpeg(pictures, 75))
    assert np.concatenate([saved(stack) == 0 for stack in plain]).mean() > 0.9
    assert np.concatenate([np.abs(saved(stack) - 75) <= 5 for stack in after]).mean() > 0.9
    mixed = np.concatenate([pictures[:20], jpeg(pictures[20:], 75)])
    share = np.concatenate([saved(stack) > 0 for stack in made(mixed)]).mean()
    assert 0.2 < share < 0.8


def test_names_and_places_of_the_pictures_mean_nothing(pictures):
    shuffle = np.random.default_rng(3).permutation(len(pictures))
    back = np.argsort(shuffle)  # where each picture lies now
    found = made(pictures)
    for one, other in zip(found, made(pictures[shuffle], order=back), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(found, made(pictures, seed=1), strict=True))


@pytest.mark.parametrize("shape", [(64, 64), (61, 47), (LEAST + 1, 64)])
def test_pictures_of_any_size_have_stand_ins(pictures, shape):
    stacks = made(pictures[:, : shape[0], : shape[1]])
    assert len(stacks) == len(KINDS)
    for stack in stacks:
        assert stack.dtype == np.uint8 and stack.shape == (MADE, shape[0] // 2 * 2, shape[1] // 2 * 2)


def test_of_large_pictures_fewer_are_made(pictures):
    large = np.asarray(np.kron(pictures[:LEAST], np.ones((1, 5, 5))), np.uint8)
    assert next(standins(large, np.arange(LEAST), 0)).shape == (FEWEST, 640, 640)


def test_too_small_a_bag_has_none_and_nothing_breaks(pictures):
    assert made(pictures[: LEAST - 1]) == [] == made(pictures[:, : LEAST - 1])
    for strange in (np.zeros((30, 32, 32)), np.full((30, 32, 32), 255), np.eye(32)[None].repeat(30, 0) * 255):
        assert [len(stack) for stack in made(np.asarray(strange, np.uint8))] == [MADE] * len(KINDS)


def test_stand_ins_learn_only_what_the_bag_shows(pictures):
    """Their grey levels are those of the bag, also of a bag with two kinds of pictures."""
    bright = np.concatenate([pictures[:20] // 3, 160 + pictures[20:] // 4])
    for stack in made(np.asarray(bright, np.uint8)):
        means = stack.mean(axis=(1, 2))
        assert 0.2 < (means > 128).mean() < 0.8


def test_both_kinds_of_content_count_alike_whatever_their_size():
    rng = np.random.default_rng(2)
    own = np.diag([4.0, 0.0, 0.0])
    tables = [rng.standard_normal((2000, 3)) * [0, 0.01, 0] + offset for offset in (0.0, 50.0)]
    np.testing.assert_allclose(both(own, tables), np.diag([1.0, 1.0, 0.0]), atol=1e-6)
    np.testing.assert_allclose(both(own, []), own / 4)
    assert np.isfinite(both(np.zeros((3, 3)), [np.zeros((9, 3))])).all()


def test_what_pictures_of_a_stand_in_differ_in_does_not_divide():
    rng = np.random.default_rng(3)
    scene, maker = (rng.permutation(np.repeat([0.0, far], 80)) for far in (30.0, 16.0))
    whole = np.column_stack([scene, maker]) + rng.standard_normal((160, 2))
    shows = [rng.standard_normal((100, 2)) * [15.0, 0.5] + rng.standard_normal(2) * 100 for _ in range(4)]
    plain = np.diag(whole.var(axis=0))
    seen, blind = (joined(Bag((whole,), (one,)))[:, 0] for one in (both(plain, shows), plain))
    assert abs(np.corrcoef(seen, maker)[0, 1]) > 0.9 > abs(np.corrcoef(blind, maker)[0, 1])


def test_two_kinds_of_pictures_lie_nearer_than_with_quarters_alone(pictures, monkeypatch):
    """Quarters of a picture are all bright or all dark; pictures of a stand-in are one or the other."""
    bright = np.random.default_rng(6).permutation(40) < 20
    shown = np.where(bright[:, None, None], 140 + pictures // 4, pictures)
    bag = images.load(np.asarray(shown, np.uint8), name="bag")
    recipe = recipes.load(api.FINGERPRINT)
    blocks = tuple(pipeline.blocks(recipe, Problem("attribution", bag), Settings()))

    def share() -> float:
        """Of the spread, what the two kinds are apart."""
        where = joined(Bag(blocks, content.content(bag, np.arange(40), blocks, recipe, Settings())))
        apart = where[bright].mean(axis=0) - where[~bright].mean(axis=0)
        return float(np.sum(apart**2) / 4 / where.var(axis=0).sum())

    both_kinds = share()
    monkeypatch.setattr(content, "standins", lambda *_: iter(()))
    assert both_kinds < 0.8 * share()
