"""Pictures of two kinds: groups are found in the common one and carried to the rarer one, if that is safe."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.clusters import Bag, divide
from whorl.forge.phantom import draw_hospital
from whorl.metrics import adjusted_rand_index
from whorl.regrouping import regrouped
from whorl.scenes import RARE, carried, described, rarer, told

GROUPS = 4


def shown(rare: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Descriptions of pictures of two kinds."""
    return rng.standard_normal((len(rare), 5)) + 8 * np.outer(rare, [1, 1, 0.5, 1, 0])


def planted(seed: int, apart: float = 30.0, faint: float = 0.25) -> tuple[Bag, np.ndarray, np.ndarray]:
    """Four clouds of 75 pictures; a fifth of each shows something else, in which all four look much alike."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(GROUPS), 75))
    rare = np.zeros(len(truth), bool)
    for group in range(GROUPS):
        rare[np.flatnonzero(truth == group)[:15]] = True
    place = np.eye(GROUPS, 8)[truth] * apart
    place[rare] *= faint
    place[rare, 6:] += 25
    block = place + rng.standard_normal(place.shape) * np.where(rare, faint, 1.0)[:, None] * 1.5
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    bag = Bag((block @ turn,), (np.zeros((8, 8)),), shown(rare, rng))
    return bag, truth, rare


def asked(bag: Bag) -> np.ndarray:
    return told(bag, divide(bag, 0, GROUPS)[-1], 0)[0]


def test_two_kinds_are_seen_and_one_kind_is_not_divided():
    rng = np.random.default_rng(0)
    rare = np.arange(400) % 5 == 0
    np.testing.assert_array_equal(rarer(shown(rare, rng), 0), rare)
    one = [rarer(rng.standard_normal((200, 5)), seed) for seed in range(40)]
    assert sum(found is not None for found in one) <= 5
    assert rarer(np.ones((400, 5)), 0) is None
    assert rarer(shown(rare, rng)[: 2 * RARE - 1], 0) is None


@pytest.mark.parametrize("size", [(128, 128), (97, 61), (16, 16), (8, 9)])
def test_what_is_shown_does_not_depend_on_flips_or_grain(size):
    stack = draw_hospital(patients=12, slices=1, size=128, seed=3).pixels[:, : size[0], : size[1]]
    found = described(stack)
    assert found.shape == (12, 9) and np.isfinite(found).all()
    side = [length // 16 * 16 for length in size]
    even = stack[:, : side[0], : side[1]] if min(side) else stack
    np.testing.assert_allclose(described(even[:, ::-1, ::-1]), described(even), rtol=1e-5)
    noise = np.random.default_rng(1).normal(0, 2, stack.shape)
    grainy = described(stack + noise)
    if min(size) > 60:
        assert np.abs(grainy - found).mean() < 0.1 * found.std(axis=0).mean()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_groups_of_the_common_kind_are_carried_to_the_rarer_one(seed):
    bag, truth, rare = planted(seed)
    plain = regrouped(bag, divide(bag, 0, GROUPS)[-1], 0)
    found, named = told(bag, divide(bag, 0, GROUPS)[-1], 0)
    assert named == rare.sum()
    assert adjusted_rand_index(truth, found) > 0.95
    assert adjusted_rand_index(truth, found) >= adjusted_rand_index(truth, plain)
    order = np.random.default_rng(9).permutation(len(truth))
    assert adjusted_rand_index(found[order], asked(bag.some(order))) > 0.95


def test_carrying_names_a_kind_in_which_the_groups_lie_nearer_and_elsewhere():
    rng = np.random.default_rng(4)
    groups, other = np.repeat(np.arange(3), 60), np.repeat(np.arange(3), [30, 20, 25])
    where = np.concatenate([np.eye(3, 6)[groups] * 20, np.eye(3, 6)[other] * 4 + 50])
    where += rng.standard_normal(where.shape) * np.repeat([1.0, 0.3], [180, 75])[:, None]
    rest = np.arange(len(where)) >= 180
    assert adjusted_rand_index(other, carried(where, rest, groups)) > 0.95


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_generator_that_shows_something_else_is_not_mixed_with_the_others(seed):
    """Then what is shown is not beside the point: no group may be forced upon the common kind."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(GROUPS), 75))
    block = np.eye(GROUPS, 8)[truth] * 12 + rng.standard_normal((len(truth), 8))
    alone = Bag((block,), (np.zeros((8, 8)),), shown(truth == 3, rng))
    np.testing.assert_array_equal(rarer(alone.scenes, 0), truth == 3)
    assert adjusted_rand_index(truth, asked(alone)) > 0.97


def test_without_descriptions_or_groups_nothing_changes():
    bag, _, _ = planted(7)
    bare = Bag(bag.blocks, bag.content)
    parts = divide(bare, 0, GROUPS)[-1]
    found, named = told(bare, parts, 0)
    assert adjusted_rand_index(found, regrouped(bare, parts, 0)) == 1.0 and named == 0
    found, named = told(bag, divide(bag, 0, 1)[-1], 0)
    assert not found.any() and named == 0
