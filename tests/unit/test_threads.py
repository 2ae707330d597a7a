"""How many threads linear algebra has changes no number: a worker process has one, the main one all."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from whorl import api, attribution, clusters, cohort, identification, images, pipeline, recipes
from whorl.forge import generators
from whorl.forge.phantom import draw_hospital
from whorl.identifier import Identifier
from whorl.kernels import principal
from whorl.pipeline import Settings
from whorl.records import Problem


@cache
def problem():
    real = draw_hospital(patients=260, slices=1, size=128, seed=9).pixels
    made = generators.make("components:components=60", background=real).fit(real[:130], 1).sample(260, 2)
    sides = (
        images.load(part, name=name) for part, name in ((real[:130], "members"), (real[130:], "holdout"))
    )
    queries = cohort.cohort(*sides).queries
    return Problem("membership", queries, {"generated": images.load(made, name="generated")})


@pytest.mark.parametrize("slab_bytes", [principal.SLAB_BYTES, 0])
@pytest.mark.parametrize("name", recipes.panels()["default"])
def test_the_number_of_threads_changes_no_score(name, slab_bytes, monkeypatch):
    monkeypatch.setattr(principal, "SLAB_BYTES", slab_bytes)
    monkeypatch.setattr(principal, "PART_BYTES", 2**20)
    found = []
    for count in (1, 2):
        with threadpool_limits(count):
            found.append(pipeline.score(recipes.load(name), problem(), Settings()))
    np.testing.assert_array_equal(found[0].values, found[1].values)
    np.testing.assert_array_equal(found[0].nearest, found[1].nearest)


def bag(first: int):
    return images.load(draw_hospital(patients=60, slices=1, size=64, seed=3).pixels[first:], name="bag")


def group():
    recipe = recipes.load(api.FINGERPRINT)
    return attribution.attribute(images=bag(30), recipe=recipe, settings=Settings()).why


def recognise():
    recipe, settings = recipes.load(api.FINGERPRINT), Settings()
    known = identification.fingerprint("known", bag(20), recipe, settings)
    return identification.identify(images=bag(50), sources=[known], recipe=recipe, settings=settings).why


@pytest.mark.parametrize(
    ("asked", "place", "name"), [(group, clusters, "divide"), (recognise, Identifier, "compare")]
)
def test_groups_and_names_are_found_on_one_thread(asked, place, name, monkeypatch):
    """Small tables shared out among threads wait for one another on busy cores."""
    seen, found = [], getattr(place, name)

    def spied(*values, **more):
        seen.extend(one["num_threads"] for one in threadpool_info())
        return found(*values, **more)

    monkeypatch.setattr(place, name, spied)
    with threadpool_limits(2):
        assert asked()
    assert seen and set(seen) == {1}
