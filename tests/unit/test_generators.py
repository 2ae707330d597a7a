"""Generators of every kind keep one contract, have one way to be named, and leak what they say they leak."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from whorl.forge import generators
from whorl.forge.classical import Components, Kernels, interpolating
from whorl.forge.neural import Neural
from whorl.forge.phantom import draw_hospital
from whorl.forge.planted import Copies
from whorl.records import BadInput

SIZE = 32
SPECS = ("components:components=6", "kernels", "copies:rate=0.25", "decoder", "quilt:patch=12")


@pytest.fixture(scope="module")
def everyone():
    return draw_hospital(patients=24, slices=2, size=SIZE, seed=3).pixels


@pytest.fixture(scope="module")
def members(everyone):
    return everyone[:24]


@pytest.fixture(scope="module")
def fitted(everyone, members):
    return {spec: generators.make(spec, everyone).fit(members, 5) for spec in SPECS}


def flat(pixels):
    return pixels.reshape(len(pixels), -1).astype(float)


def unclipped(count=60):
    """Members far from black and white, so that no generated picture is clipped."""
    pixels = draw_hospital(patients=count, slices=1, size=SIZE, seed=4).pixels
    return (100 + pixels // 6).astype(np.uint8)


def test_every_kind_is_held_to_the_contract():
    # Those that are trained need torch: test_neural_generators.py holds them to it.
    trained = {name for name, kind in generators.GENERATORS.items() if issubclass(kind, Neural)}
    assert {spec.partition(":")[0] for spec in SPECS} == set(generators.GENERATORS) - trained


@pytest.mark.parametrize("spec", SPECS)
def test_samples_are_pictures_of_the_members_size(fitted, spec):
    made = fitted[spec].sample(7, 1)
    assert made.shape == (7, SIZE, SIZE) and made.dtype == np.uint8
    assert made.std() > 1.0 and len({picture.tobytes() for picture in made}) == 7


@pytest.mark.parametrize("spec", SPECS)
def test_a_seed_decides_the_samples(fitted, spec):
    one, same, other = (fitted[spec].sample(5, seed) for seed in (8, 8, 9))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("spec", SPECS)
def test_training_again_with_the_same_seed_gives_the_same_generator(everyone, members, fitted, spec):
    again = generators.make(spec, everyone).fit(members, 5)
    assert np.array_equal(again.sample(4, 2), fitted[spec].sample(4, 2))


@pytest.mark.parametrize("spec", SPECS)
def test_training_leaves_its_pictures_alone_and_keeps_none_that_change_later(everyone, spec):
    background, own = everyone.copy(), everyone[:24].copy()
    model = generators.make(spec, background).fit(own, 5)
    assert np.array_equal(own, everyone[:24]) and np.array_equal(background, everyone)
    before = model.sample(3, 1)
    own[...] = 255 - own
    background[...] = 0
    assert np.array_equal(model.sample(3, 1), before)


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_no_stack_of_grey_pictures_is_refused(everyone, members, fitted, spec):
    for images in (members[:0], members[0], members.astype(float)):
        with pytest.raises(BadInput):
            generators.make(spec, everyone).fit(images, 0)
    for count, seed in ((0, 0), (3, -1)):
        with pytest.raises(BadInput):
            fitted[spec].sample(count, seed)


@pytest.mark.parametrize("kind", generators.GENERATORS.values(), ids=generators.GENERATORS.keys())
def test_every_kind_is_a_frozen_dataclass_with_defaults(kind):
    assert dataclasses.is_dataclass(kind) and kind() == kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind().anything = 1


def test_a_text_names_a_generator_and_its_full_text_is_one():
    assert generators.make("components: components = 9") == Components(9)
    assert generators.make("copies:rate=1,strength=0.5") == Copies(1.0, 0.5)
    assert generators.spelled("kernels") == generators.spelled("kernels:bandwidth=0.50")
    for spec in SPECS:
        assert generators.spelled(generators.spelled(spec)) == generators.spelled(spec)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("componets", "did you mean 'components'"),
        ("", "known: components, kernels, copies"),
        ("diffusion\nmodel", "no generator"),
        ("copies:rat=1", "did you mean 'rate'"),
        ("copies:zzz=1", "copies takes rate, strength"),
        ("copies:background=1", "copies takes rate, strength"),
        ("copies:rate", "not key=value; copies takes rate, strength"),
        ("copies:rate=", "not key=value"),
        ("copies:rate=half", "rate takes a number, not 'half'"),
        ("components:components=1.5", "components takes a whole number, not '1.5'"),
        ("copies:rate=0.1,rate=0.2", "'rate' is given twice"),
        ("copies:rate=1.2", "give a share from 0 to 1"),
        ("copies:rate=nan", "give a share from 0 to 1"),
        ("copies:strength=0", "give a number above 0"),
        ("kernels:bandwidth=-1", "give a number from 0 to 1"),
        ("components:components=0", "give 1 or more"),
        ("decoder:upsampling=neares", "did you mean 'nearest'"),
    ],
)
def test_bad_texts_are_refused_in_one_line_that_helps(spec, said):
    with pytest.raises(BadInput) as caught:
        generators.make(spec)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_components_are_the_interpolating_generator(members):
    for seed in (0, 6):
        drawn = Components(9).fit(members, 1).sample(11, seed)
        assert np.array_equal(drawn, interpolating(members, 11, seed, components=9))
    many = Components(500).fit(members, 0).sample(4, 3)
    assert np.array_equal(many, interpolating(members, 4, 3, components=len(members) - 1))


def test_kernels_of_no_width_copy_members():
    members = unclipped()
    made = Kernels(0.0).fit(members, 0).sample(40, 1)
    known = {member.tobytes() for member in members}
    assert all(picture.tobytes() in known for picture in made)
    assert len({picture.tobytes() for picture in made}) > 15


@pytest.mark.parametrize("bandwidth", [0.0, 0.5, 1.0])
def test_kernels_of_any_width_keep_mean_and_covariance(bandwidth):
    """Compared with the members' own along their principal axes; 4,000 samples, error about 2 %."""
    members = flat(unclipped())
    drawn = flat(Kernels(bandwidth).fit(unclipped(), 0).sample(4000, 1))
    assert np.abs(drawn.mean(0) - members.mean(0)).max() < 1.5
    axes = np.linalg.svd(members - members.mean(0), full_matrices=False)[2][:6]
    inside, expected = (np.cov(table @ axes.T, rowvar=False) for table in (drawn, members))
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(inside - expected) / scale).max() < 0.1


def test_wide_kernels_forget_their_members_and_narrow_ones_do_not():
    members = unclipped()

    def nearest(bandwidth):
        made = flat(Kernels(bandwidth).fit(members, 0).sample(60, 1))
        return np.linalg.norm(made[:, None] - flat(members)[None], axis=2).min(1).mean()

    assert nearest(0.1) < 0.5 * nearest(0.5) < 0.5 * nearest(1.0)


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 0), (0.05, 4), (1.0, 80)])
def test_copies_keep_their_rate_and_name_their_members(everyone, members, rate, expected):
    model = Copies(rate, background=everyone).fit(members, 0)
    made, sources = model.sample_with_truth(80, 2)
    assert np.array_equal(made, model.sample(80, 2))
    copies = np.flatnonzero(sources >= 0)
    assert len(copies) == expected and sources.max(initial=-1) < len(members)
    for place in copies:
        alike = [np.corrcoef(made[place].ravel(), member.ravel())[0, 1] for member in members]
        assert alike[sources[place]] > 0.9 and max(alike) - alike[sources[place]] < 0.05


def test_fillers_do_not_depend_on_who_was_used(everyone):
    one, other = (
        Copies(0.5, background=everyone).fit(side, 0).sample_with_truth(30, 4)
        for side in (everyone[:24], everyone[24:])
    )
    assert np.array_equal(one[1], other[1]), "the same places are copies"
    fillers = one[1] < 0
    assert np.array_equal(one[0][fillers], other[0][fillers])
    assert not np.array_equal(one[0][~fillers], other[0][~fillers])


def test_copies_need_a_background_of_the_members_size(everyone, members):
    with pytest.raises(BadInput, match="background is needed"):
        Copies().fit(members, 0)
    with pytest.raises(BadInput, match="different sizes"):
        Copies(background=everyone[:, :16, :16]).fit(members, 0)
