"""Hand-made features against their definitions, random changes of pictures against what they may do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import correlate
from scipy.stats import kurtosis, skew

from contracts import problems
from whorl import prepare
from whorl.features import descriptors


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return problems.fields(1, seed=9, size=48)[0].astype(np.float32)


def of(picture: np.ndarray) -> np.ndarray:
    return descriptors.textural(picture[None])[0].astype(np.float64)


def test_moments_are_those_of_the_grey_levels(picture):
    unit = np.rint(picture).astype(np.float64) / 255
    expected = [unit.mean(), unit.std(), skew(unit.ravel()), kurtosis(unit.ravel())]
    np.testing.assert_allclose(of(picture)[:4], expected, rtol=1e-4)


def test_neighbours_are_those_of_scikit_image(picture):
    from skimage.feature import graycomatrix, graycoprops

    grey = np.rint(picture).astype(np.uint8)[:, :37]
    angles = [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4]
    table = graycomatrix(grey, [1], angles, levels=256, symmetric=True, normed=True)
    named = ("contrast", "correlation", "energy", "homogeneity")
    expected = np.concatenate([graycoprops(table, name).ravel() for name in named])
    np.testing.assert_allclose(of(grey.astype(np.float32))[4:20], expected, rtol=1e-5)


def test_filters_answer_as_a_plain_correlation_with_them_does(picture):
    unit = np.rint(picture).astype(np.float64) / 255
    expected = []
    for kernel in descriptors._filters():
        answer = correlate(unit, kernel, mode="reflect")
        expected += [answer.mean(), answer.var()]
    np.testing.assert_allclose(of(picture)[20:38], expected, rtol=1e-3, atol=1e-5)


def test_wavelets_keep_the_energy_of_the_picture(picture):
    unit = np.rint(picture).astype(np.float64) / 255
    energies = of(picture)[38:45]
    weights = np.asarray([1 / 16, 1 / 4, 1 / 4, 1 / 4, 1 / 16, 1 / 16, 1 / 16])
    assert weights @ energies == pytest.approx((unit**2).mean(), rel=1e-4)
    stripes = np.tile([0.0, 255.0], (32, 16))
    assert of(stripes)[39] == pytest.approx(1.0) and of(stripes)[[40, 41]] == pytest.approx(0.0)


def test_regions_are_counted_at_the_threshold():
    spots = np.zeros((40, 40), np.float32)
    spots[5:10, 5:10], spots[20:30, 20:30] = 200, 210
    np.testing.assert_allclose(of(spots)[45:], [2, 62.5 / 1600, 100 / 1600], rtol=1e-5)


@pytest.mark.parametrize("shape", [(16, 16), (33, 47)])
def test_flat_and_odd_pictures_give_finite_numbers(shape):
    found = descriptors.textural(
        np.stack([np.full(shape, 7.0), np.arange(np.prod(shape)).reshape(shape) % 256])
    )
    assert found.shape == (2, 48) and np.isfinite(found).all()


def test_a_random_crop_is_a_window_of_the_picture(picture):
    numbered = np.arange(48 * 48, dtype=np.float32).reshape(48, 48)
    corners = set()
    for seed in range(20):
        cut = prepare.random_crop(numbered, size=40, seed=seed)
        top, left = divmod(int(cut[0, 0]), 48)
        np.testing.assert_array_equal(cut, numbered[top : top + 40, left : left + 40])
        corners.add((top, left))
    assert len(corners) > 10
    np.testing.assert_array_equal(prepare.random_crop(picture, size=224), picture)


def test_a_flip_mirrors_with_its_chance(picture):
    np.testing.assert_array_equal(prepare.random_flip(picture, share=1.0), picture[:, ::-1])
    np.testing.assert_array_equal(prepare.random_flip(picture, share=0.0), picture)
    flipped = [not np.array_equal(prepare.random_flip(picture, seed=seed), picture) for seed in range(60)]
    assert 15 < sum(flipped) < 45


def test_an_affine_map_of_nothing_changes_nothing_and_others_stay_within_bounds(picture):
    still = prepare.random_affine(picture, turn=0.0, shift=0.0, zoom=0.0, seed=3)
    np.testing.assert_allclose(still, picture, atol=1e-3)
    spot = np.zeros((81, 81), np.float32)
    spot[40, 40] = 255
    far = []
    for seed in range(15):
        moved = prepare.random_affine(spot, turn=90.0, shift=0.1, zoom=0.0, seed=seed)
        place = np.argwhere(moved == moved.max())[0] - 40
        far.append(np.abs(place).max())
    assert 2 < max(far) <= 9, "the middle turns about itself and is shifted by a tenth of 81 at most"


def test_jitter_scales_about_the_mean_within_its_shares(picture):
    np.testing.assert_allclose(prepare.jitter(picture, 0.0, 0.0, seed=1), picture, atol=1e-3)
    for seed in range(10):
        lighter = prepare.jitter(picture / 4 + 90, 0.2, 0.0, seed=seed).mean() / (picture / 4 + 90).mean()
        stronger = prepare.jitter(picture / 4 + 90, 0.0, 0.2, seed=seed).std() / (picture / 4).std()
        assert 0.8 <= lighter <= 1.2 and 0.8 <= stronger <= 1.2
