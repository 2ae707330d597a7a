"""Named peaks of mean spectra: planted patterns are found and named, smooth spectra are silent."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from report_samples import phantom
from whorl.fingerprints import looks
from whorl.images import load
from whorl.outcomes import Cluster

SIDE = 128


def look(stack: np.ndarray) -> Cluster:
    """The fingerprint of pictures that are one group."""
    bag = load(np.clip(np.rint(stack), 0, 255).astype(np.uint8), name="bag")
    return looks(bag, ["1"] * len(bag), np.ones(len(bag)))[0]


def phantoms(count: int, side: int, seed: int = 0) -> np.ndarray:
    return np.stack([phantom(seed + place, side) for place in range(count)])


def pink(count: int, side: int, seed: int) -> np.ndarray:
    """Noise whose amplitude falls as one over the frequency."""
    away = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    away[0, 0] = 1
    white = np.random.default_rng(seed).normal(size=(count, side, side))
    made = np.fft.ifft2(np.fft.fft2(white) / away).real
    return 128 + 30 * made / made.std()


def through_jpeg(picture: np.ndarray, quality: int = 60) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.fixture(scope="module")
def plain() -> np.ndarray:
    """Pictures in which nothing was planted."""
    return phantoms(16, SIDE)


def planted(name: str, plain: np.ndarray) -> np.ndarray:
    """The pictures with one kind of pattern in them."""
    down, across = np.indices((SIDE, SIDE))
    made = plain.copy()
    if name == "checkerboard":
        return made + 1.5 * ((down + across) % 2 * 2 - 1)
    if name == "columns":
        return made * (1 + 0.03 * (across % 2 * 2 - 1))
    if name == "waves of 4":
        return made + 2.5 * np.cos(np.pi * down / 2)
    if name == "nearest":
        return np.kron(phantoms(16, SIDE // 2), np.ones((2, 2)))
    if name == "jpeg":
        return np.stack([through_jpeg(picture) for picture in made])
    made[:, ::16] += 14
    made[:, :, ::16] += 14
    return made


EXPECTED = {
    "checkerboard": (2, "diagonal", "pattern", "checkerboard of ×2 upsampling"),
    "columns": (2, "horizontal", "pattern", "checkerboard of ×2 upsampling"),
    "waves of 4": (4, "vertical", "pattern", "two levels of ×2"),
    "nearest": (2, "both", "contrast", "×2 enlarging"),
    "jpeg": (8, "both", "contrast", "JPEG grid of 8 × 8 blocks"),
    "seams": (16, "both", "pattern", "regular seams or tiles every 16 pixels"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_planted_patterns_are_found_and_named(plain, name):
    period, direction, seen_in, cause = EXPECTED[name]
    (found,) = look(planted(name, plain)).peaks
    assert (found.period, found.direction, found.seen_in) == (period, direction, seen_in)
    assert found.cause.startswith("probable cause: ") and cause in found.cause and found.ratio >= 3


def test_a_faint_jpeg_grid_in_small_pictures_is_no_seam():
    """Of 64 pixels one direction may stand out, or one overtone: the coefficients tell that it is JPEG."""
    small = phantoms(40, 64)
    compressed = [np.stack([through_jpeg(picture, quality) for picture in small]) for quality in (40, 30)]
    for stack in compressed:
        found = look(stack).peaks
        assert found and all("JPEG grid of 8 × 8 blocks" in one.cause for one in found)
        assert not any("seams" in one.cause for one in found)


def test_without_quantised_blocks_a_period_of_8_in_one_direction_may_be_either(plain):
    made = plain.copy()
    made[:, :, ::8] += 14
    causes = [one.cause for one in look(made).peaks if one.period == 8]
    assert causes and all("JPEG" in cause and "seams" in cause for cause in causes)


def test_smooth_spectra_are_silent(plain):
    assert look(plain).peaks == ()
    false = {"white": 0, "pink": 0, "phantom": 0}
    for draw in range(50):
        white = 128 + 20 * np.random.default_rng(draw).normal(size=(12, 64, 64))
        makers = {"white": white, "pink": pink(12, 64, draw), "phantom": phantoms(12, 64, 100 * draw)}
        for name, stack in makers.items():
            false[name] += bool(look(stack).peaks)
    assert false == {"white": 0, "pink": 0, "phantom": 0}


@pytest.mark.parametrize("count", [1, 2])
def test_few_pictures_are_silent_too(count):
    for draw in range(20):
        assert look(128 + 20 * np.random.default_rng(draw).normal(size=(count, 64, 64))).peaks == ()


def test_small_and_empty_pictures_have_no_peaks():
    assert look(np.full((3, 64, 64), 90)).peaks == ()
    small = look(128 + 20 * np.random.default_rng(0).normal(size=(9, 12, 12)))
    assert small.peaks == () and small.autocorrelation.shape == (7, 7)
    assert not look(np.full((3, 64, 64), 90)).autocorrelation.any()


def test_turned_and_mirrored_pictures_have_turned_and_the_same_peaks(plain):
    turned = {"horizontal": "vertical", "vertical": "horizontal"}
    for name in ("columns", "jpeg", "nearest", "checkerboard"):
        stack = planted(name, plain)
        (one,) = look(stack).peaks
        (mirrored,) = look(stack[:, :, ::-1]).peaks
        (other,) = look(np.rot90(stack, axes=(1, 2))).peaks
        assert (mirrored.period, mirrored.direction) == (one.period, one.direction)
        assert (other.period, other.direction) == (one.period, turned.get(one.direction, one.direction))
        assert mirrored.ratio == pytest.approx(one.ratio, rel=0.05)
        assert other.ratio == pytest.approx(one.ratio, rel=0.05)


def test_the_autocorrelation_is_one_in_the_centre_and_repeats_with_the_pattern():
    noise = 128 + 20 * np.random.default_rng(0).normal(size=(30, SIDE, SIDE))
    plain = look(noise).autocorrelation
    assert plain.shape == (65, 65) and plain[32, 32] == 1
    np.testing.assert_allclose(plain, plain[::-1, ::-1], atol=1e-5)
    assert abs(plain[:20]).max() < 0.05
    waved = look(noise + 20 * np.cos(2 * np.pi * np.arange(SIDE) / 8)).autocorrelation
    # Half of a wave of amplitude 20 and white noise of spread 20 is alike after 8 pixels: a third; a
    # little less, as the high-pass takes half of the wave's amplitude.
    assert waved[32, 40] > 0.05 and waved[32, 36] < -0.05
    assert waved[32, 40] == pytest.approx(waved[32, 48], abs=0.03) == pytest.approx(-waved[32, 36], abs=0.03)
