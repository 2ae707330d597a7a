"""The made-up hospital: the same for a seed, whoever is drawn beside, and anatomically plausible."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.forge.phantom import draw_hospital, draw_patient
from whorl.records import BadInput


def correlations(pixels):
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    return np.corrcoef(flat)


@pytest.fixture(scope="module")
def hospital():
    return draw_hospital(patients=12, slices=3, size=128, seed=4)


def test_shapes_names_and_whole_patients(hospital):
    assert hospital.pixels.shape == (36, 128, 128)
    assert hospital.pixels.dtype == np.uint8
    assert hospital.ids[:4] == ("P0001_s00.png", "P0001_s01.png", "P0001_s02.png", "P0002_s00.png")
    assert len(set(hospital.ids)) == 36
    assert hospital.patients == tuple(name.split("_")[0] for name in hospital.ids)
    assert all(hospital.patients.count(name) == 3 for name in set(hospital.patients))


def test_same_seed_same_pictures_and_other_seed_others(hospital):
    again = draw_hospital(patients=2, slices=3, size=128, seed=4)
    other = draw_hospital(patients=2, slices=3, size=128, seed=5)
    assert np.array_equal(again.pixels, hospital.pixels[:6])
    assert all((one != two).mean() > 0.2 for one, two in zip(again.pixels, other.pixels, strict=True))


def test_a_patient_does_not_depend_on_who_is_drawn_beside(hospital):
    later = draw_hospital(patients=3, slices=3, size=128, seed=4, first_patient=7)
    assert np.array_equal(later.pixels, hospital.pixels[21:30])
    assert later.ids == hospital.ids[21:30]
    assert np.array_equal(draw_patient(4, 8, 3, 128), hospital.pixels[24:27])


def test_slices_of_a_patient_are_more_alike_than_strangers(hospital):
    table = correlations(hospital.pixels)
    owner = np.array(hospital.patients)
    same = owner[:, None] == owner[None, :]
    np.fill_diagonal(table, np.nan)
    own = np.array([np.nanmax(np.where(row, line, np.nan)) for row, line in zip(same, table, strict=True)])
    stranger = np.array(
        [np.nanmax(np.where(row, np.nan, line)) for row, line in zip(same, table, strict=True)]
    )
    assert (own > stranger).all()


def test_slices_change_smoothly_along_the_body():
    table = correlations(draw_patient(1, 3, 9, 128))
    neighbours = np.diag(table, 1)
    assert (neighbours < 0.9999).all()
    assert neighbours.mean() > np.diag(table, 4).mean() > np.diag(table, 8).mean()


def test_one_body_at_every_size():
    large = draw_patient(2, 5, 2, 256).reshape(2, 64, 4, 64, 4).mean((2, 4))
    small = draw_patient(2, 5, 2, 128).reshape(2, 64, 2, 64, 2).mean((2, 4))
    table = correlations(np.concatenate((large, small)))
    assert table[0, 2] > 0.99
    assert table[1, 3] > 0.99


def test_the_picture_is_a_chest(hospital):
    """Air at the rim, dark lungs to both sides, a bright backbone in the lower middle."""
    pixels = hospital.pixels.astype(float)
    rim = np.concatenate((pixels[:, :4].ravel(), pixels[:, -4:].ravel()))
    assert np.median(rim) < 30
    sides = np.concatenate((pixels[:, 58:66, 34:40].ravel(), pixels[:, 58:66, 88:94].ravel()))
    assert np.median(sides) < 80
    body = pixels[:, 50:90, 59:69]
    assert np.median(body) > 130
    assert (pixels[:, 70:105, 54:74].max((1, 2)) > 225).all()
    left, right = (pixels > 120)[:, :, :64].mean(), (pixels > 120)[:, :, 64:].mean()
    assert abs(left - right) < 0.1


def test_noise_is_correlated_between_neighbouring_pixels():
    """Reconstruction leaves grain, not independent pixels: seen in air not wholly clipped."""
    found = []
    for picture in draw_hospital(patients=40, slices=1, size=128, seed=4).pixels.astype(float):
        patch = picture[3:15, 40:88]
        if (patch > 0).mean() > 0.2 and patch.max() < 60:
            centred = patch - patch.mean()
            found.append((centred[:, 1:] * centred[:, :-1]).mean() / centred.var())
    assert len(found) >= 5
    assert np.median(found) > 0.15


def test_patients_have_scanners_of_their_own(hospital):
    rough = [
        np.abs(np.diff(group[:, 5:, 50:78].astype(float), axis=2)).mean()
        for group in hospital.pixels.reshape(12, 3, 128, 128)
    ]
    assert max(rough) > 1.3 * min(rough)


@pytest.mark.parametrize(
    "parameters",
    [
        {"patients": 0, "slices": 1},
        {"patients": 1, "slices": 0},
        {"patients": 1, "slices": 201},
        {"patients": 1, "slices": 1, "size": 16},
        {"patients": 1, "slices": 1, "size": 129},
        {"patients": 1, "slices": 1, "seed": -1},
        {"patients": 1, "slices": 1, "first_patient": -1},
    ],
)
def test_bad_parameters_are_refused_in_one_line(parameters):
    with pytest.raises(BadInput) as caught:
        draw_hospital(**parameters)
    assert "\n" not in str(caught.value)
