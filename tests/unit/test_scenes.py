"""What pictures show in large: seen whatever way round they lie and however much grain they have."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.forge.phantom import draw_hospital
from whorl.scenes import described, main


@pytest.mark.parametrize("size", [(128, 128), (97, 61), (16, 16), (8, 9)])
def test_what_is_shown_does_not_depend_on_flips_or_grain(size):
    stack = draw_hospital(patients=12, slices=1, size=128, seed=3).pixels[:, : size[0], : size[1]]
    found = described(stack)
    assert found.shape == (12, 9) and np.isfinite(found).all()
    side = [length // 16 * 16 for length in size]
    even = stack[:, : side[0], : side[1]] if min(side) else stack
    np.testing.assert_allclose(described(even[:, ::-1, ::-1]), described(even), rtol=1e-5)
    noise = np.random.default_rng(1).normal(0, 2, stack.shape)
    grainy = described(stack + noise)
    if min(size) > 60:
        assert np.abs(grainy - found).mean() < 0.1 * found.std(axis=0).mean()


def test_the_main_difference_has_spread_one_and_tells_two_kinds_of_pictures_apart():
    rng = np.random.default_rng(0)
    rare = np.arange(400) % 5 == 0
    along = main(rng.standard_normal((400, 9)) + 6 * np.outer(rare, np.arange(9) % 2))
    assert along.shape == (400, 1) and along.std() == pytest.approx(1.0)
    assert max(along[rare].min() - along[~rare].max(), along[~rare].min() - along[rare].max()) > 0


def test_pictures_that_show_the_same_have_no_main_difference():
    assert main(np.ones((40, 9))).shape == (40, 0)
    assert main(np.arange(9.0)[None]).shape == (1, 0)
