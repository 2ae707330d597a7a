"""Decoders: same content, and a fingerprint that comes from how they upsample and from their filters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from whorl.forge.decoders import Decoder, _correlate, _upsampled
from whorl.forge.phantom import draw_hospital
from whorl.records import BadInput

SIZE = 64
KINDS = ("transposed", "nearest", "bilinear", "shuffle")


@pytest.fixture(scope="module")
def members():
    return draw_hospital(patients=40, slices=1, size=SIZE).pixels


@pytest.fixture(scope="module")
def fitted(members):
    kinds = {kind: Decoder(kind).fit(members, 0) for kind in KINDS}
    return {**kinds, "other weights": Decoder("transposed", weights=1).fit(members, 0)}


@pytest.fixture(scope="module")
def made(fitted):
    return {name: decoder.sample(48, 1) for name, decoder in fitted.items()}


def power(pictures):
    """Mean power of what differs from the local mean."""
    grey = pictures.astype(float)
    return (np.abs(np.fft.fft2(grey - uniform_filter(grey, (0, 3, 3)))) ** 2).mean(0)


def apart(first, second):
    """Root mean square difference of smoothed log spectra."""
    difference = np.log(power(first)) - np.log(power(second))
    return np.sqrt((uniform_filter(difference, 5, mode="wrap") ** 2).mean())


def blocks(pictures, size=8):
    count = len(pictures)
    small = pictures.reshape(count, SIZE // size, size, SIZE // size, size).mean((2, 4))
    return small.reshape(count, -1)


def alike(first, second):
    """Smallest correlation of any picture with its counterpart, over blocks of pixels."""
    return min(np.corrcoef(a, b)[0, 1] for a, b in zip(blocks(first), blocks(second), strict=True))


@pytest.mark.parametrize("plan", [Decoder(), Decoder("nearest", 5, levels=2), Decoder("transposed", 2)])
def test_shape_and_repeatability(members, plan):
    before = members.copy()
    decoder = plan.fit(members, 3)
    first = decoder.sample(5, 7)
    assert first.shape == (5, SIZE, SIZE) and first.dtype == np.uint8
    assert np.array_equal(first, decoder.sample(5, 7))
    assert np.array_equal(first, plan.fit(members, 3).sample(5, 7))
    assert not np.array_equal(first, decoder.sample(5, 8))
    assert np.array_equal(first[:2], decoder.sample(2, 7))
    assert np.array_equal(members, before)


def test_pictures_do_not_depend_on_batches(fitted, made, monkeypatch):
    monkeypatch.setattr("whorl.forge.decoders.BATCH", 7)
    assert np.array_equal(fitted["shuffle"].sample(48, 1), made["shuffle"])


def test_oblong_members(members):
    oblong = np.ascontiguousarray(members[:, :, 8:-8])
    assert Decoder("shuffle").fit(oblong, 0).sample(2, 0).shape == (2, SIZE, SIZE - 16)


def test_pictures_differ_and_none_is_a_member(made, members):
    pictures = made["nearest"].reshape(48, -1).astype(float)
    assert len(np.unique(pictures, axis=0)) == 48
    distances = np.abs(pictures[:, None] - members.reshape(1, 40, -1)).mean(2)
    assert distances.min() > 2.0


@pytest.mark.parametrize("name", [*KINDS, "other weights"])
def test_grey_values_are_those_of_the_members(made, members, name):
    assert made[name].mean() == pytest.approx(members.mean(), abs=6.0)
    assert made[name].std() == pytest.approx(members.std(), rel=0.1)


def test_one_seed_one_content(made):
    for first, second in itertools.combinations(made.values(), 2):
        assert alike(first, second) > 0.97


def test_every_pair_has_its_own_fingerprint(fitted, made):
    """Other pictures of the same decoder are nearer in the spectrum than the same pictures of another."""
    repeated = max(apart(pictures, fitted[name].sample(48, 2)) for name, pictures in made.items())
    for first, second in itertools.combinations(made.values(), 2):
        assert apart(first, second) > 2.0 * repeated


def test_transposed_convolution_leaves_period_two(made, members):
    """Share of the power at half a cycle per pixel, where overlapping strides leave their checkerboard."""
    share = {}
    for name, pictures in made.items():
        table = power(pictures)
        share[name] = (table[SIZE // 2].sum() + table[:, SIZE // 2].sum()) / table.sum()
    smooth = max(share["nearest"], share["bilinear"])
    assert share["transposed"] > 1.5 * smooth and share["other weights"] > 1.5 * smooth


def test_the_noise_matches_the_members_and_varies(members):
    def detail(pictures):
        grey = pictures.astype(float)
        inside = (grey > 1.0) & (grey < 254.0)
        differences = np.abs(grey - uniform_filter(grey, (0, 3, 3)))
        return np.array([np.median(d[i]) for d, i in zip(differences, inside, strict=True)])

    grainy = np.random.default_rng(0).normal(0.0, 12.0, members.shape) + 60.0 + 0.5 * members
    noisy = np.clip(grainy, 0, 255).astype(np.uint8)
    steady, varied = (Decoder("nearest", doses=doses).fit(noisy, 0).sample(40, 1) for doses in (0.0, 0.6))
    assert detail(steady).mean() == pytest.approx(detail(noisy).mean(), rel=0.25)
    assert np.log(detail(varied)).std() > 2.0 * np.log(detail(steady)).std()


def test_upsampling_of_a_constant_and_of_single_points():
    planes = np.zeros((1, 5, 5), np.float32)
    planes[0, 2, 2] = 1.0
    point = np.zeros((1, 1, 3, 3), np.float32)
    point[0, 0, 1, 1] = 1.0
    nearest = _upsampled(planes, point, "nearest")[0]
    assert np.array_equal(np.argwhere(nearest), [[4, 4], [4, 5], [5, 4], [5, 5]])
    bilinear = _upsampled(planes, point, "bilinear")[0]
    profile = np.array([0.25, 0.75, 0.75, 0.25])
    assert np.allclose(bilinear[3:7, 3:7], np.outer(profile, profile))
    assert bilinear.sum() == pytest.approx(4.0)
    stamp = np.arange(1.0, 17.0, dtype=np.float32).reshape(1, 1, 4, 4)
    stamped = _upsampled(planes, stamp, "transposed")[0]
    assert np.array_equal(stamped[3:7, 3:7], stamp[0, 0, ::-1, ::-1])
    assert stamped.sum() == stamp.sum()
    quarters = np.zeros((4, 1, 3, 3), np.float32)
    quarters[:, 0, 1, 1] = [1.0, 2.0, 3.0, 4.0]
    shuffled = _upsampled(planes, quarters, "shuffle")[0]
    assert np.array_equal(shuffled[4:6, 4:6], [[1.0, 2.0], [3.0, 4.0]])
    assert shuffled.sum() == 10.0


def test_convolution_agrees_with_scipy(monkeypatch):
    from scipy.signal import correlate2d

    rng = np.random.default_rng(0)
    planes = rng.standard_normal((3, 20, 17)).astype(np.float32)
    filters = rng.standard_normal((2, 3, 4, 4)).astype(np.float32)
    wanted = [
        sum(correlate2d(plane, one, mode="valid") for plane, one in zip(planes, bank, strict=True))
        for bank in filters
    ]
    assert np.allclose(_correlate(planes, filters), wanted, atol=1e-4)
    monkeypatch.setattr("whorl.forge.decoders.PIECE", 100)
    assert np.allclose(_correlate(planes, filters), wanted, atol=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"upsampling": "cubic"},
        {"kernel": 9},
        {"kernel": 4, "upsampling": "nearest"},
        {"weights": -1},
        {"levels": 3},
        {"neighbours": 1},
        {"doses": float("nan")},
    ],
)
def test_bad_parameters_tell_in_one_line(wrong):
    with pytest.raises(BadInput) as caught:
        Decoder(**wrong)
    assert next(iter(wrong)) in str(caught.value) and "\n" not in str(caught.value)


def test_bad_members_and_draws(members):
    with pytest.raises(BadInput, match="multiples of 4"):
        Decoder(levels=2).fit(members[:, :62, :62], 0)
    with pytest.raises(BadInput, match="at least two pictures"):
        Decoder().fit(members[:1], 0)
    with pytest.raises(BadInput, match="uint8"):
        Decoder().fit(members.astype(float), 0)
    with pytest.raises(BadInput, match="count 0"):
        Decoder().fit(members, 0).sample(0, 0)


def test_members_without_any_contrast():
    flat = np.full((4, 32, 32), 90, np.uint8)
    assert np.abs(Decoder().fit(flat, 0).sample(3, 0).astype(int) - 90).max() <= 3
