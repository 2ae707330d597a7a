"""Blurs, local contrast and means over cells, to the last bit those of SciPy and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from whorl.features.pixels import thumbnail
from whorl.features.residual import high_pass
from whorl.features.texture import local_contrast
from whorl.kernels.blurs import blurred, contrasts
from whorl.kernels.cells import means

SHAPES = [(3, 64, 64), (2, 33, 47), (1, 16, 15), (2, 5, 130), (1, 1, 40), (2, 9, 1), (1, 1, 1)]
SIGMAS = [0.1, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 23.7]


def made(shape: tuple[int, ...], kind: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "8-bit":
        return rng.integers(0, 256, shape, np.uint8)
    scale = {"floats": 255.0, "small": 1e-20, "large": 1e15}[kind]
    return ((rng.random(shape) - 0.2) * scale).astype(np.float32)


def by_scipy(grey: np.ndarray, sigma: float, window: float) -> np.ndarray:
    """Local contrast as it was written with SciPy."""
    high = grey - gaussian_filter(grey, [0.0, sigma, sigma])
    energy = gaussian_filter(high * high, [0.0, window, window])
    return np.asarray(high / np.sqrt(energy + 16.0), np.float32)


def by_numpy(images: np.ndarray, down: int, across: int) -> np.ndarray:
    """Means over cells as they were written with NumPy."""
    count, height, width = images.shape
    rows, columns = height // down, width // across
    cells = images[:, : rows * down, : columns * across].reshape(count, rows, down, columns, across)
    return np.asarray(cells.mean(axis=(2, 4), dtype=np.float64), np.float32)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("kind", ["8-bit", "floats", "small", "large"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_blur_is_that_of_scipy_to_the_last_bit(shape, kind, sigma):
    grey = made(shape, kind).astype(np.float32)
    same(blurred(grey, sigma), gaussian_filter(grey, [0.0, sigma, sigma]))


@pytest.mark.parametrize("scales", [(2.0, 4.0), (1.0, 2.0), (4.0, 8.0), (4.0, 1.0), (0.0, 3.0), (11.0, 23.0)])
@pytest.mark.parametrize("kind", ["8-bit", "floats", "large"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_local_contrast_is_that_of_scipy_to_the_last_bit(shape, kind, scales):
    grey = made(shape, kind, seed=1).astype(np.float32)
    same(contrasts(grey, *scales, 16.0), by_scipy(grey, *scales))


@pytest.mark.parametrize(("size", "sigma", "window"), [(128, 2.0, 4.0), (64, 1.0, 2.0), (50, 4.0, 8.0)])
@pytest.mark.parametrize("side", [(256, 256), (130, 271)])
def test_the_step_is_what_it_was_before(side, size, sigma, window):
    images = made((2, *side), "8-bit", seed=2)
    factor = min(side) // size
    same(
        local_contrast(images, size, sigma, window),
        by_scipy(by_numpy(images, factor, factor), sigma, window),
    )


def test_no_blur_and_no_pictures_are_allowed():
    grey = made((2, 20, 20), "floats")
    same(blurred(grey, 0.0), gaussian_filter(grey, [0.0, 0.0, 0.0]))
    assert blurred(grey, 0.0) is not grey
    assert high_pass(grey, 0.0).max() == 0
    assert contrasts(grey[:0], 1.0, 2.0, 16.0).shape == blurred(grey[:0], 1.0).shape == (0, 20, 20)


def test_pictures_apart_in_memory_are_read_and_left_alone():
    grey = made((4, 40, 60), "floats")
    kept = grey.copy()
    part = grey[::2, 3:33, ::-1]
    same(blurred(part, 2.0), gaussian_filter(part, [0.0, 2.0, 2.0]))
    same(contrasts(part, 2.0, 4.0, 16.0), by_scipy(part, 2.0, 4.0))
    np.testing.assert_array_equal(grey, kept)


def test_what_is_no_number_spreads_as_far_as_in_scipy():
    grey = made((1, 30, 30), "floats")
    grey[0, 4, 20] = np.nan
    found, expected = blurred(grey, 1.0), gaussian_filter(grey, [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(found, expected)
    assert 0 < np.isnan(found).sum() < 900


@pytest.mark.parametrize(("down", "across"), [(1, 1), (2, 2), (3, 5), (8, 8), (7, 1), (60, 90)])
def test_means_over_cells_are_those_of_numpy(down, across):
    grey = made((3, 61, 90), "8-bit", seed=3)
    same(means(grey, down, across), by_numpy(grey, down, across))
    exact = by_numpy(made((3, 61, 90), "floats"), down, across)
    np.testing.assert_allclose(means(made((3, 61, 90), "floats"), down, across), exact, rtol=1e-6, atol=1e-5)
    signed = grey.astype(np.int16) * 100 - 9000
    np.testing.assert_allclose(means(signed, down, across), by_numpy(signed, down, across), rtol=1e-6)


def test_sums_of_white_cells_do_not_run_over():
    white = np.full((1, 600, 700), 255, np.uint8)
    for side in (2, 256, 257, 258, 600):
        assert (means(white, side, side) == 255).all()


@pytest.mark.parametrize("size", [32, 64])
def test_thumbnails_are_what_they_were_before(size):
    images = made((3, 256, 192), "8-bit", seed=4)
    same(thumbnail(images, size), by_numpy(images, 256 // size, 192 // size).reshape(3, -1))
