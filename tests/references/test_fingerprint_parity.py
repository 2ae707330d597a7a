"""The fingerprint's features against plain and slow ways to the same numbers."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from whorl.features.cooccurrence import evened, residuals, turned
from whorl.features.frequency import radial_spectrum, spectrum
from whorl.features.residual import high_pass, predictor
from whorl.features.texture import lbp
from whorl.features.upsampling import SMALL, phases
from whorl.forge.phantom import draw_hospital
from whorl.kernels.differences import FLOOR, LINES, SQUARES

PICTURES = draw_hospital(patients=3, slices=1, size=64, seed=3).pixels[:, :60, :45]
TURNS = [(mirrored, turn) for mirrored in (False, True) for turn in range(4)]


def seen(picture, mirrored, turn):
    return np.rot90(picture[:, ::-1] if mirrored else picture, turn)


def least_squares(picture, radius, ridge, scale=1):
    """Ridge regression over every pixel of all orientations and phases, one row each, zeros around them."""
    rows, aims = [], []
    centred = picture.astype(np.float64) - picture.astype(np.float64).mean()
    margin = 2 * radius
    for mirrored, turn in TURNS:
        whole = seen(centred, mirrored, turn)
        for top, left in product(range(scale), repeat=2):
            padded = np.pad(whole[top::scale, left::scale], margin)
            windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * radius + 1,) * 2)
            flat = windows.reshape(-1, (2 * radius + 1) ** 2)
            middle = flat.shape[1] // 2
            aims.append(flat[:, middle])
            rows.append(np.delete(flat, middle, axis=1))
    table, aim = np.concatenate(rows), np.concatenate(aims)
    pixels = len(TURNS) * picture.size
    variance = (centred**2).sum() / picture.size
    own = np.sqrt((ridge * variance + 1e-6) * pixels) * np.eye(table.shape[1])
    weights = np.linalg.lstsq(np.vstack([table, own]), np.concatenate([aim, np.zeros(len(own))]), rcond=None)
    return weights[0], variance - (table.T @ aim) @ weights[0] / pixels


@pytest.mark.parametrize(("radius", "scale", "sigma"), [(1, 1, 0.0), (3, 1, 1.0), (5, 1, 0.0), (2, 2, 1.0)])
def test_predictor_is_the_least_squares_solution_over_all_orientations(radius, scale, sigma):
    stack = high_pass(PICTURES, sigma) if sigma else PICTURES
    offsets = [
        place for place in product(range(-radius, radius + 1), range(-radius, radius + 1)) if place != (0, 0)
    ]
    kinds = [index for index, (y, x) in enumerate(offsets) if y >= x >= 0]
    found = predictor(PICTURES, radius=radius, sigma=sigma, scale=scale)
    for row, picture in zip(found, stack, strict=True):
        weights, error = least_squares(picture, radius, 1e-3, scale)
        for index, (y, x) in enumerate(offsets):
            same = weights[[offsets.index(place) for place in ((y, x), (x, y), (-y, x), (-x, -y))]]
            assert np.ptp(same) < 1e-6, index
        np.testing.assert_allclose(row[:-1], weights[kinds], atol=2e-5)
        np.testing.assert_allclose(row[-1], np.log(error), atol=1e-4)


@pytest.mark.parametrize("shape", [(48, 48), (40, 57), (33, 32)])
def test_pooled_spectrum_is_the_mean_over_all_bins_of_a_frequency_cell(shape):
    cells, sigma = 8, 1.5
    images = PICTURES[:, : shape[0], :45] if shape[1] <= 45 else np.pad(PICTURES, ((0, 0), (0, 0), (0, 12)))
    images = images[:, : shape[0], : shape[1]]
    grey = high_pass(images, sigma).astype(np.float64)
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    height, width = grey.shape[1:]
    window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    power = np.abs(np.fft.fft2(grey * window)) ** 2 / (window**2).sum()
    total, members = np.zeros((len(grey), cells, cells)), np.zeros((cells, cells))
    for y, x in np.ndindex(height, width):
        nearest = min(y, height - y), min(x, width - x)
        cell = [
            min(n * 2 * cells // side, cells - 1) for n, side in zip(nearest, (height, width), strict=True)
        ]
        larger, smaller = max(cell), min(cell)
        total[:, larger, smaller] += power[:, y, x]
        members[larger, smaller] += 1
    rows, columns = np.tril_indices(cells)
    expected = np.log((total / np.maximum(members, 1))[:, rows, columns] + 1.0)
    np.testing.assert_allclose(spectrum(images, cells, "frequencies", sigma), expected, rtol=1e-5)


def test_radial_spectrum_can_take_the_residual():
    of_residual = radial_spectrum(PICTURES, rings=12, sigma=1.5)
    np.testing.assert_allclose(of_residual, radial_spectrum(high_pass(PICTURES, 1.5), rings=12), atol=1e-6)
    assert (of_residual[:, 0] < radial_spectrum(PICTURES, rings=12)[:, 0] - 1).all()


def plain_counts(plane, symbols, order):
    """How often each pattern stands along the rows, windows without any residual left out."""
    counts = Counter()
    for y, x in np.ndindex(plane.shape[0], plane.shape[1] - order + 1):
        if plane[y, x : x + order].any():
            counts[tuple(int(sign) for sign in symbols[y, x : x + order])] += 1
    return counts


def first_alike(pattern):
    negative = tuple(-sign for sign in pattern)
    return min(pattern, pattern[::-1], negative, negative[::-1])


def shares(counts, order):
    joined = Counter()
    for pattern, count in counts.items():
        joined[first_alike(pattern)] += count
    kinds = sorted({first_alike(pattern) for pattern in product(range(-2, 3), repeat=order)})
    values = np.asarray([joined[kind] for kind in kinds], float)
    return np.sqrt(values / max(values.sum(), 1))


def plain_residuals(picture, order, step, relative):
    groups = []
    for kernel in (*(np.asarray([line]) for line in LINES), *(np.asarray(square) for square in SQUARES)):
        line = len(kernel) == 1
        planes = []
        for weights in (kernel, kernel.T) if line else (kernel,):
            windows = np.lib.stride_tricks.sliding_window_view(picture.astype(np.int64), weights.shape)
            planes.append((windows * weights).sum(axis=(2, 3)))
        sizes = np.abs(np.concatenate([plane.ravel() for plane in planes]))
        unit = step * (sizes[sizes > 0].mean() if relative else np.abs(kernel).max())
        signs = [
            np.sign(plane) * (0 + (np.abs(plane) > unit / 2) + (np.abs(plane) > 1.5 * unit))
            for plane in planes
        ]
        level = [plain_counts(plane, sign, order) for plane, sign in zip(planes, signs, strict=True)]
        down = [plain_counts(plane.T, sign.T, order) for plane, sign in zip(planes, signs, strict=True)]
        joined = [level[0] + down[1], down[0] + level[1]] if line else [level[0] + down[0]]
        groups += [shares(counts, order) for counts in joined]
    return np.concatenate(groups)


@pytest.mark.parametrize(
    ("order", "step", "relative"), [(1, 1.0, True), (3, 1.0, True), (3, 2.0, False), (4, 0.5, True)]
)
def test_cooccurrences_are_the_counts_of_a_plain_walk(order, step, relative):
    picture = PICTURES[0, 8:38, 10:34]
    found = residuals(picture[None], order, step, relative)[0]
    expected = plain_residuals(picture, order, step, relative)
    # Classes are numbered by their first pattern, which both ways sort alike.
    np.testing.assert_allclose(found, expected, atol=1e-6)


def plain_lying(picture, order, around, step, scale):
    """Patterns of residuals beside those around them, one window at a time, as the picture lies."""
    found, reach = [], around // 2
    for kernel in (*(np.asarray([line]) for line in LINES), *(np.asarray(square) for square in SQUARES)):
        along, across = Counter(), Counter()
        for down, right in np.ndindex(scale, scale):
            plane = picture[down::scale, right::scale].astype(np.int64)
            windows = np.lib.stride_tricks.sliding_window_view(plane, kernel.shape)
            plane = (windows * kernel).sum(axis=(2, 3))
            symbols = np.zeros_like(plane)
            for y, x in np.ndindex(plane.shape):
                near = np.abs(plane[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1])
                above = abs(plane[y, x]) > step * (near.mean() + FLOOR * np.abs(kernel).max())
                symbols[y, x] = np.sign(plane[y, x]) * above
            along.update(plain_counts(plane, symbols, order))
            across.update(plain_counts(plane.T, symbols.T, order))
        found += [along, across] if len(kernel) == 1 else [along]
    return found


def plain_shares(counts, order):
    """Square roots of the shares of patterns, those alike together."""
    alike = dict.fromkeys(sorted({first_alike(one) for one in product(range(-1, 2), repeat=order)}), 0)
    for pattern, count in counts.items():
        alike[first_alike(pattern)] += count
    values = np.asarray(list(alike.values()), float)
    return np.sqrt(values / max(values.sum(), 1))


@pytest.mark.parametrize(
    ("order", "around", "step", "scale"), [(4, 9, 0.75, 1), (4, 9, 0.75, 2), (3, 5, 1.0, 3), (2, 61, 1.5, 1)]
)
def test_evened_cooccurrences_are_the_counts_of_a_plain_walk(order, around, step, scale):
    picture, rule = PICTURES[0, 6:38, 9:34], (order, around, step, scale)
    both = list(zip(plain_lying(picture, *rule), plain_lying(picture.T, *rule), strict=True))
    expected = np.concatenate([plain_shares(one + other, order) for one, other in both])
    np.testing.assert_allclose(evened(picture[None], *rule)[0], expected, atol=1e-6)
    expected = np.abs([plain_shares(one, order) - plain_shares(other, order) for one, other in both]).ravel()
    np.testing.assert_allclose(turned(picture[None], *rule)[0], expected, atol=1e-6)
    assert expected.max() > 0.01


def plain_phases(picture, around):
    """Means of every second row and column of residuals beside those around, one window at a time."""
    values, reach = [], around // 2

    def contrasts(plane):
        corners = [[plane[down::2, across::2].mean() for across in (0, 1)] for down in (0, 1)]
        signs = ((1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))
        return np.asarray([abs(np.dot(np.ravel(corners), sign)) for sign in signs])

    for kernel in (*(np.asarray([line]) for line in LINES), *(np.asarray(square) for square in SQUARES)):
        measured = []
        for whole in (picture, picture.T):  # a filter across is the filter along, of the turned picture
            windows = np.lib.stride_tricks.sliding_window_view(whole.astype(np.int64), kernel.shape)
            plane = np.abs((windows * kernel).sum(axis=(2, 3)))
            near = [
                plane[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].mean()
                for y, x in np.ndindex(plane.shape)
            ]
            beside = plane / (np.reshape(near, plane.shape) + FLOOR * np.abs(kernel).max())
            measured.append([contrasts(beside), contrasts((plane == 0).astype(float))])
        if len(kernel) == 1:
            values += list(np.sum(measured, axis=0).ravel())
        else:
            values += [number for rows, columns, checks in measured[0] for number in (rows + columns, checks)]
    return np.log(np.asarray(values) + SMALL)


@pytest.mark.parametrize(("around", "height", "width"), [(9, 32, 25), (5, 31, 24), (41, 17, 16)])
def test_phases_are_the_means_of_a_plain_walk(around, height, width):
    picture = PICTURES[0, 6 : 6 + height, 9 : 9 + width]
    np.testing.assert_allclose(phases(picture[None], around)[0], plain_phases(picture, around), atol=1e-5)


@pytest.mark.parametrize("points", [4, 8, 12, 16, 24])
@pytest.mark.parametrize("radius", [0.5, 1.0, 1.2, 2.0, 3.0])
def test_lbp_counts_scikit_images_codes_to_the_last_tie(points, radius):
    rng = np.random.default_rng(8)
    few = rng.integers(0, 4, (1, 37, 52), dtype=np.uint8)  # ties nearly everywhere
    flat = np.full((1, 37, 52), 201, np.uint8)
    stack = np.concatenate([PICTURES[:, :37, :45].repeat(2, axis=2)[:, :, :52], few, flat])
    for method in ("uniform", "default") if points < 24 else ("uniform",):
        patterns = points + 2 if method == "uniform" else 2**points
        for row, image in zip(lbp(stack, points, radius, method), stack, strict=True):
            codes = local_binary_pattern(image, points, radius, method).astype(np.int64)
            counts = np.bincount(codes.ravel(), minlength=patterns)
            np.testing.assert_array_equal(row, (counts / codes.size).astype(np.float32))


def test_symmetric_lbp_adds_up_the_patterns_of_all_orientations():
    """At radius 1 with four points no interpolation is needed, so scikit-image is exact as well."""
    for image in PICTURES:
        inner = image.astype(np.int32)
        total = np.zeros(16)
        for mirrored, turn in TURNS:
            whole = seen(inner, mirrored, turn)
            codes = local_binary_pattern(whole, 4, 1.0, "default").astype(np.int64)[2:-2, 2:-2]
            around = [np.roll(whole, shift, axis) for axis in (0, 1) for shift in (-1, 1)]
            uneven = np.any([other != whole for other in around], axis=0)[2:-2, 2:-2]
            total += np.bincount(codes[uneven], minlength=16)
        alike = {0: [0], 1: [1, 2, 4, 8], 2: [3, 6, 9, 12], 3: [5, 10], 4: [7, 11, 13, 14], 5: [15]}
        expected = np.asarray([total[codes].sum() for codes in alike.values()]) / total.sum()
        np.testing.assert_allclose(lbp(image[None], 4, 1.0, "symmetric")[0], expected, atol=1e-6)
