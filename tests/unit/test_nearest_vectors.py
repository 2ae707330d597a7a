"""The nearest vectors, found in float32 and put in order in float64, are those of whole rows."""

from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from whorl import compare, pooling
from whorl.kernels import neighbours
from whorl.records import BadInput
from whorl.similarity import vectors

RNG = np.random.default_rng(5)
PLAIN = RNG.normal(size=(300, 37)).astype(np.float32)
CASES = {
    "plain": (RNG.normal(size=(50, 37)).astype(np.float32), PLAIN),
    "float64": (RNG.normal(size=(20, 12)), RNG.normal(size=(90, 12))),
    "far away": (PLAIN[:30] + 1000, PLAIN + np.float32(1000)),
    "ties": (PLAIN[:20], np.concatenate([PLAIN[:60]] * 5)),
    "nearly equal": (PLAIN[:20], np.repeat(PLAIN[:10], 30, axis=0) * (1 + 1e-7 * RNG.normal(size=(300, 1)))),
    "nothing": (np.zeros((4, 9), np.float32), PLAIN[:40, :9]),
    "pictures": (RNG.integers(0, 256, (9, 11, 8)), RNG.integers(0, 256, (80, 11, 8)).astype(np.uint8)),
    "one": (PLAIN[:3], PLAIN[:1]),
}
KINDS = ("cosine", "correlation", "euclidean")


def ranked(block, k):
    order = np.argsort(-block, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(block, order, axis=1), order


@pytest.mark.parametrize("gallery_bytes", [neighbours.GALLERY_BYTES, 5_000])
@pytest.mark.parametrize("without_faiss", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_values_places_and_ties_are_those_of_whole_rows(
    case, kind, without_faiss, gallery_bytes, monkeypatch
):
    monkeypatch.setattr(neighbours, "GALLERY_BYTES", gallery_bytes)
    if without_faiss:
        monkeypatch.setitem(sys.modules, "faiss", None)
    queries, gallery = CASES[case]
    k = min(7, len(gallery))
    values, places = neighbours.best(queries, gallery, k, kind)
    expected, order = ranked(getattr(vectors, kind)(queries, gallery), k)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=2e-7, atol=2e-7)
    if case != "nearly equal":
        assert (places == order).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_own_group_is_found(kind):
    groups = RNG.integers(0, 12, len(PLAIN))
    values, places = neighbours.best(PLAIN, PLAIN, 5, kind, (groups, groups))
    block = getattr(vectors, kind)(PLAIN, PLAIN)
    block[groups[:, None] == groups] = -np.inf
    expected, order = ranked(block, 5)
    assert (places == order).all() and np.abs(values - expected).max() < 1e-6


def test_a_group_that_is_everything_leaves_nothing():
    ones = np.ones(9, int)
    values, places = neighbours.best(PLAIN[:9], PLAIN[:9], 2, "cosine", (ones, ones))
    assert np.isneginf(values).all() and (places == -1).all()


@pytest.mark.parametrize("k", [0, 301])
def test_more_than_there_are_is_no_number(k):
    with pytest.raises(BadInput, match="nearest of 300 vectors"):
        neighbours.best(PLAIN[:2], PLAIN, k)


@pytest.mark.parametrize("measure", [vectors.cosine, vectors.correlation, vectors.euclidean])
@pytest.mark.parametrize(
    "pool", [pooling.maximum, functools.partial(pooling.kth, k=3), functools.partial(pooling.top_mean, k=10)]
)
def test_pools_of_the_nearest_are_those_of_whole_rows(measure, pool):
    queries, gallery = CASES["plain"]
    values, places = compare.pool_rows(compare.Loop(), measure, pool, queries, gallery)
    block = measure(queries, gallery)
    np.testing.assert_allclose(values, pool(block), rtol=2e-7, atol=2e-7)
    assert (places == block.argmax(axis=1)).all()
