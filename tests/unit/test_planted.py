"""Generators with known leak: copies are found at their source, the clean one knows nobody."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.forge import classical, planted
from whorl.forge.phantom import draw_hospital
from whorl.records import BadInput

SLICES = 3
SIZE = 128


def thumbnails(pixels):
    small = (
        pixels.reshape(len(pixels), 32, pixels.shape[1] // 32, 32, -1).mean((2, 4)).reshape(len(pixels), -1)
    )
    small = small - small.mean(1, keepdims=True)
    return small / np.linalg.norm(small, axis=1, keepdims=True)


def nearness(real, generated):
    """Each patient's greatest correlation with any generated picture."""
    table = thumbnails(real) @ thumbnails(generated).T
    return table.max(1).reshape(-1, SLICES).max(1)


def area(above, below):
    """Probability that a member scores above a held-out patient."""
    return float((above[:, None] > below[None, :]).mean())


@pytest.fixture(scope="module")
def members():
    return draw_hospital(patients=40, slices=SLICES, size=SIZE, seed=1).pixels


@pytest.fixture(scope="module")
def holdout():
    return draw_hospital(patients=40, slices=SLICES, size=SIZE, seed=1, first_patient=40).pixels


def test_all_generators_return_bytes_of_the_asked_shape_and_keep_the_members(members):
    before = members.copy()
    for pixels in (
        planted.leaking(members, 7, 0),
        classical.interpolating(members, 7, 0),
        planted.clean(7, SIZE, 0),
    ):
        assert pixels.shape == (7, SIZE, SIZE)
        assert pixels.dtype == np.uint8
    assert np.array_equal(before, members)


def test_a_seed_decides_everything(members):
    for draw in (
        lambda seed: planted.leaking(members[:12], 4, seed),
        lambda seed: classical.interpolating(members[:12], 4, seed),
        lambda seed: planted.clean(4, SIZE, seed),
    ):
        assert np.array_equal(draw(3), draw(3))
        assert not np.array_equal(draw(3), draw(4))


def test_the_truth_names_the_member_each_copy_resembles_most(members):
    pixels, sources = planted.leaking_with_truth(members, 100, 5, rate=0.4)
    copies = np.flatnonzero(sources >= 0)
    assert len(copies) == 40
    assert np.array_equal(pixels, planted.leaking(members, 100, 5, rate=0.4))
    nearest = np.argmax(thumbnails(pixels[copies]) @ thumbnails(members).T, axis=1)
    assert (nearest == sources[copies]).mean() > 0.9
    assert (nearest // SLICES == sources[copies] // SLICES).mean() > 0.97


def test_copies_are_near_but_never_exact(members):
    pixels, sources = planted.leaking_with_truth(members, 60, 6, rate=1.0)
    alike = (thumbnails(pixels) * thumbnails(members)[sources]).sum(1)
    assert (sources >= 0).all()
    assert np.median(alike) > 0.95
    assert not any(np.array_equal(one, members[two]) for one, two in zip(pixels, sources, strict=True))


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 0), (0.25, 10), (1.0, 40)])
def test_the_rate_is_kept_exactly(members, rate, expected):
    _, sources = planted.leaking_with_truth(members, 40, 2, rate=rate)
    assert (sources >= 0).sum() == expected
    assert sources.min() >= -1
    assert sources.max() < len(members)


def test_strength_fades_a_copy_towards_a_stranger(members):
    def alike(strength):
        pixels, sources = planted.leaking_with_truth(members, 40, 2, rate=1.0, strength=strength)
        return (thumbnails(pixels) * thumbnails(members)[sources]).sum(1).mean()

    assert alike(1.0) > alike(0.6) > alike(0.2)


def test_leak_shows_in_a_nearest_neighbour_score_and_its_absence_too(members, holdout):
    def score(generated):
        return area(nearness(members, generated), nearness(holdout, generated))

    assert score(planted.leaking(members, 150, 11, rate=0.5)) > 0.8
    # 40 against 40 patients: the standard error of chance is 0.065.
    assert 0.35 < score(planted.leaking(members, 150, 11, rate=0.0)) < 0.65
    assert 0.35 < score(planted.clean(150, SIZE, 11)) < 0.65


def test_strangers_are_strangers_even_with_the_hospitals_own_seed():
    known = thumbnails(draw_hospital(patients=40, slices=SLICES, size=SIZE, seed=0).pixels)
    neighbours = np.diag(known @ known.T, 1)[::SLICES]  # two slices of one patient
    pixels = draw_hospital(patients=1, slices=1, size=SIZE, seed=0).pixels
    for strangers in (planted.clean(40, SIZE, 0), planted.leaking(pixels, 40, 0, rate=0.0)):
        nearest = (thumbnails(strangers) @ known.T).max(1)
        assert np.quantile(nearest, 0.95) < np.median(neighbours)


def test_each_generator_has_a_texture_of_its_own(members):
    """Clusters of local binary patterns, scaled to unit variance, are the generators."""
    from skimage.feature import local_binary_pattern
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import adjusted_rand_score

    sets = (
        planted.leaking(members, 30, 8),
        classical.interpolating(members, 30, 8),
        planted.clean(30, SIZE, 8),
    )
    codes = [local_binary_pattern(picture, 8, 1, "uniform") for pixels in sets for picture in pixels]
    table = np.array([np.bincount(code.astype(int).ravel(), minlength=10) for code in codes], float)
    table = (table - table.mean(0)) / table.std(0)
    found = AgglomerativeClustering(3).fit_predict(table)
    assert adjusted_rand_score(np.repeat(range(3), 30), found) >= 0.95


def test_components_span_what_is_generated(members):
    """Unclipped, a picture drawn from two components lies in the plane of those two."""
    soft = (100 + members[:30, ::2, ::2] // 8).astype(np.uint8)
    drawn = classical.interpolating(soft, 20, 0, components=2).reshape(20, -1).astype(float)
    flat = soft.reshape(30, -1).astype(float)
    centre = flat.mean(0)
    axes = np.linalg.svd(flat - centre, full_matrices=False)[2][:2]
    rest = (drawn - centre) - (drawn - centre) @ axes.T @ axes
    assert np.abs(rest).max() < 1.0  # rounding only
    assert (drawn - centre).std() > 1.0


def test_weights_have_the_members_spread(members):
    soft = (100 + members[:, ::2, ::2] // 8).astype(np.uint8)
    drawn = classical.interpolating(soft, 400, 0, components=len(soft) - 1)
    error = drawn.std(0) / 20.0  # of a mean over 400 pictures
    assert (np.abs(drawn.mean(0) - soft.mean(0)) < 5.0 * error + 0.6).all()
    ratio = drawn.reshape(400, -1).var(0).sum() / soft.reshape(len(soft), -1).var(0).sum()
    assert 0.9 < ratio < 1.1


def test_bad_parameters_are_refused_in_one_line(members):
    calls = (
        lambda: planted.leaking(members, 0, 0),
        lambda: planted.leaking(members, 5, -1),
        lambda: planted.leaking(members, 5, 0, rate=1.2),
        lambda: planted.leaking(members, 5, 0, rate=float("nan")),
        lambda: planted.leaking(members, 5, 0, strength=0.0),
        lambda: planted.leaking(members[:, :, :64], 5, 0),
        lambda: planted.leaking(members.astype(float), 5, 0),
        lambda: planted.leaking(members[0], 5, 0),
        lambda: planted.leaking(members[:0], 5, 0),
        lambda: planted.clean(0, 64, 0),
        lambda: planted.clean(5, 63, 0),
        lambda: classical.interpolating(members[:1], 5, 0),
        lambda: classical.interpolating(members[:9], 5, 0, components=9),
        lambda: classical.interpolating(members[:9], 5, 0, components=0),
    )
    for call in calls:
        with pytest.raises(BadInput) as caught:
            call()
        assert "\n" not in str(caught.value)
