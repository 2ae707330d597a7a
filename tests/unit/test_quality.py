"""Quality of generators: the measures against plain loops, and what they say of known generators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from whorl.forge.phantom import draw_hospital
from whorl.quality import kernel_distance, overlap, quality
from whorl.records import BadInput


def test_kernel_distance_is_the_unbiased_sum_over_pairs() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((7, 5)), rng.standard_normal((9, 5)) + 0.3

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 5 + 1) ** 3)

    first = np.mean([kernel(one[i], one[j]) for i in range(7) for j in range(7) if i != j])
    second = np.mean([kernel(other[i], other[j]) for i in range(9) for j in range(9) if i != j])
    cross = np.mean([kernel(x, y) for x in one for y in other])
    assert kernel_distance(one, other) == pytest.approx(first + second - 2 * cross, abs=1e-12)


def test_overlap_counts_points_within_balls_to_the_third_neighbour() -> None:
    rng = np.random.default_rng(1)
    made, real = rng.standard_normal((20, 3)) * 0.5, rng.standard_normal((25, 3))

    def share(asked: np.ndarray, known: np.ndarray) -> float:
        reach = [np.sort([np.linalg.norm(x - y) for y in known])[3] for x in known]
        inside = [any(np.linalg.norm(p - x) <= r for x, r in zip(known, reach, strict=True)) for p in asked]
        return float(np.mean(inside))

    assert overlap(made, real) == (share(made, real), share(real, made))


def test_fresh_pictures_are_as_near_as_real_ones_and_blurred_ones_are_not() -> None:
    drawn = draw_hospital(patients=160, slices=1, size=64, seed=5).pixels
    real, fresh = drawn[:80], drawn[80:]
    good = quality(fresh, real)
    assert good.kid.low <= good.kid_real.high
    assert abs(good.precision - good.precision_real) < 0.15
    blurred = np.stack([gaussian_filter(one, 2.0) for one in fresh])
    bad = quality(blurred, real)
    assert bad.kid.low > good.kid.high
    assert bad.precision < good.precision - 0.3
    assert bad.generated[-1] < bad.real[-1] - 1.0


def test_one_picture_over_and_over_is_precise_and_recalls_little() -> None:
    real = draw_hospital(patients=80, slices=1, size=64, seed=6).pixels
    noise = np.random.default_rng(0).integers(0, 2, (60, 64, 64))
    found = quality(np.clip(real[:1] + noise, 0, 255).astype(np.uint8), real)
    assert found.recall < 0.2 * found.recall_real


def test_a_handful_of_pictures_is_not_judged() -> None:
    with pytest.raises(BadInput, match="too few"):
        quality(np.zeros((5, 32, 32), np.uint8), np.zeros((50, 32, 32), np.uint8))
