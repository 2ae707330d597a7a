"""The most similar pictures, found with bounds, are those of all pairs: values, places, ties and pools."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from whorl import compare, pooling
from whorl.compare import Loop
from whorl.forge import classical
from whorl.forge.phantom import draw_hospital
from whorl.kernels import bounds, nearest, searches, structural
from whorl.records import BadInput
from whorl.shortlists import shortlist
from whorl.similarity import maps, vectors

REAL = draw_hospital(patients=30, slices=2, size=96, seed=8).pixels
MADE = classical.interpolating(REAL[:40], 90, seed=2, components=30)
RNG = np.random.default_rng(3)
CASES = {
    "phantoms and mixtures": (REAL[:23], MADE),
    "phantoms and phantoms": (REAL[:19], REAL[19:]),
    "copies": (REAL[:17], np.concatenate([MADE[:20], REAL[:17], MADE[20:40]])),
    "ties": (REAL[:5], np.concatenate([MADE[:9], REAL[:5], MADE[:9], REAL[:5], REAL[:5]])),
    "constants": (np.full((3, 40, 41), [[[0]], [[90]], [[255]]], np.uint8), REAL[:20, :40, :41]),
    "noise": tuple(RNG.integers(0, 256, (2, 18, 50, 38), dtype=np.uint8)),
    "bright and dark": (REAL[:9], np.concatenate([255 - REAL[:20], REAL[:20] // 4])),
    "floats": (REAL[:9] * np.float32(0.71) + 3, MADE[:40] * np.float32(0.71) + 3),
    "16 bits": (REAL[:9].astype(np.uint16) * 250, MADE[:40].astype(np.uint16) * 250),
    "negative": (REAL[:9].astype(np.float32) - 100, MADE[:40].astype(np.float32) - 100),
    "huge numbers": (REAL[:9] * np.float64(1e9), MADE[:40] * np.float64(1e9)),
    "tiny numbers": (REAL[:9] * np.float64(1e-9), MADE[:40] * np.float64(1e-9)),
    "out of range": (REAL[:9] * np.float64(1e9), MADE[:40] * np.float64(1e9)),
    "one window": (REAL[:9, 40:47, 40:47], MADE[:40, 40:47, 40:47]),
    "one of each": (REAL[:1], MADE[:1]),
}


RANGES = {"16 bits": 65535.0, "huge numbers": 255e9, "tiny numbers": 255e-9, "out of range": 255.0}


def ranked(queries, gallery, k, data_range):
    block = structural.similarities(queries, gallery, data_range=data_range)
    order = np.argsort(-block, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(block, order, axis=1), order


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("case", CASES)
def test_what_is_found_is_what_all_pairs_give(case, k):
    queries, gallery = CASES[case]
    data_range = RANGES.get(case, 255.0)
    k = min(k, len(gallery))
    values, places = nearest.best(queries, gallery, data_range=data_range, k=k)
    expected, order = ranked(queries, gallery, k, data_range)
    assert (values == expected).all() and (places == order).all()


def test_most_pairs_are_not_looked_at_closely(monkeypatch):
    summed = []
    searched = searches._searched

    def counted(*given):
        summed.append(searched(*given))
        return summed[-1]

    monkeypatch.setattr(searches, "_searched", counted)
    gallery = np.concatenate([REAL + np.uint8(2), 255 - REAL, np.roll(REAL, 30, axis=1)])
    nearest.best(REAL, gallery)
    cells = 3 * 2 * len(REAL) * len(gallery)
    assert 0 < sum(summed) < cells / 5


@pytest.mark.parametrize("k", [1, 3])
def test_what_is_found_does_not_depend_on_slabs(k, monkeypatch):
    whole = nearest.best(REAL, MADE, k=k)
    monkeypatch.setattr(searches, "TOGETHER", 16)
    few = nearest.best(REAL, MADE, k=k, room=1)
    assert all((one == other).all() for one, other in zip(whole, few, strict=True))


@pytest.mark.parametrize("case", [case for case in CASES if case != "out of range"])
def test_a_pair_by_itself_has_the_sum_of_all_pairs(case):
    queries, gallery = (stack[:16] for stack in CASES[case])
    data_range = RANGES.get(case, 255.0)
    measure = structural.measure_for("uniform", data_range, queries, gallery)
    search = searches.Search(queries, gallery, measure, 1)
    with ThreadPoolExecutor(1) as pool:
        sides = [
            searches._folded(search, stack, 0, pool, room)
            for stack, room in zip((queries, gallery), search.rooms, strict=True)
        ]
    rest = np.zeros((len(queries), len(gallery)))
    nothing = np.zeros((len(queries), len(search.cells), len(gallery)), np.float32)
    every = np.full(rest.shape, -np.inf)
    searches._summed(search, sides[0].planes, sides[1].planes, every, nothing, rest, search.order)
    expected = structural.similarities(queries, gallery, data_range=data_range)
    assert np.abs(rest / search.windows - expected).max() < searches.MARGIN / 2


@pytest.mark.parametrize("case", ["phantoms and mixtures", "noise", "bright and dark", "16 bits"])
def test_no_similarity_exceeds_its_bound(case):
    queries, gallery = (stack[:16] for stack in CASES[case])
    data_range = RANGES.get(case, 255.0)
    measure = structural.measure_for("uniform", data_range, queries, gallery)
    search = searches.Search(queries, gallery, measure, 1)
    sides = zip((queries, gallery), search.rooms, strict=True)
    own, other = (searches._unfolded(search, stack, room) for stack, room in sides)
    mine, theirs = (part.reshape(-1, bounds.TRAITS, 16).astype(np.float64) for part in (own, other))
    height, width = (side - 6 for side in queries.shape[1:])
    shape = (-(-height // 4), -(-width // 4))
    sides = zip((height, width), shape, strict=True)
    windows = np.outer(*[np.minimum(4, side - 4 * np.arange(count)) for side, count in sides])
    found = structural.similarities(queries, gallery, data_range=data_range)
    for row in range(len(queries)):
        one = mine[:, :, row, None]
        light = (one[:, 0] - theirs[:, 0]) ** 2 / (one[:, 1] + theirs[:, 1] + (0.01 * data_range) ** 2)
        apart = ((one[:, 2:6] - theirs[:, 2:6]) ** 2).sum(axis=1) / (one[:, 6] + theirs[:, 6])
        bound = 1 - np.maximum(light, apart)
        means = (bound * windows.reshape(-1, 1)).sum(axis=0) / windows.sum()
        assert (found[row] <= means[: len(gallery)] + 1e-5).all()


def test_what_runs_against_a_picture_can_be_the_most_like_it():
    # Where the second part of the similarity is below 0 the first takes from how low it is: most of all where
    # dark meets bright. A bound that forgets it leaves the last picture, whose slope is the other way round.
    query, opposed = (
        np.tile(np.array(row, np.uint8), (10, 1))
        for row in (
            [0, 0, 1, 12, 27, 41, 51, 57, 143, 117],
            [233, 255, 125, 93, 87, 72, 48, 20, 137, 75],
        )
    )
    plain = 90 + np.random.default_rng(0).integers(0, 6, (40, 10, 10)).astype(np.uint8)
    gallery = np.concatenate([plain, opposed[None]])
    values, places = nearest.best(query[None], gallery)
    everything = structural.similarities(query[None], gallery)
    assert everything[0].argmax() == 40
    assert (values[0, 0], places[0, 0]) == (everything[0, 40], 40)


@pytest.mark.parametrize(
    "pool",
    [pooling.maximum, functools.partial(pooling.kth, k=3), pooling.top_mean, pooling.mean],
)
def test_pools_of_the_largest_are_not_changed(pool):
    similarity = functools.partial(maps.ssim, data_range=255.0)
    values, places = compare.pool_rows(Loop(), similarity, pool, REAL[:9], MADE)
    block = maps.ssim(REAL[:9], MADE)
    assert (values == pool(block)).all() and (places == block.argmax(axis=1)).all()


def test_a_search_is_offered_only_where_it_is_the_same():
    assert shortlist(maps.ssim, pooling.maximum) is not None
    assert shortlist(vectors.cosine, pooling.top_mean) is not None
    for similarity, pool in [
        (maps.ssim, pooling.mean),
        (maps.ssim, functools.partial(pooling.kth, k=17)),
        (functools.partial(maps.ssim, window="gaussian"), pooling.maximum),
        (functools.partial(maps.ssim, device="cuda"), pooling.maximum),
        (vectors.cosine, pooling.mean),
        (vectors.manhattan, pooling.maximum),
    ]:
        assert shortlist(similarity, pool) is None


@pytest.mark.parametrize("k", [0, 91])
def test_more_than_there_are_is_refused(k):
    with pytest.raises(BadInput, match="most similar of 90 pictures"):
        nearest.best(REAL[:2], MADE, k=k)


def test_a_copy_is_found_among_many():
    gallery = np.concatenate([MADE, REAL[7:8], MADE[:30]])
    values, places = nearest.best(REAL[7:8], gallery)
    assert places[0, 0] == 90 and values[0, 0] > 0.99999


@pytest.mark.parametrize("case", ["phantoms and phantoms", "ties", "noise", "16 bits", "negative"])
def test_the_two_most_alike_are_those_of_all_pairs(case):
    stack = np.concatenate(CASES[case])
    data_range = 65535.0 if stack.dtype == np.uint16 else 255.0
    block = structural.similarities(stack, stack, data_range=data_range)
    np.fill_diagonal(block, -1)
    assert nearest.closest(stack, data_range=data_range) == block.max()
