"""Near copies and planted copies: what was copied is named, what was not is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import shift

from whorl import auditing, images, recipes
from whorl.conclusions import Rules
from whorl.forge.phantom import draw_hospital
from whorl.outcomes import Audit
from whorl.pipeline import Settings
from whorl.records import Array

RULES = Rules(permutations=99, draws=50)
PANEL = [recipes.load("whorl.copies"), recipes.load("whorl.thumbnail")]
SIDE, EACH = 64, 60


@pytest.fixture(scope="module")
def people() -> list[Array]:
    stack = draw_hospital(patients=3 * EACH, slices=1, size=SIDE, seed=5).pixels
    return [stack[start : start + EACH] for start in range(0, 3 * EACH, EACH)]


def audited(made: Array, members: Array, holdout: Array, panel=PANEL) -> Audit:
    return auditing.audit(
        generated=images.load(made, name="generated"),
        members=images.load(members, name="members"),
        holdout=images.load(holdout, name="holdout"),
        recipes=panel,
        settings=Settings(seed=3),
        rules=RULES,
    )


def copied(pictures: Array, seed: int) -> Array:
    """Copies as a generator makes them: moved, mirrored, turned, lighter or darker, with fresh grain."""
    rng = np.random.default_rng(seed)
    made = []
    for picture in pictures:
        grey = np.rot90(picture, rng.integers(4)).astype(float)
        grey = grey[:, ::-1] if rng.random() < 0.5 else grey
        grey = shift(grey, rng.uniform(-2, 2, 2), order=1, mode="nearest") * rng.uniform(0.9, 1.1)
        made.append(np.clip(np.rint(grey + 3 * rng.standard_normal(grey.shape)), 0, 255))
    return np.asarray(made, np.uint8)


def test_copies_are_named_with_their_twins_and_make_a_leak(people):
    members, holdout, others = people
    chosen = [3, 17, 30, 44]
    found = audited(np.concatenate([others, copied(members[chosen], 1)]), members, holdout)
    assert found.verdict == "leak" and {entry.row for entry in found.near_copies} == set(chosen)
    for entry in found.near_copies:
        assert entry.twin == EACH + chosen.index(entry.row) and entry.likeness > 0.5
        assert 0 <= entry.q_value <= 0.01


def test_nobody_is_named_where_nobody_was_copied(people):
    members, holdout, others = people
    assert audited(others, members, holdout).near_copies == ()
    # Copies of the holdout are no copies of members.
    assert audited(np.concatenate([others, copied(holdout[:5], 2)]), members, holdout).near_copies == ()


def test_planted_copies_are_found_and_weaker_ones_less(people):
    members, holdout, others = people
    found = audited(others, members, holdout).planted
    assert [one.planted for one in found] == [20] * 4
    assert found[0].found >= 19 and found[0].fewest == 1
    assert found[0].found >= found[2].found >= found[3].found
    # The audit itself is as it was: what is planted stays out of its evidence.
    assert audited(others, members, holdout).near_copies == ()


def test_an_audit_without_the_attack_for_copies_plants_nothing(people):
    members, holdout, others = people
    alone = audited(others, members, holdout, panel=PANEL[1:])
    assert alone.planted == () and alone.near_copies == () and alone.combined is None


def test_the_order_of_the_files_plants_the_same(people):
    members, holdout, others = people
    once = audited(others, members, holdout).planted
    assert audited(others[::-1], members[::-1], holdout[::-1]).planted == once
