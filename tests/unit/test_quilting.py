"""Quilting: every patch comes from a member, and the seams run where the pictures agree."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from whorl.forge.phantom import draw_hospital
from whorl.forge.quilting import Quilt, _left_of_seam
from whorl.records import BadInput

SIZE = 64


@pytest.fixture(scope="module")
def members():
    return draw_hospital(patients=30, slices=1, size=SIZE).pixels


@pytest.fixture(scope="module")
def made(members):
    return Quilt().fit(members, 0).sample(20, 1)


def test_shape_and_repeatability(members, made):
    before = members.copy()
    quilt = Quilt().fit(members, 0)
    assert made.shape == (20, SIZE, SIZE) and made.dtype == np.uint8
    assert np.array_equal(made, quilt.sample(20, 1))
    assert not np.array_equal(made, quilt.sample(20, 2))
    assert np.array_equal(members, before)


def test_later_changes_of_the_members_do_not_matter(members, made):
    passed = members.copy()
    quilt = Quilt().fit(passed, 0)
    passed[:] = 0
    assert np.array_equal(quilt.sample(20, 1), made)


def sources(piece, members, place, reach):
    """Members that hold the piece near the place."""
    (top, left), (height, width) = place, piece.shape
    found = set()
    for down, across in itertools.product(range(-reach, reach + 1), repeat=2):
        y, x = top + down, left + across
        if 0 <= y <= SIZE - height and 0 <= x <= SIZE - width:
            windows = members[:, y : y + height, x : x + width]
            found |= set(np.flatnonzero((windows == piece).all((1, 2))))
    return found


def test_the_middle_of_every_patch_is_a_members(members, made):
    """Between the overlaps nothing is mixed; over a picture more than one member takes part."""
    quilt = Quilt()
    for picture in made[:4]:
        used = set()
        for top, left in itertools.product(range(0, SIZE - 16, 12), repeat=2):
            y, x = top + quilt.overlap, left + quilt.overlap
            found = sources(picture[y : y + 8, x : x + 8], members, (y, x), quilt.overlap // 2)
            assert found, (top, left)
            used |= found if len(found) == 1 else set()
        assert len(used) > 2


def test_every_grey_value_comes_from_members():
    levels = np.array([10, 80, 200], np.uint8)
    flat = np.broadcast_to(levels[:, None, None], (3, 40, 48)).copy()
    made = Quilt(8, 3).fit(flat, 0).sample(6, 0)
    assert made.shape == (6, 40, 48)
    assert set(np.unique(made)) <= set(levels)


def test_layout_stays_plausible(members, made):
    """A quilted picture is nearer to some member than another member usually is."""

    def coarse(pictures):
        return pictures.reshape(len(pictures), 8, 8, 8, 8).mean((2, 4)).reshape(len(pictures), -1)

    between = np.abs(coarse(members)[:, None] - coarse(members)).mean(2)
    nearest = np.abs(coarse(made)[:, None] - coarse(members)).mean(2).min(1)
    assert np.median(nearest) < np.median(between[np.triu_indices(len(members), 1)])
    assert not (made[:, None] == members).all((2, 3)).any()


def test_patches_fit_better_than_chance(members):
    """Steps across the seams are hardly larger than steps elsewhere, unlike those of pasted patches."""
    made = Quilt(16, 4).fit(members, 0).sample(60, 3).astype(float)
    rng = np.random.default_rng(0)
    pasted = np.empty((60, SIZE, SIZE))
    for top, left in itertools.product(range(0, SIZE, 16), repeat=2):
        rows = rng.integers(0, len(members), 60)
        pasted[:, top : top + 16, left : left + 16] = members[rows, top : top + 16, left : left + 16]
    steps = np.abs(np.diff(made, axis=2)).mean()
    assert steps < 0.5 * np.abs(np.diff(pasted, axis=2))[:, :, 15::16].mean()
    assert steps == pytest.approx(np.abs(np.diff(members.astype(float), axis=2)).mean(), rel=0.2)


def test_the_seam_is_the_cheapest_path():
    """Against every path there is, in a small table."""
    costs = np.random.default_rng(0).uniform(size=(20, 5, 4)).astype(np.float32)
    seams = _left_of_seam(costs).sum(2)
    assert np.abs(np.diff(seams, axis=1)).max() <= 1
    paths = np.array(
        [path for path in itertools.product(range(4), repeat=5) if np.abs(np.diff(path)).max() <= 1]
    )
    for table, seam in zip(costs, seams, strict=True):
        cheapest = table[np.arange(5), paths].sum(1).min()
        assert table[np.arange(5), seam].sum() == pytest.approx(cheapest, rel=1e-5)


def test_one_member_is_allowed(members):
    assert Quilt().fit(members[:1], 0).sample(2, 0).shape == (2, SIZE, SIZE)


@pytest.mark.parametrize(("patch", "overlap"), [(3, 1), (300, 4), (16, 0), (16, 9)])
def test_bad_parameters_tell_in_one_line(patch, overlap):
    with pytest.raises(BadInput) as caught:
        Quilt(patch, overlap)
    assert "\n" not in str(caught.value)


def test_bad_members_and_draws(members):
    with pytest.raises(BadInput, match="32 at most"):
        Quilt(48).fit(members, 0)
    with pytest.raises(BadInput, match="uint8"):
        Quilt().fit(members.astype(float), 0)
    with pytest.raises(BadInput, match="count 0"):
        Quilt().fit(members, 0).sample(0, 0)
