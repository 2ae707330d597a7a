"""The fingerprint's features see the grain of a picture: not its side, its place or its orientation."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from whorl.features.cooccurrence import evened, residuals, turned
from whorl.features.frequency import radial_spectrum, spectrum
from whorl.features.residual import predictor
from whorl.features.texture import lbp
from whorl.features.upsampling import phases
from whorl.forge.phantom import draw_hospital
from whorl.records import BadInput

PICTURES = draw_hospital(patients=8, slices=1, size=128, seed=5).pixels
BLOCKS = {
    "predictor": partial(predictor, radius=3, sigma=1.0),
    "wide predictor": partial(predictor, radius=5, sigma=1.0),
    "predictor of the picture": predictor,
    "coarse predictor": partial(predictor, radius=3, sigma=1.0, scale=2),
    "spectrum": partial(spectrum, pooling="frequencies"),
    "small spectrum": partial(spectrum, cells=8, pooling="frequencies"),
    "radial spectrum": partial(radial_spectrum, sigma=1.5),
    "co-occurrence": residuals,
    "longer co-occurrence": partial(residuals, order=4),
    "co-occurrence in grey levels": partial(residuals, relative=False),
    "evened co-occurrence": evened,
    "coarse evened co-occurrence": partial(evened, scale=2),
    "turned co-occurrence": turned,
    "even and odd rows": phases,
    "symmetric patterns": partial(lbp, method="symmetric"),
    "wide symmetric patterns": partial(lbp, radius=2.0, method="symmetric"),
    "sixteen symmetric patterns": partial(lbp, points=16, radius=2.0, method="symmetric"),
}
# Whole-number arithmetic: exactly the same after any flip or turn.
EXACT = [name for name in BLOCKS if "occurrence" in name or "patterns" in name]
# These pictures were not doubled, and lie the same both ways: what rows differ in is chance.
OF_GRAIN = [name for name in BLOCKS if name not in ("even and odd rows", "turned co-occurrence")]


def grain(count, seed, along, across):
    """Pictures of one generator: content of their own, grain with the same two widths."""
    rng = np.random.default_rng(seed)
    content = gaussian_filter(rng.standard_normal((count, 96, 96)), (0, 8, 8)) * 600
    fine = gaussian_filter(rng.standard_normal((count, 96, 96)), (0, along, across))
    fine *= 4 / fine.std()
    return np.clip(np.rint(120 + content + fine), 0, 255).astype(np.uint8)


def moved(found, changed):
    """Largest over the columns of the mean change, in spreads of the table as a whole."""
    spread = found.std(axis=0)
    return np.abs(changed - found).mean() / spread.mean()


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("shape", [(128, 128), (96, 128), (61, 48), (32, 32)])
def test_flips_and_quarter_turns_change_nothing(name, shape):
    stack = PICTURES[:4, : shape[0], : shape[1]]
    found = BLOCKS[name](stack)
    assert np.isfinite(found).all()
    assert found.dtype == np.float32
    for other in (stack[:, ::-1], stack[:, :, ::-1], stack.transpose(0, 2, 1), np.rot90(stack, 1, (1, 2))):
        changed = BLOCKS[name](other)
        if name in EXACT:
            np.testing.assert_array_equal(changed, found)
        else:
            np.testing.assert_allclose(changed, found, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("name", OF_GRAIN)
def test_a_shift_and_a_crop_change_little(name):
    found = BLOCKS[name](PICTURES)
    assert moved(BLOCKS[name](PICTURES[:, 1:, 1:]), BLOCKS[name](PICTURES[:, :-1, :-1])) < 0.12
    assert moved(found, BLOCKS[name](PICTURES[:, 5:-3, 2:-6])) < 0.35


@pytest.mark.parametrize("name", OF_GRAIN)
def test_grain_tells_generators_apart_whatever_is_shown(name):
    one, other = (
        BLOCKS[name](grain(8, seed, *widths)) for seed, widths in ((1, (0.5, 0.5)), (2, (0.9, 0.9)))
    )
    gap = np.abs(one.mean(axis=0) - other.mean(axis=0))
    within = np.sqrt((one.var(axis=0) + other.var(axis=0)) / 2)
    assert (gap / np.maximum(within, 1e-6)).max() > 4


def doubled(count, seed):
    """Pictures whose grain was made half as large and doubled pixel by pixel."""
    rng = np.random.default_rng(seed)
    content = gaussian_filter(rng.standard_normal((count, 96, 96)), (0, 8, 8)) * 600
    fine = gaussian_filter(rng.standard_normal((count, 48, 48)), (0, 0.5, 0.5)).repeat(2, 1).repeat(2, 2)
    return np.clip(np.rint(120 + content + 4 * fine / fine.std()), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("part", [np.s_[:, :, :], np.s_[:, 3:-2, 1:]])
def test_even_and_odd_rows_differ_where_pictures_were_doubled_and_nowhere_else(part):
    fine, coarse, other = (
        phases(stack[part]) for stack in (grain(8, 1, 0.5, 0.5), grain(8, 2, 0.9, 0.9), doubled(8, 3))
    )
    made, chance = ((one - fine).mean(axis=0) for one in (other, coarse))
    assert made.max() > 3 * np.abs(chance).max()


def test_how_grain_lies_is_seen_by_turned_cooccurrence_whichever_way_it_is():
    lying, standing, round_ = (
        turned(grain(8, seed, *widths))
        for seed, widths in ((3, (0.4, 1.2)), (4, (1.2, 0.4)), (5, (0.7, 0.7)))
    )
    within = np.maximum((lying.std(axis=0) + standing.std(axis=0) + round_.std(axis=0)) / 3, 1e-3)
    assert (np.abs((lying - standing).mean(axis=0)) / within).max() < 3
    assert ((lying - round_).mean(axis=0) / within).max() > 10


@pytest.mark.parametrize("name", ["predictor", "spectrum", "co-occurrence", "symmetric patterns"])
def test_a_picture_and_its_transpose_are_one_but_grain_of_another_shape_is_not(name):
    lying, standing, round_ = grain(8, 3, 0.4, 1.2), grain(8, 4, 1.2, 0.4), grain(8, 5, 0.7, 0.7)
    lying, standing, round_ = (BLOCKS[name](stack) for stack in (lying, standing, round_))
    within = np.maximum((lying.std(axis=0) + standing.std(axis=0) + round_.std(axis=0)) / 3, 1e-6)
    turned = np.abs(lying.mean(axis=0) - standing.mean(axis=0)) / within
    shaped = np.abs(lying.mean(axis=0) - round_.mean(axis=0)) / within
    assert turned.max() < 2.5
    assert shaped.max() > 4


def test_relative_cooccurrence_does_not_see_contrast():
    low = (PICTURES // 4).astype(np.float32)
    np.testing.assert_array_equal(residuals(low * 2), residuals(low))
    assert np.abs(residuals(low * 2, relative=False) - residuals(low, relative=False)).max() > 0.1


def test_how_strong_one_half_is_does_not_matter_to_evened_cooccurrence():
    """Residuals as they are lose the grain of one half when the contrast of the other grows."""
    weak, strong = grain(8, 7, 0.5, 0.5).astype(np.float32), grain(8, 9, 0.9, 0.9).astype(np.float32)
    low, high = (np.concatenate([weak, times * strong], axis=2) for times in (2.0, 16.0))
    change = {block: float(np.linalg.norm(block(high) - block(low))) for block in (evened, residuals)}
    assert 0 < change[evened] < change[residuals] / 5


def test_background_is_left_out():
    """A black margin adds windows without any residual; counts grow by those at its border alone."""
    inner = np.pad(grain(4, 6, 0.5, 0.5), ((0, 0), (16, 16), (16, 16)), constant_values=120)
    wide = np.pad(inner, ((0, 0), (40, 40), (40, 40)), constant_values=120)
    for block in (residuals, partial(evened, around=1), partial(lbp, method="symmetric")):
        np.testing.assert_allclose(block(wide), block(inner), atol=1e-6)


@pytest.mark.parametrize("name", BLOCKS)
def test_an_empty_picture_has_features_too(name):
    assert np.isfinite(BLOCKS[name](np.full((2, 40, 33), 9, np.uint8))).all()


@pytest.mark.parametrize(
    ("block", "size"),
    [
        (partial(predictor, radius=5, scale=2), 20),
        (spectrum, 31),
        (partial(spectrum, pooling="frequencies"), 31),
        (residuals, 4),
        (evened, 6),
        (partial(evened, scale=2), 13),
        (turned, 6),
        (phases, 15),
        (partial(lbp, radius=3.0, method="symmetric"), 8),
    ],
)
def test_pictures_that_are_too_small_are_refused_in_one_line(block, size):
    with pytest.raises(BadInput, match=r"needs pictures of \d+ pixels.*--size (\d+)") as caught:
        block(PICTURES[:, :size, :64])
    assert "\n" not in str(caught.value)
    least = int(str(caught.value).split()[-1])
    assert np.isfinite(block(PICTURES[:, :least, :least])).all()


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (partial(residuals, order=6), "give 1 to 5"),
        (partial(residuals, step=0.0), "give a number above 0"),
        (partial(evened, order=6), "give 1 to 5"),
        (partial(evened, step=0.0), "give a number above 0"),
        (partial(evened, around=8), "give an odd number"),
        (partial(phases, around=8), "give an odd number"),
        (partial(lbp, points=6, method="symmetric"), "4, 8, 12 or 16"),
    ],
)
def test_impossible_parameters_are_refused(block, words):
    with pytest.raises(BadInput, match=words):
        block(PICTURES)
