"""Similarities and textures against independent implementations."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from skimage.feature import local_binary_pattern
from skimage.metrics import structural_similarity

from whorl.features.hashes import phash
from whorl.features.texture import lbp
from whorl.forge.phantom import draw_hospital
from whorl.similarity import vectors
from whorl.similarity.maps import ssim

PICTURES = draw_hospital(patients=6, slices=2, size=128, seed=3).pixels


def naive(queries, gallery):
    return np.asarray(
        [[structural_similarity(one, other, data_range=255) for other in gallery] for one in queries]
    )


@pytest.mark.parametrize("kind", ["phantom", "noise", "black and white", "constant", "odd size", "inverted"])
def test_ssim_agrees_with_scikit_image_on_8_bit(kind):
    rng = np.random.default_rng(5)
    pictures = {
        "phantom": PICTURES[:, :128, :128],
        "noise": rng.integers(0, 256, (5, 64, 64), dtype=np.uint8),
        "black and white": (rng.random((5, 64, 64)) > 0.5).astype(np.uint8) * 255,
        "constant": np.full((3, 32, 32), [[[0]], [[200]], [[255]]], np.uint8),
        "odd size": PICTURES[:, :77, :51],
        "inverted": np.concatenate([PICTURES[:3], 255 - PICTURES[:3]]),
    }[kind]
    assert np.abs(ssim(pictures, pictures[:4]) - naive(pictures, pictures[:4])).max() < 1e-5


def test_ssim_agrees_with_scikit_image_on_deeper_pictures():
    pictures = PICTURES[:5].astype(np.float32) * np.float32(0.973) + np.float32(1.31)
    expected = naive(pictures.astype(np.float64), pictures[:3].astype(np.float64))
    assert np.abs(ssim(pictures, pictures[:3]) - expected).max() < 1e-5


def test_ssim_does_not_depend_on_how_pictures_are_grouped():
    whole = ssim(PICTURES, PICTURES)
    single = np.asarray(
        [[ssim(one[None], other[None])[0, 0] for other in PICTURES[:5]] for one in PICTURES[:5]]
    )
    assert (whole[:5, :5] == single).all()
    assert np.abs(np.diag(whole) - 1).max() < 1e-6
    assert whole.max() <= 1


@pytest.mark.parametrize(
    ("points", "radius", "method"), [(8, 1, "uniform"), (24, 3, "uniform"), (8, 1, "default")]
)
def test_lbp_is_the_histogram_of_scikit_images_codes(points, radius, method):
    patterns = {"uniform": points + 2, "default": 2**points}[method]
    expected = []
    for image in PICTURES[:4]:
        codes = local_binary_pattern(image, points, radius, method)
        expected.append(np.histogram(codes, bins=np.arange(patterns + 1), density=True)[0])
    found = lbp(PICTURES[:4], points, radius, method)
    assert np.abs(found - np.asarray(expected)).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "metric", "sign", "shift"),
    [
        ("cosine", "cosine", -1, 1),
        ("correlation", "correlation", -1, 1),
        ("euclidean", "euclidean", -1, 0),
        ("manhattan", "cityblock", -1, 0),
        ("hamming", "hamming", -1, 0),
    ],
)
def test_vector_similarities_agree_with_scipy(name, metric, sign, shift, monkeypatch):
    monkeypatch.setattr(vectors, "SLAB_BYTES", 4000)  # several slabs
    rng = np.random.default_rng(1)
    queries, gallery = rng.normal(size=(7, 40)), rng.normal(size=(23, 40))
    if name == "hamming":
        queries, gallery = (queries > 0).astype(np.uint8), (gallery > 0).astype(np.uint8)
    expected = sign * cdist(queries, gallery, metric) + shift
    assert np.abs(getattr(vectors, name)(queries, gallery) - expected).max() < 1e-5


@pytest.mark.parametrize("many", ["queries", "gallery"])
def test_of_the_larger_side_only_a_slab_is_taken_at_a_time(many, monkeypatch):
    monkeypatch.setattr(vectors, "SLAB_BYTES", 2**20)
    rng = np.random.default_rng(1)
    large, small = (rng.normal(size=(count, 512)).astype(np.float32) for count in (6000, 5))
    tracemalloc.start()
    found = vectors.correlation(*((large, small) if many == "queries" else (small, large)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    expected = np.corrcoef(small, large)[:5, 5:]
    assert np.abs(found - (expected.T if many == "queries" else expected)).max() < 1e-6
    assert peak < 8 * 2**20 < large.nbytes  # in float64 all of it would be 24 MB


def test_euclidean_of_equal_vectors_is_exactly_zero():
    pictures = PICTURES.astype(np.float32) * np.float32(1.237)
    assert (np.diag(vectors.euclidean(pictures, pictures)) == 0).all()


def test_phash_counts_bits_as_imagehash_does():
    import imagehash
    from PIL import Image

    hashes = [imagehash.phash(Image.fromarray(image), 8) for image in PICTURES[:5]]
    expected = [[one - other for other in hashes] for one in hashes]
    bits = phash(PICTURES[:5], 8)
    found = -vectors.hamming(bits, bits) * 64
    assert (np.rint(found) == np.asarray(expected)).all()
