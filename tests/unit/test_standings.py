"""Standings: what resembles everybody counts little, and a few outliers more than being liked by all."""

from __future__ import annotations

import numpy as np
import pytest

from whorl import images, pipeline, recipes
from whorl.pipeline import Settings
from whorl.records import Problem, Scores
from whorl.scorers import neighbours

COUNT, MADE = 30, 200


def scored(table: np.ndarray, score, k: int = 5, rows: int = 17) -> np.ndarray:
    """Score queries (n,) by similarities (made, n), handed over some rows at a time."""
    shown = [images.load(np.zeros((len(side), 8, 8), np.uint8), name="x") for side in (table.T, table)]
    problem = Problem("membership", shown[0], {"generated": shown[1]})

    def compare(made, real):
        for start in range(0, len(table), rows):
            yield start, table[start : start + rows].astype(np.float32)

    found: Scores = score(problem, lambda one: one.pixels, compare, k=k)
    return found.values[:, 0]


def noise() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(MADE, COUNT))


def test_prominence_is_the_distance_of_the_few_from_the_others():
    table = noise()
    z = (table - table.mean(axis=1, keepdims=True)) / table.std(axis=1, keepdims=True)
    ordered = np.sort(z, axis=0)
    few, others = ordered[-5:], ordered[:-5]
    plain = (few.mean(axis=0) - others.mean(axis=0)) / others.std(axis=0)
    assert np.allclose(scored(table, neighbours.prominence), plain, atol=1e-4)


@pytest.mark.parametrize("score", [neighbours.standing, neighbours.prominence])
def test_the_size_of_a_block_changes_no_byte(score):
    table = noise()
    assert scored(table, score, rows=1).tobytes() == scored(table, score, rows=200).tobytes()


def test_who_resembles_all_stands_high_but_not_out():
    table = noise()
    table[:, 0] += 1.5  # resembles everything made a little
    table[:5, 1] += 3.0  # resembles five pictures much
    standing, prominence = scored(table, neighbours.standing), scored(table, neighbours.prominence)
    assert standing[0] > np.delete(standing, [0, 1]).max()
    assert prominence[0] < prominence[1] and prominence.argmax() == 1


def test_equal_standings_are_no_division_by_nothing():
    assert np.isfinite(scored(np.ones((MADE, COUNT)), neighbours.prominence)).all()
    assert np.isfinite(scored(noise()[:3], neighbours.prominence)).all()  # fewer made than k


def test_prominence_finds_what_a_few_pictures_copy():
    random = np.random.default_rng(0)
    real = random.integers(0, 256, (40, 64, 64), dtype=np.uint8)
    made = random.integers(0, 256, (150, 64, 64), dtype=np.uint8)
    made[:18] = np.repeat(real[:3], 6, axis=0) // 2 + made[:18] // 2
    problem = Problem(
        "membership", images.load(real, name="real"), {"generated": images.load(made, name="made")}
    )
    found = pipeline.score(recipes.load("whorl.texture-prominence"), problem, Settings()).values[:, 0]
    assert set(np.argsort(found)[-3:]) == {0, 1, 2}
