"""Division of a bag by fingerprint: one cloud stays whole, planted generators are found."""

from __future__ import annotations

import numpy as np
import pytest

from whorl import clusters
from whorl.clusters import Bag, divide, joined, labels_of, places, supported
from whorl.content import content_of
from whorl.evidence.modes import critical_width, humps, one_hump_p
from whorl.metrics import adjusted_rand_index


def bag_of(*blocks: np.ndarray, content: tuple[np.ndarray, ...] | None = None) -> Bag:
    plain = tuple(np.zeros((block.shape[1],) * 2) for block in blocks)
    return Bag(tuple(blocks), content or plain)


def planted(counts: list[int], seed: int, apart: float = 20.0, columns: int = 8) -> tuple[Bag, np.ndarray]:
    """Clouds around corners that lie `apart` spreads from one another, in two blocks, shuffled."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    corners = np.linalg.qr(rng.standard_normal((columns, columns)))[0][: len(counts)] * apart
    one = corners[truth] + rng.standard_normal((len(truth), columns))
    return bag_of(one, rng.standard_normal((len(truth), 5))), truth


@pytest.mark.parametrize("counts", [[60, 60], [100, 40, 20], [50, 50, 50, 50, 50], [200, 30, 30, 30]])
def test_planted_generators_are_counted_and_found(counts):
    bag, truth = planted(counts, seed=len(counts))
    divisions = divide(bag, seed=0, most=8)
    assert supported(divisions) == len(counts)
    labels = labels_of(divisions[len(counts) - 1], len(truth))
    assert adjusted_rand_index(truth, labels) > 0.98
    assert (np.diff(np.bincount(labels)) <= 0).all(), "the largest group comes first"


def shapes(kind: str, rng: np.random.Generator) -> np.ndarray:
    """One generator's pictures, as clouds of many kinds."""
    size = (160, 6)
    return {
        "bell": lambda: rng.standard_normal(size),
        "box": lambda: rng.uniform(-1, 1, size),
        "heavy": lambda: rng.standard_t(3, size),
        "skew": lambda: rng.exponential(size=size),
        "line": lambda: rng.uniform(-5, 5, (160, 1)) * np.ones(6) + rng.standard_normal(size),
        "two contents, close": lambda: rng.standard_normal(size) + 2.0 * (rng.random((160, 1)) < 0.3),
    }[kind]()


@pytest.mark.parametrize("kind", ["bell", "box", "heavy", "skew", "line", "two contents, close"])
def test_one_generator_stays_whole_whatever_its_shape(kind):
    found = [
        supported(divide(bag_of(shapes(kind, np.random.default_rng(seed))), seed, most=3))
        for seed in range(8)
    ]
    assert found == [1] * 8


def test_what_quarters_of_a_picture_differ_in_does_not_divide():
    rng = np.random.default_rng(3)
    scene = np.repeat([0.0, 30.0], 80)  # what pictures show, in the first column
    maker = rng.permutation(np.repeat([0.0, 16.0], 80))  # who made them, in the second
    whole = np.column_stack([scene, maker]) + rng.standard_normal((160, 2))
    parts = whole[:, None, :] + rng.standard_normal((160, 4, 2)) * [15.0, 0.5]
    content = content_of(whole, parts, whole)
    seen = joined(bag_of(whole, content=(content,)))
    assert abs(np.corrcoef(seen[:, 0], maker)[0, 1]) > 0.95
    blind = joined(bag_of(whole))
    assert abs(np.corrcoef(blind[:, 0], maker)[0, 1]) < abs(np.corrcoef(seen[:, 0], maker)[0, 1])


def test_several_generators_on_one_side_do_not_hide_one_another():
    """The first cut of many groups is blurred; what is evident further down counts for it."""
    bag, truth = planted([40] * 7, seed=8, apart=26.0)
    divisions = divide(bag, seed=0, most=10)
    assert supported(divisions) == 7
    assert adjusted_rand_index(truth, labels_of(divisions[6], len(truth))) > 0.98


def test_divisions_go_on_to_the_number_asked_for_and_never_lose_a_picture():
    bag, truth = planted([60, 60], seed=1)
    divisions = divide(bag, seed=0, most=5)
    for count, parts in enumerate(divisions, start=1):
        rows = np.concatenate([part.rows for part in parts])
        assert len(parts) == count and sorted(rows) == list(range(len(truth)))


def test_too_few_pictures_are_one_part():
    bag, _ = planted([10, 10], seed=2)
    assert len(divide(bag, seed=0)) == 1
    same = bag_of(np.ones((40, 3)))
    assert supported(divide(same, seed=0)) == 1 and places(same).shape == (40, 1)
    assert clusters.LEAST == 12


def test_one_hump_is_seldom_called_two():
    draws = [one_hump_p(np.random.default_rng(seed).standard_normal(80), seed) for seed in range(60)]
    assert sum(p <= 0.05 for p in draws) <= 6
    flat = [one_hump_p(np.random.default_rng(seed).uniform(size=80), seed) for seed in range(40)]
    assert sum(p <= 0.05 for p in flat) <= 6


def test_two_humps_are_seen_wherever_they_lie():
    rng = np.random.default_rng(0)
    for share in (0.5, 0.2):
        numbers = rng.standard_normal(200) + 6 * (rng.random(200) < share)
        assert one_hump_p(numbers, 1) == pytest.approx(1 / 40)
        assert one_hump_p(1000 * numbers - 7, 1) == pytest.approx(1 / 40)
    assert one_hump_p([1.0, 1.0, 1.0, 1.0]) == 1.0 == one_hump_p([0.0, 1.0])


def test_the_critical_width_is_where_the_humps_join():
    numbers = np.concatenate([np.linspace(-3.2, -2.8, 20), np.linspace(2.8, 3.2, 20)])
    numbers = (numbers - numbers.mean()) / numbers.std()
    width = critical_width(numbers)
    assert humps(numbers, 0.98 * width) == 2 and humps(numbers, 1.02 * width) == 1
    assert width == pytest.approx(1.0, abs=0.02), (
        "two points join where the kernel is as wide as their half distance"
    )
