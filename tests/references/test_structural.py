"""Structural similarity against scikit-image: windows, kinds of pictures, masks, sizes, and torch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import minimum_filter
from skimage.metrics import structural_similarity

from whorl.forge.phantom import draw_hospital
from whorl.kernels import structural
from whorl.kernels.structural import similarities
from whorl.records import BadInput

PHANTOMS = draw_hospital(patients=5, slices=2, size=96, seed=4).pixels
RNG = np.random.default_rng(6)
GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
KINDS = {
    "phantoms": (PHANTOMS, 255.0),
    "odd sizes": (PHANTOMS[:, :77, :53], 255.0),
    "one window": (PHANTOMS[:, :11, :11], 255.0),
    "a strip": (PHANTOMS[:, :11, :90], 255.0),
    "noise": (RNG.integers(0, 256, (5, 40, 70), dtype=np.uint8), 255.0),
    "constant": (np.full((3, 30, 31), [[[0]], [[200]], [[255]]], np.uint8), 255.0),
    "bright": (PHANTOMS // 8 + np.uint8(220), 255.0),
    "16 bits of noise": (RNG.integers(0, 65536, (4, 33, 40)).astype(np.uint16), 65535.0),
    "16 bits": (PHANTOMS.astype(np.uint16) * 257, 65535.0),
    "floats": (PHANTOMS.astype(np.float32) * np.float32(0.91) + np.float32(2.3), 255.0),
    "from 0 to 1": (PHANTOMS / 255.0, 1.0),
}


def reference(queries, gallery, window, data_range, *, maps=False):
    given = {"data_range": data_range, "full": True, **(GAUSSIAN if window == "gaussian" else {})}
    kind = np.uint8 if queries.dtype == np.uint8 else np.float64
    pairs = [
        [structural_similarity(a, b, **given) for b in gallery.astype(kind)] for a in queries.astype(kind)
    ]
    return np.asarray([[pair[1 if maps else 0] for pair in row] for row in pairs])


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("kind", KINDS)
def test_both_windows_agree_with_scikit_image(kind, window):
    pictures, data_range = KINDS[kind]
    found = similarities(pictures, pictures[:3], window=window, data_range=data_range)
    expected = reference(pictures, pictures[:3], window, data_range)
    assert found.dtype == np.float32 and found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5


def hard(side):
    """Pictures whose sums are large and whose variances are small, or the other way about."""
    y, x = np.indices((side, side))
    middle, dots = x < side // 2, np.zeros((side, side))
    dots[side // 2, side // 2] = 255
    dithers = [(x + y) % 2, y % 2, RNG.integers(0, 3, (side, side))]
    halves = [np.where(middle, dither, 252 + dither) for dither in dithers]
    noise = [RNG.integers(253, 256, (side, side))]
    checks = [255 * ((x // step + y // step) % 2) for step in (1, 2, 7, 16)]
    ramps = [x * 255 // (side - 1), 255 - y * 255 // (side - 1), 200 + x * 55 // (side - 1)]
    flat = [np.full((side, side), grey) for grey in (0, 1, 128, 255)]
    return np.stack([*flat, *checks, *ramps, *halves, *noise, dots, 255 - dots]).astype(np.uint8)


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("side", [11, 12, 34, 90])
def test_pictures_that_are_hard_on_short_numbers_agree_too(side, window):
    pictures = hard(side)
    found = similarities(pictures, pictures, window=window)
    assert np.abs(found - reference(pictures, pictures, window, 255.0)).max() < 1e-5


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("each", [False, True])
def test_masks_average_the_windows_inside(window, each):
    rows, columns = np.indices(PHANTOMS.shape[1:])
    mask = (rows - 50) ** 2 + (columns - 40) ** 2 < 30**2
    masks = np.stack([mask, rows > 20, columns < 40]) if each else mask
    queries, gallery = PHANTOMS[:3], PHANTOMS[2:7]
    found = similarities(queries, gallery, window=window, masks=masks)
    side = structural.SIDES[window]
    values = reference(queries, gallery, window, 255.0, maps=True)
    for row, one in enumerate(masks if each else [mask] * 3):
        inside = minimum_filter(one.astype(np.uint8), side, mode="constant") > 0
        expected = values[row][:, inside].mean(axis=1)
        assert np.abs(found[row] - expected).max() < 1e-5


def test_a_mask_of_everything_changes_nothing():
    whole = np.ones(PHANTOMS.shape[1:], bool)
    assert (similarities(PHANTOMS, PHANTOMS, masks=whole) == similarities(PHANTOMS, PHANTOMS)).all()


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("kind", ["phantoms", "floats"])
def test_numbers_do_not_depend_on_slabs_or_threads(kind, window, monkeypatch):
    pictures, data_range = KINDS[kind]
    many = np.concatenate([pictures, pictures[::-1], pictures[:, ::-1]])
    whole = similarities(many, many[:21], window=window, data_range=data_range)
    monkeypatch.setattr(structural, "SLAB_BYTES", 1)  # sixteen pictures at a time
    monkeypatch.setattr(structural.os, "cpu_count", lambda: 1)
    few = similarities(many[3:20], many[2:19], window=window, data_range=data_range)
    assert (few == whole[3:20, 2:19]).all()
    single = similarities(many[:1], many[4:5], window=window, data_range=data_range)
    assert (single == whole[0, 4]).all()


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
def test_equal_pictures_are_as_similar_as_can_be(window):
    for pictures, data_range in KINDS.values():
        found = similarities(pictures, pictures, window=window, data_range=data_range)
        assert np.abs(np.diag(found) - 1).max() < 1e-5 and found.max() <= 1


@pytest.mark.parametrize(
    ("pictures", "given", "words"),
    [
        (PHANTOMS[:, :6], {}, "7 pixels or more"),
        (PHANTOMS[:, :, :10], {"window": "gaussian"}, "11 pixels or more"),
        (PHANTOMS, {"data_range": 0.0}, "data_range"),
        (PHANTOMS, {"data_range": float("nan")}, "data_range"),
        (PHANTOMS, {"masks": np.zeros((96, 96), bool)}, "no whole window"),
        (PHANTOMS, {"masks": np.ones((95, 96), bool)}, "masks of"),
        (PHANTOMS, {"masks": np.ones((3, 96, 96), bool)}, "masks of"),
    ],
)
def test_what_cannot_be_measured_is_refused(pictures, given, words):
    with pytest.raises(BadInput, match=words):
        similarities(pictures, pictures, **given)


@pytest.mark.parametrize("window", ["uniform", "gaussian"])
@pytest.mark.parametrize("kind", ["phantoms", "odd sizes", "16 bits", "floats", "constant"])
def test_torch_gives_the_same_numbers(kind, window):
    pytest.importorskip("torch")
    from whorl.kernels import tensors

    pictures, data_range = KINDS[kind]
    given = {"window": window, "data_range": data_range}
    expected = similarities(pictures, pictures[:3], **given)
    for block_bytes in (None, 1):
        found = tensors.similarities(pictures, pictures[:3], device="cpu", block_bytes=block_bytes, **given)
        assert np.abs(found - expected).max() < 1e-5
    mask = np.indices(pictures.shape[1:]).sum(axis=0) > 12
    masked = tensors.similarities(pictures, pictures[:3], device="cpu", masks=mask, **given)
    assert np.abs(masked - similarities(pictures, pictures[:3], masks=mask, **given)).max() < 1e-5


def test_a_gpu_that_is_not_there_is_refused():
    from whorl.kernels import tensors
    from whorl.similarity.maps import ssim

    try:
        if tensors.torch_or_refusal("cpu").cuda.is_available():
            pytest.skip("there is one")
    except BadInput:
        pass  # without torch the refusal says so
    with pytest.raises(BadInput, match="device cuda: torch"):
        ssim(PHANTOMS, PHANTOMS, device="cuda")
